//! One tenant connection from its first byte to its last. In: an accepted socket and the endpoint it belongs to. Out: a
//! session in Postgres, or a refusal in the words of Neon's proxy. Order as on Neon: TLS, names, password, wake, connect.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::packet::{self, Opening, Startup};
use super::route::{Denied, Guard, Names, denied};
use super::{Place, login};
use crate::app::Shared;
use crate::faults::{Action, Phase, Subject, delay};
use crate::world::Door;

/// How long a client may take to log in, and an endpoint to wake.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Session {
    pub(super) app: Shared,
    pub(super) place: Place,
    pub(super) door: watch::Receiver<Door>,
    pub(super) cuts: u64,
    /// From fault rules: cut after this, refuse with this.
    cut: Option<u64>,
    deny: Option<Denied>,
}

/// Serves one connection in a task of its own.
pub(super) fn spawn(app: Shared, place: Place, stream: TcpStream, door: watch::Receiver<Door>) {
    tokio::spawn(async move {
        let cuts = door.borrow().cuts;
        let mut session = Session { app, place, door, cuts, cut: None, deny: None };
        let _ = stream.set_nodelay(true);
        if let Err(error) = session.run(stream).await {
            tracing::debug!(%error, place = ?session.place, "connection ended");
        }
    });
}

impl Session {
    async fn run(&mut self, mut stream: TcpStream) -> io::Result<()> {
        if !self.faults().await {
            return stream.set_zero_linger();
        }
        let mut first = [0];
        stream.peek(&mut first).await?;
        // A TLS record at once: `sslnegotiation=direct`.
        if first[0] != 0x16 && !self.negotiate(&mut stream).await? {
            return Ok(());
        }
        let acceptor = self.app.tls.acceptor.clone();
        let mut stream = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await??;
        match tokio::time::timeout(PATIENCE, packet::opening(&mut stream)).await?? {
            Opening::Startup(startup) => self.serve(&mut stream, &startup).await,
            Opening::Cancel(packet) => self.cancel(&packet).await,
            Opening::Ssl | Opening::Gss => Ok(()),
        }
    }

    /// Applies the rules for connections; false: it is refused.
    async fn faults(&mut self) -> bool {
        let name = self.app.world_as_is().projects.get(&self.place.project).map(|p| p.name.clone());
        let subject = Subject {
            method: if self.place.pooled { "POOLED" } else { "DIRECT" }.to_owned(),
            path: self.place.endpoint.clone(),
            projects: std::iter::once(self.place.project.clone()).chain(name).collect(),
            request_id: String::new(),
        };
        for hit in self.app.faults.take(Phase::InConnection, &subject) {
            match &hit.action {
                Action::Refuse | Action::Reset => return false,
                Action::Hold => hit.hold().await,
                Action::Hang => {
                    hit.hold().await;
                    return false;
                }
                Action::Delay { millis, jitter } => {
                    tokio::time::sleep(delay(*millis, *jitter)).await;
                }

                Action::Cut { millis } => self.cut = Some(*millis),
                Action::Deny { message, code } => {
                    self.deny = Some(denied(code.as_deref().unwrap_or("XX000"), message));
                }
                _ => {}
            }
        }
        true
    }

    /// Reads up to the request for TLS and grants it; false: the connection ends here.
    async fn negotiate(&self, stream: &mut TcpStream) -> io::Result<bool> {
        loop {
            match tokio::time::timeout(PATIENCE, packet::opening(stream)).await?? {
                Opening::Ssl => {
                    stream.write_all(b"S").await?;
                    return Ok(true);
                }
                Opening::Gss => stream.write_all(b"N").await?,
                Opening::Cancel(packet) => {
                    self.cancel(&packet).await?;
                    return Ok(false);
                }
                Opening::Startup(_) => {
                    let text = "connection is insecure (try using `sslmode=require`)";
                    packet::send(stream, b'E', &packet::error("28000", text)).await?;
                    return Ok(false);
                }
            }
        }
    }

    /// Process ids and keys pass through unchanged, so a cancel can be handed on as it is.
    async fn cancel(&self, packet: &[u8]) -> io::Result<()> {
        let mut stream = TcpStream::connect(self.address().unwrap_or_default()).await?;
        stream.write_all(packet).await?;
        let _ = stream.read(&mut [0]).await;
        Ok(())
    }

    fn address(&self) -> Option<String> {
        match self.place.pooled {
            true => self.app.args.pooler.map(|address| address.to_string()),
            false => Some(self.app.data.address.clone()),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        client: &mut S,
        startup: &Startup,
    ) -> io::Result<()> {
        let opened = match tokio::time::timeout(PATIENCE, self.open(client, startup)).await {
            Ok(opened) => opened?,
            Err(_) => Err(denied("08006", "Couldn't connect to compute node")),
        };
        let (mut backend, first, guard) = match opened {
            Ok(opened) => opened,
            Err(Denied { code, text }) => {
                packet::send(client, b'E', &packet::error(&code, &text)).await?;
                return client.shutdown().await;
            }
        };
        packet::send(client, first.0, &first.1).await?;
        let (cut, cuts) = (self.cut, self.cuts);
        let timer = async {
            match cut {
                Some(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = tokio::io::copy_bidirectional(client, &mut backend) => { done?; }
            _ = self.door.wait_for(|door| door.closed || door.cuts != cuts) => {}
            () = timer => {}
        }
        drop(guard);
        Ok(())
    }

    /// Logs in on both sides; the guard counts the connection for as long as it is open.
    async fn open<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        client: &mut S,
        startup: &Startup,
    ) -> io::Result<Result<(TcpStream, (u8, Vec<u8>), Guard), Denied>> {
        if let Some(denied) = self.deny.take() {
            return Ok(Err(denied));
        }
        let (user, database) = (startup.get("user").unwrap_or_default(), startup.database());
        let wrong = || denied("28P01", format!("password authentication failed for user '{user}'"));
        let names = match self.names(user, database) {
            Ok(names) => names,
            Err(denied) => return Ok(Err(denied)),
        };
        let Some(Names { role, database: physical }) = names else {
            return Ok(Err(wrong()));
        };
        let Some(address) = self.address() else {
            return Ok(Err(denied(
                "08000",
                "pooled connections are not served: the emulator has no --pooler",
            )));
        };
        let verifier = self.app.data.verifier(&role).await.map_err(io::Error::other)?;
        let Some(verifier) = verifier else {
            return Ok(Err(wrong()));
        };
        let Some(key) = login::client(client, verifier, &self.app.tls.end_point).await? else {
            return Ok(Err(wrong()));
        };
        let Some(physical) = physical else {
            return Ok(Err(denied("3D000", format!("database \"{database}\" does not exist"))));
        };
        let guard = match self.wake().await {
            Ok(guard) => guard,
            Err(denied) => return Ok(Err(denied)),
        };
        match login::backend(&address, startup, (&role, &physical), key).await {
            Ok((stream, first)) => Ok(Ok((stream, first, guard))),
            Err(error) => {
                tracing::warn!(%error, %address, "cannot log in for a tenant");
                Ok(Err(denied("08006", "Couldn't connect to compute node")))
            }
        }
    }
}
