//! What an Ingress does: TLS outside, a Service inside.
//!
//! In: a certificate, the Service's address once there is one. Out: an `https://` address. It only carries bytes, so a
//! connection that the Service refuses or cuts is one that people would see.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The outer side.
pub struct Front {
    /// Where it is.
    pub url: String,
    target: Arc<Mutex<String>>,
}

impl Front {
    /// Listens on a free port of an address, with a certificate and its key.
    pub async fn start(host: &str, (certificate, key): (&Path, &Path)) -> Result<Self> {
        let chain = CertificateDer::pem_slice_iter(&fs::read(certificate)?)
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&fs::read(key)?)?;
        let config =
            rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((host, 0)).await?;
        let url = format!("https://{}", listener.local_addr()?);
        let target = Arc::<Mutex<String>>::default();
        let towards = target.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let target = towards.lock().unwrap_or_else(PoisonError::into_inner).clone();
                tokio::spawn(carry(acceptor.clone(), stream, target));
            }
        });
        Ok(Self { url, target })
    }

    /// Where the Service is, as `address:port`.
    pub fn lead_to(&self, target: String) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }
}

async fn carry(acceptor: TlsAcceptor, stream: TcpStream, target: String) -> Result<()> {
    let mut near = acceptor.accept(stream).await?;
    let mut far = TcpStream::connect(&target).await.context("what is behind")?;
    tokio::io::copy_bidirectional(&mut near, &mut far).await?;
    Ok(())
}
