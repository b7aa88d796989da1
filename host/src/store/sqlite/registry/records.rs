//! What administrators did, and which tenants and plugins there are.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{bound, owner};
use crate::domain::{KeyId, TenantId};
use crate::store::sqlite::error::Error;
use crate::store::sqlite::rows::Columns;
use crate::store::{AdminEntry, PluginRecord, TenantRecord, checks};

pub(super) fn note(db: &Connection, entry: &AdminEntry) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO notes (at_ms, by_key, tenant, action, subject, outcome)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(SQL)?.execute((
        checks::time(entry.at_ms)?,
        entry.by.map(KeyId::to_bytes),
        owner(entry.tenant.as_ref()),
        &entry.action,
        &entry.subject,
        &entry.outcome,
    ))?;
    Ok(())
}

fn placed(row: &Row<'_>) -> Result<(u64, AdminEntry), rusqlite::Error> {
    let mut columns = Columns::of(row);
    let place = columns.number()?;
    let entry = AdminEntry {
        at_ms: columns.number()?,
        by: columns.optional_key_id()?,
        tenant: columns.owner()?,
        action: columns.text()?,
        subject: columns.text()?,
        outcome: columns.text()?,
    };
    Ok((place, entry))
}

/// Entries before a place, of one tenant or of all.
macro_rules! notes {
    ($of:literal) => {
        concat!(
            "SELECT place, at_ms, by_key, tenant, action, subject, outcome FROM notes WHERE ",
            $of,
            "place < ?1 ORDER BY place DESC LIMIT ?2"
        )
    };
}

pub(super) fn notes(
    db: &Connection,
    tenant: Option<&TenantId>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<(u64, AdminEntry)>, Error> {
    let before = before.map_or(i64::MAX, bound);
    let entries = match tenant {
        None => db.prepare_cached(notes!(""))?.query_map((before, limit), placed)?.collect(),
        Some(tenant) => {
            let mut statement = db.prepare_cached(notes!("tenant = ?3 AND "))?;
            statement.query_map((before, limit, tenant.as_str()), placed)?.collect::<Result<_, _>>()
        }
    };
    Ok(entries?)
}

pub(super) fn revision(db: &Connection) -> Result<u64, Error> {
    let mut statement = db.prepare_cached("SELECT value FROM revision")?;
    Ok(statement.query_row([], |row| Columns::of(row).number())?)
}

fn tenant_record(row: &Row<'_>) -> Result<TenantRecord, rusqlite::Error> {
    let mut columns = Columns::of(row);
    Ok(TenantRecord {
        id: columns.tenant()?,
        revision: columns.number()?,
        settings: columns.text()?,
        plugin: columns.optional_text()?,
        former: {
            let (has_former, former) = (columns.flag()?, columns.optional_text()?);
            has_former.then_some(former)
        },
        is_suspended: columns.flag()?,
        declared: columns.optional_text()?,
        created_at_ms: columns.number()?,
    })
}

pub(super) fn tenants(db: &Connection) -> Result<Vec<TenantRecord>, Error> {
    const SQL: &str =
        "SELECT id, revision, settings, plugin, has_former, former, is_suspended, declared, created_at_ms
                       FROM tenants ORDER BY id";
    let mut statement = db.prepare_cached(SQL)?;
    let tenants = statement.query_map([], tenant_record)?.collect::<Result<_, _>>()?;
    Ok(tenants)
}

/// In the transaction that it runs in nobody comes between the look and the writes.
pub(super) fn put_tenant(db: &Connection, record: &TenantRecord) -> Result<Option<u64>, Error> {
    const PRESENT: &str = "SELECT revision FROM tenants WHERE id = ?1";
    const RAISE: &str = "UPDATE revision SET value = value + 1 RETURNING value";
    const WRITE: &str = "
        INSERT INTO tenants (id, revision, settings, plugin, has_former, former, is_suspended, declared, created_at_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
        ON CONFLICT (id) DO UPDATE
           SET revision = excluded.revision, settings = excluded.settings, plugin = excluded.plugin,
               has_former = excluded.has_former, former = excluded.former, is_suspended = excluded.is_suspended,
               declared = excluded.declared, created_at_ms = excluded.created_at_ms";
    let number = |row: &Row<'_>| Columns::of(row).number::<u64>();
    let present = db.prepare_cached(PRESENT)?.query_row([record.id.as_str()], number).optional()?;
    if present.unwrap_or(0) != record.revision {
        return Ok(None);
    }
    let revision = db.prepare_cached(RAISE)?.query_row([], number)?;
    db.prepare_cached(WRITE)?.execute((
        record.id.as_str(),
        checks::time(revision)?,
        &record.settings,
        &record.plugin,
        record.former.is_some(),
        record.former.as_ref().and_then(Option::as_deref),
        record.is_suspended,
        &record.declared,
        checks::time(record.created_at_ms)?,
    ))?;
    Ok(Some(revision))
}

pub(super) fn put_plugin(
    db: &Connection,
    tenant: &TenantId,
    plugin: &PluginRecord,
    code: &[u8],
) -> Result<bool, Error> {
    const SQL: &str = "INSERT INTO plugins (tenant, digest, name, version, bytes, installed_at_ms, code)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, digest) DO NOTHING";
    let written = db.prepare_cached(SQL)?.execute((
        tenant.as_str(),
        &plugin.digest,
        &plugin.name,
        &plugin.version,
        checks::time(plugin.bytes)?,
        checks::time(plugin.installed_at_ms)?,
        code,
    ))?;
    Ok(written > 0)
}

fn plugin(row: &Row<'_>) -> Result<PluginRecord, rusqlite::Error> {
    let mut columns = Columns::of(row);
    Ok(PluginRecord {
        digest: columns.text()?,
        name: columns.text()?,
        version: columns.text()?,
        bytes: columns.number()?,
        installed_at_ms: columns.number()?,
    })
}

pub(super) fn plugins(db: &Connection, tenant: &TenantId) -> Result<Vec<PluginRecord>, Error> {
    const SQL: &str = "SELECT digest, name, version, bytes, installed_at_ms FROM plugins
                       WHERE tenant = ?1 ORDER BY place";
    let mut statement = db.prepare_cached(SQL)?;
    let plugins = statement.query_map([tenant.as_str()], plugin)?.collect::<Result<_, _>>()?;
    Ok(plugins)
}

pub(super) fn plugin_code(
    db: &Connection,
    tenant: &TenantId,
    digest: &str,
) -> Result<Option<Vec<u8>>, Error> {
    const SQL: &str = "SELECT code FROM plugins WHERE tenant = ?1 AND digest = ?2";
    let mut statement = db.prepare_cached(SQL)?;
    Ok(statement.query_row((tenant.as_str(), digest), |row| row.get(0)).optional()?)
}
