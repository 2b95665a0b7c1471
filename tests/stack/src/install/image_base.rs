//! What an image stands on where no base can be pulled: a root folder made from Debian packages.
//!
//! In: Debian's C library, compiler runtime and certificate authorities. Out: a folder with them, a user and nothing else: no
//! shell, no package manager. It is made once for each set of package versions, so the same packages give the same image.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::{apt, packages};
use crate::{paths, tool};

const PACKAGES: [&str; 4] = ["base-files", "ca-certificates", "libc6", "libgcc-s1"];
/// Changes whenever this file makes another root from the same packages.
const RECIPE: &str = "1";
/// What of the packages is kept, beside their licences: libraries, authorities, what system this is.
const KEPT: [&str; 7] = [
    "etc/ld.so.conf.d",
    "lib",
    "lib64",
    "usr/lib/os-release",
    "usr/lib/ARCH-linux-gnu",
    "usr/lib64",
    "usr/share/ca-certificates",
];
const FILES: [(&str, &str); 3] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n\
         nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];

/// A root folder.
#[derive(Debug, Clone)]
pub struct ImageBase {
    /// Where it lies, in the cache.
    pub root: PathBuf,
    /// Tells one set of packages from another.
    pub key: String,
}

/// Finds or makes it.
pub fn image_base() -> Result<ImageBase> {
    let key = key();
    let root = paths::cache()?.join(format!("image-base-{key}"));
    packages::once(&root, fill)?;
    Ok(ImageBase { root, key })
}

/// From the versions that the machine's package lists offer. Where there are none, one base serves until the cache is emptied.
fn key() -> String {
    let versions = tool::output(Command::new("apt-cache").arg("policy").args(PACKAGES))
        .unwrap_or_default()
        .lines()
        .filter(|line| line.trim_start().starts_with("Candidate:"))
        .collect::<String>();
    paths::hex(&Sha256::digest(format!("{RECIPE} {versions}"))[..6])
}

fn fill(root: &Path) -> Result<()> {
    let all = root.join("packages");
    fs::create_dir_all(&all)?;
    for name in PACKAGES {
        let deb = extract(name, &all)?;
        // Scanners of images look here for what is in them, as in other bases without a package manager.
        let control = tool::output(Command::new("dpkg-deb").arg("--field").arg(&deb))?;
        write(root, &format!("var/lib/dpkg/status.d/{name}"), &control)?;
        write(root, &format!("usr/share/doc/{name}/copyright"), &licence(name, &all)?)?;
    }
    for path in KEPT.map(|path| path.replace("ARCH", std::env::consts::ARCH)) {
        let (from, to) = (all.join(&path), root.join(&path));
        if from.symlink_metadata().is_ok() {
            fs::create_dir_all(to.parent().context("a kept path has a parent")?)?;
            fs::rename(from, to)?;
        }
    }
    fs::remove_dir_all(all)?;
    libraries(root)?;
    authorities(root)?;
    for (path, text) in FILES {
        write(root, path, text)?;
    }
    symlink("../usr/lib/os-release", root.join("etc/os-release"))?;
    fs::create_dir_all(root.join("home/nonroot"))?;
    fs::create_dir_all(root.join("tmp"))?;
    // Whatever the umask of whoever makes it.
    tool::output(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(root))?;
    Ok(fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?)
}

fn extract(name: &str, into: &Path) -> Result<PathBuf> {
    let deb = apt::package(&[name])?;
    tool::output(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(into))?;
    Ok(deb)
}

/// A package's licence; some have a link to that of the package they were built with.
fn licence(name: &str, all: &Path) -> Result<String> {
    let docs = all.join("usr/share/doc");
    if let Ok(other) = fs::read_link(docs.join(name)) {
        extract(&other.to_string_lossy(), all)?;
    }
    let file = docs.join(name).join("copyright");
    fs::read_to_string(&file).with_context(|| format!("no licence in {}", file.display()))
}

/// Conversions of character sets are not needed. Where libraries lie under /usr, /lib points there.
fn libraries(root: &Path) -> Result<()> {
    let arch = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let _ = fs::remove_dir_all(root.join(arch).join("gconv"));
    for folder in ["lib", "lib64"] {
        let under_usr = root.join("usr").join(folder);
        if !root.join(folder).exists() && under_usr.is_dir() {
            symlink(format!("usr/{folder}"), root.join(folder))?;
        }
    }
    Ok(())
}

/// One file with every authority, in the order of their names: what `update-ca-certificates` would have made.
fn authorities(root: &Path) -> Result<()> {
    let source = root.join("usr/share/ca-certificates");
    let mut files: Vec<PathBuf> = fs::read_dir(source.join("mozilla"))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "crt"))
        .collect();
    files.sort();
    let texts =
        files.iter().map(|file| fs::read_to_string(file).map(|text| text.trim().to_owned()));
    let bundle = texts.collect::<Result<Vec<_>, _>>()?.join("\n") + "\n";
    let found = bundle.matches("BEGIN CERTIFICATE").count();
    ensure!(found > 50, "ca-certificates holds only {found} authorities");
    fs::remove_dir_all(source)?;
    write(root, "etc/ssl/certs/ca-certificates.crt", &bundle)
}

fn write(root: &Path, path: &str, text: &str) -> Result<()> {
    let file = root.join(path);
    fs::create_dir_all(file.parent().context("a file has a folder")?)?;
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}
