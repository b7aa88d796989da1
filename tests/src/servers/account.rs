//! Whom a server runs as: PostgreSQL refuses to run as root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// An account that a program is run as.
#[derive(Clone, Copy)]
pub(super) struct Account(Option<(u32, u32)>);

impl Account {
    /// Ourselves.
    pub(super) const OWN: Self = Self(None);

    /// Ourselves, or somebody with fewer rights if we are root. `ours` is any file that we made.
    pub(super) fn unprivileged(ours: &Path) -> Self {
        if fs::metadata(ours).expect("a file that was just made").uid() != 0 {
            return Self::OWN;
        }
        let accounts = fs::read_to_string("/etc/passwd").expect("the list of accounts");
        let ids = ["postgres", "nobody"].iter().find_map(|name| ids(&accounts, name));
        Self(Some(
            ids.expect("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`"),
        ))
    }

    /// A program that runs as this account, with nothing of our environment but where programs are:
    /// variables such as `PGHOST` would lead it astray.
    pub(super) fn command(self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        // Our own directory may be closed to the account.
        command.current_dir("/").env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }

    /// Makes the account a file's owner.
    pub(super) fn own(self, path: &Path) {
        if let Some((user, group)) = self.0 {
            chown(path, Some(user), Some(group)).expect("root gives files away");
        }
    }
}

/// User and group of a line such as `postgres:x:101:104:…`.
fn ids(accounts: &str, name: &str) -> Option<(u32, u32)> {
    let line = accounts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut fields = line.split(':').skip(1).map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}
