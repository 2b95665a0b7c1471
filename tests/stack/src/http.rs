//! The smallest HTTP client that can ask a server on this machine: one request, no TLS, no redirects.
//!
//! In: an `http://host:port/path` URL, headers, a body. Out: status and body. HTTP/1.0, so that the server sends no chunks and closes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

/// GET.
pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Result<(u16, String)> {
    ask("GET", url, headers, "")
}

/// POST of a JSON text.
pub(crate) fn post(url: &str, body: &str) -> Result<(u16, String)> {
    let length = body.len().to_string();
    ask("POST", url, &[("content-type", "application/json"), ("content-length", &length)], body)
}

/// Asks and waits at most ten seconds for the answer.
fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<(u16, String)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is not an http URL"))?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach {url}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let extra: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "{method} /{path} HTTP/1.0\r\nhost: {address}\r\n{extra}\r\n{body}")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
        .with_context(|| format!("{url} did not answer in HTTP"))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(parse(answer), Some((404, "{}".to_owned())));
        assert_eq!(parse("SSH-2.0"), None);
    }
}
