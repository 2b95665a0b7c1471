//! A connection URI as Neon gives it: kept as one secret, read into its parts.
//!
//! In: the URI's text. Out: host, port, database, user and password, decoded, and the very text that came. It
//! must not compose a host or a port, or show a password: `Debug` is redacted and errors name only what is wrong.

use std::{fmt, sync::Arc};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

const DEFAULT_PORT: u16 = 5432;

/// A Postgres connection URI with its credentials; small and cheap to clone.
#[derive(Clone)]
pub struct ConnectionUri {
    parts: Arc<Parts>,
}

#[derive(Clone)]
struct Parts {
    text: SecretString,
    host: String,
    port: Option<u16>,
    database: String,
    user: String,
    password: Option<SecretString>,
    pooler_host: Option<String>,
}

/// Why a text is no connection URI; never contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Postgres connection URI: {0}")]
pub struct BadUri(String);

impl ConnectionUri {
    /// Reads a URI.
    ///
    /// # Errors
    /// Names the part that is missing or malformed.
    pub fn parse(text: &str) -> Result<Self, BadUri> {
        let url = Url::parse(text).map_err(|error| BadUri(error.to_string()))?;
        if !matches!(url.scheme(), "postgresql" | "postgres") {
            return Err(BadUri("its scheme is not postgresql".to_owned()));
        }
        let host = decode("host", url.host_str().unwrap_or_default())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let user = decode("user", url.username())?;
        let database = decode("database", url.path().strip_prefix('/').unwrap_or_default())?;
        for (what, value) in [("host", &host), ("user", &user), ("database", &database)] {
            if value.is_empty() {
                return Err(BadUri(format!("it has no {what}")));
            }
        }
        let password = url.password().map(|password| decode("password", password)).transpose()?;
        let parts = Parts {
            text: SecretString::from(text),
            host,
            port: url.port(),
            database,
            user,
            password: password.map(SecretString::from),
            pooler_host: None,
        };
        Ok(Self { parts: Arc::new(parts) })
    }

    /// Adds the pooler's host, as `connection_parameters` tells it.
    pub(super) fn with_pooler_host(mut self, host: Option<String>) -> Self {
        Arc::make_mut(&mut self.parts).pooler_host = host.filter(|host| !host.is_empty());
        self
    }

    /// The host: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.parts.host
    }

    /// The port; 5432 where the URI names none.
    pub fn port(&self) -> u16 {
        self.parts.port.unwrap_or(DEFAULT_PORT)
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.parts.database
    }

    /// The role.
    pub fn user(&self) -> &str {
        &self.parts.user
    }

    /// The password; a URI of a project that stores none has none.
    pub fn password(&self) -> Option<&SecretString> {
        self.parts.password.as_ref()
    }

    /// The pooler's host, where Neon told it along with the URI. It may come with a port of its own.
    pub fn pooler_host(&self) -> Option<&str> {
        self.parts.pooler_host.as_deref()
    }

    /// The same URI with a password: Neon gives it without one where the project does not store it.
    ///
    /// # Errors
    /// When the URI cannot carry one.
    pub fn with_password(&self, password: &SecretString) -> Result<Self, BadUri> {
        let mut url = Url::parse(self.expose()).map_err(|error| BadUri(error.to_string()))?;
        // The setter takes a `%` for one that is encoded already.
        let password = password.expose_secret().replace('%', "%25");
        url.set_password(Some(&password))
            .map_err(|()| BadUri("it cannot carry a password".to_owned()))?;
        Ok(Self::parse(url.as_str())?.with_pooler_host(self.parts.pooler_host.clone()))
    }

    /// The text, exactly as it came, credentials included.
    pub fn expose(&self) -> &str {
        self.parts.text.expose_secret()
    }
}

impl fmt::Debug for ConnectionUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { text: _, host, port, database, user, password: _, pooler_host } = &*self.parts;
        f.debug_struct("ConnectionUri")
            .field("host", host)
            .field("port", port)
            .field("database", database)
            .field("user", user)
            .field("pooler_host", pooler_host)
            .finish_non_exhaustive()
    }
}

fn decode(what: &str, text: &str) -> Result<String, BadUri> {
    percent_decode_str(text)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| BadUri(format!("its {what} is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::ConnectionUri;

    #[test]
    fn parts_are_read_and_decoded() {
        let cases = [
            (
                "postgresql://o:pw@ep-x-pooler.us-east-2.aws.neon.tech/neondb?sslmode=require&channel_binding=require",
                "ep-x-pooler.us-east-2.aws.neon.tech",
                5432,
                "neondb",
                "o",
                Some("pw"),
            ),
            (
                "postgres://o:pw@ep-x.neon.test:5433/neondb",
                "ep-x.neon.test",
                5433,
                "neondb",
                "o",
                Some("pw"),
            ),
            (
                "postgresql://a%40b:p%2Fw%3A%40+%25@h/d%20b",
                "h",
                5432,
                "d b",
                "a@b",
                Some("p/w:@+%"),
            ),
            ("postgresql://o@[::1]:6432/d", "::1", 6432, "d", "o", None),
            ("postgresql://o:@127.0.0.1/d", "127.0.0.1", 5432, "d", "o", None),
            ("postgresql://o:gr%C3%BC%C3%9Fe@h/d", "h", 5432, "d", "o", Some("grüße")),
        ];
        for (text, host, port, database, user, password) in cases {
            let uri = ConnectionUri::parse(text).expect(text);
            assert_eq!(
                (uri.host(), uri.port(), uri.database(), uri.user()),
                (host, port, database, user)
            );
            assert_eq!(uri.password().map(|secret| secret.expose_secret()), password, "{text}");
            assert_eq!(uri.expose(), text);
        }
    }

    #[test]
    fn a_bad_uri_is_named_without_its_password() {
        let cases = [
            ("", "relative URL"),
            ("hunter2", "relative URL"),
            ("mysql://o:hunter2@h/d", "scheme"),
            ("postgresql://o:hunter2@/d", "host"),
            ("postgresql://:hunter2@h/d", "user"),
            ("postgresql://o:hunter2@h", "no database"),
            ("postgresql://o:hunter2@h/", "no database"),
            ("postgresql://o:hunter2@h:x/d", "port"),
            ("postgresql://o:hunter2@h:99999/d", "port"),
            ("postgresql://o:%FFhunter2@h/d", "password is not UTF-8"),
            ("postgresql:hunter2", "host"),
        ];
        for (text, expected) in cases {
            let error = ConnectionUri::parse(text).expect_err(text);
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(expected), "{text}: {shown}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn a_password_is_put_in_whatever_it_holds() {
        let uri = ConnectionUri::parse("postgresql://o:old@h:5433/d?sslmode=require").unwrap();
        let uri = uri.with_pooler_host(Some("h-pooler".to_owned()));
        for password in ["npg_AbC123", "a%41b", "p/w:@+?#% ü", "100%"] {
            let set = uri.with_password(&password.into()).unwrap();
            assert_eq!(set.password().map(|secret| secret.expose_secret()), Some(password));
            assert_eq!((set.host(), set.port(), set.database()), ("h", 5433, "d"), "{password}");
            assert_eq!(set.pooler_host(), Some("h-pooler"));
            assert!(set.expose().ends_with("@h:5433/d?sslmode=require"), "{}", set.expose());
        }
    }

    #[test]
    fn debug_keeps_the_password() {
        let uri = ConnectionUri::parse("postgresql://o:hunter2@h/d?sslmode=require").unwrap();
        let shown = format!("{uri:?} {uri:#?}");
        assert!(shown.contains("\"h\"") && !shown.contains("hunter2"), "{shown}");
    }
}
