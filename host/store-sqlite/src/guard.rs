//! The guards of a database: its constraints and triggers, and the settings under which they hold.
//!
//! The rules of the books stand in the schema, so a database whose schema is not the one that the
//! migrations make must not be written to: a trigger that is gone refuses nothing. The schema of the
//! file is compared, text by text, with that of an empty database which was made by the same
//! migrations: when the file is opened, and in the transaction of a batch of writes whenever another
//! program has changed anything since the last comparison. Settings of a connection are set one by one
//! and read back, since a library may be built to ignore them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, Row};

use super::migrate::Series;
use hongbao_store::StoreError;

/// Switches of a connection that guards depend on.
pub(super) const SWITCHES: [(DbConfig, bool, &str); 4] = [
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true, "DEFENSIVE"),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true, "ENABLE_FKEY"),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true, "ENABLE_TRIGGER"),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, true, "ENABLE_VIEW"),
];

/// Settings of a connection that guards depend on, and durability: what is acknowledged is on the disk.
pub(super) const SETTINGS: [(&str, i64); 13] = [
    ("foreign_keys", 1),
    ("defer_foreign_keys", 0),
    ("ignore_check_constraints", 0),
    // Without it, REPLACE would take a row away and no trigger would hear of it.
    ("recursive_triggers", 1),
    ("writable_schema", 0),
    ("trusted_schema", 0),
    ("legacy_alter_table", 0),
    ("cell_size_check", 1),
    ("read_uncommitted", 0),
    // FULL: the log is flushed at every commit, on macOS by the call that really flushes.
    ("synchronous", 2),
    ("fullfsync", 1),
    ("checkpoint_fullfsync", 1),
    ("reverse_unordered_selects", 0),
];

/// Sets what guards depend on, and reads it back; gives what did not take, or nothing.
pub(super) fn configure(db: &Connection) -> Result<Option<String>, rusqlite::Error> {
    for (switch, wanted, name) in SWITCHES {
        db.set_db_config(switch, wanted)?;
        if db.db_config(switch)? != wanted {
            return Ok(Some(format!("the switch {name} of SQLite cannot be set")));
        }
    }
    for (name, wanted) in SETTINGS {
        db.pragma_update(None, name, wanted)?;
        let found: i64 = db.pragma_query_value(None, name, |row| row.get(0))?;
        if found != wanted {
            return Ok(Some(format!(
                "the setting {name} of SQLite is {found} and cannot be set to {wanted}"
            )));
        }
    }
    let mode: String = db.pragma_update_and_check(None, "locking_mode", "NORMAL", |row| row.get(0))?;
    let encoding: String = db.pragma_query_value(None, "encoding", |row| row.get(0))?;
    Ok(match (mode.as_str(), encoding.as_str()) {
        ("normal", "UTF-8") => None,
        ("normal", other) => Some(format!("its texts are encoded in {other} and not in UTF-8")),
        (other, _) => Some(format!("the setting locking_mode of SQLite is {other} and not normal")),
    })
}

/// What the text of a schema says, by kind and name. Statistics of ANALYZE are nobody's guard.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Schema(BTreeMap<(String, String), Object>);

#[derive(Debug, PartialEq, Eq)]
struct Object {
    table: String,
    /// None for an index that a constraint made.
    sql: Option<String>,
}

impl Object {
    /// Whether it could keep our own statements from doing what they say.
    fn interferes(&self, kind: &str) -> bool {
        let sql = self.sql.as_deref().unwrap_or_default().to_ascii_uppercase();
        kind == "trigger" || (kind == "index" && sql.contains("UNIQUE"))
    }
}

impl Schema {
    /// That of the file, and not what the connection remembers of it.
    pub(super) fn of(db: &Connection) -> Result<Self, rusqlite::Error> {
        const SQL: &str = "SELECT type, name, tbl_name, sql FROM sqlite_schema
                           WHERE name NOT LIKE 'sqlite!_stat%' ESCAPE '!'";
        let mut statement = db.prepare_cached(SQL)?;
        let objects = statement.query_map([], |row| {
            let key = (text(row, 0)?.unwrap_or_default(), text(row, 1)?.unwrap_or_default());
            Ok((key, Object { table: text(row, 2)?.unwrap_or_default(), sql: text(row, 3)? }))
        })?;
        Ok(Self(objects.collect::<Result<_, _>>()?))
    }

    /// That which the first `version` migrations of a series make.
    pub(super) fn made(series: Series<'_>, version: usize) -> Result<Self, rusqlite::Error> {
        let db = Connection::open_in_memory()?;
        for migration in series.migrations.iter().take(version) {
            db.execute_batch(migration)?;
        }
        Self::of(&db)
    }

    /// What is not as it must be in what was found, in words; None where nothing is. What was added is
    /// wrong where it could keep our statements from doing what they say, or stands in the way of what
    /// later migrations make.
    pub(super) fn differences(&self, found: &Self, latest: &Self) -> Option<String> {
        const NAMED: usize = 4;
        let mut wrong = Vec::new();
        for ((kind, name), object) in &self.0 {
            match found.0.get(&(kind.clone(), name.clone())) {
                None => wrong.push(format!("the {kind} {name} is missing")),
                Some(other) if other != object => wrong.push(format!("the {kind} {name} was changed")),
                Some(_) => {}
            }
        }
        let strangers = found.0.iter().filter(|(key, _)| !self.0.contains_key(*key));
        let strangers =
            strangers.filter(|(key, object)| object.interferes(&key.0) || latest.0.contains_key(*key));
        wrong.extend(strangers.map(|((kind, name), object)| match kind.as_str() {
            "trigger" | "index" => format!("the {kind} {name} on {} was added", object.table),
            _ => format!("the {kind} {name} was added"),
        }));
        let more = wrong.len().saturating_sub(NAMED);
        wrong.truncate(NAMED);
        if more > 0 {
            wrong.push(format!("and {more} more"));
        }
        (!wrong.is_empty()).then(|| wrong.join(", "))
    }
}

/// A text of a schema. One that was written by hand may hold anything.
fn text(row: &Row<'_>, at: usize) -> Result<Option<String>, rusqlite::Error> {
    Ok(match row.get::<_, Value>(at)? {
        Value::Text(text) => Some(text),
        Value::Null => None,
        other => Some(format!("{other:?}")),
    })
}

/// Watches over an open file for the thread that writes to it.
pub(super) struct Guard {
    path: PathBuf,
    file: Option<Identity>,
    schema: Schema,
    version: i64,
    /// The counts of changes when the schema was last compared: of the schema, and by other programs.
    seen: Option<(i64, i64)>,
}

/// Which file it is: device and number.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Elsewhere an open file cannot be replaced.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|_| (0, 0))
}

impl Guard {
    /// Of the file at `path`, which was made by all migrations of the series.
    pub(super) fn new(path: &Path, series: Series<'_>) -> Result<Self, rusqlite::Error> {
        let version = series.migrations.len();
        let schema = Schema::made(series, version)?;
        let (path, file) = (path.to_owned(), identity(path));
        Ok(Self { path, file, schema, version: i64::try_from(version).unwrap_or(i64::MAX), seen: None })
    }

    /// Whether the file is the one that was opened and is guarded. Within a transaction that has the
    /// lock, so that this stays true until the transaction ends.
    ///
    /// # Errors
    /// `Corrupt` where it is not.
    pub(super) fn look(&mut self, db: &Connection) -> Result<(), StoreError> {
        if identity(&self.path) != self.file {
            let file = self.path.display();
            return Err(StoreError::Corrupt(format!(
                "{file} was removed or replaced while it was open: see which file is right, and restart"
            )));
        }
        let failed = |error: rusqlite::Error| StoreError::from(super::error::Error::from(error));
        let now = counts(db).map_err(failed)?;
        if self.seen == Some(now) {
            return Ok(());
        }
        self.seen = None;
        self.compare(db)?;
        self.seen = Some(now);
        Ok(())
    }

    fn compare(&self, db: &Connection) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| StoreError::from(super::error::Error::from(error));
        let Some(wrong) = self.differences(db).map_err(failed)? else { return Ok(()) };
        let file = self.path.display();
        Err(StoreError::Corrupt(format!(
            "{file} was changed while it was open: {wrong}; nothing is written to it until that is mended"
        )))
    }

    /// What is not as it must be in the schema of the file, in words.
    pub(super) fn differences(&self, db: &Connection) -> Result<Option<String>, rusqlite::Error> {
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let wrong = self.schema.differences(&Schema::of(db)?, &self.schema);
        let is_ours = version == self.version;
        let moved = (!is_ours).then(|| format!("its schema version is {version} and not {}", self.version));
        Ok(wrong.or(moved))
    }
}

/// How often the schema was changed, and how often another connection has committed anything.
fn counts(db: &Connection) -> Result<(i64, i64), rusqlite::Error> {
    let count = |sql: &str| db.prepare_cached(sql)?.query_row([], |row| row.get(0));
    Ok((count("PRAGMA schema_version")?, count("PRAGMA data_version")?))
}
