//! Shared libraries that a program needs and this machine lacks.
//!
//! In: a program. Out: names, and the Debian package that holds each. It must not install anything.

use std::path::Path;
use std::process::Command;

use crate::tool;

/// Which Debian package holds a library that a minimal system lacks.
const PACKAGES: &[(&str, &str)] = &[
    ("libgssapi_krb5.so.2", "libgssapi-krb5-2"),
    ("libreadline.so.8", "libreadline8"),
    ("libssl.so.3", "libssl3"),
    ("libcrypto.so.3", "libssl3"),
    ("liblz4.so.1", "liblz4-1"),
    ("libzstd.so.1", "libzstd1"),
    ("liblzma.so.5", "liblzma5"),
    ("libstdc++.so.6", "libstdc++6"),
];

/// The library with the command that brings it.
pub(super) fn with_remedy(library: &str) -> String {
    match PACKAGES.iter().find(|(name, _)| *name == library) {
        Some((_, package)) => format!("{library} (`apt-get install {package}`)"),
        None => library.to_owned(),
    }
}

/// Names of shared libraries that `program` asks for and this machine does not have.
pub(super) fn missing_libraries(program: &Path, library_path: Option<&Path>) -> Vec<String> {
    let mut ldd = Command::new("ldd");
    ldd.arg(program);
    if let Some(folder) = library_path {
        ldd.env("LD_LIBRARY_PATH", folder);
    }
    not_found(&tool::output(&mut ldd).unwrap_or_default())
}

fn not_found(ldd: &str) -> Vec<String> {
    ldd.lines()
        .filter_map(|line| line.trim().strip_suffix(" => not found"))
        .map(ToOwned::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_libraries_are_named_with_their_package() {
        let ldd = "\tlibgssapi_krb5.so.2 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x0)\n";
        assert_eq!(not_found(ldd), ["libgssapi_krb5.so.2"]);
        assert_eq!(
            with_remedy("libreadline.so.8"),
            "libreadline.so.8 (`apt-get install libreadline8`)"
        );
    }
}
