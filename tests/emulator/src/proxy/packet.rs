//! The few packets of the Postgres protocol that the proxy reads and writes itself. In: bytes of a stream. Out: the
//! opening of a connection, messages, startup packets with other names in them, errors.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

const PROTOCOL_3: u32 = 0x0003_0000;

/// How a connection begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Ssl,
    Gss,
    Cancel(Vec<u8>),
    Startup(Startup),
}

/// A startup packet: its protocol version and its parameters in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Startup {
    version: u32,
    parameters: Vec<(String, String)>,
}

impl Startup {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The database asked for: named like the user unless said otherwise.
    pub(super) fn database(&self) -> &str {
        self.get("database").filter(|d| !d.is_empty()).or(self.get("user")).unwrap_or_default()
    }

    /// The same packet for other names; what only Neon's proxy understands is taken out.
    pub(super) fn renamed(&self, user: &str, database: &str) -> Vec<u8> {
        let mut body = self.version.to_be_bytes().to_vec();
        for (key, value) in [("user", user), ("database", database)] {
            cstring(&mut body, key);
            cstring(&mut body, value);
        }
        for (key, value) in self.parameters.iter().filter(|(k, _)| k != "user" && k != "database") {
            let neons =
                |word: &&str| !word.starts_with("endpoint=") && !word.starts_with("project=");
            let value = match key.as_str() {
                "options" => value.split(' ').filter(neons).collect::<Vec<_>>().join(" "),
                _ => value.clone(),
            };
            if key != "options" || !value.trim().is_empty() {
                cstring(&mut body, key);
                cstring(&mut body, &value);
            }
        }
        body.push(0);
        let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
        packet.extend(body);
        packet
    }
}

fn cstring(into: &mut Vec<u8>, text: &str) {
    into.extend(text.as_bytes());
    into.push(0);
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads the first packet of a connection (or the next, after a refused encryption).
pub(super) async fn opening<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Opening> {
    let length = stream.read_u32().await?;
    if !(8..=10_000).contains(&length) {
        return Err(invalid("length of startup packet"));
    }
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body).await?;
    parse(&body)
}

fn parse(body: &[u8]) -> io::Result<Opening> {
    let (code, rest) =
        body.split_first_chunk::<4>().ok_or_else(|| invalid("short startup packet"))?;
    match u32::from_be_bytes(*code) {
        80_877_103 => Ok(Opening::Ssl),
        80_877_104 => Ok(Opening::Gss),
        80_877_102 => {
            let mut packet = (body.len() as u32 + 4).to_be_bytes().to_vec();
            packet.extend(body);
            Ok(Opening::Cancel(packet))
        }
        version if version >> 16 == PROTOCOL_3 >> 16 => {
            let text = |part: &[u8]| {
                String::from_utf8(part.to_vec()).map_err(|_| invalid("startup packet is not UTF-8"))
            };
            let mut words = rest.split(|b| *b == 0);
            let mut parameters = Vec::new();
            while let (Some(key), Some(value)) =
                (words.next().filter(|k| !k.is_empty()), words.next())
            {
                parameters.push((text(key)?, text(value)?));
            }
            Ok(Opening::Startup(Startup { version, parameters }))
        }
        _ => Err(invalid("unknown protocol version")),
    }
}

/// Reads one message: its type and its payload.
pub(super) async fn message<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    if !(4..=1 << 20).contains(&length) {
        return Err(invalid("length of message"));
    }
    let mut payload = vec![0; length as usize - 4];
    stream.read_exact(&mut payload).await?;
    Ok((kind, payload))
}

/// Writes one message.
pub(super) async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    kind: u8,
    payload: &[u8],
) -> io::Result<()> {
    let mut packet = vec![kind];
    packet.extend((payload.len() as u32 + 4).to_be_bytes());
    packet.extend(payload);
    stream.write_all(&packet).await?;
    stream.flush().await
}

/// Payload of an authentication message: its number, then the data.
pub(super) fn authentication(number: u32, data: &[u8]) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.extend(data);
    payload
}

/// Payload of a fatal error.
pub(super) fn error(code: &str, text: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    for (field, value) in [(b'S', "FATAL"), (b'V', "FATAL"), (b'C', code), (b'M', text)] {
        payload.push(field);
        cstring(&mut payload, value);
    }
    payload.push(0);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(parameters: &[(&str, &str)]) -> Vec<u8> {
        let mut body = PROTOCOL_3.to_be_bytes().to_vec();
        for (key, value) in parameters {
            cstring(&mut body, key);
            cstring(&mut body, value);
        }
        body.push(0);
        body
    }

    #[test]
    fn names_are_rewritten_and_the_rest_stays() {
        let body = packet(&[
            ("user", "neondb_owner"),
            ("application_name", "psql"),
            ("database", "neondb"),
            ("options", "endpoint=ep-x -c search_path=a"),
        ]);
        let Opening::Startup(startup) = parse(&body).unwrap() else {
            panic!("not a startup packet")
        };
        assert_eq!((startup.get("user"), startup.database()), (Some("neondb_owner"), "neondb"));
        let renamed = startup.renamed("u1", "d1");
        assert_eq!(renamed[..4], (renamed.len() as u32).to_be_bytes());
        let Opening::Startup(renamed) = parse(&renamed[4..]).unwrap() else {
            panic!("not a startup packet")
        };
        assert_eq!((renamed.get("user"), renamed.database()), (Some("u1"), "d1"));
        assert_eq!(renamed.get("application_name"), Some("psql"));
        assert_eq!(renamed.get("options"), Some("-c search_path=a"));
    }

    #[test]
    fn the_database_defaults_to_the_user() {
        let Opening::Startup(startup) = parse(&packet(&[("user", "u")])).unwrap() else {
            panic!("not a startup packet")
        };
        assert_eq!(startup.database(), "u");
    }

    #[tokio::test]
    async fn requests_for_encryption_and_cancels_are_told_apart() {
        let mut ssl: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];
        assert_eq!(opening(&mut ssl).await.unwrap(), Opening::Ssl);
        let mut gss: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 48];
        assert_eq!(opening(&mut gss).await.unwrap(), Opening::Gss);
        let cancel = [0, 0, 0, 16, 4, 210, 22, 46, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(opening(&mut &cancel[..]).await.unwrap(), Opening::Cancel(cancel.to_vec()));
        assert!(opening(&mut &[255u8; 8][..]).await.is_err());
    }
}
