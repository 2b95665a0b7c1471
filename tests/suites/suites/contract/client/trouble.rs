//! Answers that are lost, late or refusals, and absence that is none.
//!
//! In: faults and settings of the emulator. Out: what the client says, held against what there is afterwards.

use anyhow::{Context, Result, ensure};
use operator::neon::{Deletion, Error};
use serde_json::{Value, json};

use super::{Bench, new_project};

impl Bench {
    /// Each fault meets one creation: what the client says, and how many projects there are then.
    pub(super) async fn answers_go_wrong(&self) -> Result<()> {
        for (name, phase, action, category, there) in troubles() {
            let fault = json!({"method": "POST", "path": "^/projects$", "count": 1, "phase": phase, "action": action});
            self.lab.fault(fault).await?;
            let answer = self.client.create_project(&new_project(name)).await;
            let said = answer.as_ref().err().map_or("", Error::category);
            ensure!(said == category, "{name}: {answer:?}");
            let unknown = answer.as_ref().err().is_some_and(Error::outcome_unknown);
            ensure!(unknown == (category == "unknown_outcome"), "{name}");
            let found = self.client.find_projects(name).await?.projects;
            ensure!(found.len() == there, "{name}: {found:?}");
        }
        Ok(())
    }

    pub(super) async fn gone_in_every_form(&self) -> Result<()> {
        self.lab.set(json!({"soft_delete": true})).await?;
        for form in ["404", "410", "deleted_at"] {
            self.lab.set(json!({"gone": form})).await?;
            let name = format!("gone-{form}");
            let id = self.client.create_project(&new_project(&name)).await?.project.id;
            self.client.delete_project(&id).await?;
            ensure!(self.client.project(&id).await?.is_none(), "{form}");
            ensure!(self.client.delete_project(&id).await? == Deletion::AlreadyGone, "{form}");
            ensure!(self.client.find_projects(&name).await?.projects.is_empty(), "{form}");
            ensure!(self.client.recoverable(&name).await?[0].id == id, "{form}");
        }
        Ok(())
    }

    pub(super) async fn what_keeps_a_project(&self) -> Result<()> {
        let made = self.client.create_project(&new_project("kept")).await?;
        let hidden = json!({"type": "unavailable", "project_ids": ["*"]});
        let fault = json!({"method": "GET", "path": "^/projects$", "count": 1, "phase": "before_commit", "action": hidden});
        self.lab.fault(fault).await?;
        let search = self.client.find_projects("kept").await?;
        ensure!(search.projects.is_empty() && !search.complete, "hidden is not absent");
        let search = self.client.find_projects("kept").await?;
        ensure!(search.projects.len() == 1 && search.complete);
        let refusal = json!({"type": "reply", "status": 422,
            "body": {"code": "", "message": "project has protected branches"}});
        let fault =
            json!({"method": "DELETE", "count": 1, "phase": "before_commit", "action": refusal});
        self.lab.fault(fault).await?;
        let error =
            self.client.delete_project(&made.project.id).await.err().context("a refusal")?;
        ensure!(matches!(error, Error::Refused(_)) && !error.is_gone(), "{error}");
        ensure!(self.client.project(&made.project.id).await?.is_some());
        Ok(())
    }
}

/// Name of the project, phase and action of the fault, the client's category (none: it succeeds), and how many
/// projects there are then.
fn troubles() -> Vec<(&'static str, &'static str, Value, &'static str, usize)> {
    let (before, after) = ("before_commit", "after_commit");
    let reply = |status: u16| json!({"type": "reply", "status": status});
    let html =
        json!({"type": "reply", "status": 524, "body": "<html><title>A timeout</title></html>"});
    let limit = json!({"code": "PROJECTS_LIMIT_EXCEEDED", "message": "projects limit exceeded"});
    vec![
        ("locked", before, reply(423), "", 1),
        (
            "busy",
            before,
            json!({"type": "reply", "status": 429, "headers": {"retry-after": "1"}}),
            "",
            1,
        ),
        ("unavailable", before, reply(503), "unavailable", 0),
        // Neon promises that this cannot be; it must not make a second project all the same.
        ("late-unavailable", after, reply(503), "unavailable", 1),
        ("failed", before, reply(500), "unknown_outcome", 0),
        ("failed-late", after, reply(500), "unknown_outcome", 1),
        ("gateway", after, html, "unknown_outcome", 1),
        ("reset", after, json!({"type": "reset"}), "unknown_outcome", 1),
        ("half", after, json!({"type": "truncate"}), "unknown_outcome", 1),
        ("silent", after, json!({"type": "hang"}), "unknown_outcome", 1),
        (
            "limit",
            before,
            json!({"type": "reply", "status": 422, "body": limit}),
            "limit_reached",
            0,
        ),
    ]
}
