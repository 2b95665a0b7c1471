//! From every partial world, doing what `decide` says ends in `Converged` and stays there; the same for deletion.
//!
//! [`World`] is a small model of Neon, the cluster and the database. Its worlds are all combinations of what a crash
//! can leave behind; a pass may itself be cut after any number of steps, which forgets everything but the world.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::{
    desired::{ComputeUnits, tests::desired},
    neon::ConnectionUri,
    observed::{LiveSettings, Outcome},
};

const NEWEST: i64 = 3;

#[derive(Clone, Debug)]
struct World {
    now: Timestamp,
    finalizer: bool,
    intent: Option<Timestamp>,
    /// id -> name; the key order is the order of creation.
    projects: BTreeMap<String, String>,
    status_project: Option<String>,
    stores_passwords: bool,
    operations_pending: u32,
    settings_match: bool,
    schema: Option<i64>,
    secret: Option<Content>,
    old_secret: bool,
    /// A request that a dead operator sent: the project appears at that time.
    late_commit: Option<Timestamp>,
    lingering_reads: u32,
    created: u32,
}

fn start() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

fn uris() -> (ConnectionUri, ConnectionUri) {
    let uri = |host| ConnectionUri::parse(&format!("postgresql://u:secret@{host}/neondb")).unwrap();
    (uri("ep-1.neon.test"), uri("ep-1-pooler.neon.test"))
}

fn circumstances(world: &World) -> Circumstances {
    Circumstances {
        now: world.now,
        create_grace: Duration::from_secs(60),
        newest_migration: Some(NEWEST),
    }
}

impl World {
    fn empty() -> Self {
        Self {
            now: start(),
            finalizer: false,
            intent: None,
            projects: BTreeMap::new(),
            status_project: None,
            stores_passwords: true,
            operations_pending: 0,
            settings_match: true,
            schema: None,
            secret: None,
            old_secret: false,
            late_commit: None,
            lingering_reads: 0,
            created: 0,
        }
    }

    fn live(&self, id: &str, want: &Desired) -> Box<LiveProject> {
        let max = if self.settings_match { want.settings.max } else { ComputeUnits::from_api(7.0) };
        Box::new(LiveProject {
            id: id.to_owned(),
            name: self.projects[id].clone(),
            branch_id: "br-1".to_owned(),
            endpoint_id: "ep-1".to_owned(),
            settings: LiveSettings {
                min: want.settings.min,
                max,
                suspend_timeout_seconds: want.settings.suspend_timeout_seconds,
                history_retention_seconds: Some(86_400),
            },
        })
    }

    fn observe(&mut self, want: &Desired) -> Observed {
        if self.late_commit.is_some_and(|at| at <= self.now) {
            self.late_commit = None;
            self.create(want);
        }
        let project = match &self.status_project {
            None => Project::Unbound,
            Some(id) if self.projects.contains_key(id) => Project::Live(*self.live(id, want)),
            Some(id) => Project::Missing { id: id.clone() },
        };
        Observed {
            finalizer: self.finalizer,
            intent: self.intent.map_or(Intent::None, Intent::Earlier),
            lookup: Lookup::NotYet,
            operations: Operations::Unknown,
            connection: Connection::Unknown,
            schema_version: self.schema.filter(|_| self.status_project.is_some()),
            secret: match &self.secret {
                Some(content) => {
                    Secret::Ours { content: content.clone(), intact: true, version: None }
                }
                None => Secret::Missing,
            },
            old_secret: self.old_secret.then(|| "old".to_owned()),
            deleted: std::collections::BTreeSet::default(),
            gone: std::collections::BTreeSet::default(),
            lingers: false,
            project,
        }
    }

    fn look_up(&self, want: &Desired) -> Lookup {
        let ours = self.projects.iter().filter(|(_, name)| **name == want.project_name);
        Lookup::Complete(ours.map(|(id, _)| id.clone()).collect())
    }

    fn create(&mut self, want: &Desired) -> String {
        self.created += 1;
        let id = format!("project-{}", self.created);
        self.projects.insert(id.clone(), want.project_name.clone());
        id
    }

    #[expect(clippy::too_many_lines, reason = "a table: one arm a step")]
    fn act(&mut self, step: &Step, want: &Desired, seen: &Observed) -> Outcome {
        let bound = seen.project.id().unwrap_or_default().to_owned();
        match step {
            Step::AddFinalizer => {
                self.finalizer = true;
                Outcome::FinalizerAdded
            }
            Step::RecordIntent => {
                self.intent = Some(self.now);
                Outcome::IntentRecorded(self.now, self.look_up(want))
            }
            Step::LookUp => Outcome::Found(self.look_up(want)),
            Step::CreateProject => {
                let id = self.create(want);
                Outcome::Bound(self.live(&id, want))
            }
            Step::Bind { project } => Outcome::Bound(self.live(project, want)),
            Step::Adopt { project } => {
                self.projects.insert(project.clone(), want.project_name.clone());
                Outcome::Bound(self.live(project, want))
            }
            Step::RestoreName => {
                self.projects.insert(bound.clone(), want.project_name.clone());
                Outcome::Changed(self.live(&bound, want))
            }
            Step::CheckOperations => {
                let pending = self.operations_pending > 0;
                self.operations_pending = self.operations_pending.saturating_sub(1);
                Outcome::Operations(if pending { Operations::Pending } else { Operations::Done })
            }
            Step::FetchConnection if self.stores_passwords || self.secret.is_some() => {
                let (direct, pooled) = uris();
                Outcome::Connection(Connection::Known { direct, pooled })
            }
            Step::FetchConnection => Outcome::Connection(Connection::PasswordLost),
            Step::ResetPassword => {
                let (direct, pooled) = uris();
                Outcome::Connection(Connection::Known { direct, pooled })
            }
            Step::ApplySettings => {
                self.settings_match = true;
                Outcome::Changed(self.live(&bound, want))
            }
            Step::Migrate => {
                self.schema = Some(NEWEST);
                Outcome::Migrated(Some(NEWEST))
            }
            Step::WriteSecret => {
                let (direct, pooled) = uris();
                let content = Content::new(want, &direct, &pooled);
                self.secret = Some(content.clone());
                Outcome::SecretWritten(content, None)
            }
            Step::RemoveSecret { name: _ } => {
                self.old_secret = false;
                Outcome::OldSecretRemoved
            }
            Step::RemoveDuplicate { project } => {
                self.projects.remove(project);
                Outcome::Gone(project.clone())
            }
            Step::DeleteProject { project } => match self.projects.remove(project) {
                Some(_) => Outcome::Deleted(project.clone()),
                None => Outcome::Gone(project.clone()),
            },
            Step::ConfirmGone { project: _ } if self.lingering_reads > 0 => {
                self.lingering_reads -= 1;
                Outcome::StillThere
            }
            Step::ConfirmGone { project } => Outcome::Gone(project.clone()),
            Step::RemoveFinalizer { retained: _ } => {
                self.finalizer = false;
                Outcome::Released
            }
        }
    }

    /// One pass: the status keeps the binding only when the pass is not cut by a crash.
    fn pass(&mut self, want: &Desired, deletion: Option<DeletionPolicy>, cut: usize) -> Plan {
        let mut seen = self.observe(want);
        for steps in 0.. {
            let now = circumstances(self);
            let plan = match deletion {
                Some(policy) => decide_deletion(policy, &seen, &now),
                None => decide(want, &seen, &now),
            };
            let Plan::Do(step) = &plan else {
                self.status_project = seen.project.id().map(str::to_owned);
                self.intent = seen.intent.at();
                return plan;
            };
            if steps == cut {
                return plan;
            }
            assert!(steps < 30, "turns in circles at {step:?}");
            let outcome = self.act(step, want, &seen);
            seen.learn(outcome);
        }
        unreachable!()
    }

    fn settle(&mut self, want: &Desired, deletion: Option<DeletionPolicy>) {
        for _ in 0..200 {
            match self.pass(want, deletion, usize::MAX) {
                Plan::Converged => return,
                Plan::Wait(waiting) => {
                    let delay = waiting.delay(self.now, 0).expect("only a pause waits for ever");
                    self.now += SignedDuration::try_from(delay).unwrap();
                }
                other => panic!("{other:?} in {self:?}"),
            }
        }
        panic!("does not settle: {self:?}");
    }
}

/// All combinations of what a crash can leave behind.
fn partial_worlds(want: &Desired) -> Vec<World> {
    let mut worlds = Vec::new();
    for bits in 0..1_u32 << 11 {
        let on = |bit: u32| bits & (1 << bit) != 0;
        let mut world = World::empty();
        world.finalizer = on(0);
        world.intent =
            on(1).then(|| start() - SignedDuration::from_secs(if on(2) { 5 } else { 500 }));
        // Intent comes before any project, and the finalizer before the intent.
        if (on(1) || on(3)) && !on(0) {
            continue;
        }
        if on(3) && on(1) {
            world.create(want);
            if on(4) {
                world.create(want);
            }
            if on(5) {
                world.status_project = Some("project-1".to_owned());
            }
        } else if on(1) && on(2) && on(5) {
            world.late_commit = Some(start() + SignedDuration::from_secs(20));
        }
        world.stores_passwords = on(6);
        world.operations_pending = u32::from(on(7));
        world.settings_match = on(8);
        world.schema = on(9).then_some(NEWEST - 1);
        world.old_secret = on(10) && on(5);
        worlds.push(world);
    }
    worlds
}

#[test]
fn every_partial_world_converges_and_stays_there() {
    let want = desired("{}").unwrap();
    for origin in partial_worlds(&want) {
        let mut world = origin.clone();
        world.settle(&want, None);
        let bound = world.status_project.clone().expect("a project is bound");
        assert!(world.projects.contains_key(&bound), "{origin:?}");
        if origin.status_project.is_none() {
            assert_eq!(world.projects.len(), 1, "one project, no duplicate: {origin:?}");
        }
        assert_eq!(world.schema, Some(NEWEST), "{origin:?}");
        assert!(world.secret.is_some() && !world.old_secret && world.settings_match);
        let mut seen = world.observe(&want);
        seen.operations = Operations::Done;
        let (direct, pooled) = uris();
        seen.connection = Connection::Known { direct, pooled };
        assert_eq!(decide(&want, &seen, &circumstances(&world)), Plan::Converged, "{origin:?}");
    }
}

#[test]
fn a_crash_after_any_step_leaves_one_project_in_the_end() {
    let want = desired("{}").unwrap();
    for origin in partial_worlds(&want).into_iter().step_by(7) {
        for cut in 0..12 {
            let mut world = origin.clone();
            world.pass(&want, None, cut);
            world.settle(&want, None);
            if origin.status_project.is_none() {
                assert_eq!(world.projects.len(), 1, "cut {cut}: {origin:?}");
            }
        }
    }
}

#[test]
fn deletion_leaves_nothing_from_every_partial_world() {
    let want = desired("{}").unwrap();
    for origin in partial_worlds(&want) {
        for cut in [usize::MAX, 0, 1, 2, 3] {
            let mut world = World { lingering_reads: u32::from(cut == 2), ..origin.clone() };
            world.pass(&want, Some(DeletionPolicy::Delete), cut);
            world.settle(&want, Some(DeletionPolicy::Delete));
            world.now += SignedDuration::from_secs(1000);
            world.observe(&want);
            assert!(!world.finalizer, "{origin:?}");
            let untouched = !origin.finalizer;
            assert!(untouched || world.projects.is_empty(), "cut {cut}: {origin:?}");
        }
    }
}

#[test]
fn retain_lets_go_and_names_the_project() {
    let want = desired("{}").unwrap();
    let mut world = World::empty();
    world.settle(&want, None);
    let mut seen = world.observe(&want);
    let now = circumstances(&world);
    assert_eq!(decide_deletion(DeletionPolicy::Retain, &seen, &now), Plan::Do(Step::LookUp));
    seen.learn(world.act(&Step::LookUp, &want, &seen.clone()));
    let retained = vec!["project-1".to_owned()];
    let expected = Plan::Do(Step::RemoveFinalizer { retained });
    assert_eq!(decide_deletion(DeletionPolicy::Retain, &seen, &now), expected);
}

#[test]
fn what_a_person_must_decide_is_refused_not_repaired() {
    let want = desired("{}").unwrap();
    let mut world = World::empty();
    world.settle(&want, None);
    let now = circumstances(&world);
    let settled = world.observe(&want);

    let missing =
        Observed { project: Project::Missing { id: "project-1".to_owned() }, ..settled.clone() };
    let refusal = Refusal::ProjectMissing { project: "project-1".to_owned() };
    assert_eq!(
        decide(&want, &missing, &now),
        Plan::Refuse(refusal),
        "no empty database in its place"
    );

    let foreign = Observed { secret: Secret::Foreign, finalizer: false, ..settled.clone() };
    let refusal = Refusal::SecretConflict { name: want.secret_name.clone() };
    assert_eq!(decide(&want, &foreign, &now), Plan::Refuse(refusal));

    let failed = Observed { operations: Operations::Failed("x".to_owned()), ..settled };
    assert!(matches!(
        decide(&want, &failed, &now),
        Plan::Refuse(Refusal::OperationFailed { what: _ })
    ));
}

#[test]
fn several_projects_of_which_one_may_be_in_use_are_refused() {
    let want = desired("{}").unwrap();
    let mut world = World { finalizer: true, intent: Some(start()), ..World::empty() };
    world.create(&want);
    world.create(&want);
    let (direct, pooled) = uris();
    world.secret = Some(Content::new(&want, &direct, &pooled));
    let plan = world.pass(&want, None, usize::MAX);
    assert!(matches!(plan, Plan::Refuse(Refusal::Ambiguous { projects }) if projects.len() == 2));
    assert_eq!(world.projects.len(), 2, "nothing is deleted");
}

#[test]
fn a_missing_project_can_be_replaced_by_adoption_only() {
    let mut want = desired("{}").unwrap();
    let mut world = World::empty();
    world.settle(&want, None);
    let seen = Observed {
        project: Project::Missing { id: "project-1".to_owned() },
        ..world.observe(&want)
    };
    want.adopt = Some("project-1".to_owned());
    assert!(matches!(decide(&want, &seen, &circumstances(&world)), Plan::Refuse(_)));
    want.adopt = Some("restored-1".to_owned());
    let adopt = Plan::Do(Step::Adopt { project: "restored-1".to_owned() });
    assert_eq!(decide(&want, &seen, &circumstances(&world)), adopt);
}

#[test]
fn a_paused_tenant_is_left_alone_and_still_deleted() {
    let want = desired(r#"{"paused": true}"#).unwrap();
    let mut world = World::empty();
    let seen = world.observe(&want);
    assert_eq!(decide(&want, &seen, &circumstances(&world)), Plan::Wait(Waiting::Paused));
    world.settle(&desired("{}").unwrap(), None);
    world.settle(&want, Some(DeletionPolicy::Delete));
    assert!(world.projects.is_empty());
}

#[test]
fn a_schema_that_is_newer_than_ours_is_left_alone() {
    let want = desired("{}").unwrap();
    let mut world = World::empty();
    world.settle(&want, None);
    world.schema = Some(NEWEST + 1);
    world.settle(&want, None);
    assert_eq!(world.schema, Some(NEWEST + 1));
}

#[test]
fn an_incomplete_list_proves_nothing() {
    let want = desired("{}").unwrap();
    let world = World { finalizer: true, ..World::empty() };
    let mut seen = world.clone().observe(&want);
    seen.intent = Intent::ThisPass(world.now);
    seen.lookup = Lookup::Incomplete(Vec::new());
    let wait = Plan::Wait(Waiting::LookupIncomplete);
    assert_eq!(decide(&want, &seen, &circumstances(&world)), wait);
    seen.intent = Intent::None;
    assert_eq!(decide_deletion(DeletionPolicy::Delete, &seen, &circumstances(&world)), wait);
}

#[test]
fn a_secret_whose_write_was_not_recorded_is_written_again() {
    let want = desired("{}").unwrap();
    let mut world = World::empty();
    world.finalizer = true;
    let id = world.create(&want);
    (world.status_project, world.schema) = (Some(id), Some(NEWEST));
    let (direct, pooled) = uris();
    let content = Content::new(&want, &direct, &pooled);
    let mut observed = world.observe(&want);
    (observed.operations, observed.connection) =
        (Operations::Done, Connection::Known { direct, pooled });
    let mut plan = |intact| {
        observed.secret = Secret::Ours { content: content.clone(), intact, version: None };
        decide(&want, &observed, &circumstances(&world))
    };
    assert_eq!(plan(false), Plan::Do(Step::WriteSecret));
    assert_eq!(plan(true), Plan::Converged);
}
