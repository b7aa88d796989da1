//! Errors of SQLite, mapped to store errors.

use rusqlite::ErrorCode;

use hongbao_store::{StoreError, WritesRefused};

/// An error inside of the ledger, before it is made small for the caller.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// From the database.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// Decided here.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// Whether a constraint or a trigger of the database said no.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Sql(error) if matches!(error.sqlite_error_code(), Some(code) if refuses(code)))
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error {
            Error::Sql(error) => from_sql(error),
            Error::Store(error) => error,
        }
    }
}

const fn refuses(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
}

/// The world may change: another process lets go of its lock, somebody makes room on the disk.
const fn may_pass(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::OperationAborted
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SchemaChanged
    )
}

/// Why nothing can be written, where that is what is wrong. Nothing of the transaction happened then.
const fn refuses_writes(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::DiskFull => "the disk is full",
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => "the file or its disk is read-only",
        ErrorCode::SystemIoFailure => "the disk reports an error",
        ErrorCode::CannotOpen => "the file cannot be opened",
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => "another program keeps the file locked",
        _ => return None,
    })
}

fn from_sql(error: rusqlite::Error) -> StoreError {
    if let Some(reason) = error.sqlite_error_code().and_then(refuses_writes) {
        tracing::debug!("SQLite: {error}");
        return WritesRefused::new(reason).into();
    }
    match error.sqlite_error_code() {
        Some(code) if may_pass(code) => StoreError::Unavailable(Box::new(error)),
        Some(code) if refuses(code) => StoreError::Refused(error.to_string()),
        _ => StoreError::Corrupt(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_unavailable_and_what_is_refused_says_why() {
        let cases = [
            (rusqlite::ffi::SQLITE_BUSY, "unavailable", Some("another program keeps the file locked")),
            (rusqlite::ffi::SQLITE_FULL, "unavailable", Some("the disk is full")),
            (rusqlite::ffi::SQLITE_READONLY, "unavailable", Some("the file or its disk is read-only")),
            (rusqlite::ffi::SQLITE_IOERR_FSYNC, "unavailable", Some("the disk reports an error")),
            (rusqlite::ffi::SQLITE_IOERR_WRITE, "unavailable", Some("the disk reports an error")),
            (rusqlite::ffi::SQLITE_NOMEM, "unavailable", None),
            (rusqlite::ffi::SQLITE_CONSTRAINT_CHECK, "refused", None),
            (rusqlite::ffi::SQLITE_CORRUPT, "corrupt", None),
            (rusqlite::ffi::SQLITE_NOTADB, "corrupt", None),
            (rusqlite::ffi::SQLITE_ERROR, "corrupt", None),
        ];
        for (code, expected, reason) in cases {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let error = StoreError::from(Error::from(error));
            assert_eq!(error.code(), expected, "{code}");
            assert_eq!(error.writes_refused().map(WritesRefused::reason), reason, "{code}");
        }
    }
}
