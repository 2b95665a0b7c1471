//! Two judges of one object: kstatus (Flux) and Argo CD's health check. In: every state that the operator can write, made by
//! the code that writes it. Out: both say what holds, for each of them.

mod errors;
mod states;
mod worlds;

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use crds::Reason;
use serde::Deserialize;

use super::examples::piped;
use states::{Case, Truth};

#[derive(Debug, Deserialize)]
struct Verdict {
    status: String,
    message: String,
}

/// What one program says of all objects.
fn judge(program: &str, arguments: &[&str], cases: &[Case]) -> Result<Vec<Verdict>> {
    let mut command = Command::new(stack::install::go_program(program)?);
    let objects: Vec<_> = cases.iter().map(|case| &case.object).collect();
    let text = piped(command.args(arguments), &serde_json::to_string(&objects)?)?;
    let verdicts: Vec<Verdict> = serde_json::from_str(&text)?;
    ensure!(verdicts.len() == cases.len(), "{program} judged {} objects", verdicts.len());
    Ok(verdicts)
}

impl Truth {
    /// What kstatus and Argo CD call it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Done => ("Current", "Healthy"),
            Self::InProgress => ("InProgress", "Progressing"),
            Self::NeedsAPerson => ("Failed", "Degraded"),
            Self::Leaving => ("Terminating", "Progressing"),
            // kstatus has no word for it; either way, what depends on it waits.
            Self::PausedUnready => ("InProgress", "Suspended"),
        }
    }
}

#[test]
fn both_judges_say_what_holds_in_every_state() -> Result<()> {
    let cases = states::all()?;
    let lua = stack::paths::checkout().join("examples/gitops/argocd/health.lua");
    let kstatus = judge("kstatus", &[], &cases)?;
    let argo = judge("argo-health", &[&lua.to_string_lossy()], &cases)?;
    let mut wrong = Vec::new();
    for ((case, flux), argo) in cases.iter().zip(&kstatus).zip(&argo) {
        let said = (flux.status.as_str(), argo.status.as_str());
        if said != case.truth.words() || flux.message.is_empty() || argo.message.is_empty() {
            wrong.push(format!("{}: {:?} is {flux:?}, {argo:?}", case.name, case.truth));
        }
    }
    let some = wrong.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    ensure!(wrong.is_empty(), "{} of {} are wrong:\n{some}", wrong.len(), cases.len());
    Ok(())
}

#[test]
fn a_person_who_reads_degraded_reads_what_to_do() -> Result<()> {
    let cases = states::all()?;
    let lua = stack::paths::checkout().join("examples/gitops/argocd/health.lua");
    let argo = judge("argo-health", &[&lua.to_string_lossy()], &cases)?;
    let degraded = cases.iter().zip(&argo).filter(|(case, _)| case.truth == Truth::NeedsAPerson);
    for (case, verdict) in degraded {
        let conditions = case.object["status"]["conditions"].as_array().context("conditions")?;
        let stalled = conditions.iter().find(|condition| condition["type"] == "Stalled");
        let told = stalled.map(|condition| &condition["message"]).context("Stalled")?;
        assert_eq!(told, verdict.message.as_str(), "{}", case.name);
    }
    Ok(())
}

#[test]
fn every_reason_was_judged() -> Result<()> {
    let cases = states::all()?;
    let mut seen = BTreeSet::new();
    for case in &cases {
        let conditions = case.object["status"]["conditions"].as_array();
        let reasons = conditions.into_iter().flatten().filter_map(|c| c["reason"].as_str());
        seen.extend(reasons.map(ToOwned::to_owned));
    }
    let missing: Vec<Reason> =
        Reason::ALL.into_iter().filter(|reason| !seen.contains(&reason.to_string())).collect();
    ensure!(missing.is_empty(), "no state shows {missing:?}");
    Ok(())
}
