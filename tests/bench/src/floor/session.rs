//! A connection to Postgres with as little around it as can be: TCP without delay, TLS with certificate and host name
//! checked, the protocol. In: an address and a log-in. Out: a session that runs SQL as it is.
//!
//! Not by the operator's own client library, on purpose: what that library costs is not the floor's.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_postgres::config::{ChannelBinding, Host, SslMode};
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::TlsConnector;

/// The server asks for nothing more to begin with TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Where the server is, and whom to trust.
pub(crate) struct Server {
    host: String,
    port: u16,
    tls: TlsConnector,
}

/// A session that is logged in.
pub(crate) struct Session {
    client: Client,
    ended: JoinHandle<Result<(), tokio_postgres::Error>>,
}

impl Server {
    /// Of the administrator's settings.
    pub(crate) fn new(admin: &Config, authority: &[u8]) -> Result<Self> {
        let host = admin.get_hosts().iter().find_map(|host| match host {
            Host::Tcp(name) => Some(name.clone()),
            Host::Unix(_) => None,
        });
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            host: host.context("the administrator's URL names no host")?,
            port: admin.get_ports().first().copied().unwrap_or(5432),
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    pub(crate) async fn log_in(&self, who: &Config) -> Result<Session> {
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&SSL_REQUEST).await?;
        ensure!(stream.read_u8().await? == b'S', "the floor's Postgres does not offer TLS");
        let name = ServerName::try_from(self.host.clone())?;
        let stream = self.tls.connect(name, stream).await?;
        // TLS is there already: the library need not know of it.
        let mut who = who.clone();
        who.ssl_mode(SslMode::Disable).channel_binding(ChannelBinding::Disable);
        let (client, connection) = who.connect_raw(stream, NoTls).await?;
        Ok(Session { client, ended: tokio::spawn(connection) })
    }
}

impl Session {
    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// For statements with parameters, and for COPY.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) async fn close(self) -> Result<()> {
        drop(self.client);
        Ok(self.ended.await??)
    }
}
