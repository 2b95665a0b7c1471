//! The stack starts, answers and goes; and whoever kills its owner finds nothing left, or nothing in the way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stack::{Child, Options, Stack, poll};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_stack_starts_answers_and_leaves_only_its_logs() -> Result<()> {
    let stack = Stack::start(Options { emulator: None, ..Options::default() })?;
    let folder =
        stack.kubeconfig().parent().context("a kubeconfig lies in a folder")?.to_path_buf();
    let said = output(stack.psql().arg(stack.postgres_url()).args(["-tAc", "show fsync"]))?;
    assert_eq!(said.trim(), "off");
    let crds = output(stack.kubectl().args(["get", "crd", "-o", "name"]))?;
    assert!(crds.contains("vectortenants.tenantry.dev"), "{crds}");

    let program = stack.spawn("sleeper", Command::new("sleep").arg("1000"))?;
    let logs = stack.log_dir().to_path_buf();
    drop(stack);
    assert!(!program.is_running());
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(logs.join("postgres.log").is_file());
    Ok(())
}

#[test]
fn the_operators_account_may_do_its_work_and_nothing_else() -> Result<()> {
    let stack = Stack::start(Options { emulator: None, pooler: false, ..Options::default() })?;
    let may = |verb: &str, what: &str| -> Result<bool> {
        let mut kubectl = stack.kubectl();
        kubectl.args(["auth", "can-i", verb, what, "--all-namespaces"]);
        kubectl.arg("--as=system:serviceaccount:tenantry-system:tenantry-operator");
        Ok(kubectl.output()?.status.success())
    };
    for (verb, what) in
        [("watch", "vectortenants"), ("patch", "vectortenants/status"), ("create", "secrets")]
    {
        assert!(may(verb, what)?, "it may not {verb} {what}");
    }
    for (verb, what) in [("delete", "vectortenants"), ("list", "pods"), ("delete", "namespaces")] {
        assert!(!may(verb, what)?, "it may {verb} {what}");
    }
    Ok(())
}

#[test]
fn a_killed_owner_leaves_no_child_and_no_folder() -> Result<()> {
    let owner = Owner::start(&["--no-emulator"])?;
    let parts = children_of(owner.process.pid());
    assert!(
        parts.len() >= 5,
        "etcd, API server, controller manager, Postgres and the watcher: {parts:?}"
    );
    let segment = owner.shared_memory();
    owner.process.kill9();
    poll(PATIENCE, || parts.iter().all(|pid| is_dead(*pid)).then_some(()))
        .context("a part still runs")?;
    poll(PATIENCE, || (!owner.folder.exists()).then_some(()))
        .context("the folder is still there")?;
    if let Some(segment) = segment {
        poll(PATIENCE, || (!segments().contains(&segment)).then_some(()))
            .context("shared memory is left")?;
    }
    Ok(())
}

#[test]
fn what_even_the_watcher_could_not_remove_is_removed_by_the_next_start() -> Result<()> {
    let owner = Owner::start(&["--no-emulator", "--no-cluster"])?;
    let watcher = children_of(owner.process.pid())
        .into_iter()
        .find(|pid| command_line(*pid).starts_with("sh -c cat"));
    let watcher = watcher.context("there is no watcher")?;
    output(Command::new("kill").args(["-KILL", &watcher.to_string()]))?;
    owner.process.kill9();
    let next = Stack::start(Options::postgres_only())?;
    assert!(!owner.folder.exists(), "{} is in the way", owner.folder.display());
    output(next.psql().arg(next.postgres_url()).args(["-c", "select 1"])).map(drop)
}

#[test]
fn a_signal_stops_everything() -> Result<()> {
    let owner = Owner::start(&["--no-emulator", "--no-cluster"])?;
    let parts = children_of(owner.process.pid());
    owner.process.terminate();
    let status = owner.process.wait(PATIENCE)?;
    assert_eq!(status.code(), Some(128 + 15), "{}", owner.process.last_lines(20));
    assert!(parts.iter().all(|pid| is_dead(*pid)), "a part still runs");
    assert!(!owner.folder.exists());
    Ok(())
}

#[test]
fn a_part_that_ends_is_named_with_its_last_words() -> Result<()> {
    let stack = Stack::start(Options::postgres_only())?;
    let mut failing = Command::new("sh");
    failing.args(["-c", "echo I cannot find my hat; exit 7"]);
    let child = stack.spawn("hatter", &failing)?;
    let error = child.wait_for_log("ready", PATIENCE).unwrap_err().to_string();
    for words in ["hatter ended with code 7", "I cannot find my hat", "hatter.log"] {
        assert!(error.contains(words), "{error}");
    }
    Ok(())
}

/// Another process that owns a stack.
struct Owner {
    process: Child,
    folder: PathBuf,
}

impl Owner {
    fn start(flags: &[&str]) -> Result<Self> {
        let log = stack::paths::cache_folder("unit-tests")?
            .join(format!("owner-{}.log", stack::paths::random_hex(6)?));
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        command.args(["up", "--no-build"]).args(flags);
        let process = Child::spawn("stack up", &command, None, &log)?;
        let line = process.wait_for_log("certificate authority", Duration::from_secs(120));
        let line = line?;
        let ca = line.split_whitespace().last().context("no path in the line")?;
        let folder =
            Path::new(ca).ancestors().nth(2).context("the certificate lies two folders down")?;
        ensure!(folder.join("owner").is_file(), "{} is no run folder", folder.display());
        Ok(Self { process, folder: folder.to_path_buf() })
    }

    /// The id of the server's System V segment.
    fn shared_memory(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder.join("postgres/data/postmaster.pid")).ok()?;
        text.lines().nth(6)?.split_whitespace().last().map(ToOwned::to_owned)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.process.kill9();
        let _ = fs::remove_file(self.process.log());
    }
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn children_of(parent: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.filter(|pid| status_field(*pid, "PPid:").is_some_and(|value| value == parent.to_string()))
        .collect()
}

/// Gone, or dead and only waiting for somebody to take note of it.
fn is_dead(pid: u32) -> bool {
    status_field(pid, "State:").is_none_or(|state| state.starts_with(['Z', 'X']))
}

fn status_field(pid: u32, name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

fn command_line(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

fn segments() -> Vec<String> {
    let text = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    text.lines().filter_map(|line| line.split_whitespace().nth(1)).map(ToOwned::to_owned).collect()
}
