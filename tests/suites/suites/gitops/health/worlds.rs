//! What a pass may know of a tenant's world. In: what is declared. Out: everything done, nothing yet, each part missing in turn.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::Timestamp;
use operator::desired::{ComputeUnits, Desired};
use operator::neon::ConnectionUri;
use operator::observed::{
    Connection, Intent, LiveProject, LiveSettings, Lookup, Observed, Operations, Project, Secret,
};
use operator::secret::Content;

/// The moment of all passes.
pub(super) fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// A project that is there.
fn live() -> Project {
    let text = ToOwned::to_owned;
    Project::Live(LiveProject {
        id: text("long-forest-1"),
        name: text("n"),
        branch_id: text("br-1"),
        endpoint_id: text("ep-1"),
        settings: LiveSettings {
            min: ComputeUnits::from_api(0.25),
            max: ComputeUnits::from_api(2.0),
            suspend_timeout_seconds: 300,
            history_retention_seconds: None,
        },
    })
}

/// The worlds; the first is the one where all is done, the second the one where nothing is.
pub(super) fn worlds(desired: &Desired) -> Result<Vec<(&'static str, Observed)>> {
    let uri = |host| ConnectionUri::parse(&format!("postgresql://o:pw@{host}/neondb"));
    let (direct, pooled) = (uri("ep-1.neon.test")?, uri("ep-1-pooler.neon.test")?);
    let content = Content::new(desired, &direct, &pooled);
    let ours = |intact| Secret::Ours { content: content.clone(), intact, version: None };
    let settled = Observed {
        finalizer: true,
        intent: Intent::None,
        lookup: Lookup::NotYet,
        project: live(),
        operations: Operations::Done,
        connection: Connection::Known { direct, pooled },
        schema_version: Some(2),
        secret: ours(true),
        old_secret: None,
        deleted: BTreeSet::new(),
        gone: BTreeSet::new(),
        lingers: false,
    };
    let nothing = Observed {
        project: Project::Unbound,
        operations: Operations::Unknown,
        connection: Connection::Unknown,
        schema_version: None,
        secret: Secret::Missing,
        ..settled.clone()
    };
    let asked = Observed { intent: Intent::Earlier(now()), ..nothing.clone() };
    let mut worlds = vec![("settled", settled.clone()), ("nothing", nothing), ("asked for", asked)];
    let mut without = |name, change: &dyn Fn(&mut Observed)| {
        let mut world = settled.clone();
        change(&mut world);
        worlds.push((name, world));
    };
    without("project gone", &|w| w.project = Project::Missing { id: "p".to_owned() });
    without("operations pending", &|w| w.operations = Operations::Pending);
    without("no schema", &|w| w.schema_version = None);
    without("old schema", &|w| w.schema_version = Some(1));
    without("no Secret", &|w| w.secret = Secret::Missing);
    without("foreign Secret", &|w| w.secret = Secret::Foreign);
    without("edited Secret", &|w| w.secret = ours(false));
    without("renamed Secret", &|w| w.old_secret = Some("old".to_owned()));
    Ok(worlds)
}
