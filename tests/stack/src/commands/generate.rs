//! `stack generate`: files that are made from the code and the chart, and whether they are current.
//!
//! In: the workspace. Out: the definition (twice: the chart carries a copy), its reference, the chart's README. `check` writes nothing.

use std::fs;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::{install, paths, tool};

/// `stack generate`
pub fn generate() -> Result<ExitCode> {
    let mut build = install::cargo()?;
    build.args(["build", "--package", "crds", "--bin", "crdgen"]).current_dir(paths::checkout());
    tool::run("building the generator", &build)?;
    for (name, text) in files()? {
        fs::write(paths::checkout().join(name), text).with_context(|| name.to_owned())?;
    }
    let mut docs = Command::new(install::go_program("helm-docs")?);
    docs.args(["--chart-search-root", "charts", "--sort-values-order", "file"]);
    tool::output(docs.current_dir(paths::checkout()))?;
    Ok(ExitCode::SUCCESS)
}

/// What the code generates is what is committed; a build of all has made the generator. The chart's README has a test of its own.
pub(super) fn check() -> Result<()> {
    for (name, text) in files()? {
        let file = paths::checkout().join(name);
        let committed =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        ensure!(text == committed, "{name} is not what the code generates: run `make generate`");
    }
    Ok(())
}

fn files() -> Result<[(&'static str, String); 3]> {
    let crdgen = paths::binary("crdgen")?;
    let made = |words: &[&str]| tool::output(Command::new(&crdgen).args(words));
    let definition = made(&[])?;
    Ok([
        ("crds/vectortenants.yaml", definition.clone()),
        ("charts/tenantry/files/vectortenants.yaml", definition),
        ("docs/api.md", made(&["reference"])?),
    ])
}
