//! Logging a client in, and logging in for it. In: the client's stream, the verifier of its role, then the key it proved
//! to have. Out: a stream to Postgres or the pooler whose first messages are the client's to read.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::packet::{self, Startup};
use super::scram::{Client, Server, Verifier};

const SASL: u32 = 10;
const SASL_CONTINUE: u32 = 11;
const SASL_FINAL: u32 = 12;

/// Asks the client for its password. `None`: it was wrong.
pub(super) async fn client<S>(
    stream: &mut S,
    verifier: Verifier,
    end_point: &[u8],
) -> io::Result<Option<[u8; 32]>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let offer = packet::authentication(SASL, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
    packet::send(stream, b'R', &offer).await?;
    let (_, payload) = packet::message(stream).await?;
    let Some((mechanism, first)) = initial(&payload) else {
        return Ok(None);
    };
    let Some(server) = Server::begin(verifier, &mechanism, &first, end_point) else {
        return Ok(None);
    };
    packet::send(stream, b'R', &packet::authentication(SASL_CONTINUE, server.first().as_bytes()))
        .await?;
    let (_, payload) = packet::message(stream).await?;
    let Some((last, key)) = server.end(&String::from_utf8_lossy(&payload)) else {
        return Ok(None);
    };
    packet::send(stream, b'R', &packet::authentication(SASL_FINAL, last.as_bytes())).await?;
    Ok(Some(key))
}

/// Mechanism and first message out of a SASLInitialResponse.
fn initial(payload: &[u8]) -> Option<(String, String)> {
    let end = payload.iter().position(|b| *b == 0)?;
    let (_, first) = payload[end + 1..].split_first_chunk::<4>()?;
    Some((
        String::from_utf8(payload[..end].to_vec()).ok()?,
        String::from_utf8(first.to_vec()).ok()?,
    ))
}

/// A session at `address` under other names, and the message that the client has to see first (success or error).
pub(super) async fn backend(
    address: &str,
    startup: &Startup,
    (user, database): (&str, &str),
    key: [u8; 32],
) -> io::Result<(TcpStream, (u8, Vec<u8>))> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&startup.renamed(user, database)).await?;
    let scram = Client::new(key);
    loop {
        let (kind, payload) = packet::message(&mut stream).await?;
        let number = payload.first_chunk::<4>().map(|n| u32::from_be_bytes(*n));
        match (kind, number) {
            (b'R', Some(SASL)) => {
                let first = scram.first();
                let mut response = b"SCRAM-SHA-256\0".to_vec();
                response.extend((first.len() as u32).to_be_bytes());
                response.extend(first.as_bytes());
                packet::send(&mut stream, b'p', &response).await?;
            }
            (b'R', Some(SASL_CONTINUE)) => {
                let answer = scram.last(&String::from_utf8_lossy(&payload[4..]));
                let answer = answer.ok_or_else(|| io::Error::other("SCRAM with the compute"))?;
                packet::send(&mut stream, b'p', answer.as_bytes()).await?;
            }
            (b'R', Some(SASL_FINAL)) => {}
            (b'R', Some(0)) | (b'E', _) => return Ok((stream, (kind, payload))),
            _ => {
                return Err(io::Error::other(format!(
                    "unexpected message {:?} {number:?}",
                    kind as char
                )));
            }
        }
    }
}
