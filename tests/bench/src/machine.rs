//! What the machine is doing, from `/proc`: load, how much processor time our own programs used and how much others did,
//! and the memory of one process. In: nothing. Out: numbers. It changes nothing.
//!
//! Our own programs are this process and its descendants. What a server's ended children used is counted in their parent,
//! so Postgres's backends are not lost.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

/// Linux shows processor time in hundredths of a second, whatever the kernel's own clock.
const TICKS: f64 = 100.0;

/// Processor seconds since the machine's and each program's start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    programs: BTreeMap<String, u64>,
    busy: u64,
}

/// Processor seconds between two moments.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Used {
    /// By program, ours only.
    pub(crate) programs: BTreeMap<String, f64>,
    /// What everything else on the machine used.
    pub(crate) others: f64,
}

impl Usage {
    pub(crate) fn now() -> Self {
        let mut parents = BTreeMap::new();
        let mut used = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else {
                continue;
            };
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            if let Some((name, parent, ticks)) = process(&stat) {
                parents.insert(pid, parent);
                used.insert(pid, (name, ticks));
            }
        }
        let mut programs = BTreeMap::new();
        for (pid, (name, ticks)) in used {
            if is_ours(&parents, pid) {
                *programs.entry(name).or_insert(0) += ticks;
            }
        }
        let busy = busy(&fs::read_to_string("/proc/stat").unwrap_or_default());
        Self { programs, busy }
    }

    pub(crate) fn since(&self, earlier: &Self) -> Used {
        let seconds = |ticks: u64| ticks as f64 / TICKS;
        let programs: BTreeMap<String, f64> = self
            .programs
            .iter()
            .map(|(name, ticks)| {
                let before = earlier.programs.get(name).copied().unwrap_or_default();
                (name.clone(), seconds(ticks.saturating_sub(before)))
            })
            .filter(|(_, seconds)| *seconds > 0.0)
            .collect();
        let all = seconds(self.busy.saturating_sub(earlier.busy));
        let others = (all - programs.values().sum::<f64>()).max(0.0);
        Used { programs, others }
    }
}

impl Used {
    /// What our own programs used.
    pub(crate) fn ours(&self) -> f64 {
        self.programs.values().sum()
    }
}

/// Name, parent and processor time (its own and its ended children's) of a line of `/proc/PID/stat`.
fn process(stat: &str) -> Option<(String, u32, u64)> {
    // The name stands in parentheses and may itself hold some.
    let (open, close) = (stat.find('(')?, stat.rfind(')')?);
    let name = stat.get(open + 1..close)?.to_owned();
    let fields: Vec<&str> = stat.get(close + 2..)?.split(' ').collect();
    let times = fields.get(11..15)?.iter().map(|field| field.parse::<u64>());
    Some((name, fields.get(1)?.parse().ok()?, times.sum::<Result<u64, _>>().ok()?))
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    process(&stat).map(|(_, parent, _)| parent)
}

fn is_ours(parents: &BTreeMap<u32, u32>, mut pid: u32) -> bool {
    while pid != std::process::id() {
        match parents.get(&pid) {
            Some(parent) if *parent > 1 => pid = *parent,
            Some(_) | None => return false,
        }
    }
    true
}

/// Ticks that were neither idle nor spent waiting for a disk.
fn busy(stat: &str) -> u64 {
    let numbers = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already.
    numbers
        .take(8)
        .enumerate()
        .filter(|(i, _)| *i != 3 && *i != 4)
        .filter_map(|(_, n)| n.parse::<u64>().ok())
        .sum()
}

/// The load averages, as `/proc/loadavg` words them.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// Processors and the name of the first.
pub(crate) fn processors() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{count} x {}", name.map_or("unknown processor", |(_, name)| name))
}

/// Memory of a process in MB: now, and at its most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Memory {
    pub(crate) now_mb: f64,
    pub(crate) peak_mb: f64,
}

pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} has no status"))?;
    let field = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.trim().parse().ok()
    };
    let mb = |name: &str| {
        field(name).map(|kib| kib * 1024.0 / 1e6).with_context(|| format!("no {name}"))
    };
    Ok(Memory { now_mb: mb("VmRSS")?, peak_mb: mb("VmHWM")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_past_any_name() {
        let line = "42 (a) b) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7";
        assert_eq!(process(line), Some(("a) b".to_owned(), 7, 100)));
        assert_eq!(process(""), None);
    }

    #[test]
    fn idle_and_waiting_are_not_busy() {
        assert_eq!(busy("cpu  1 2 3 400 500 6 7 8 90 90\ncpu0 1"), 27);
    }

    #[test]
    fn this_process_has_a_usage_and_a_memory() {
        let before = Usage::now();
        let used = Usage::now().since(&before);
        assert!(used.ours() < 60.0);
        assert!(memory(std::process::id()).unwrap().peak_mb > 1.0);
    }
}
