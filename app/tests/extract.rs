//! The process that reads one PDF, started as the app starts it: every kind of file comes to its right end.

#![expect(clippy::unwrap_used, reason = "a panic is how a test reports")]

#[path = "extract/samples.rs"]
mod samples;

use std::{
    convert::Infallible,
    path::PathBuf,
    time::{Duration, Instant},
};

use app::ingest::child::{self, Error, Limits, News};
use bytes::Bytes;
use samples::{MAX_PAGES, Outcome, samples};
use tokio::sync::mpsc;

fn limits() -> Limits {
    Limits {
        program: PathBuf::from(env!("CARGO_BIN_EXE_tenantry-app")),
        max_pages: MAX_PAGES,
        megabytes: 512,
        time: Duration::from_secs(60),
    }
}

struct Got {
    pages: u32,
    texts: Vec<(u32, String)>,
    outcome: Result<u32, String>,
    detail: String,
}

async fn read(limits: &Limits, bytes: Vec<u8>) -> Got {
    let (news, mut heard) = mpsc::channel(4);
    let chunks: Vec<_> = bytes
        .chunks(64 << 10)
        .map(|chunk| Ok::<_, Infallible>(Bytes::copy_from_slice(chunk)))
        .collect();
    let collect = async {
        let (mut pages, mut texts) = (0, Vec::new());
        while let Some(news) = heard.recv().await {
            match news {
                News::Pages(number) => pages = number,
                News::Page(number, text) => texts.push((number, text)),
            }
        }
        (pages, texts)
    };
    let reading = child::read(limits, futures::stream::iter(chunks), news);
    let (outcome, (pages, texts)) = tokio::join!(reading, collect);
    let (outcome, detail) = match outcome {
        Ok((textless, _)) => (Ok(textless), String::new()),
        Err(Error::Failed(failure, detail)) => (Err(failure.code().to_owned()), detail),
        Err(other) => (Err(other.to_string()), String::new()),
    };
    Got { pages, texts, outcome, detail }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_comes_to_its_right_end() {
    let mut wrong = Vec::new();
    for sample in samples() {
        let size = sample.bytes.len();
        let began = Instant::now();
        let got = read(&limits(), sample.bytes).await;
        let text: String = got.texts.iter().map(|(_, text)| text.as_str()).collect();
        let right = match (sample.outcome, &got.outcome) {
            (Outcome::Read { pages, textless, holds }, Ok(missing)) => {
                (pages, textless) == (got.pages, *missing) && text.contains(holds)
            }
            (Outcome::Fails(codes), Err(code)) => codes.contains(&code.as_str()),
            (Outcome::Read { .. }, Err(_)) | (Outcome::Fails(_), Ok(_)) => false,
        };
        let line = format!(
            "{}: {size} bytes, {:?} in {:?}, {} pages, {} letters {}",
            sample.name,
            got.outcome,
            began.elapsed(),
            got.pages,
            text.len(),
            got.detail
        );
        eprintln!("{line}");
        if !right || began.elapsed() > Duration::from_secs(30) {
            wrong.push(format!("{line}; expected {:?}", sample.outcome));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn pages_come_in_order_and_one_by_one() {
    let got = read(
        &limits(),
        samples::plain(&["First page of the text.", "", "Third page of the text."]),
    )
    .await;
    let numbers: Vec<u32> = got.texts.iter().map(|(number, _)| *number).collect();
    assert_eq!((numbers, got.outcome), (vec![1, 2, 3], Ok(1)));
    assert_eq!(got.texts[2].1, "Third page of the text.");
}

#[tokio::test]
async fn memory_beyond_the_limit_is_too_complex() {
    // It does not fit: the text alone is larger than what is left.
    let long = "many words in one line ".repeat(400_000);
    let limits = Limits { megabytes: 128, ..limits() };
    let got = read(&limits, samples::plain(&[&long])).await;
    assert_eq!(got.outcome, Err("too_complex".to_owned()), "{}", got.detail);
}

#[tokio::test]
async fn time_beyond_the_limit_is_too_complex() {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/extract/hang.sh").into();
    let limits = Limits { time: Duration::from_secs(1), program, ..limits() };
    let began = Instant::now();
    let got = read(&limits, samples::plain(&["A text."; 400])).await;
    assert_eq!(got.outcome, Err("too_complex".to_owned()), "{}", got.detail);
    assert!(began.elapsed() < Duration::from_secs(20), "it is not waited for");
}

#[tokio::test]
async fn what_somebody_else_ends_is_no_fault_of_the_file() {
    let limits = Limits { program: PathBuf::from("/bin/false"), ..limits() };
    let got = read(&limits, b"%PDF-".to_vec()).await;
    assert!(got.outcome.unwrap_err().starts_with("the reading process"));
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/extract/killed.sh").into();
    let limits = Limits { program, ..limits };
    let got = read(&limits, b"%PDF-".to_vec()).await;
    assert!(got.outcome.unwrap_err().starts_with("the reading process: somebody ended it"));
    let limits = Limits { program: PathBuf::from("/does/not/exist"), ..limits };
    let got = read(&limits, b"%PDF-".to_vec()).await;
    assert!(got.outcome.unwrap_err().starts_with("the reading process"));
}

#[tokio::test]
async fn a_child_that_talks_nonsense_is_not_believed() {
    let limits = Limits { program: PathBuf::from("/bin/echo"), ..limits() };
    let got = read(&limits, b"%PDF-".to_vec()).await;
    assert_eq!(got.outcome, Err("damaged".to_owned()));
    assert_eq!(got.detail, "a line that is none");
}

#[tokio::test]
async fn the_childs_end_is_not_waited_for_when_nobody_listens() {
    let (news, heard) = mpsc::channel(1);
    drop(heard);
    let bytes =
        futures::stream::iter([Ok::<_, Infallible>(samples::plain(&["A text."; 400]).into())]);
    let outcome = child::read(&limits(), bytes, news).await;
    assert!(matches!(outcome, Err(Error::Unwanted)));
}
