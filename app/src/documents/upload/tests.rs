//! Requests as browsers, scripts and broken senders make them.

use axum::{body::Body, http::Request as HttpRequest};
use bytes::Bytes;
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::*;

const PDF: &[u8] = b"%PDF-1.7 and the rest";

fn part(name: &str, file_name: Option<&str>, content: &[u8]) -> Vec<u8> {
    let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
    let mut part =
        format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\r\n")
            .into_bytes();
    part.extend_from_slice(content);
    part.extend_from_slice(b"\r\n");
    part
}

fn whole(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat()[..], b"--cut--\r\n"].concat()
}

async fn multipart(body: impl Into<Body>) -> Multipart {
    let request =
        HttpRequest::post("/").header("content-type", "multipart/form-data; boundary=cut");
    let mut request = request.body(body.into()).unwrap();
    DefaultBodyLimit::max(4 << 20).apply(&mut request);
    Multipart::from_request(request, &()).await.unwrap()
}

/// In pieces of a few bytes, as a bad network delivers.
fn crumbs(body: &[u8]) -> Body {
    let crumbs: Vec<Bytes> = body.chunks(7).map(Bytes::copy_from_slice).collect();
    Body::from_stream(futures::stream::iter(crumbs).map(Ok::<_, std::io::Error>))
}

/// What the rest of the app would store: name, content, hash.
async fn read(request: Multipart) -> Result<(String, Vec<u8>, Vec<u8>), Refusal> {
    read_until(request, Instant::now() + WHOLE).await
}

async fn read_until(
    mut request: Multipart,
    deadline: Instant,
) -> Result<(String, Vec<u8>, Vec<u8>), Refusal> {
    let file = incoming::open(&mut request).await?;
    let name = file.name.clone();
    let (mut incoming, mut content) = (Incoming::new(file, 1, deadline), Vec::new());
    while let Some(chunk) = incoming.next().await? {
        content.extend_from_slice(&chunk);
    }
    let (bytes, hash) = incoming.finish();
    assert_eq!(bytes, content.len() as u64);
    incoming::end(&mut request, deadline).await?;
    Ok((name, content, hash))
}

async fn code(body: impl Into<Body>) -> &'static str {
    read(multipart(body).await).await.unwrap_err().kind().1
}

#[tokio::test]
async fn a_file_passes_whole_with_its_hash() {
    let large = [PDF, &vec![7; 900_000]].concat();
    for content in [PDF.to_vec(), large] {
        let body = whole(&[part("file", Some("Übersicht 报告.pdf"), &content)]);
        for body in [Body::from(body.clone()), crumbs(&body)] {
            let (name, read, hash) = read(multipart(body).await).await.unwrap();
            assert_eq!((name.as_str(), read.len()), ("Übersicht 报告.pdf", content.len()));
            assert_eq!(hash, Sha256::digest(&content).to_vec());
        }
    }
}

#[tokio::test]
async fn the_mark_of_a_pdf_may_stand_a_little_later_but_not_far() {
    let with =
        |junk: usize| whole(&[part("file", Some("a.pdf"), &[&vec![b' '; junk], PDF].concat())]);
    assert!(read(multipart(with(1000)).await).await.is_ok());
    assert_eq!(code(with(1021)).await, "not_pdf");
}

#[tokio::test]
async fn bad_uploads_have_names() {
    let pdf = || part("file", Some("a.pdf"), PDF);
    let cases: [(&str, Vec<u8>, &str); 12] = [
        ("nothing", Vec::new(), "broken_off"),
        ("no part", whole(&[]), "no_file"),
        ("another field", whole(&[part("pdf", Some("a.pdf"), PDF)]), "no_file"),
        ("nothing chosen", whole(&[part("file", Some(""), b"")]), "no_file"),
        ("empty", whole(&[part("file", Some("a.pdf"), b"")]), "empty"),
        ("html", whole(&[part("file", Some("a.pdf"), b"<html>%PDF</html>")]), "not_pdf"),
        ("zip", whole(&[part("file", Some("a.pdf"), b"PK\x03\x04")]), "not_pdf"),
        ("one byte", whole(&[part("file", Some("a.pdf"), b"%")]), "not_pdf"),
        ("two files", whole(&[pdf(), pdf()]), "one_file"),
        ("cut off", pdf(), "broken_off"),
        ("no boundary", b"%PDF-1.7".to_vec(), "broken_off"),
        (
            "a little too large",
            whole(&[part("file", Some("a.pdf"), &[PDF, &vec![0; 1 << 20]].concat())]),
            "too_large",
        ),
    ];
    for (name, body, expected) in cases {
        assert_eq!(code(body.clone()).await, expected, "{name}");
        assert_eq!(code(crumbs(&body)).await, expected, "{name} in crumbs");
    }
    assert_eq!(
        code(whole(&[part("file", Some("a.pdf"), &[PDF, &vec![0; 8 << 20]].concat())])).await,
        "too_large"
    );
}

#[tokio::test]
async fn the_limit_itself_is_allowed() {
    let content = [PDF, &vec![0; (1 << 20) - PDF.len()]].concat();
    let body = whole(&[part("file", Some("a.pdf"), &content)]);
    assert_eq!(read(multipart(body).await).await.unwrap().1.len(), 1 << 20);
}

#[tokio::test]
async fn a_sender_that_goes_away_is_a_broken_upload() {
    let begin = Bytes::from(part("file", Some("a.pdf"), PDF));
    let gone = Err(std::io::Error::other("connection reset"));
    let body = Body::from_stream(futures::stream::iter([Ok(begin), gone]));
    assert_eq!(code(body).await, "broken_off");
}

#[tokio::test]
async fn a_sender_that_stands_still_is_not_waited_for() {
    let begin = Bytes::from(part("file", Some("a.pdf"), PDF));
    let rest = futures::stream::pending::<Result<Bytes, std::io::Error>>();
    let body = Body::from_stream(futures::stream::iter([Ok(begin)]).chain(rest));
    assert_eq!(code(body).await, "stalled");
}

/// What comes before, then a byte and another, for as long as anybody reads.
fn trickle(begin: Vec<u8>) -> Body {
    let rest = futures::stream::repeat_with(|| Bytes::from_static(b" ")).then(async |byte| {
        tokio::time::sleep(Duration::from_millis(20)).await;
        byte
    });
    let all = futures::stream::iter([Bytes::from(begin)]).chain(rest);
    Body::from_stream(all.map(Ok::<_, std::io::Error>))
}

#[tokio::test]
async fn a_sender_that_never_comes_to_the_point_is_not_waited_for() {
    let mut begin = part("file", Some("a.pdf"), b"");
    begin.truncate(begin.len() - 2);
    assert_eq!(code(trickle(begin)).await, "stalled");
}

#[tokio::test]
async fn bytes_that_trickle_have_an_end_in_the_file_and_after_it() {
    let mut file = part("file", Some("a.pdf"), &[PDF, &[b' '; 1024]].concat());
    let after = [&file[..], &part("note", None, b"")].concat();
    file.truncate(file.len() - 2);
    for begin in [file, after[..after.len() - 2].to_vec()] {
        let deadline = Instant::now() + Duration::from_millis(300);
        let ended = read_until(multipart(trickle(begin)).await, deadline).await;
        assert_eq!(ended.unwrap_err().kind().1, "stalled");
    }
}

#[tokio::test]
async fn fields_after_the_file_do_not_matter() {
    let body = whole(&[part("file", Some("a.pdf"), PDF), part("note", None, b"hello")]);
    assert!(read(multipart(body).await).await.is_ok());
}

#[test]
fn refusals_say_what_to_do() {
    let all = [
        Refusal::TooMany { most: 3 },
        Refusal::TooLarge { megabytes: 10 },
        Refusal::NotPdf,
        Refusal::Empty,
        Refusal::NoFile,
        Refusal::Broken,
        Refusal::Duplicate { id: Uuid::nil(), title: "Plan".to_owned() },
    ];
    for refusal in all {
        assert!(
            refusal.kind().0.is_client_error() && refusal.to_string().ends_with('.'),
            "{refusal}"
        );
    }
    assert!(Refusal::TooMany { most: 3 }.to_string().contains('3'));
    assert!(Refusal::TooLarge { megabytes: 10 }.to_string().contains("10 MB"));
}
