//! Fault rules: which calls they meet, how often, and what they do. In: rules as JSON over the control routes, and each
//! call or connection at each of its phases. Out: the actions to take, and per rule what was met, hit and is held.
//! It carries out nothing itself: that is `gate` and `proxy`.

mod rule;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) use rule::{Action, Phase, Rule, delay};

/// What a rule is matched against: an API call, or a connection (method `DIRECT` or `POOLED`, path = endpoint id).
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Ids and names of the project that it concerns.
    pub(crate) projects: Vec<String>,
    pub(crate) request_id: String,
}

/// A rule at work.
pub(crate) struct Active {
    pub(crate) id: u64,
    rule: Rule,
    met: AtomicU64,
    hits: Mutex<Vec<Value>>,
    held: AtomicU64,
    /// True once released or deleted: nothing is held any more, and the rule no longer matches.
    over: watch::Sender<bool>,
}

/// One rule that applies to one call.
pub(crate) struct Hit {
    pub(crate) rule: Arc<Active>,
    pub(crate) action: Action,
}

/// Counts a held call for as long as it lives: a client that goes away drops it.
struct Held(Arc<Active>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Hit {
    /// Waits until the rule is released or deleted.
    pub(crate) async fn hold(&self) {
        self.rule.held.fetch_add(1, Ordering::SeqCst);
        let _held = Held(self.rule.clone());
        let mut over = self.rule.over.subscribe();
        let _ = over.wait_for(|over| *over).await;
    }
}

impl Active {
    fn hits(&self) -> MutexGuard<'_, Vec<Value>> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, subject: &Subject) -> bool {
        if *self.over.borrow() || !self.rule.matches(subject) {
            return false;
        }
        let met = self.met.fetch_add(1, Ordering::SeqCst) + 1;
        let mut hits = self.hits();
        if !self.rule.due(met, hits.len() as u64) {
            return false;
        }
        hits.push(json!({
            "time": crate::wire::time_millis(crate::app::now()),
            "request_id": subject.request_id,
            "method": subject.method,
            "path": subject.path,
            "projects": subject.projects,
        }));
        true
    }

    /// What the control routes show.
    pub(crate) fn json(&self) -> Value {
        let hits = self.hits().clone();
        json!({
            "id": self.id,
            "rule": self.rule.text,
            "met": self.met.load(Ordering::SeqCst),
            "hits": hits.len(),
            "held": self.held.load(Ordering::SeqCst),
            "released": *self.over.borrow(),
            "log": hits,
        })
    }
}

/// All rules.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Mutex<BTreeMap<u64, Arc<Active>>>,
    next: AtomicU64,
}

impl Faults {
    fn rules(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Active>>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, rule: Rule) -> Arc<Active> {
        let id = self.next.fetch_add(1, Ordering::SeqCst) + 1;
        let active = Arc::new(Active {
            id,
            rule,
            met: AtomicU64::new(0),
            hits: Mutex::default(),
            held: AtomicU64::new(0),
            over: watch::Sender::new(false),
        });
        self.rules().insert(id, active.clone());
        active
    }

    pub(crate) fn get(&self, id: u64) -> Option<Arc<Active>> {
        self.rules().get(&id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Active>> {
        self.rules().values().cloned().collect()
    }

    /// Lets go of what the rule holds, and ends it.
    pub(crate) fn release(&self, id: u64) -> Option<Arc<Active>> {
        let rule = self.get(id)?;
        rule.over.send_replace(true);
        Some(rule)
    }

    pub(crate) fn delete(&self, id: u64) -> Option<Arc<Active>> {
        let rule = self.rules().remove(&id)?;
        rule.over.send_replace(true);
        Some(rule)
    }

    /// The rules that apply to `subject` now, in the order they were made.
    pub(crate) fn take(&self, phase: Phase, subject: &Subject) -> Vec<Hit> {
        let due = |rule: &Arc<Active>| rule.rule.phase == phase && rule.take(subject);
        let hit = |rule: Arc<Active>| Hit { action: rule.rule.action.clone(), rule };
        self.all().into_iter().filter(due).map(hit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(method: &str, path: &str) -> Subject {
        let (method, path) = (method.to_owned(), path.to_owned());
        Subject {
            method,
            path,
            projects: vec!["p-1".into(), "name".into()],
            request_id: "r".into(),
        }
    }

    fn add(faults: &Faults, rule: Value) -> Arc<Active> {
        faults.add(Rule::parse(rule).unwrap())
    }

    #[test]
    fn rules_count_what_they_meet_and_hit() {
        let faults = Faults::default();
        let rule = add(
            &faults,
            json!({"method":"POST","path":"^/projects$","nth":2,"phase":"after_commit","action":{"type":"reset"}}),
        );
        let post = subject("POST", "/projects");
        assert!(faults.take(Phase::AfterCommit, &post).is_empty());
        assert!(faults.take(Phase::BeforeCommit, &post).is_empty());
        assert!(faults.take(Phase::AfterCommit, &subject("GET", "/projects")).is_empty());
        assert_eq!(faults.take(Phase::AfterCommit, &post).len(), 1);
        assert!(faults.take(Phase::AfterCommit, &post).is_empty());
        assert_eq!((rule.json()["met"].clone(), rule.json()["hits"].clone()), (json!(3), json!(1)));
    }

    #[tokio::test]
    async fn a_held_call_is_counted_until_released_or_dropped() {
        let faults = Faults::default();
        let rule = add(&faults, json!({"phase":"after_commit","action":{"type":"hold"}}));
        let get = subject("GET", "/projects");
        let hits = faults.take(Phase::AfterCommit, &get);
        let first = tokio::spawn(async move { hits[0].hold().await });
        let hits = faults.take(Phase::AfterCommit, &get);
        let second = tokio::spawn(async move { hits[0].hold().await });
        while rule.json()["held"] != json!(2) {
            tokio::task::yield_now().await;
        }
        second.abort();
        let _ = second.await;
        assert_eq!(rule.json()["held"], json!(1));
        faults.release(rule.id);
        first.await.unwrap();
        assert_eq!(rule.json()["held"], json!(0));
        assert!(faults.take(Phase::AfterCommit, &get).is_empty());
    }
}
