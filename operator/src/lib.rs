//! The operator, as a tour.
//!
//! ```text
//! VectorTenant ──desired──► Desired ─┐
//! Kubernetes, Neon ──observe──► Observed ─┴─decide──► Plan ──act──► world
//!                                   └──────status──► status, Events, metrics
//! ```
//!
//! In the order in which data moves:
//!
//! - [`args`]: flags and their environment names; [`context`]: what every pass shares
//! - [`lease`]: which of several operators is at work
//! - [`controller`]: which objects are looked at, and when; [`pass`]: one pass over one object, the list of phases
//! - [`vanished`]: objects that the API server removed past their finalizer
//! - [`naming`]: names made from identities; [`desired`]: what is declared, the only reader of a spec
//! - [`observe`]: looks at the world and changes nothing; [`observed`]: what is known
//! - [`plan`]: everything that can happen, as data; [`decide`]: what happens next, the heart
//! - [`act`]: carries out one step, by [`neon`] (the API), [`tenant_db`] (log-in, migrations), [`secret`]
//! - [`status`]: what people and tools are told; [`events`]: changes, told once each
//! - [`error`]: why an attempt failed, and what follows; [`metrics`]: what is counted; [`admin`]: probes
//!
//! `naming`, `desired`, `observed`, `plan`, `decide` and `secret` are pure.

pub mod act;
pub mod admin;
pub mod args;
pub mod context;
pub mod controller;
pub mod decide;
pub mod desired;
pub mod error;
pub mod events;
pub mod lease;
pub mod metrics;
pub mod naming;
pub mod neon;
pub mod observe;
pub mod observed;
pub mod pass;
pub mod plan;
pub mod secret;
pub mod status;
pub mod tenant_db;
pub mod vanished;
