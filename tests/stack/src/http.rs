//! The smallest HTTP client that can ask a server on this machine: one request, no TLS, no redirects.
//!
//! In: an `http://host:port/path` URL, headers, a body. Out: status and body. HTTP/1.0, so that the server sends no chunks and closes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

/// What a server said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The first header of that name, in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
    }
}

/// GET.
pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Result<(u16, String)> {
    ask("GET", url, headers, b"").map(|answer| (answer.status, answer.body))
}

/// POST of a JSON text.
pub(crate) fn post(url: &str, body: &str) -> Result<(u16, String)> {
    let length = body.len().to_string();
    let headers = [("content-type", "application/json"), ("content-length", &*length)];
    ask("POST", url, &headers, body.as_bytes()).map(|answer| (answer.status, answer.body))
}

/// Asks and waits at most half a minute for each piece of the answer.
pub(crate) fn ask(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not an http URL"))?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach {url}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let extra: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "{method} /{path} HTTP/1.0\r\nhost: {address}\r\n{extra}\r\n")?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
        .with_context(|| format!("{url} did not answer in HTTP"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}";
        let answer = parse(answer).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (404, "{}"));
        assert_eq!(answer.header("Content-Length"), Some("2"));
        assert_eq!(parse("SSH-2.0"), None);
    }
}
