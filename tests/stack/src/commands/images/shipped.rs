//! The binaries that ship: built alone, so that no test's features come with them, and the same from any folder.
//!
//! In: the checkout, cargo. Out: a cargo command, and where it leaves the binaries: a folder of their own, because a build for tests or
//! measurements would put others in their place. It must not build anything itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::options::env;
use crate::{install, paths, tool};

/// Where cargo builds.
pub(super) fn target() -> PathBuf {
    let named = env("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    paths::checkout().join(named)
}

/// Where the binaries are.
pub(super) fn folder() -> PathBuf {
    target().join("shipped/release")
}

/// Cargo, about to build what ships.
pub(super) fn build() -> Result<Command> {
    let mut build = install::cargo()?;
    build.args(["build", "--release", "--locked", "--package", "operator", "--package", "app"]);
    build.arg("--bins").current_dir(paths::checkout());
    anywhere(&mut build, &paths::checkout(), &target().join("shipped"))?;
    Ok(build)
}

/// Lets cargo build the same bytes whatever the folders are called that it reads and writes.
fn anywhere(build: &mut Command, checkout: &Path, target: &Path) -> Result<()> {
    let mut rustc = Command::new("rustc");
    let toolchain = tool::output(rustc.args(["--print", "sysroot"]).current_dir(checkout))?;
    let home = env("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env("HOME").map(|home| Path::new(&home).join(".cargo")));
    let mut flags: Vec<String> =
        env("RUSTFLAGS").unwrap_or_default().split_whitespace().map(ToOwned::to_owned).collect();
    // Of two that match, the compiler takes the later: the target may lie in the checkout.
    let folders = [
        (home, "/cargo"),
        (Some(toolchain.trim().into()), "/rust"),
        (Some(checkout.to_path_buf()), "/src"),
        (Some(target.to_path_buf()), "/target"),
    ];
    for (folder, name) in folders {
        if let Some(folder) = folder {
            flags.push(format!("--remap-path-prefix={}={name}", folder.display()));
        }
    }
    // The form in which a flag may have a space in it.
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env_remove("RUSTFLAGS");
    build.arg("--target-dir").arg(target);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::commands::images::sha256;

    /// A program that can panic: the message names its source file, and the checkout where cargo is told its place.
    fn built_in(checkout: &Path, mapped: bool) -> String {
        fs::create_dir_all(checkout.join("src")).unwrap();
        let manifest =
            "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        fs::write(checkout.join("Cargo.toml"), manifest).unwrap();
        let lines = "fn main() { include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\")) }\n";
        fs::write(checkout.join("src/main.rs"), lines).unwrap();
        let made = "fn main() { let out = std::env::var(\"OUT_DIR\").unwrap(); \
                    std::fs::write(out + \"/made.rs\", \"{ assert!(std::env::args().count() < 9) }\").unwrap() }\n";
        fs::write(checkout.join("build.rs"), made).unwrap();
        let target = checkout.join("target/shipped");
        let mut build = install::cargo().unwrap();
        build.args(["build", "--release", "--offline", "--quiet"]).current_dir(checkout);
        match mapped {
            true => anywhere(&mut build, checkout, &target).unwrap(),
            false => drop(build.arg("--target-dir").arg(&target)),
        }
        tool::output(&mut build).unwrap();
        sha256(&target.join("release/sample")).unwrap()
    }

    #[test]
    fn the_same_sources_give_the_same_program_in_any_folder() {
        let root = paths::cache_folder("unit-tests").unwrap().join(paths::random_hex(8).unwrap());
        let sums = |mapped| ["one", "a-longer-name"].map(|name| built_in(&root.join(name), mapped));
        let plain = sums(false);
        assert_ne!(plain[0], plain[1], "the sample does not show what it is for");
        let mapped = sums(true);
        assert_eq!(mapped[0], mapped[1]);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_ships_is_built_without_the_tests() {
        let build = build().unwrap();
        let words: Vec<_> = build.get_args().map(|word| word.to_string_lossy()).collect();
        assert!(!words.iter().any(|word| word == "--workspace"), "{words:?}");
        assert!(folder().starts_with(target()) && folder() != target().join("release"));
    }
}
