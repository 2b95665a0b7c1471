//! SCRAM-SHA-256, with and without channel binding. In: a verifier as Postgres stores it and the messages of a client.
//! Out: whether the client knows the password, and its key, with which the proxy logs in to Postgres in the client's
//! stead (as Neon's own proxy does): the password itself is needed nowhere. No IO.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::{digest, hmac, pbkdf2};

type Key = [u8; 32];

/// What Postgres keeps of a password (`pg_authid.rolpassword`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl Verifier {
    pub(crate) fn new(password: &str) -> Self {
        let (salt, mut salted) = (crate::ids::random::<16>(), [0; 32]);
        let rounds = NonZeroU32::new(4096).expect("not zero");
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
        let stored_key = sha256(&sign(&salted, b"Client Key"));
        Self {
            iterations: 4096,
            salt: salt.to_vec(),
            stored_key,
            server_key: sign(&salted, b"Server Key"),
        }
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt[..], &self.stored_key, &self.server_key].map(|b| BASE64.encode(b));
        write!(f, "SCRAM-SHA-256${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl FromStr for Verifier {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let parse = || {
            let (head, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
            let ((iterations, salt), (stored, server)) =
                (head.split_once(':')?, keys.split_once(':')?);
            Some(Self {
                iterations: iterations.parse().ok()?,
                salt: BASE64.decode(salt).ok()?,
                stored_key: BASE64.decode(stored).ok()?.try_into().ok()?,
                server_key: BASE64.decode(server).ok()?.try_into().ok()?,
            })
        };
        parse().ok_or("not a SCRAM-SHA-256 verifier")
    }
}

fn sign(key: &[u8], text: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
    tag.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn sha256(bytes: &[u8]) -> Key {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn xor(a: Key, b: &[u8]) -> Key {
    std::array::from_fn(|i| a[i] ^ b[i])
}

fn attribute<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    message.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// The server's side of one login.
pub(super) struct Server {
    verifier: Verifier,
    gs2: String,
    client_bare: String,
    server_first: String,
    binding: Vec<u8>,
}

impl Server {
    /// Takes the client's first message; `end_point` is the hash of our certificate.
    pub(super) fn begin(
        verifier: Verifier,
        mechanism: &str,
        first: &str,
        end_point: &[u8],
    ) -> Option<Self> {
        let mut parts = first.splitn(3, ',');
        let (flag, authzid, bare) = (parts.next()?, parts.next()?, parts.next()?);
        let binding = match (mechanism, flag) {
            ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point") => end_point.to_vec(),
            // `y` would mean that someone took PLUS out of our offer on the way.
            ("SCRAM-SHA-256", "n") => Vec::new(),
            _ => return None,
        };
        let nonce =
            format!("{}{}", attribute(bare, "r")?, BASE64.encode(crate::ids::random::<18>()));
        let server_first =
            format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
        let gs2 = format!("{flag},{authzid},");
        Some(Self { verifier, gs2, client_bare: bare.to_owned(), server_first, binding })
    }

    pub(super) fn first(&self) -> &str {
        &self.server_first
    }

    /// Takes the client's last message. Returns ours and the client's key, if the password was right.
    pub(super) fn end(&self, last: &str) -> Option<(String, Key)> {
        let (without_proof, proof) = last.rsplit_once(",p=")?;
        let mut bound = self.gs2.as_bytes().to_vec();
        bound.extend(&self.binding);
        let same_nonce = attribute(without_proof, "r")? == attribute(&self.server_first, "r")?;
        if !same_nonce || BASE64.decode(attribute(without_proof, "c")?).ok()? != bound {
            return None;
        }
        let exchange = format!("{},{},{without_proof}", self.client_bare, self.server_first);
        let proof: Key = BASE64.decode(proof).ok()?.try_into().ok()?;
        let client_key = xor(sign(&self.verifier.stored_key, exchange.as_bytes()), &proof);
        if sha256(&client_key) != self.verifier.stored_key {
            return None;
        }
        Some((
            format!("v={}", BASE64.encode(sign(&self.verifier.server_key, exchange.as_bytes()))),
            client_key,
        ))
    }
}

/// The client's side of one login, with the key that [`Server::end`] found.
pub(super) struct Client {
    key: Key,
    bare: String,
}

impl Client {
    pub(super) fn new(key: Key) -> Self {
        Self { key, bare: format!("n=,r={}", BASE64.encode(crate::ids::random::<18>())) }
    }

    pub(super) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    pub(super) fn last(&self, server_first: &str) -> Option<String> {
        let without_proof = format!("c=biws,r={}", attribute(server_first, "r")?);
        let exchange = format!("{},{server_first},{without_proof}", self.bare);
        let proof = xor(self.key, &sign(&sha256(&self.key), exchange.as_bytes()));
        Some(format!("{without_proof},p={}", BASE64.encode(proof)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677.
    #[test]
    fn the_rfcs_example_passes_and_yields_the_clients_key() {
        let mut salted = [0; 32];
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            NonZeroU32::new(4096).unwrap(),
            &salt,
            b"pencil",
            &mut salted,
        );
        let client_key = sign(&salted, b"Client Key");
        let verifier = Verifier {
            iterations: 4096,
            salt,
            stored_key: sha256(&client_key),
            server_key: sign(&salted, b"Server Key"),
        };
        let server = Server {
            verifier,
            gs2: "n,,".into(),
            client_bare: "n=user,r=rOprNGfwEbeRWgbNEkqO".into(),
            server_first: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".into(),
            binding: Vec::new(),
        };
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let (ours, key) = server.end(last).unwrap();
        assert_eq!(
            (ours.as_str(), key),
            ("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", client_key)
        );
    }

    fn login(password: &str, mechanism: &str, gs2: &str, seen: &[u8]) -> bool {
        let verifier: Verifier = Verifier::new("right").to_string().parse().unwrap();
        let mut salted = [0; 32];
        let rounds = NonZeroU32::new(4096).unwrap();
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA256,
            rounds,
            &verifier.salt,
            password.as_bytes(),
            &mut salted,
        );
        let key = sign(&salted, b"Client Key");
        let Some(server) = Server::begin(verifier, mechanism, &format!("{gs2}n=,r=abc"), b"hash")
        else {
            return false;
        };
        let bound = [gs2.as_bytes(), seen].concat();
        let without =
            format!("c={},r={}", BASE64.encode(bound), attribute(server.first(), "r").unwrap());
        let exchange = format!("n=,r=abc,{},{without}", server.first());
        let proof = xor(key, &sign(&sha256(&key), exchange.as_bytes()));
        server
            .end(&format!("{without},p={}", BASE64.encode(proof)))
            .is_some_and(|(_, found)| found == key)
    }

    #[test]
    fn passwords_and_bindings_are_checked() {
        assert!(login("right", "SCRAM-SHA-256", "n,,", b""));
        assert!(!login("wrong", "SCRAM-SHA-256", "n,,", b""));
        assert!(login("right", "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", b"hash"));
        assert!(!login("right", "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,", b"another"));
        assert!(!login("right", "SCRAM-SHA-256", "y,,", b""));
    }

    #[test]
    fn the_client_side_satisfies_the_server_side() {
        let verifier = Verifier::new("right");
        let mut salted = [0; 32];
        let rounds = NonZeroU32::new(4096).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &verifier.salt, b"right", &mut salted);
        let client = Client::new(sign(&salted, b"Client Key"));
        let server = Server::begin(verifier, "SCRAM-SHA-256", &client.first(), b"").unwrap();
        assert!(server.end(&client.last(server.first()).unwrap()).is_some());
    }
}
