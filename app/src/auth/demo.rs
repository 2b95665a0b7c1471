//! The demonstration's sign-in: anyone, under any name, without a password. It exists only with its flag, and the flag only
//! works where nobody else can reach the app.

use std::net::SocketAddr;

use url::{Host, Url};

use crate::args::SignInArgs;

/// The issuer of people who signed in so.
pub const ISSUER: &str = "demo";

/// Longest name.
pub const LONGEST: usize = 100;

/// Whether the flags go together.
///
/// # Errors
/// A text that names the flag and the remedy.
pub fn check(args: &SignInArgs, listen: SocketAddr) -> Result<(), String> {
    let https = args.public_url.scheme() == "https";
    if args.demo_login && !listen.ip().is_loopback() {
        return Err("--demo-login lets anyone in: --listen must then be an address of this machine alone, such as 127.0.0.1:8090".to_owned());
    }
    if args.demo_login && !is_loopback(&args.public_url) {
        return Err("--demo-login lets anyone in: --public-url must then be an address of this machine alone, such as http://127.0.0.1:8090".to_owned());
    }
    if !https && !args.demo_login {
        return Err("--public-url must begin with https://, because cookies over plain http can be stolen; --demo-login allows http on this machine".to_owned());
    }
    if args.oidc_issuer.is_none() && !args.demo_login {
        return Err("nobody could sign in: set --oidc-issuer and --oidc-client-id (or --demo-login, on this machine)".to_owned());
    }
    Ok(())
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Controls, and signs that have no width or turn the direction of what follows.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What can be seen of a name.
fn visible(text: &str) -> String {
    let visible = text.chars().filter(|character| !is_invisible(*character));
    visible.collect::<String>().trim().to_owned()
}

/// What somebody else says that a person is called, cut where it is long.
#[must_use]
pub fn name(told: &str) -> Option<String> {
    let name: String = visible(told).chars().take(LONGEST).collect();
    (!name.is_empty()).then_some(name)
}

/// What a person typed, as a name: it is who they are here, so it is not cut.
#[must_use]
pub fn typed(text: &str) -> Option<String> {
    let name = visible(text);
    (1..=LONGEST).contains(&name.chars().count()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        sign_in: SignInArgs,
    }

    fn verdict(flags: &[&str], listen: &str) -> Result<(), String> {
        let args = ["app"].iter().chain(flags);
        check(&Cli::parse_from(args).sign_in, listen.parse().unwrap())
    }

    #[test]
    fn the_demo_login_stays_on_this_machine() {
        assert!(verdict(&["--demo-login"], "127.0.0.1:8090").is_ok());
        assert!(verdict(&["--demo-login"], "0.0.0.0:8090").unwrap_err().contains("--listen"));
        assert!(verdict(&[], "127.0.0.1:8090").unwrap_err().contains("--public-url"));
        let https = ["--public-url", "https://chat.example.com"];
        let public = [https.as_slice(), &["--demo-login"]].concat();
        assert!(verdict(&public, "127.0.0.1:8090").unwrap_err().contains("--public-url"));
        assert!(verdict(&https, "0.0.0.0:8090").unwrap_err().contains("--oidc-issuer"));
        let oidc = ["--oidc-issuer", "https://accounts.google.com", "--oidc-client-id", "x"];
        assert!(verdict(&[https.as_slice(), &oidc].concat(), "0.0.0.0:8090").is_ok());
    }

    #[test]
    fn a_name_is_what_can_be_seen_of_it() {
        assert_eq!(name("  Ada\u{0}\n ").as_deref(), Some("Ada"));
        assert_eq!(name(" \t "), None);
        assert_eq!(name("\u{200b}\u{202e}"), None);
        assert_eq!(name(&"ü".repeat(500)).map(|name| name.chars().count()), Some(LONGEST));
        let longest = "ü".repeat(LONGEST);
        assert_eq!(typed(&format!(" {longest}\u{200b} ")), Some(longest.clone()));
        for bad in [&format!("{longest}x"), " \t ", "\u{200b}"] {
            assert_eq!(typed(bad), None, "{bad:?}");
        }
    }
}
