//! The lock of a data directory: for one `serve`, or for any number of commands that play.
//!
//! A counter in memory belongs to one process, so two services on one directory would each count
//! seats of their own, and a command that moves the clock would expire a service's packets. The lock is
//! the kernel's, on a file in the directory, so a process that dies lets go of it however it dies.
//! What is in the file is for people: the id of the process that locked it last.
//!
//! `audit`, `reconcile`, `settle` and `key` work beside a service, and take no lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use hongbao_store::private;
use hongbao_store_sqlite as sqlite;

/// The file in the directory.
const FILE: &str = "hongbao.lock";

/// Held for as long as the directory is used.
#[derive(Debug)]
pub(super) struct DirectoryLock(#[expect(dead_code, reason = "the kernel lets go when it is closed")] File);

/// With whom a directory is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nobody: `serve`, `migrate`.
    Alone,
    /// Others like it: `play`, `demo`.
    Shared,
}

/// Another process uses the directory.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} is in use by {by}: end that process, or name another directory; any number of hosts share a ledger in PostgreSQL",
    directory.display()
)]
pub(super) struct InUse {
    directory: PathBuf,
    by: String,
}

impl InUse {
    pub(super) const CODE: &'static str = "data-in-use";
}

impl DirectoryLock {
    /// Makes the directory where it is missing, and locks it. Does not wait.
    pub(super) fn take(directory: &Path, how: Use) -> anyhow::Result<Self> {
        let unusable = |error: io::Error| sqlite::OpenError::Directory {
            path: directory.to_owned(),
            source: Box::new(error),
        };
        private::make_directory(directory).map_err(unusable)?;
        // Before anything is written: what stands there may be somebody else's link.
        if let Some(exposed) = private::exposed(directory).map_err(unusable)? {
            let (path, why) = (directory.to_owned(), exposed.to_string());
            return Err(sqlite::OpenError::Exposed { path, why }.into());
        }
        let file = directory.join(FILE);
        private::make_file(&file).map_err(unusable)?;
        private::close_to_others(&file).map_err(unusable)?;
        let file = OpenOptions::new().read(true).write(true).open(&file);
        let mut file = file.map_err(unusable)?;
        let taken = match how {
            Use::Alone => file.try_lock(),
            Use::Shared => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(InUse { directory: directory.to_owned(), by: holder(&mut file) }.into());
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(
                    "{} cannot be locked, so nothing keeps two services from it",
                    directory.display()
                );
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error).into()),
        }
        // A name is all that is lost where the disk is full.
        let _ = sign(&mut file);
        Ok(Self(file))
    }
}

/// Says who holds the lock.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Who said last that it holds the lock.
fn holder(file: &mut File) -> String {
    let mut said = String::new();
    match file.read_to_string(&mut said).ok().and_then(|_| said.trim().parse::<u32>().ok()) {
        Some(id) => format!("process {id}"),
        None => "another process".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_and_the_directory_are_their_users_alone() {
        use std::fs::{self, Permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("data");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        drop(DirectoryLock::take(&directory, Use::Alone).unwrap());
        assert_eq!((mode(&directory), mode(&directory.join(FILE))), (0o700, 0o600));
        fs::set_permissions(directory.join(FILE), Permissions::from_mode(0o644)).unwrap();
        drop(DirectoryLock::take(&directory, Use::Shared).unwrap());
        assert_eq!(mode(&directory.join(FILE)), 0o600);
    }

    #[test]
    fn one_alone_or_many_together() {
        let home = tempfile::tempdir().unwrap();
        let take = |how| DirectoryLock::take(home.path(), how);
        let alone = take(Use::Alone).unwrap();
        for how in [Use::Alone, Use::Shared] {
            let said = take(how).unwrap_err().to_string();
            assert!(said.contains(&format!("process {}", std::process::id())), "{said}");
            assert!(said.contains(&home.path().display().to_string()), "{said}");
        }
        drop(alone);
        let (_one, _other) = (take(Use::Shared).unwrap(), take(Use::Shared).unwrap());
        assert!(take(Use::Alone).is_err());
    }
}
