//! What single tests would otherwise fetch or build when it is their turn, one after the other.
//!
//! In: the checkout. Out: all of it in the cache or on the system, where it can be had. It must not fail: what is missing is said by the
//! test that needs it.

use std::path::{Path, PathBuf};
use std::{fs, thread};

use super::{chromium, go, go_program, node_packages, npm, pip, prometheus};
use crate::paths;

/// Fetches while Go builds, which takes longest.
pub fn ahead() {
    thread::scope(|scope| {
        scope.spawn(fetch);
        for name in go::names() {
            let _ = go_program(name);
        }
    });
}

fn fetch() {
    let tests = paths::checkout().join("tests");
    for folder in holding("package-lock.json", &tests) {
        let _ = npm(&folder);
    }
    for folder in holding("requirements.txt", &tests) {
        let _ = pip(&folder);
    }
    let _ = chromium();
    let _ = prometheus();
    if paths::uid() == 0 {
        let _ = node_packages();
    }
}

/// Folders below `folder` with such a file, in order.
fn holding(file: &str, folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if folder.join(file).is_file() {
        found.push(folder.to_path_buf());
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // What npm has put there has such files too.
        let is_ours = entry.file_name() != "node_modules";
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(holding(file, &entry.path()));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_with_packages_are_found_wherever_they_lie() {
        let tests = paths::checkout().join("tests");
        let npm = holding("package-lock.json", &tests);
        assert!(
            npm.contains(&tests.join("oidc")) && npm.contains(&tests.join("suites/clients")),
            "{npm:?}"
        );
        assert!(!npm.iter().any(|folder| folder.iter().any(|part| part == "node_modules")));
        assert!(holding("requirements.txt", &tests).contains(&tests.join("eval/corpus")));
    }
}
