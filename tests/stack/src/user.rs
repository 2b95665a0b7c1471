//! The user that Postgres and the pooler run as: both refuse to be root.
//!
//! In: /etc/passwd. Out: nobody special when we are not root, else `postgres` where it exists, else `nobody`. It must not
//! create users.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use anyhow::{Context, Result};

/// A user to drop to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl User {
    /// None when we are not root and need not drop anything.
    pub fn unprivileged() -> Result<Option<Self>> {
        if crate::paths::uid() != 0 {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        let user = Self::find(&passwd, "postgres").or_else(|| Self::find(&passwd, "nobody"));
        user.map(Some).context(
            "Postgres refuses to run as root and there is neither a user postgres nor nobody: \
             run this as a plain user",
        )
    }

    fn find(passwd: &str, name: &str) -> Option<Self> {
        let fields: Vec<&str> = passwd
            .lines()
            .map(|line| line.split(':').collect())
            .find(|fields: &Vec<&str>| fields[0] == name)?;
        let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        Some(Self { name: name.to_owned(), uid, gid })
    }

    /// The flags of `setpriv` that drop to this user.
    pub fn setpriv_args(&self) -> Vec<String> {
        let (uid, gid) = (self.uid.to_string(), self.gid.to_string());
        let ids = ["--reuid", &uid, "--regid", &gid, "--clear-groups", "--inh-caps=-all"];
        ids.map(ToOwned::to_owned).into()
    }
}

/// Gives a file or folder to `user`; nothing when we are that user already.
pub(crate) fn give_to(user: Option<&User>, path: &Path) -> Result<()> {
    let Some(user) = user else { return Ok(()) };
    chown(path, Some(user.uid), Some(user.gid))
        .with_context(|| format!("cannot give {} to {}", path.display(), user.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_from_passwd() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533::/:/bin/false\n";
        let user = User::find(passwd, "nobody").unwrap();
        assert_eq!((user.uid, user.gid), (65534, 65533));
        assert!(user.setpriv_args().contains(&"65534".to_owned()));
        assert_eq!(User::find(passwd, "postgres"), None);
    }
}
