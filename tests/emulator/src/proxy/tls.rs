//! TLS of tenant connections. In: PEM files. Out: an acceptor, and the hash of the certificate that SCRAM channel
//! binding (`tls-server-end-point`) is made of.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use ring::digest;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// What every tenant connection is served with.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    pub(crate) end_point: Vec<u8>,
}

impl Tls {
    pub(crate) fn load(certificate: &Path, key: &Path) -> anyhow::Result<Self> {
        let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_file(key)?;
        let end_point = hash(chain.first().context("no certificate in the file")?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // libpq 17 insists on it for `sslnegotiation=direct`.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), end_point })
    }
}

/// RFC 5929: the hash of the certificate's own signature, but SHA-256 where that is weaker. The first of these object
/// ids in the encoding is the one of the signature algorithm.
fn hash(certificate: &[u8]) -> Vec<u8> {
    const SHA384: [&[u8]; 2] =
        [&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3], &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 12]];
    const SHA512: [&[u8]; 2] =
        [&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 4], &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 13]];
    let has = |ids: [&[u8]; 2]| {
        ids.iter().any(|id| certificate.windows(id.len()).any(|part| part == *id))
    };
    let algorithm = match (has(SHA384), has(SHA512)) {
        (true, _) => &digest::SHA384,
        (_, true) => &digest::SHA512,
        _ => &digest::SHA256,
    };
    digest::digest(algorithm, certificate).as_ref().to_vec()
}
