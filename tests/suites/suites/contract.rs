//! Both sides of the Neon API against what Neon published and what it was recorded to say.

mod client;
mod clients;
mod connections;
mod errors;
mod faults;
mod lab;
mod openapi;
mod recorded;
mod routes;
