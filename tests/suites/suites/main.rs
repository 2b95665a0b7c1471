//! The acceptance tests: one binary, one folder per subject.

mod app;
mod chaos;
mod contract;
mod operator;
