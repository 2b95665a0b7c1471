//! What a process finds in its environment, beside what the stack puts there.

use std::process::Command;

/// Variables to set, and to leave out.
#[derive(Default)]
pub(crate) struct Environment(Vec<(String, Option<String>)>);

impl Environment {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), Some(value.to_owned())));
    }

    pub(crate) fn leave_out(&mut self, name: &str) {
        self.0.push((name.to_owned(), None));
    }

    /// What was said last counts.
    pub(crate) fn apply(&self, command: &mut Command) {
        for (name, value) in &self.0 {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}
