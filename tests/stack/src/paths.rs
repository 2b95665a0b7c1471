//! Where things are: the checkout, the cache, the programs that cargo built.
//!
//! The cache is one folder for everything that is downloaded or built by tools other than cargo. It lies under /var/tmp
//! and not in the checkout, because the database user must be able to walk down to it, also where the checkout
//! belongs to root. It must not hold anything secret.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::options::env;

/// The root of the checkout: upwards from the current folder, else where this crate was compiled.
pub fn checkout() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .chain(compiled.ancestors())
        .find(|folder| folder.join("tests/tools/kubernetes/go.mod").is_file())
        .map_or_else(|| here.clone(), Path::to_path_buf)
}

/// The numeric id of the user that runs this.
pub fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// `TENANTRY_CACHE`, else `/var/tmp/tenantry-<uid>`; created, and refused when somebody else could write to it.
pub fn cache() -> Result<PathBuf> {
    let folder = env("TENANTRY_CACHE")
        .map_or_else(|| PathBuf::from(format!("/var/tmp/tenantry-{}", uid())), PathBuf::from);
    let folder = std::path::absolute(folder)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(&folder)
        .with_context(|| format!("cannot create the cache folder {}", folder.display()))?;
    let meta = fs::metadata(&folder)?;
    ensure!(
        meta.uid() == uid() && meta.permissions().mode() & 0o022 == 0,
        "the cache folder {} belongs to someone else or others may write to it: \
         set TENANTRY_CACHE to a folder of your own",
        folder.display()
    );
    Ok(folder)
}

/// A folder inside the cache, created when missing.
pub fn cache_folder(name: &str) -> Result<PathBuf> {
    let folder = cache()?.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// A program of this workspace, next to the current executable's profile folder (`target/debug` or `target/release`).
pub fn binary(name: &str) -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let mut folder = exe.parent().context("the current executable has no folder")?;
    if folder.ends_with("deps") || folder.ends_with("examples") {
        folder = folder.parent().context("a build folder has a parent")?;
    }
    let path = folder.join(name);
    if !path.is_file() {
        bail!("{} is not built: run `cargo build --workspace --bins`", path.display());
    }
    Ok(path)
}

/// The first program of that name on PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// A file that may be executed.
pub fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A name that nobody can guess: `bytes` random bytes in hexadecimal.
pub fn random_hex(bytes: usize) -> Result<String> {
    use std::io::Read;
    let mut buffer = vec![0_u8; bytes];
    fs::File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(hex(&buffer))
}

/// Lowercase hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_is_found_from_any_folder_inside_it() {
        assert!(checkout().join("tests/stack/Cargo.toml").is_file());
    }

    #[test]
    fn random_names_differ() {
        assert_ne!(random_hex(8).unwrap(), random_hex(8).unwrap());
        assert_eq!(random_hex(8).unwrap().len(), 16);
    }
}
