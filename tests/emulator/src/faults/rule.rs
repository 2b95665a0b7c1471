//! One fault rule: its JSON form, whom it matches, when it is due. In: JSON. Out: yes or no. Pure.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::Subject;
use crate::world::OperationFault;

/// When a rule acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    BeforeAuth,
    /// The key is good, nothing has happened yet.
    BeforeCommit,
    /// The call succeeded, its reply has not been sent.
    AfterCommit,
    /// Changes the operations that the call begins.
    InOperation,
    /// A tenant connects.
    InConnection,
}

/// What a rule does.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Action {
    /// This reply instead of the real one. A text body is sent as it is (HTML when it looks so).
    Reply {
        status: u16,
        #[serde(default)]
        body: Option<Value>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// Waits until released, or until the client goes away; then goes on as if nothing was.
    Hold,
    /// Never replies; a release ends the connection.
    Hang,
    /// Waits `millis`, and at random up to `jitter` more.
    Delay {
        millis: u64,
        #[serde(default)]
        jitter: u64,
    },
    /// The call is carried out only after `millis`; the client gets an error at once, or nothing at all.
    LateCommit {
        millis: u64,
        #[serde(default)]
        status: Option<u16>,
    },
    /// The TCP connection is reset.
    Reset,
    /// The reply ends after `bytes` (half of it if not given), shorter than its content-length.
    Truncate {
        #[serde(default)]
        bytes: Option<usize>,
    },
    /// A list does not show projects younger than `millis`.
    StaleList {
        millis: i64,
    },
    /// A list names these in `unavailable_project_ids` instead of showing them; `*` is all.
    Unavailable {
        project_ids: Vec<String>,
    },
    Operation(OperationFault),
    /// In a connection: closed at once by a reset.
    Refuse,
    /// In a connection: cut after this time.
    Cut {
        millis: u64,
    },
    /// In a connection: a Postgres error in the words of Neon's proxy.
    Deny {
        message: String,
        #[serde(default)]
        code: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    method: Option<String>,
    path: Option<String>,
    project: Option<String>,
    nth: Option<u64>,
    count: Option<u64>,
    probability: Option<f64>,
    seed: Option<u64>,
    phase: Phase,
    action: Action,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// As it was given.
    pub(crate) text: Value,
    method: Option<String>,
    path: Option<Regex>,
    project: Option<String>,
    nth: Option<u64>,
    count: Option<u64>,
    probability: Option<f64>,
    seed: u64,
    pub(crate) phase: Phase,
    pub(crate) action: Action,
}

impl Rule {
    pub(crate) fn parse(text: Value) -> Result<Self, String> {
        let form = Form::deserialize(&text).map_err(|e| e.to_string())?;
        let path = form.path.as_deref().map(Regex::new).transpose().map_err(|e| e.to_string())?;
        if matches!(form.action, Action::Operation(_)) != (form.phase == Phase::InOperation) {
            return Err(
                "action operation goes with phase in_operation, and only it does".to_owned()
            );
        }
        Ok(Self {
            text,
            method: form.method,
            path,
            project: form.project,
            nth: form.nth,
            count: form.count,
            probability: form.probability,
            seed: form.seed.unwrap_or(0),
            phase: form.phase,
            action: form.action,
        })
    }

    pub(crate) fn matches(&self, subject: &Subject) -> bool {
        self.method.as_ref().is_none_or(|m| m == "*" || m.eq_ignore_ascii_case(&subject.method))
            && self.path.as_ref().is_none_or(|p| p.is_match(&subject.path))
            && self.project.as_ref().is_none_or(|p| subject.projects.contains(p))
    }

    /// Whether the `met`-th match is one to act on, `hits` having been acted on before.
    pub(crate) fn due(&self, met: u64, hits: u64) -> bool {
        self.nth.is_none_or(|nth| met == nth)
            && self.count.is_none_or(|count| hits < count)
            && self.probability.is_none_or(|p| chance(self.seed, met) < p)
    }
}

/// `millis` and at random up to `jitter` more.
pub(crate) fn delay(millis: u64, jitter: u64) -> std::time::Duration {
    let more = u64::from(u32::from_le_bytes(crate::ids::random())) % (jitter + 1);
    std::time::Duration::from_millis(millis + more)
}

/// The same number for the same seed and turn (splitmix64), from 0 to 1.
fn chance(seed: u64, turn: u64) -> f64 {
    let mut z = seed.wrapping_add(turn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(extra: Value) -> Rule {
        let mut form = json!({"phase":"before_commit","action":{"type":"reply","status":503}});
        form.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Rule::parse(form).unwrap()
    }

    #[test]
    fn it_matches_by_method_path_and_project() {
        let subject = Subject {
            method: "PATCH".into(),
            path: "/projects/cold-sea-1/endpoints/ep-1".into(),
            projects: vec!["cold-sea-1".into(), "tenant-a".into()],
            request_id: String::new(),
        };
        assert!(rule(json!({})).matches(&subject));
        assert!(
            rule(json!({"method":"patch","path":"^/projects/[^/]+/endpoints/"})).matches(&subject)
        );
        assert!(rule(json!({"project":"tenant-a"})).matches(&subject));
        assert!(!rule(json!({"project":"tenant-b"})).matches(&subject));
        assert!(!rule(json!({"path":"^/projects$"})).matches(&subject));
        assert!(!rule(json!({"method":"GET"})).matches(&subject));
    }

    #[test]
    fn nth_count_and_probability() {
        assert_eq!(
            (1..5).filter(|met| rule(json!({"nth":3})).due(*met, 0)).collect::<Vec<_>>(),
            [3]
        );
        assert!(rule(json!({"count":2})).due(9, 1) && !rule(json!({"count":2})).due(9, 2));
        let half = rule(json!({"probability":0.5,"seed":7}));
        let hits: Vec<_> = (0..1000).filter(|met| half.due(*met, 0)).collect();
        assert!((400..600).contains(&hits.len()));
        let again = rule(json!({"probability":0.5,"seed":7}));
        assert_eq!(hits, (0..1000).filter(|met| again.due(*met, 0)).collect::<Vec<_>>());
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            json!({"phase":"before_commit","action":{"type":"explode"}}),
            json!({"phase":"sometimes","action":{"type":"hold"}}),
            json!({"phase":"before_commit","action":{"type":"hold"},"path":"("}),
            json!({"phase":"before_commit","action":{"type":"operation","outcome":"failed"}}),
            json!({"phase":"before_commit","action":{"type":"hold"},"typo":1}),
        ] {
            assert!(Rule::parse(bad.clone()).is_err(), "{bad}");
        }
    }
}
