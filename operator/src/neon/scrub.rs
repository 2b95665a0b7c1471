//! Takes secrets out of a text that is about to be shown.
//!
//! In: any text from outside, and the API key. Out: the same text with `***` for the key, for the credentials
//! in a URI, for bearer tokens, for what follows `password=` or `"password":`, and for Neon's own token and
//! password forms. It must not be the only guard: nothing is printed that need not be.

const HIDDEN: &str = "***";

/// The text without secrets.
pub(super) fn scrub(text: &str, api_key: &str) -> String {
    let text = if api_key.len() < 4 { text.to_owned() } else { text.replace(api_key, HIDDEN) };
    let text = hide_userinfo(&text);
    let text = hide_after(&text, "bearer ", is_token);
    let text =
        hide_after(&text, "password", |c| !c.is_whitespace() && !matches!(c, '&' | ',' | '}'));
    let text = hide_after(&text, "napi_", is_token);
    hide_after(&text, "npg_", is_token)
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=')
}

/// `scheme://anything@` becomes `scheme://***@`, up to the last `@` before a blank or a quote.
fn hide_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`'))
            .unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            None => after,
            Some(credentials) => {
                out.push_str(HIDDEN);
                &after[credentials..]
            }
        };
    }
    out.push_str(rest);
    out
}

/// Hides what follows a marker (found in any case of letters). After `password` that is only done where an
/// assignment follows, so that "password authentication failed" stays readable.
fn hide_after(text: &str, marker: &str, secret: impl Fn(char) -> bool) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(found) = lower[done..].find(marker) {
        let mut start = done + found + marker.len();
        if marker == "password" {
            let gap = text[start..]
                .find(|c: char| !matches!(c, '"' | '\'' | ' ' | '=' | ':'))
                .unwrap_or(text.len() - start);
            if !text[start..start + gap].contains(['=', ':']) {
                out.push_str(&text[done..start]);
                done = start;
                continue;
            }
            start += gap;
        }
        let end = text[start..].find(|c| !secret(c)).map_or(text.len(), |length| start + length);
        out.push_str(&text[done..start]);
        if end > start {
            out.push_str(HIDDEN);
        }
        done = end;
    }
    out.push_str(&text[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::scrub;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let cases = [
            ("key k3y-of-ours is bad", "key *** is bad"),
            ("see postgresql://u:p@ss w0rd", "see postgresql://***@ss w0rd"),
            ("see \"postgresql://u:p@h/d?x=1\" now", "see \"postgresql://***@h/d?x=1\" now"),
            ("two a://b:c@d and e://f:g@h", "two a://***@d and e://***@h"),
            ("https://neon.tech/docs stays", "https://neon.tech/docs stays"),
            ("Authorization: Bearer abc.def, and so on", "Authorization: Bearer ***, and so on"),
            (r#"{"password":"s3cret","role":"r"}"#, r#"{"password":"***,"role":"r"}"#),
            ("host=h password=s3cret user=u", "host=h password=*** user=u"),
            ("password authentication failed", "password authentication failed"),
            ("supplied credentials do not pass", "supplied credentials do not pass"),
            ("npg_AbC123xyz leaked", "npg_*** leaked"),
            ("token napi_abc123.", "token napi_***"),
            ("PASSWORD: äöü ende", "PASSWORD: *** ende"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(scrub(text, "k3y-of-ours"), expected, "{text}");
        }
    }
}
