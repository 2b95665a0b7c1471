//! From an uploaded file to passages with vectors.
//!
//! In: jobs in the main database, which uploads put there. Out: a document's passages and vectors in its tenant's own
//! database, or a named failure. The tour: [`worker`] takes a job from the [`queue`] → [`document`] does it: [`child`] starts
//! [`mod@extract`], a process that reads one PDF ([`pdf`]) and speaks [`wire`]; [`clean`] and [`chunk`] make passages of pages;
//! [`store`] writes them with their vectors in one transaction → [`outcome`] says what becomes of the job, [`trouble`] why it
//! did not end well, [`failure`] what its owner reads. [`removal`] and [`sweep`] clean up. Reading, embedding and storing
//! overlap, and what is in hand is bounded. Logs carry ids, never texts or titles.

pub mod child;
pub mod chunk;
pub mod clean;
pub mod document;
pub mod extract;
pub mod failure;
pub mod outcome;
pub mod pdf;
pub mod progress;
pub mod queue;
pub mod removal;
pub mod store;
pub mod sweep;
pub mod trouble;
pub mod wire;
pub mod worker;

pub use extract::extract;
pub use worker::work;
