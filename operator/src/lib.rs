//! The operator, as a tour: one line per module, in the order in which data moves.
//!
//! ```text
//! VectorTenant ──desired──► Desired ─┐
//! Kubernetes, Neon ──observe──► Observed ─┴─decide──► Plan ──act──► world
//!                                   └──────status──► status, Events, metrics
//! ```

/// Flags and their environment names.
pub mod args;
/// Log lines.
pub mod telemetry;
/// Which objects are looked at, and when.
pub mod controller;
/// One pass over one object: the list of phases.
pub mod pass;
/// Names made from identities. Pure.
pub mod naming;
/// What is declared; the only reader of a spec. Pure.
pub mod desired;
/// What is known. Pure.
pub mod observed;
/// Looks at the world and changes nothing.
pub mod observe;
/// Everything that can happen, as data. Pure.
pub mod plan;
/// What happens next: the heart. Pure.
pub mod decide;
/// Carries out one step.
pub mod act;
/// What the connection Secret holds. Pure.
pub mod secret;
/// A tenant's database: log-in and migrations.
pub mod tenant_db;
/// What people and tools are told.
pub mod status;
/// Changes, told once each.
pub mod events;
/// Why an attempt failed, and what follows.
pub mod error;
/// The Neon API.
pub mod neon;
/// What every pass shares.
pub mod context;
/// What is counted.
pub mod metrics;
/// `/metrics`, `/livez`, `/readyz`.
pub mod admin;
