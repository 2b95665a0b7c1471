//! What a process exports. In: the text of /metrics. Out: each metric with its type, its labels and the values seen in them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

/// One metric, under the name that queries and documents call it by.
#[derive(Debug, Default)]
pub(super) struct Metric {
    pub(super) kind: String,
    /// Label and values; `le` is left out.
    pub(super) labels: BTreeMap<String, BTreeSet<String>>,
    /// Names of its samples.
    pub(super) samples: BTreeSet<String>,
}

/// Everything in a text of OpenMetrics, by name.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Metric>> {
    let mut all = BTreeMap::<String, Metric>::new();
    let mut family = String::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (base, kind) = declared.split_once(' ').context("a type without a name")?;
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            family = format!("{base}{suffix}");
            all.entry(family.clone()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            let metric = all.get_mut(&family).with_context(|| format!("no type before {line}"))?;
            read_sample(metric, line).with_context(|| line.to_owned())?;
        }
    }
    Ok(all)
}

fn read_sample(metric: &mut Metric, line: &str) -> Result<()> {
    let end = line.find(['{', ' ']).context("no value")?;
    metric.samples.insert(line[..end].to_owned());
    let Some((labels, _)) = line[end..].strip_prefix('{').and_then(|rest| rest.rsplit_once('}'))
    else {
        return Ok(());
    };
    for pair in labels.split("\",").filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once("=\"").context("a label without a value")?;
        if name != "le" {
            let values = metric.labels.entry(name.to_owned()).or_default();
            values.insert(value.trim_end_matches('"').to_owned());
        }
    }
    Ok(())
}

#[test]
fn types_names_and_labels_are_read() {
    let text = "# HELP a_b Help.\n# TYPE a_b counter\na_b_total{x=\"1\",y=\"GET /{id}\"} 2\na_b_total{x=\"2\",y=\"\"} 0\n\
                # TYPE h histogram\nh_sum 1\nh_bucket{le=\"+Inf\"} 1\n# TYPE v info\nv_info{version=\"1\"} 1\n# EOF\n";
    let all = parse(text).unwrap();
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    assert_eq!(names, ["a_b_total", "h", "v_info"]);
    assert_eq!(all["a_b_total"].labels["x"].len(), 2);
    assert!(all["a_b_total"].labels["y"].contains("GET /{id}"));
    assert!(all["h"].labels.is_empty() && all["h"].samples.contains("h_bucket"));
}
