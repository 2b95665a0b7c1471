//! The operator on real parts: a real API server, a real Postgres, the Neon emulator.
//!
//! In: what users do. Out: what they, the database, the emulator's ledger and the operator's own pages then say.

mod adoption;
mod crd;
mod database;
mod flags;
mod fleet;
mod leader;
mod lifecycle;
mod migrations;
mod process;
mod quiet;
mod secret;
