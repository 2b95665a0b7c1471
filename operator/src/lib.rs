//! The operator, as a tour: one line per module, in the order in which data moves.
//!
//! ```text
//! VectorTenant ──desired──► Desired ─┐
//! Kubernetes, Neon ──observe──► Observed ─┴─decide──► Plan ──act──► world
//!                                   └──────status──► status, Events, metrics
//! ```

/// Carries out one step.
pub mod act;
/// `/metrics`, `/livez`, `/readyz`.
pub mod admin;
/// Flags and their environment names.
pub mod args;
/// What every pass shares.
pub mod context;
/// Which objects are looked at, and when.
pub mod controller;
/// What happens next: the heart. Pure.
pub mod decide;
/// What is declared; the only reader of a spec. Pure.
pub mod desired;
/// Why an attempt failed, and what follows.
pub mod error;
/// Changes, told once each.
pub mod events;
/// What is counted.
pub mod metrics;
/// Names made from identities. Pure.
pub mod naming;
/// The Neon API.
pub mod neon;
/// Looks at the world and changes nothing.
pub mod observe;
/// What is known. Pure.
pub mod observed;
/// One pass over one object: the list of phases.
pub mod pass;
/// Everything that can happen, as data. Pure.
pub mod plan;
/// What the connection Secret holds. Pure.
pub mod secret;
/// What people and tools are told.
pub mod status;
/// Log lines.
pub mod telemetry;
/// A tenant's database: log-in and migrations.
pub mod tenant_db;
