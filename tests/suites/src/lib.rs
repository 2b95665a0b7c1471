//! What the acceptance tests stand on: real parts, started once per test process, and helpers that read like users.
//!
//! In the order in which a test meets them: [`World`] is the stack and who may enter it, [`TestOperator`] an operator's
//! process with namespaces of its own, [`TestApp`] an app and the people who use it, [`ChatModel`] a
//! chat model that a test leads, [`Space`] the tenants of one namespace as their users see them, [`Emulator`] the
//! truth about Neon and its faults, [`Binding`] a connection Secret and where it leads, `wait` the only way to wait,
//! `cleaning` what becomes of a test's leftovers. No test sleeps; each waits for a condition, with a deadline.

mod app;
mod chat_model;
mod cleaning;
mod database;
mod emulator;
mod environment;
pub mod eval;
mod front;
mod pdf;
mod process;
mod space;
mod wait;
mod world;

pub use app::{
    Answer, AppSetup, Person, Stream, TestApp, Turn, harmless, numbers, question, question_about,
    text_of,
};
pub use chat_model::{Asked, ChatModel, End, Fate, NOWHERE, Play};
pub use database::{Binding, connect};
pub use emulator::{Emulator, Endpoint, Entry, Fault, Ledger, Standing};
pub use front::Front;
pub use pdf::pdf;
pub use process::{Setup, TestOperator};
pub use space::{Output, Space, condition, project_id, run, summary, uid};
pub use wait::{PATIENCE, wait_until};
pub use world::{World, world};
