//! The metrics of the operator and of the API server, read around a piece of work. In: their `/metrics`. Out: per phase,
//! how often it ran and how long in all, as differences. Histograms are read by their sums and counts; buckets are of no use here.

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
    /// One request to the Kubernetes API, by whomever, on the API server's own clock.
    Kube,
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
        let mut scrape = Self::default();
        scrape.add(&text.with_context(|| format!("{url} broke off"))?);
        Ok(scrape)
    }

    /// Adds what another program says.
    pub(crate) fn add(&mut self, text: &str) {
        let all = &mut self.0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let (metric, labels) = series.split_once('{').unwrap_or((series, "}"));
            let (name, is_sum) = match (metric.strip_suffix("_sum"), metric.strip_suffix("_count"))
            {
                (Some(name), _) => (name, true),
                (None, Some(name)) => (name, false),
                (None, None) => continue,
            };
            let (Some((kind, words)), Ok(value)) = (phase(name, labels), value.parse::<f64>())
            else {
                continue;
            };
            let total = all.entry((kind, words)).or_default();
            *(if is_sum { &mut total.seconds } else { &mut total.count }) += value;
        }
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

/// Which phase a series is of, and the phase's name.
fn phase(metric: &str, labels: &str) -> Option<(Kind, String)> {
    match metric {
        "tenantry_reconcile_duration_seconds" => Some((Kind::Pass, words(labels))),
        "tenantry_step_duration_seconds" => Some((Kind::Step, words(labels))),
        "tenantry_neon_request_duration_seconds" => Some((Kind::Call, words(labels))),
        "apiserver_request_duration_seconds" => Some((Kind::Kube, request(labels)?)),
        _ => None,
    }
}

/// `route="GET /projects",status="200"}` as `GET /projects`; a status that is no success stays.
fn words(labels: &str) -> String {
    let mut values: Vec<&str> = labels.split('"').skip(1).step_by(2).collect();
    values.retain(|value| !(value.len() == 3 && value.starts_with('2')));
    values.join(" ")
}

/// `APPLY vectortenants/status`; nothing for a watch, which takes as long as somebody watches.
fn request(labels: &str) -> Option<String> {
    let label = |name: &str| {
        let all = labels.trim_end_matches('}').split(',');
        all.filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, v)| v.trim_matches('"'))
    };
    let (verb, resource) = (label("verb")?, label("resource")?);
    if verb == "WATCH" || resource.is_empty() {
        return None;
    }
    Some(match label("subresource") {
        None | Some("") => format!("{verb} {resource}"),
        Some(part) => format!("{verb} {resource}/{part}"),
    })
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
        apiserver_request_duration_seconds_sum{component=\"apiserver\",resource=\"vectortenants\",subresource=\"status\",verb=\"APPLY\"} 0.1\n\
        apiserver_request_duration_seconds_count{component=\"apiserver\",resource=\"vectortenants\",subresource=\"status\",verb=\"APPLY\"} 2\n\
        apiserver_request_duration_seconds_count{resource=\"secrets\",verb=\"WATCH\"} 2\n\
        tenantry_time_to_ready_seconds_sum 9\n# EOF\n";

    #[test]
    fn phases_are_differences() {
        let mut now = Scrape::default();
        now.add(TEXT);
        let phases = now.since(&Scrape::default());
        let names: Vec<_> = phases.iter().map(|p| (p.name.as_str(), p.count, p.seconds)).collect();
        assert_eq!(
            names,
            [
                ("migrate", 3.0, 1.5),
                ("GET /projects", 4.0, 2.0),
                ("GET /projects 423", 1.0, 0.0),
                ("APPLY vectortenants/status", 2.0, 0.1),
            ]
        );
        assert!(now.since(&now).is_empty());
    }
}
