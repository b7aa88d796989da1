//! Why a database cannot be opened.

use std::error::Error;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::migrate::MigrateError;

/// Why a ledger cannot be opened. Whatever was there before stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made, or not written.
    #[error("the ledger's directory {} cannot be made or written: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Others could put another ledger there.
    #[error("the ledger's directory {} is not its user's alone: {why}", path.display())]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Which directory lets them, and what to do.
        why: String,
    },
    /// There are no books, and the records beside them are of some.
    #[error(
        "{} is missing or empty, and {} has tenants or answers of books that were there: put the ledger's file back \
         with its -wal, or take the records away as well where new books are meant",
        path.display(),
        records.display()
    )]
    Lost {
        /// The ledger's file.
        path: PathBuf,
        /// The records' file.
        records: PathBuf,
    },
    /// The file is no database, or a damaged one.
    #[error("{} is not a database or is damaged: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Parts of its schema are missing, were changed or added, or a setting that guards them does not
    /// hold. Nobody may write to it.
    #[error("{} is not guarded as it must be: {what}; restore the file from a backup that is whole", path.display())]
    Unguarded {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A newer version of this program has migrated the database.
    #[error("{} is at schema version {found}, and this program knows only up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The last version this program knows.
        known: usize,
    },
    /// The database belongs to another program.
    #[error("{} is a database of another program (application id {found:#010x})", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: i32,
    },
    /// Something else, such as a lock that another process keeps.
    #[error("{} cannot be opened: {source}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpenError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Directory { .. } | Self::Exposed { .. } => "ledger-directory",
            Self::Lost { .. } => "ledger-missing",
            Self::Damaged { .. } | Self::Unguarded { .. } => "ledger-damaged",
            Self::Newer { .. } => "ledger-newer",
            Self::Foreign { .. } => "ledger-foreign",
            Self::Other { .. } => "ledger-unavailable",
        }
    }

    pub(super) fn other(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other { path: path.into(), source: source.into() }
    }

    pub(super) fn directory(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Directory { path: path.into(), source: source.into() }
    }

    pub(super) fn from_sql(path: &Path, error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path: path.into(), source: error.into() }
            }
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::directory(path.parent().unwrap_or(path), error)
            }
            _ => Self::other(path, error),
        }
    }

    pub(super) fn from_migration(path: &Path, known: usize, error: MigrateError) -> Self {
        match error {
            MigrateError::Newer(found) if found < 0 => {
                Self::Unguarded { path: path.into(), what: format!("its schema version is {found}") }
            }
            MigrateError::Newer(found) => Self::Newer { path: path.into(), found, known },
            MigrateError::Foreign(found) => Self::Foreign { path: path.into(), found },
            MigrateError::Sql(error) => Self::from_sql(path, error),
        }
    }
}
