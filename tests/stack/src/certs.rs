//! One certificate authority for a run, and what it signs: the API server, Kubernetes clients, a kubelet, Postgres.
//!
//! In: a folder. Out: PEM files in it. Keys are ECDSA P-256, made anew for every run and gone with it, so nothing here is
//! worth stealing. It must not know who uses the files.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};

use crate::node::{self, ADDRESS};

/// The PEM files of one run.
#[derive(Debug, Clone)]
pub(crate) struct Certs {
    folder: PathBuf,
}

impl Certs {
    /// The files of `folder`, whether or not they are there.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Writes everything into `folder`, which must exist.
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let certs = Self::at(folder);
        let mut params = CertificateParams::default();
        params.distinguished_name = name("Tenantry test authority", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        write(&certs.ca(), &ca.pem())?;

        let local = ["localhost", "127.0.0.1", ADDRESS];
        let api = ["localhost", "127.0.0.1", "10.0.0.1", "kubernetes.default.svc", ADDRESS];
        certs.sign(&ca, "api", name("kube-apiserver", None), &api)?;
        certs.sign(&ca, "admin", name("admin", Some("system:masters")), &[])?;
        certs.sign(&ca, "kcm", name("system:kube-controller-manager", None), &[])?;
        certs.sign(&ca, "postgres", name("localhost", None), &local)?;
        certs.sign(&ca, "scheduler", name("system:kube-scheduler", None), &[])?;
        certs.sign(&ca, "proxy", name("system:kube-proxy", None), &[])?;
        let kubelet = format!("system:node:{}", node::NAME);
        certs.sign(&ca, "kubelet", name(&kubelet, Some("system:nodes")), &[])?;
        certs.sign(&ca, "kubelet-server", name(node::NAME, None), &[node::NAME, ADDRESS])?;

        let tokens = KeyPair::generate()?;
        write(&certs.key("tokens"), &tokens.serialize_pem())?;
        write(&certs.file("tokens.pub"), &tokens.public_key_pem())?;
        Ok(certs)
    }

    fn sign(
        &self,
        ca: &CertifiedIssuer<'_, KeyPair>,
        file: &str,
        subject: DistinguishedName,
        names: &[&str],
    ) -> Result<()> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let usage = if names.is_empty() {
            ExtendedKeyUsagePurpose::ClientAuth
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        };
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = subject;
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, ca)?;
        write(&self.cert(file), &certificate.pem())?;
        write(&self.key(file), &key.serialize_pem())
    }

    /// The authority's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.file("ca.crt")
    }

    /// The certificate of `api`, `admin`, `kcm`, `postgres`, or a part of the node.
    pub(crate) fn cert(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.crt"))
    }

    /// The private key of one of those, or of `tokens`, which signs ServiceAccount tokens.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.file(&format!("{name}.key"))
    }

    /// Any other file of the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name
}

/// A file that only its owner can read.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
