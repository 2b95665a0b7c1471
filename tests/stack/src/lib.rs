//! The local stack behind `make demo`, `make test` and every test that needs real parts.
//!
//! In the order in which things happen: `options` says what is wanted, `install` gets the programs (`paths` says where they lie,
//! `tool` runs pip, go and cargo), `run` and `run_folder` hold one run together, `child` ties processes to our life, `certs`,
//! `ports` and `kubeconfig` prepare, `control_plane`, `database`, `pooler`, `emulator`, `models`, `oidc` and `s3` start the parts,
//! `cluster` admits the operator and the app, `node` runs pods, `stack` is the whole. `commands` is what the binary does with it. Nothing here ships.

pub mod child;
pub mod commands;
pub mod install;
pub mod node;
pub mod options;
pub mod paths;
pub mod ports;
pub mod run;
pub mod say;
pub mod signals;
pub mod tool;

mod certs;
mod cluster;
mod control_plane;
mod database;
mod emulator;
mod http;
mod kubeconfig;
mod models;
mod oidc;
mod pooler;
mod run_folder;
mod s3;
mod stack;
mod user;

pub use child::{Child, Signal, poll};
pub use control_plane::GOGC;
pub use models::{Chat, Embeddings};
pub use oidc::Oidc;
pub use options::Options;
pub use paths::binary;
pub use s3::S3;
pub use stack::{App, Stack};

/// Says that a test did not run, and why; `stack test` counts these lines.
pub fn skip(name: &str, reason: &str) {
    println!("SKIPPED: {name}: {reason}");
}
