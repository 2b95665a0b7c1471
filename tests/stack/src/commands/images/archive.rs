//! Archives whose bytes depend on nothing but what is in them.
//!
//! In: a folder or a file. Out: a tar file with sorted names, one time, no owner; sums. It must not look at the clock.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{paths, tool};

/// Packs what is in `folder` (not the folder itself) into a tar file, or a compressed one where `archive` ends in `gz`.
pub(crate) fn pack(folder: &Path, archive: &Path, epoch: u64) -> Result<()> {
    let mut names: Vec<_> =
        fs::read_dir(folder)?.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    let part = archive.with_extension("part");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=ustar", "--sort=name", "--owner=0", "--group=0"]);
    tar.args(["--numeric-owner", "--mode=u=rwX,go=rX"]).arg(format!("--mtime=@{epoch}"));
    if archive.extension().is_some_and(|end| end == "gz" || end == "tgz") {
        // Without -n it would write the time of compression.
        tar.args(["--use-compress-program", "gzip -9 -n"]);
    }
    tar.arg("--file").arg(&part).arg("--directory").arg(folder).arg("--").args(names);
    tool::output(&mut tar)?;
    fs::rename(part, archive).with_context(|| format!("cannot write {}", archive.display()))
}

/// The sum of a file, as `sha256sum` prints it.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    let mut sum = Sha256::new();
    let mut reader = fs::File::open(file).with_context(|| format!("no {}", file.display()))?;
    std::io::copy(&mut reader, &mut sum)?;
    Ok(paths::hex(&sum.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_written_at_other_times_by_other_hands_give_the_same_bytes() {
        use std::os::unix::fs::PermissionsExt;
        let root = paths::cache_folder("unit-tests").unwrap().join(paths::random_hex(8).unwrap());
        let sums = [("one", 0o644, "a b"), ("two", 0o600, "b a")].map(|(name, mode, order)| {
            let folder = root.join(name);
            fs::create_dir_all(folder.join("deeper")).unwrap();
            for file in order.split(' ') {
                let path = folder.join("deeper").join(file);
                fs::write(&path, file).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                let age = std::time::Duration::from_secs(u64::from(mode) * 1000);
                let time = std::time::SystemTime::now() - age;
                fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            }
            let [plain, packed] = ["tar", "tgz"].map(|end| root.join(format!("{name}.{end}")));
            pack(&folder, &plain, 1000).unwrap();
            pack(&folder, &packed, 1000).unwrap();
            [sha256(&plain).unwrap(), sha256(&packed).unwrap()]
        });
        assert_eq!(sums[0], sums[1]);
        pack(&root.join("one"), &root.join("later.tar"), 2000).unwrap();
        assert_ne!(sha256(&root.join("later.tar")).unwrap(), sums[0][0], "the time is not written");
        fs::remove_dir_all(root).unwrap();
    }
}
