//! A way to the database without Nagle's delay.
//!
//! sqlx 0.9.0 leaves `TCP_NODELAY` off (its issue 4335, mended in its sources after that release), so that each log-in
//! over TLS waits 40 ms for an acknowledgement that the server delays. sqlx takes no socket of ours, but it takes the
//! name of a Unix socket: here is one, of the abstract kind (no file), whose only caller is led on over TCP with the
//! delay off. Bytes pass as they are; TLS is between sqlx and the server, and no password is seen here.
//!
//! To be removed with the first sqlx that has the mend.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UnixListener, UnixStream},
};

/// How long the server may take to end its side after we ended ours.
const GOOD_BYE: Duration = Duration::from_secs(1);

/// Connects to the server and answers the folder that sqlx is to be given as its socket's.
pub(super) async fn open(host: &str, port: u16) -> io::Result<String> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let server = TcpStream::connect((host, port)).await?;
    server.set_nodelay(true)?;
    let (process, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let folder = format!("\0tenantry-operator-{process}-{number}");
    let door = UnixListener::bind(format!("{folder}/.s.PGSQL.{port}"))?;
    tokio::spawn(async move {
        // sqlx comes at once, or has given up and never comes.
        let caller = tokio::time::timeout(Duration::from_secs(30), ours(&door)).await;
        drop(door);
        if let Ok(Ok(caller)) = caller {
            let _ = relay(caller, server).await; // both ends see for themselves how it ended
        }
    });
    Ok(folder)
}

/// The first caller from this very process: an abstract socket has no permissions that would keep others out.
async fn ours(door: &UnixListener) -> io::Result<UnixStream> {
    loop {
        let (caller, _) = door.accept().await?;
        let pid = caller.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
        if pid == Some(std::process::id()) {
            return Ok(caller);
        }
    }
}

/// Both directions until the server ends; when our side ends first, the server has a moment to do so, too.
async fn relay(mut caller: UnixStream, mut server: TcpStream) -> io::Result<()> {
    let (mut from_caller, mut to_caller) = caller.split();
    let (mut from_server, mut to_server) = server.split();
    let outwards = async {
        tokio::io::copy(&mut from_caller, &mut to_server).await?;
        to_server.shutdown().await?;
        tokio::time::sleep(GOOD_BYE).await;
        io::Result::Ok(())
    };
    let inwards = async {
        tokio::io::copy(&mut from_server, &mut to_caller).await?;
        to_caller.shutdown().await
    };
    tokio::select! {
        ended = inwards => ended,
        ended = outwards => ended,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;

    #[tokio::test]
    async fn bytes_pass_both_ways_and_an_end_is_passed_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let folder = open("127.0.0.1", port).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let path = format!("{folder}/.s.PGSQL.{port}");
        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all(b"ask").await.unwrap();
        let mut word = [0; 3];
        server.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"ask");
        server.write_all(b"say").await.unwrap();
        client.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"say");
        drop(client);
        assert_eq!(server.read(&mut word).await.unwrap(), 0);
        drop(server);
        assert!(UnixStream::connect(&path).await.is_err(), "a door is for one caller");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(open("127.0.0.1", port).await.is_err());
    }
}
