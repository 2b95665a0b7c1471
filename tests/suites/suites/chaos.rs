//! Faults, each in a test named after it, and kills. In: rules that break the emulator on purpose for one tenant's project,
//! SIGKILL to the operator. Out: everything converges, exactly one project was made, nothing is left, no secret leaked.
//!
//! In the order of reading: `case` is one tenant on its way through a fault, `rules` what a fault looks like; `checker`
//! proves that the check for leaks can fail; then the kills (`kill_*`, `random`), then the faults with the operator alive, and `progress`, what
//! is told meanwhile.

mod busy;
mod case;
mod checker;
mod connections;
mod deletion;
mod drift;
mod kill_create;
mod kill_later;
mod kill_migration;
mod kill_writes;
mod leaks;
mod listing;
mod lost;
mod operations;
mod progress;
mod random;
mod refusals;
mod rules;
mod vanish;
