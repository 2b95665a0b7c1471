//! The acceptance tests: one binary, one folder per subject.

mod chaos;
mod contract;
mod operator;
