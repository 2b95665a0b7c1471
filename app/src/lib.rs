//! The companion of the operator: people sign up, get a vector database of their own, and search their PDFs in it.
//!
//! The tour, in the order in which data moves:
//! [`args`] what is configured → [`state`] what requests share → [`router`] every route and layer on one page →
//! [`auth`] who it is → [`tenants`] their `VectorTenant` and its database → [`documents`] files in, listed, out →
//! [`ingest`] from a file to passages with vectors → [`models`] embeddings → [`search`] passages found again → [`chat`] answers that cite them →
//! [`live`] what changes while a page is open → [`account`] who it is and the way out → [`web`] pages. [`db`] is the main database, [`limits`] keeps one person from crowding out others, [`metrics`] and
//! [`admin`] tell operators how it goes.
//!
//! The app never talks to Neon and holds no key of it: it creates objects, and reads the Secrets that the operator wrote.

pub mod account;
pub mod admin;
pub mod args;
pub mod auth;
pub mod chat;
pub mod db;
pub mod documents;
pub mod error;
pub mod ingest;
pub mod limits;
pub mod live;
pub mod metrics;
pub mod models;
pub mod router;
pub mod search;
pub mod server;
pub mod state;
pub mod tenants;
pub mod web;
