//! The folder of one run, and what becomes of it when its owner dies.
//!
//! In: nothing. Out: a folder on /dev/shm (else in the cache) that names its owner. It goes when it is removed; by a
//! watcher process when the owner is killed; by the next start when the watcher was killed too. It must never remove
//! the folder of an owner that lives: a process id alone is not enough, its start time must match.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::child::spawn_from_lasting_thread;
use crate::paths;

/// What a run may need: 200 tenants' databases and the API server's data.
const ROOM: u64 = 3 << 30;
/// So many runs' logs are kept.
const LOGS_KEPT: usize = 40;

/// Waits for our end of the pipe to close, gives Postgres's shared memory back, then removes the folder; processes that are just dying may still write.
const WATCH: &str = r#"cat >/dev/null
id=$(sed -n '7s/.* //p' "$1/postgres/data/postmaster.pid" 2>/dev/null)
n=0
while [ -e "$1" ] && [ $n -lt 100 ]; do
  rm -rf "$1" 2>/dev/null
  [ -e "$1" ] && sleep 0.1
  n=$((n+1))
done
[ -n "$id" ] && ipcrm -m "$id" 2>/dev/null
exit 0"#;

/// Tells the folders of one process apart.
fn next_number() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

/// A folder that goes with its owner.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    watcher: Mutex<Option<process::Child>>,
}

impl RunFolder {
    /// Removes what dead owners left, then creates a folder and its watcher.
    pub(crate) fn create() -> Result<Self> {
        let prefix = format!("tenantry-{}-", paths::uid());
        let fallback = paths::cache_folder("run")?;
        let shm = Path::new("/dev/shm");
        for base in [shm, &fallback] {
            remove_stale(base, &prefix);
        }
        let base = if has_room(shm) { shm } else { fallback.as_path() };
        let path = base.join(format!("{prefix}{}-{}", process::id(), next_number()));
        // Others may walk through (the database user must), but not look around.
        fs::DirBuilder::new()
            .mode(0o711)
            .create(&path)
            .with_context(|| format!("cannot create {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711))?;
        fs::write(path.join("owner"), owner_line(process::id()))?;
        let watcher = watch(&path).context("cannot start the watcher of the run's folder")?;
        Ok(Self { path, watcher: Mutex::new(Some(watcher)) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder by ending the watcher's wait. Safe to call twice.
    pub(crate) fn remove(&self) {
        let watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut watcher) = watcher {
            drop(watcher.stdin.take());
            let _ = watcher.wait();
        }
    }
}

/// The watcher is the one child that must outlive us, so it is not tied to our life.
fn watch(folder: &Path) -> Result<process::Child> {
    let mut command = Command::new("sh");
    command.args(["-c", WATCH, "sh"]).arg(folder).current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(spawn_from_lasting_thread(command)?)
}

/// Whether the file system and the machine's memory can hold a run.
fn has_room(shm: &Path) -> bool {
    let free = rustix::fs::statvfs(shm).map_or(0, |stat| stat.f_bavail * stat.f_frsize);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    free >= ROOM
        && available_memory(&memory) >= 2 * ROOM
        && fs::metadata(shm).is_ok_and(|meta| meta.is_dir())
}

fn available_memory(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Removes every folder in `base` that starts with `prefix` and whose owner is dead.
fn remove_stale(base: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        let named_so = entry.file_name().to_string_lossy().starts_with(prefix);
        if named_so && is_stale(&entry.path()) {
            crate::say::line(format!(
                "   removing what a killed run left: {}",
                entry.path().display()
            ));
            if let Ok(mut watcher) = watch(&entry.path()) {
                drop(watcher.stdin.take());
                let _ = watcher.wait();
            }
        }
    }
}

/// Dead owner; a folder without an owner counts only when it is old, because it may be in the making.
fn is_stale(folder: &Path) -> bool {
    match fs::read_to_string(folder.join("owner")) {
        Ok(line) => {
            let pid = line.split(' ').next().and_then(|pid| pid.parse().ok());
            pid.is_none_or(|pid| owner_line(pid) != line)
        }
        Err(_) => {
            let age = fs::metadata(folder).and_then(|meta| meta.modified()).ok();
            let age = age.and_then(|time| SystemTime::now().duration_since(time).ok());
            age.is_some_and(|age| age > Duration::from_secs(60))
        }
    }
}

/// `<pid> <start time>`: unlike the id alone, never the same for two processes of one boot. A zombie has no owner's rights.
pub(crate) fn owner_line(pid: u32) -> String {
    let mut stat = String::new();
    let read = fs::File::open(format!("/proc/{pid}/stat"))
        .and_then(|mut file| file.read_to_string(&mut stat));
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest.trim()).filter(|_| read.is_ok());
    let fields: Vec<&str> = after_name.unwrap_or_default().split(' ').collect();
    match (fields.first(), fields.get(19)) {
        (Some(&state), Some(start)) if !"ZX".contains(state) => format!("{pid} {start}"),
        (_, _) => format!("{pid} dead"),
    }
}

/// A new folder for logs in the cache; the oldest ones make room.
pub(crate) fn create_log_folder() -> Result<PathBuf> {
    let all = paths::cache_folder("logs")?;
    let mut old: Vec<PathBuf> = fs::read_dir(&all)?.flatten().map(|entry| entry.path()).collect();
    old.sort();
    let surplus = old.len().saturating_sub(LOGS_KEPT);
    for folder in &old[..surplus] {
        let _ = fs::remove_dir_all(folder);
    }
    let millis = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let folder = all.join(format!("{millis}-{}-{}", process::id(), next_number()));
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder =
            paths::cache_folder("unit-tests").unwrap().join(format!("{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_dead_owners_folder_goes_and_a_live_owners_stays() {
        let base = scratch("stale");
        for (name, owner) in [
            ("t-dead", "4194305 1".to_owned()),
            ("t-live", owner_line(process::id())),
            ("t-reused-pid", format!("{} 1", process::id())),
            ("other", "4194305 1".to_owned()),
        ] {
            fs::create_dir_all(base.join(name).join("postgres")).unwrap();
            fs::write(base.join(name).join("owner"), owner).unwrap();
        }
        fs::create_dir_all(base.join("t-in-the-making")).unwrap();
        remove_stale(&base, "t-");
        let mut left: Vec<_> =
            fs::read_dir(&base).unwrap().flatten().map(|entry| entry.file_name()).collect();
        left.sort();
        fs::remove_dir_all(&base).unwrap();
        assert_eq!(left, ["other", "t-in-the-making", "t-live"]);
    }

    #[test]
    fn memory_is_read_from_meminfo() {
        assert_eq!(available_memory("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), 2 << 20);
        assert_eq!(available_memory(""), 0);
    }
}
