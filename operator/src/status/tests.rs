//! What a tenant shows, for every way in which a pass can end.

use std::{collections::BTreeSet, time::Duration};

use crds::{find, is_true};

use super::*;
use crate::{
    desired::{
        ComputeUnits,
        tests::{desired, tenant},
    },
    neon::ConnectionUri,
    observed::{LiveSettings as Live, Lookup},
    secret::Content,
    tenant_db,
};

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn settled() -> Observed {
    let uri = |host| ConnectionUri::parse(&format!("postgresql://o:pw@{host}/neondb")).unwrap();
    let (direct, pooled) = (uri("ep-1.neon.test"), uri("ep-1-pooler.neon.test"));
    let content = Content::new(&desired("{}").unwrap(), &direct, &pooled);
    Observed {
        finalizer: true,
        intent: Intent::None,
        lookup: Lookup::NotYet,
        project: Project::Live(LiveProject {
            id: "long-forest-1".to_owned(),
            name: "n".to_owned(),
            branch_id: "br-1".to_owned(),
            endpoint_id: "ep-1".to_owned(),
            settings: Live {
                min: ComputeUnits::from_api(0.25),
                max: ComputeUnits::from_api(2.0),
                suspend_timeout_seconds: 300,
                history_retention_seconds: None,
            },
        }),
        operations: Operations::Done,
        connection: Connection::Known { direct, pooled },
        schema_version: Some(1),
        secret: Secret::Ours { content, intact: true, version: None },
        old_secret: None,
        deleted: BTreeSet::new(),
        gone: BTreeSet::new(),
        lingers: false,
    }
}

fn fresh() -> Observed {
    Observed {
        project: Project::Unbound,
        operations: Operations::Unknown,
        connection: Connection::Unknown,
        schema_version: None,
        secret: Secret::Missing,
        ..settled()
    }
}

fn show(observed: &Observed, verdict: &Verdict<'_>) -> VectorTenantStatus {
    let want = desired("{}").unwrap();
    derive(&tenant("{}"), Some(&want), observed, Some(1), verdict, now())
}

fn reasons(status: &VectorTenantStatus) -> Vec<String> {
    let text = |c: &Condition| format!("{}={} {}", c.type_, c.status, c.reason);
    status.conditions.iter().map(text).collect()
}

#[test]
fn a_converged_tenant_shows_where_everything_is() {
    let status = show(&settled(), &Verdict::Converged);
    let expected = [
        "Ready=True Ready",
        "Reconciling=False Settled",
        "Stalled=False Settled",
        "ProjectReady=True Ready",
        "SchemaReady=True Ready",
        "SecretReady=True Ready",
    ];
    assert_eq!(reasons(&status), expected);
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(status.project_id.as_deref(), Some("long-forest-1"));
    assert_eq!(status.host.as_deref(), Some("ep-1.neon.test"));
    let binding = status.binding.unwrap();
    assert!(binding.name == "acme-postgres" && binding.revision.is_some());
    assert_eq!(status.ready_at, Some(Time(now())));
}

#[test]
fn a_part_that_is_not_done_takes_the_blame_and_later_ones_are_pending() {
    let status = show(&fresh(), &Verdict::AtWork(Reason::CreatingProject, "creating"));
    let expected = [
        "Ready=False CreatingProject",
        "Reconciling=True CreatingProject",
        "Stalled=False CreatingProject",
        "ProjectReady=False CreatingProject",
        "SchemaReady=False Pending",
        "SecretReady=False Pending",
    ];
    assert_eq!(reasons(&status), expected);
}

#[test]
fn a_blocked_migration_leaves_a_working_tenant_ready() {
    let locked = tenant_db::Error::Locked("migration 2".to_owned());
    let error = Error::from(locked);
    let old = Observed { schema_version: Some(1), ..settled() };
    let want = desired("{}").unwrap();
    let status = derive(&tenant("{}"), Some(&want), &old, Some(2), &Verdict::Failed(&error), now());
    assert!(is_true(&status.conditions, ConditionType::Ready));
    assert!(is_true(&status.conditions, ConditionType::Reconciling));
    assert!(!is_true(&status.conditions, ConditionType::Stalled));
    let schema = find(&status.conditions, ConditionType::SchemaReady).unwrap();
    assert_eq!((schema.status.as_str(), schema.reason.as_str()), ("False", "MigrationBlocked"));
}

#[test]
fn what_needs_a_person_is_stalled_and_says_what_to_do() {
    let refusal = Refusal::SecretConflict { name: "acme-postgres".to_owned() };
    let observed = Observed { secret: Secret::Foreign, ..fresh() };
    let status = show(&observed, &Verdict::Refuses(&refusal));
    let stalled = find(&status.conditions, ConditionType::Stalled).unwrap();
    assert_eq!((stalled.status.as_str(), stalled.reason.as_str()), ("True", "SecretConflict"));
    assert!(stalled.message.contains("spec.secret.name"), "{}", stalled.message);
    assert!(!is_true(&status.conditions, ConditionType::Reconciling));
    assert!(!is_true(&status.conditions, ConditionType::Ready));
    let of = |kind| find(&status.conditions, kind).unwrap().reason.clone();
    assert_eq!(of(ConditionType::SecretReady), "SecretConflict");
    assert_eq!(of(ConditionType::ProjectReady), "Pending");
}

#[test]
fn never_both_reconciling_and_stalled_and_always_all_six() {
    let missing = Refusal::ProjectMissing { project: "p".to_owned() };
    let timeout = Error::from(tenant_db::Error::Timeout(Duration::from_secs(1)));
    let invalid = Error::from(desired(r#"{"region": ""}"#).unwrap_err());
    for observed in [fresh(), settled()] {
        for verdict in [
            Verdict::Converged,
            Verdict::AtWork(Reason::Pending, "x"),
            Verdict::Waits(&Waiting::Paused),
            Verdict::Waits(&Waiting::Operations),
            Verdict::Waits(&Waiting::LookupIncomplete),
            Verdict::Refuses(&missing),
            Verdict::Failed(&timeout),
            Verdict::Failed(&invalid),
        ] {
            let status = show(&observed, &verdict);
            assert_eq!(status.conditions.len(), 6, "{verdict:?}");
            let both = is_true(&status.conditions, ConditionType::Reconciling)
                && is_true(&status.conditions, ConditionType::Stalled);
            assert!(!both, "{verdict:?}");
            assert!(status.conditions.iter().all(|c| !c.message.is_empty()), "{verdict:?}");
        }
    }
}

#[test]
fn a_pass_that_cannot_look_keeps_what_is_known() {
    let mut before = tenant("{}");
    before.status = Some(show(&settled(), &Verdict::Converged));
    let error = Error::from(tenant_db::Error::Timeout(Duration::from_secs(1)));
    let status = unobserved(&before, &error, now());
    assert!(is_true(&status.conditions, ConditionType::Ready), "the database still works");
    assert!(is_true(&status.conditions, ConditionType::Reconciling));
    assert_eq!(status.project_id, before.status.unwrap().project_id);
}

#[test]
fn a_pause_changes_nothing_but_says_so() {
    let mut before = tenant("{}");
    before.status = Some(show(&settled(), &Verdict::Converged));
    let want = desired("{}").unwrap();
    let paused = Verdict::Waits(&Waiting::Paused);
    let status = derive(&before, Some(&want), &fresh(), Some(9), &paused, now());
    assert!(is_true(&status.conditions, ConditionType::Ready));
    assert!(is_true(&status.conditions, ConditionType::SchemaReady));
    assert_eq!(find(&status.conditions, ConditionType::Reconciling).unwrap().reason, "Paused");
    assert_eq!(status.schema_version, Some(1));
}

#[test]
fn the_old_secret_stays_named_until_it_is_removed() {
    let mut before = tenant("{}");
    before.status = Some(VectorTenantStatus {
        binding: Some(Binding { name: "old".to_owned(), revision: None }),
        ..VectorTenantStatus::default()
    });
    let observed = Observed { old_secret: Some("old".to_owned()), ..settled() };
    let want = desired("{}").unwrap();
    let verdict = Verdict::AtWork(Reason::Pending, "x");
    let status = derive(&before, Some(&want), &observed, Some(1), &verdict, now());
    assert_eq!(status.binding.unwrap().name, "old");
}

#[test]
fn an_intent_of_this_very_pass_stays_while_its_outcome_is_unknown() {
    let at = Timestamp::from_second(999_990).unwrap();
    let error = Error::from(tenant_db::Error::Timeout(Duration::from_secs(1)));
    for intent in [Intent::ThisPass(at), Intent::Earlier(at)] {
        let observed = Observed { intent, ..fresh() };
        let status = show(&observed, &Verdict::Failed(&error));
        assert_eq!(status.creation, Some(CreationIntent { requested_at: Time(at) }));
    }
    assert_eq!(show(&fresh(), &Verdict::Failed(&error)).creation, None);
}
