//! Chat: a question, the passages that answer it, an answer that cites them page by page, and the conversation around it.
//!
//! In: questions of a signed-in person. Out: a stream that any front end of the AI SDK understands, and a history in the
//! person's own database. [`request`] what is asked → [`begin`] it is written down → [`find`] by [`plan`] → [`sources`] →
//! [`prompt`] → the model, or [`quote`] without one → [`citations`] made true,
//! by [`ground`] where they lack → [`wire`] → [`buffer`], so that a reader may come
//! later, to another process. [`answer`] does all this in order; [`store`] keeps it. An answer is written to its end though
//! nobody listens: only a stop, or its time, ends it early.

mod answer;
mod begin;
mod buffer;
mod citations;
mod find;
mod ground;
mod pages;
mod plan;
mod prompt;
mod quote;
mod request;
mod routes;
mod sources;
mod store;
mod whole;
mod wire;

pub use routes::routes;
pub use store::forget_document;
