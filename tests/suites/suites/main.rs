//! The acceptance tests: one binary, one folder per subject.

mod contract;
mod operator;
