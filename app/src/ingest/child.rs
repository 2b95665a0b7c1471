//! The parent's side of the process that reads one PDF.
//!
//! In: the file as it comes from the store, and limits. Out: pages through a channel as they are read, then how many had no
//! text, or a named failure. What the child says is not trusted: lines, texts, counts and time are bounded here. The child has
//! no environment, so it knows no secret, and it ends when this future is dropped.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use rustix::process::Signal;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
    time::timeout,
};

use super::{
    failure::Failure,
    wire::{Line, Reason},
};

/// Most bytes of a line: a page's text, escaped.
const LINE_BYTES: usize = 16 << 20;
/// Most bytes of text of one document.
const TEXT_BYTES: usize = 32 << 20;
/// Most characters of a failure's detail, for the log.
const DETAIL: usize = 200;
/// How long a child that said its last word may take to end.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// What one child may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The program to start: our own.
    pub program: PathBuf,
    /// Most pages.
    pub max_pages: u32,
    /// Megabytes of memory.
    pub megabytes: u32,
    /// Time, without what we ourselves let it wait.
    pub time: Duration,
}

/// What a child tells before its end.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// How many pages there are.
    Pages(u32),
    /// A page's text; pages come in order.
    Page(u32, String),
}

/// Why a PDF was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: std::error::Error + 'static> {
    /// It cannot be used.
    #[error("the PDF cannot be used: {0} ({1})")]
    Failed(Failure, String),
    /// The file did not come.
    #[error("the file could not be read from the store: {0}")]
    Source(#[source] E),
    /// The child could not be started or spoken to, or somebody ended it.
    #[error("the reading process: {0}")]
    Process(#[from] io::Error),
    /// Nobody wants the pages any more.
    #[error("nobody takes the pages")]
    Unwanted,
}

/// Reads a PDF; answers how many of its pages have no text, and how long the child worked.
///
/// # Errors
/// [`Error`].
pub async fn read<E: std::error::Error + 'static>(
    limits: &Limits,
    source: impl Stream<Item = Result<Bytes, E>>,
    news: mpsc::Sender<News>,
) -> Result<(u32, Duration), Error<E>> {
    let mut child = start(limits)?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("it has no standard streams").into());
    };
    // It reads all before it says anything, so its clock starts when it has all: a slow store is not its fault.
    feed(stdin, source, limits.time).await?;
    let mut listener = Listener::new(limits, stdout, news);
    let heard = listener.listen().await;
    // One that closed its end is dying already; one that said too much is killed.
    let patient = matches!(heard, Ok(_) | Err(Heard::Nothing));
    let status = ended(&mut child, patient).await?;
    match heard {
        Ok(textless) => Ok((textless, listener.worked)),
        Err(Heard::Nothing) => Err(died(status)),
        Err(Heard::Failed(failure, detail)) => Err(Error::Failed(failure, detail)),
        Err(Heard::Unwanted) => Err(Error::Unwanted),
        Err(Heard::Broken(error)) => Err(error.into()),
    }
}

fn start(limits: &Limits) -> io::Result<Child> {
    Command::new(&limits.program)
        .arg("extract")
        .args(["--max-pages", &limits.max_pages.to_string()])
        .args(["--megabytes", &limits.megabytes.to_string()])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // It may quote the document.
        .stderr(Stdio::null())
        // Ctrl-C in a terminal reaches the whole group: this process decides when its child ends.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn feed<E: std::error::Error + 'static>(
    mut stdin: ChildStdin,
    source: impl Stream<Item = Result<Bytes, E>>,
    time: Duration,
) -> Result<(), Error<E>> {
    futures::pin_mut!(source);
    while let Some(bytes) = source.next().await {
        let bytes = bytes.map_err(Error::Source)?;
        match timeout(time, stdin.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            // It has seen enough: what it says is heard next.
            Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Ok(Err(error)) => return Err(error.into()),
            Err(_elapsed) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    }
    Ok(())
}

/// Its end, which is made where it does not come by itself.
async fn ended(child: &mut Child, patient: bool) -> io::Result<ExitStatus> {
    if patient && let Ok(ended) = timeout(LAST_BREATH, child.wait()).await {
        return ended;
    }
    child.kill().await?;
    child.wait().await
}

/// Why listening ended early.
enum Heard {
    Nothing,
    Failed(Failure, String),
    Unwanted,
    Broken(io::Error),
}

struct Listener {
    max_pages: u32,
    time: Duration,
    out: BufReader<ChildStdout>,
    news: mpsc::Sender<News>,
    pages: u32,
    last: u32,
    text: usize,
    worked: Duration,
}

impl Listener {
    fn new(limits: &Limits, out: ChildStdout, news: mpsc::Sender<News>) -> Self {
        let out = BufReader::with_capacity(64 << 10, out);
        let (max_pages, time) = (limits.max_pages, limits.time);
        Self { max_pages, time, out, news, pages: 0, last: 0, text: 0, worked: Duration::ZERO }
    }

    /// Until the child's last word.
    async fn listen(&mut self) -> Result<u32, Heard> {
        let mut line = Vec::new();
        loop {
            let began = Instant::now();
            let left = self.time.saturating_sub(self.worked);
            match timeout(left, read_line(&mut self.out, &mut line)).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => return Err(Heard::Nothing),
                Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    return Err(too_complex("a line has no end"));
                }
                Ok(Err(error)) => return Err(Heard::Broken(error)),
                Err(_elapsed) => return Err(too_complex("it took too long")),
            }
            self.worked += began.elapsed();
            let Ok(said) = serde_json::from_slice(&line) else {
                return Err(garbage("a line that is none"));
            };
            if let Some(textless) = self.take(said).await? {
                return Ok(textless);
            }
        }
    }

    async fn take(&mut self, line: Line) -> Result<Option<u32>, Heard> {
        match line {
            Line::Pages { pages } if self.pages == 0 && (1..=self.max_pages).contains(&pages) => {
                self.pages = pages;
                self.tell(News::Pages(pages)).await
            }
            Line::Page { page, text } if self.last < page && page <= self.pages => {
                self.last = page;
                self.text = self.text.saturating_add(text.len());
                if self.text > TEXT_BYTES {
                    return Err(too_complex("it has too much text"));
                }
                self.tell(News::Page(page, text)).await
            }
            Line::End { end: true, textless } if textless < self.pages => Ok(Some(textless)),
            Line::Failure { failure, detail } => {
                Err(Heard::Failed(self.failure(failure), detail.chars().take(DETAIL).collect()))
            }
            Line::Pages { pages: _ }
            | Line::Page { page: _, text: _ }
            | Line::End { end: _, textless: _ } => Err(garbage("a line out of turn")),
        }
    }

    async fn tell(&self, news: News) -> Result<Option<u32>, Heard> {
        self.news.send(news).await.map(|()| None).map_err(|_| Heard::Unwanted)
    }

    fn failure(&self, reason: Reason) -> Failure {
        match reason {
            Reason::NotPdf => Failure::NotPdf,
            Reason::Encrypted => Failure::Encrypted,
            Reason::Damaged => Failure::Damaged,
            Reason::Empty => Failure::Empty,
            Reason::NoText => Failure::NoText,
            Reason::TooManyPages => Failure::TooManyPages { limit: self.max_pages },
            Reason::TooComplex => Failure::TooComplex,
        }
    }
}

/// A child that ended without a last word.
fn died<E: std::error::Error + 'static>(status: ExitStatus) -> Error<E> {
    let outside =
        [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::KILL].map(Signal::as_raw);
    match status.signal() {
        Some(signal) if outside.contains(&signal) => {
            io::Error::other(format!("somebody ended it: {status}")).into()
        }
        // Its own limits end it otherwise: out of memory and a full stack abort, too much time has its signal.
        Some(_) => Error::Failed(Failure::TooComplex, status.to_string()),
        None => io::Error::other(format!("it could not work: {status}")).into(),
    }
}

fn too_complex(detail: &str) -> Heard {
    Heard::Failed(Failure::TooComplex, detail.to_owned())
}

fn garbage(detail: &str) -> Heard {
    Heard::Failed(Failure::Damaged, detail.to_owned())
}

/// Reads a line without its end; false at the end of everything. A line of more than [`LINE_BYTES`] is invalid data.
async fn read_line(from: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    loop {
        let buffer = from.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(buffer.len());
        if line.len() + taken > LINE_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        line.extend_from_slice(&buffer[..taken]);
        let consumed = end.map_or(taken, |end| end + 1);
        from.consume(consumed);
        if end.is_some() {
            return Ok(true);
        }
    }
}
