//! Secrets: the API keys that are good now, and every key and password that there ever was. In: keys that tests make and
//! revoke, passwords as they are made. Out: whether a key is good, and the list that a search for leaks starts from.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct Known {
    good_keys: BTreeSet<String>,
    ever: BTreeSet<String>,
}

/// All of them.
pub(crate) struct Secrets(Mutex<Known>);

impl Secrets {
    /// With the key of the command line.
    pub(crate) fn new(key: &str) -> Self {
        let it = Self(Mutex::default());
        it.set_key(key, true);
        it
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a key good, or revokes it.
    pub(crate) fn set_key(&self, key: &str, good: bool) {
        let mut known = self.known();
        known.ever.insert(key.to_owned());
        if good {
            known.good_keys.insert(key.to_owned());
        } else {
            known.good_keys.remove(key);
        }
    }

    /// Whether the API takes it.
    pub(crate) fn is_good_key(&self, key: &str) -> bool {
        self.known().good_keys.contains(key)
    }

    /// Notes a new password.
    pub(crate) fn password(&self, password: &str) {
        self.known().ever.insert(password.to_owned());
    }

    /// Every key and password, of now and before.
    pub(crate) fn ever(&self) -> Vec<String> {
        self.known().ever.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revoked_key_is_not_good_and_not_forgotten() {
        let secrets = Secrets::new("first");
        secrets.set_key("second", true);
        secrets.set_key("first", false);
        secrets.password("word");
        assert!(secrets.is_good_key("second") && !secrets.is_good_key("first"));
        assert_eq!(secrets.ever(), ["first", "second", "word"]);
    }
}
