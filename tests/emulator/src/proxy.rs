//! The connection layer, as Neon's proxy is one: a loopback port for each endpoint, direct and pooled (Neon routes by host
//! name; a port is this emulator's declared deviation). In: TLS connections of tenants. Out: sessions in Postgres or the
//! pooler under the physical names. It refuses clear text and wrong names, and wakes endpoints that sleep.

mod login;
mod packet;
mod route;
mod scram;
mod session;
mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::Shared;
use crate::world::{Door, Endpoint, Ports};
pub(crate) use scram::Verifier;
pub(crate) use tls::Tls;

/// Which endpoint a port belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) project: String,
    pub(crate) endpoint: String,
    pub(crate) pooled: bool,
}

/// Two bound ports that nobody serves yet.
pub(crate) struct Doors {
    direct: StdListener,
    pooled: StdListener,
    pub(crate) ports: Ports,
}

/// Takes two free ports of an address.
pub(crate) fn bind(host: IpAddr) -> io::Result<Doors> {
    let bound = || {
        let listener = StdListener::bind((host, 0))?;
        listener.set_nonblocking(true)?;
        io::Result::Ok((listener.local_addr()?.port(), listener))
    };
    let ((direct_port, direct), (pooled_port, pooled)) = (bound()?, bound()?);
    let ports = Ports { host, direct: direct_port, pooled: pooled_port };
    Ok(Doors { direct, pooled, ports })
}

impl Doors {
    /// Serves the ports until the endpoint is closed.
    pub(crate) fn open(self, app: &Shared, project: &str, endpoint: &Endpoint) {
        for (listener, pooled) in [(self.direct, false), (self.pooled, true)] {
            let place =
                Place { project: project.to_owned(), endpoint: endpoint.id.clone(), pooled };
            let port = if pooled { self.ports.pooled } else { self.ports.direct };
            let address = SocketAddr::new(self.ports.host, port);
            let (app, door) = (app.clone(), endpoint.door.subscribe());
            tokio::spawn(async move {
                if let Err(error) = serve(app, &place, listener, address, door).await {
                    tracing::error!(%error, ?place, "a tenant port is lost");
                }
            });
        }
    }
}

async fn serve(
    app: Shared,
    place: &Place,
    listener: StdListener,
    address: SocketAddr,
    mut door: watch::Receiver<Door>,
) -> io::Result<()> {
    let mut listener = Some(TcpListener::from_std(listener)?);
    loop {
        let now = *door.borrow_and_update();
        if now.closed {
            return Ok(());
        }
        if !now.listening {
            // Without a listener the kernel itself refuses, as for a host that is not there.
            listener = None;
            if door.changed().await.is_err() {
                return Ok(());
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => rebind(address).await?,
        };
        tokio::select! {
            accepted = open.accept() => match accepted {
                Ok((stream, _)) => session::spawn(app.clone(), place.clone(), stream, door.clone()),
                Err(error) => tracing::warn!(%error, "accept"),
            },
            changed = door.changed() => if changed.is_err() { return Ok(()) },
        }
        listener = Some(open);
    }
}

/// The same port again; someone else may hold it for a moment.
async fn rebind(address: SocketAddr) -> io::Result<TcpListener> {
    let mut tries = 0;
    loop {
        match TcpListener::bind(address).await {
            Err(_) if tries < 250 => tokio::time::sleep(Duration::from_millis(20)).await,
            result => return result,
        }
        tries += 1;
    }
}
