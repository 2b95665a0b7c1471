//! The operator's metrics, read around a piece of work. In: its `/metrics`. Out: per phase, how often it ran and how long
//! in all, as differences. Histograms are read by their sums and counts; buckets are of no use here.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

/// Sums and counts of every histogram, by kind of phase and its name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrape(BTreeMap<(Kind, String), Total>);

/// What was timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A whole pass over one tenant.
    Pass,
    /// One step of a pass.
    Step,
    /// One call to the Neon API; it is part of a step or of a pass's first look.
    Call,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Total {
    count: f64,
    seconds: f64,
}

/// A phase of a piece of work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Phase {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) count: f64,
    pub(crate) seconds: f64,
}

impl Scrape {
    pub(crate) async fn get(http: &reqwest::Client, url: &str) -> Result<Self> {
        let text = http.get(url).send().await?.error_for_status()?.text().await;
        Ok(Self::parse(&text.with_context(|| format!("{url} broke off"))?))
    }

    fn parse(text: &str) -> Self {
        let mut all = BTreeMap::<_, Total>::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let (metric, labels) = series.split_once('{').unwrap_or((series, "}"));
            let (kind, part) = match metric.strip_prefix("tenantry_") {
                Some(rest) => match (rest.strip_suffix("_sum"), rest.strip_suffix("_count")) {
                    (Some(name), _) => (kind(name), true),
                    (_, Some(name)) => (kind(name), false),
                    (None, None) => continue,
                },
                None => continue,
            };
            let (Some(kind), Ok(value)) = (kind, value.parse::<f64>()) else { continue };
            let total = all.entry((kind, words(labels))).or_default();
            *(if part { &mut total.seconds } else { &mut total.count }) += value;
        }
        Self(all)
    }

    /// What happened since an earlier scrape, by kind, the longest first.
    pub(crate) fn since(&self, earlier: &Self) -> Vec<Phase> {
        let phases = self.0.iter().map(|((kind, name), now)| {
            let before = earlier.0.get(&(*kind, name.clone())).copied().unwrap_or_default();
            let (count, seconds) = (now.count - before.count, now.seconds - before.seconds);
            Phase { kind: *kind, name: name.clone(), count, seconds }
        });
        let mut phases: Vec<Phase> = phases.filter(|phase| phase.count > 0.0).collect();
        phases.sort_by(|a, b| {
            (a.kind, b.seconds)
                .partial_cmp(&(b.kind, a.seconds))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        phases
    }
}

fn kind(metric: &str) -> Option<Kind> {
    match metric {
        "reconcile_duration_seconds" => Some(Kind::Pass),
        "step_duration_seconds" => Some(Kind::Step),
        "neon_request_duration_seconds" => Some(Kind::Call),
        _ => None,
    }
}

/// `route="GET /projects",status="200"}` as `GET /projects`; a status that is no success stays.
fn words(labels: &str) -> String {
    let mut values: Vec<&str> = labels.split('"').skip(1).step_by(2).collect();
    values.retain(|value| !(value.len() == 3 && value.starts_with('2')));
    values.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE tenantry_step_duration_seconds histogram\n\
        tenantry_step_duration_seconds_sum{step=\"migrate\"} 1.5\n\
        tenantry_step_duration_seconds_count{step=\"migrate\"} 3\n\
        tenantry_step_duration_seconds_bucket{le=\"0.1\",step=\"migrate\"} 3\n\
        tenantry_neon_request_duration_seconds_sum{route=\"GET /projects\",status=\"200\"} 2\n\
        tenantry_neon_request_duration_seconds_count{route=\"GET /projects\",status=\"200\"} 4\n\
        tenantry_neon_request_duration_seconds_count{route=\"GET /projects\",status=\"423\"} 1\n\
        tenantry_time_to_ready_seconds_sum 9\n# EOF\n";

    #[test]
    fn phases_are_differences() {
        let now = Scrape::parse(TEXT);
        let phases = now.since(&Scrape::default());
        let names: Vec<_> = phases.iter().map(|p| (p.name.as_str(), p.count, p.seconds)).collect();
        assert_eq!(
            names,
            [("migrate", 3.0, 1.5), ("GET /projects", 4.0, 2.0), ("GET /projects 423", 1.0, 0.0)]
        );
        assert!(now.since(&now).is_empty());
    }
}
