//! Every state that the operator can write, by the code that derives them. In: earlier statuses, what may be known, how a pass
//! may end. Out: objects, each with what holds of it, judged by how the pass ended and not by the conditions.

use anyhow::Result;
use crds::{Reason, VectorTenant, VectorTenantStatus};
use operator::desired::Desired;
use operator::naming::ClusterId;
use operator::observed::Observed;
use operator::plan::{Refusal, Waiting};
use operator::status::{self, Verdict};
use serde_json::{Value, json};

use super::errors;
use super::worlds::{now, worlds};

/// What holds of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// As declared, and in use.
    Done,
    /// The operator is at work, or has not looked yet.
    InProgress,
    /// Nothing moves until a person acts.
    NeedsAPerson,
    /// It is being deleted.
    Leaving,
    /// A person paused it before it could be used.
    PausedUnready,
}

/// An object and what holds of it.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) object: Value,
    pub(super) truth: Truth,
}

/// What the operator may say that it is doing.
const WORK: [Reason; 5] = [
    Reason::Pending,
    Reason::CreatingProject,
    Reason::ApplyingSettings,
    Reason::Migrating,
    Reason::WritingSecret,
];

fn tenant(status: Value) -> Result<VectorTenant> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "tenantry.dev/v1alpha1", "kind": "VectorTenant", "spec": {}, "status": status,
        "metadata": {"name": "acme", "namespace": "team", "generation": 3,
            "uid": "58465dbd-da17-43d9-b78e-025564f98896"},
    }))?)
}

/// Everything that passes by itself; the compiler asks for what is new.
fn waitings() -> Vec<Waiting> {
    let all = vec![
        Waiting::Operations,
        Waiting::CreationUncertain { until: now() },
        Waiting::LookupIncomplete,
        Waiting::Deletion,
    ];
    for waiting in &all {
        match waiting {
            Waiting::Paused // has its own truth
            | Waiting::Operations
            | Waiting::CreationUncertain { until: _ }
            | Waiting::LookupIncomplete
            | Waiting::Deletion => {}
        }
    }
    all
}

/// Everything that needs a person; the compiler asks for what is new.
fn refusals() -> Vec<Refusal> {
    let (project, why) = (|| "long-forest-1".to_owned(), || "it is another's".to_owned());
    let all = vec![
        Refusal::SecretConflict { name: "acme-postgres".to_owned() },
        Refusal::ProjectMissing { project: project() },
        Refusal::Ambiguous { projects: vec![project(), "x".to_owned()] },
        Refusal::NotOurs { project: project(), why: why() },
        Refusal::AdoptionRefused { project: project(), why: why() },
        Refusal::OperationFailed { what: "create_branch: failed".to_owned() },
    ];
    for refusal in &all {
        match refusal {
            Refusal::SecretConflict { name: _ }
            | Refusal::ProjectMissing { project: _ }
            | Refusal::Ambiguous { projects: _ }
            | Refusal::NotOurs { project: _, why: _ }
            | Refusal::AdoptionRefused { project: _, why: _ }
            | Refusal::OperationFailed { what: _ } => {}
        }
    }
    all
}

/// Every state, and each of them again for an object that was changed since, and for one that is being deleted.
pub(super) fn all() -> Result<Vec<Case>> {
    // Without a status at all, kstatus would call it Current: that is what the default in the schema is for.
    let unseen = tenant(json!({"observedGeneration": -1}))?;
    let desired = Desired::new(&unseen, &ClusterId::new("test"))?;
    let worlds = worlds(&desired)?;
    let settled = &worlds[0].1;
    let converged = Verdict::Converged;
    let done = status::derive(&unseen, Some(&desired), settled, Some(2), &converged, now());
    let ready = VectorTenant { status: Some(done), ..unseen.clone() };
    let bare = tenant(Value::Null)?;

    let object = serde_json::to_value(&unseen)?;
    let name = "nobody has looked".to_owned();
    let mut cases = vec![Case { name, object, truth: Truth::InProgress }];
    for (before, tenant) in [("never seen", &unseen), ("bare", &bare), ("once Ready", &ready)] {
        let mut earlier = Earlier { before, tenant, desired: &desired, cases: &mut cases };
        earlier.blind(&worlds[1].1)?;
        for (world, observed) in &worlds {
            earlier.seeing(world, observed)?;
        }
    }
    Ok(cases)
}

/// An object as a pass finds it, and the cases that come of it.
struct Earlier<'a> {
    before: &'a str,
    tenant: &'a VectorTenant,
    desired: &'a Desired,
    cases: &'a mut Vec<Case>,
}

impl Earlier<'_> {
    /// Passes that look at the world and then end in each way.
    fn seeing(&mut self, world: &str, observed: &Observed) -> Result<()> {
        let derive = |tenant: &VectorTenant, desired: &Desired, verdict: &Verdict<'_>| {
            status::derive(tenant, Some(desired), observed, Some(2), verdict, now())
        };
        for (end, truth) in ends() {
            let status = derive(self.tenant, self.desired, &end.verdict());
            self.push(&format!("{world}, {end:?}"), status, truth)?;
        }
        if world == "settled" {
            let status = derive(self.tenant, self.desired, &Verdict::Converged);
            self.push("converged", status, Truth::Done)?;
        }
        let paused = derive(self.tenant, self.desired, &Verdict::Waits(&Waiting::Paused));
        let ready = self.before == "once Ready";
        let truth = if ready { Truth::Done } else { Truth::PausedUnready };
        self.push(&format!("{world}, paused"), paused, truth)
    }

    /// Passes that cannot look, that are about to create, and that delete.
    fn blind(&mut self, nothing: &Observed) -> Result<()> {
        let creating = status::creating(self.tenant, nothing, now());
        self.push("creating", creating, Truth::InProgress)?;
        for (end, truth) in ends() {
            if let End::Failed(error) = &end {
                let status = status::unobserved(self.tenant, error, now());
                self.push(&format!("blind, {error}"), status, truth)?;
            }
            let leaving = status::deleting(self.tenant, &end.verdict(), now());
            let mut object = self.with(leaving)?;
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            let name = format!("{}, leaving, {end:?}", self.before);
            self.cases.push(Case { name, object, truth: Truth::Leaving });
        }
        Ok(())
    }

    /// The object as it is, and as it is once its spec has been changed.
    fn push(&mut self, name: &str, status: VectorTenantStatus, truth: Truth) -> Result<()> {
        let name = format!("{}, {name}", self.before);
        let object = self.with(status)?;
        let mut changed = object.clone();
        changed["metadata"]["generation"] = json!(4);
        self.cases.push(Case { name: name.clone(), object, truth });
        let name = format!("{name}, and then changed");
        self.cases.push(Case { name, object: changed, truth: Truth::InProgress });
        Ok(())
    }

    fn with(&self, status: VectorTenantStatus) -> Result<Value> {
        let tenant = VectorTenant { status: Some(status), ..self.tenant.clone() };
        Ok(serde_json::to_value(tenant)?)
    }
}

/// How a pass may end, beside convergence and a pause.
#[derive(Debug)]
enum End {
    Work(Reason),
    Waits(Waiting),
    Refuses(Refusal),
    Failed(operator::error::Error),
}

impl End {
    fn verdict(&self) -> Verdict<'_> {
        match self {
            Self::Work(reason) => Verdict::AtWork(*reason, "at work"),
            Self::Waits(waiting) => Verdict::Waits(waiting),
            Self::Refuses(refusal) => Verdict::Refuses(refusal),
            Self::Failed(error) => Verdict::Failed(error),
        }
    }
}

fn ends() -> Vec<(End, Truth)> {
    let mut ends = Vec::new();
    ends.extend(WORK.map(|reason| (End::Work(reason), Truth::InProgress)));
    ends.extend(waitings().into_iter().map(|waiting| (End::Waits(waiting), Truth::InProgress)));
    ends.extend(refusals().into_iter().map(|refusal| (End::Refuses(refusal), Truth::NeedsAPerson)));
    let pass = errors::that_pass().into_iter();
    ends.extend(pass.map(|error| (End::Failed(error), Truth::InProgress)));
    let stay = errors::that_need_a_person().into_iter();
    ends.extend(stay.map(|error| (End::Failed(error), Truth::NeedsAPerson)));
    ends
}
