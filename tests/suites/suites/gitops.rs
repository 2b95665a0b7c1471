//! What GitOps tools make of tenants: Flux's real kustomize-controller, kstatus, Argo CD's health check.
//!
//! In: the files of examples/gitops, and every status that the operator can write. Out: waves that wait and fail as they
//! should, no drift, deletion when git says so, and two tools that never disagree with our conditions.

mod archive;
mod drift;
mod examples;
mod flux;
mod health;
mod removal;
mod waves;
