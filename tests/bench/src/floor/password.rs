//! A password as Postgres stores it (SCRAM-SHA-256). In: the password. Out: the verifier that `create role` takes as it is,
//! so that the server need not compute it, as the emulator does.

use std::num::NonZeroU32;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

const ROUNDS: u32 = 4096;

pub(super) fn verifier(password: &str) -> Result<String> {
    let salt = stack::paths::random_hex(8)?;
    with_salt(password, salt.as_bytes()).context("SCRAM has rounds")
}

fn with_salt(password: &str, salt: &[u8]) -> Option<String> {
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(ROUNDS)?;
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut salted);
    let sign = |text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &salted), text);
    let stored = digest::digest(&digest::SHA256, sign(b"Client Key").as_ref());
    let [salt, stored, server] =
        [salt, stored.as_ref(), sign(b"Server Key").as_ref()].map(|bytes| STANDARD.encode(bytes));
    Some(format!("SCRAM-SHA-256${ROUNDS}:{salt}${stored}:{server}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Salt and password of RFC 7677; the keys follow from its exchange.
    #[test]
    fn a_verifier_is_what_postgres_stores() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(
            with_salt("pencil", &salt).unwrap(),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
