//! Reads what came with an HTTP answer that is no success: the body and the headers that matter.
//!
//! In: status, headers and body, which may be Neon's error object, a proxy's HTML page, or anything. Out: an
//! [`Answer`] with a short text without secrets. It must not fail, whatever the body is.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use super::{error::Answer, route::Route, scrub::scrub};

/// How much of a message is kept, in characters.
const LONGEST: usize = 300;

#[derive(Deserialize)]
struct GeneralError {
    message: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    request_id: Option<String>,
}

/// Builds the answer.
pub(super) fn read(
    route: &Route,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
    api_key: &str,
) -> Answer {
    let neon = serde_json::from_slice::<GeneralError>(body).ok();
    let from_neon = neon.is_some();
    let (message, code, request_id) = match neon {
        Some(GeneralError { message, code, request_id }) => (message, code, request_id),
        None => (excerpt(&String::from_utf8_lossy(body)), String::new(), None),
    };
    let request_id = request_id.or_else(|| {
        ["x-neon-ret-request-id", "x-request-id"]
            .iter()
            .find_map(|name| headers.get(*name)?.to_str().ok().map(str::to_owned))
    });
    let clean = |text: &str| bounded(&scrub(text, api_key));
    Answer {
        route: route.name,
        status,
        code: clean(&code),
        message: match clean(&message) {
            empty if empty.is_empty() => "no message".to_owned(),
            message => message,
        },
        request_id: request_id.map(|id| clean(&id)),
        retry_after: headers
            .get(RETRY_AFTER)
            .and_then(|value| retry_after(value.to_str().ok()?, Timestamp::now())),
        from_neon,
    }
}

/// Seconds, or an HTTP date; a date in the past is zero, nonsense is nothing.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// What a person would read of a body that is not Neon's: the title of an HTML page, else its text.
fn excerpt(body: &str) -> String {
    let lower = body.to_ascii_lowercase();
    if !lower.contains("<html") && !lower.contains("<!doctype") {
        return body.to_owned();
    }
    let title = lower.find("<title>").and_then(|start| {
        let start = start + "<title>".len();
        let length = lower[start..].find('<')?;
        Some(body[start..start + length].trim())
    });
    match title {
        Some(title) if !title.is_empty() => format!("HTML page \"{title}\""),
        _ => format!("HTML page: {}", without_tags(body)),
    }
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text
}

/// One line of bounded length, without control characters.
fn bounded(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
