//! What a process costs, under the names that Prometheus' own clients use, so that every ready-made dashboard knows them.
//!
//! In: `/proc/self`, read anew at each scrape. Out: resident and virtual memory, processor time, open files and how many may be
//! open, the start. A number that cannot be read is left out: metrics never fail a scrape. Other systems than Linux have none.

use std::{
    fmt, fs,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// Ticks in a second of processor time, as `/proc` counts it: the kernel promises this number to programs (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Registers them; the start is now.
pub fn register(registry: &mut Registry) {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    registry.register_collector(Box::new(Process { started }));
}

#[derive(Debug)]
struct Process {
    started: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let read =
            |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let (status, limits) = (read("status"), read("limits"));
        // One of them is the folder that is being listed.
        let open = fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1));
        if let Some(seconds) = cpu_seconds(&read("stat")) {
            let (name, help) =
                ("process_cpu_seconds", "Processor time, user's and system's, in seconds");
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(seconds).encode(metric)?;
        }
        let gauges = [
            ("process_resident_memory_bytes", "Memory in use, in bytes", bytes(&status, "VmRSS:")),
            (
                "process_virtual_memory_bytes",
                "Memory that is mapped, in bytes",
                bytes(&status, "VmSize:"),
            ),
            ("process_open_fds", "Open files and connections", open.map(|count| count as f64)),
            ("process_max_fds", "How many may be open", most_files(&limits)),
            (
                "process_start_time_seconds",
                "When the process began, in seconds since 1970",
                Some(self.started),
            ),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value else { continue };
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(metric)?;
        }
        Ok(())
    }
}

/// From `VmRSS:     123 kB`.
fn bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0)
}

/// The 14th and 15th word; the second is the program's name in brackets and may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let words: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |word: usize| words.get(word - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS)
}

/// From `Max open files  1024  524288  files`: the limit that holds. "unlimited" is left out.
fn most_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn proc_is_read() {
        assert_eq!(bytes("VmSize:\t  9 kB\nVmRSS:\t  2 kB\n", "VmRSS:"), Some(2048.0));
        assert_eq!(bytes("", "VmRSS:"), None);
        let stat = "7 (a ) (b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 100 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (x"), None);
        assert_eq!(most_files("Max open files            1024    524288    files\n"), Some(1024.0));
        assert_eq!(most_files("Max open files            unlimited    unlimited    files\n"), None);
    }

    #[test]
    fn this_process_is_measured() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for (name, least) in [
            ("process_cpu_seconds_total", 0.0),
            ("process_resident_memory_bytes", 1e5),
            ("process_virtual_memory_bytes", 1e5),
            ("process_open_fds", 3.0),
            ("process_max_fds", 3.0),
            ("process_start_time_seconds", 1.7e9),
        ] {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            let value: f64 = line.unwrap_or_else(|| panic!("no {name}: {text}")).parse().unwrap();
            assert!(value >= least, "{name} {value}");
        }
    }
}
