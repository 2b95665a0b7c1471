//! The acceptance tests: one binary, one folder per subject.

mod app;
mod chaos;
mod charts;
mod contract;
mod gitops;
mod monitoring;
mod operator;
