//! What administrators did, and which tenants and plugins there are.

use rusqlite::{Connection, OptionalExtension, Row};

use super::{bound, owner};
use crate::error::Error;
use crate::rows::Columns;
use hongbao_domain::{KeyId, Suspension, TenantId};
use hongbao_store::{AdminEntry, Installed, PluginQuota, PluginRecord, TenantRecord, checks};

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
        suspension: Suspension { by_operator: columns.flag()?, by_tenant: columns.flag()? },
        declared: columns.optional_text()?,
        created_at_ms: columns.number()?,
    })
}

pub(super) fn tenants(db: &Connection) -> Result<Vec<TenantRecord>, Error> {
    const SQL: &str = "
        SELECT id, revision, settings, plugin, has_former, former, is_suspended, is_suspended_by_tenant, declared,
               created_at_ms
          FROM tenants ORDER BY id";
    let mut statement = db.prepare_cached(SQL)?;
    let tenants = statement.query_map([], tenant_record)?.collect::<Result<_, _>>()?;
    Ok(tenants)
}

/// The revision of a tenant; 0 where there is none.
fn present(db: &Connection, id: &TenantId) -> Result<u64, Error> {
    const SQL: &str = "SELECT revision FROM tenants WHERE id = ?1";
    let number = |row: &Row<'_>| Columns::of(row).number();
    Ok(db.prepare_cached(SQL)?.query_row([id.as_str()], number).optional()?.unwrap_or(0))
}

/// The next revision of all.
fn raised(db: &Connection) -> Result<u64, Error> {
    const SQL: &str = "UPDATE revision SET value = value + 1 RETURNING value";
    Ok(db.prepare_cached(SQL)?.query_row([], |row| Columns::of(row).number())?)
}

/// In the transaction that it runs in nobody comes between the look and the writes.
pub(super) fn put_tenant(db: &Connection, record: &TenantRecord) -> Result<Option<u64>, Error> {
    const WRITE: &str = "
        INSERT INTO tenants (id, revision, settings, plugin, has_former, former, is_suspended,
                             is_suspended_by_tenant, declared, created_at_ms)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
        ON CONFLICT (id) DO UPDATE
           SET revision = excluded.revision, settings = excluded.settings, plugin = excluded.plugin,
               has_former = excluded.has_former, former = excluded.former, is_suspended = excluded.is_suspended,
               is_suspended_by_tenant = excluded.is_suspended_by_tenant,
               declared = excluded.declared, created_at_ms = excluded.created_at_ms";
    if present(db, &record.id)? != record.revision {
        return Ok(None);
    }
    let revision = raised(db)?;
    db.prepare_cached(WRITE)?.execute((
        record.id.as_str(),
        checks::time(revision)?,
        &record.settings,
        &record.plugin,
        record.former.is_some(),
        record.former.as_ref().and_then(Option::as_deref),
        record.suspension.by_operator,
        record.suspension.by_tenant,
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
    quota: PluginQuota,
) -> Result<Installed, Error> {
    const SQL: &str = "INSERT INTO plugins (tenant, digest, name, version, bytes, installed_at_ms, code)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let own = plugins(db, tenant)?;
    if own.iter().any(|installed| installed.digest == plugin.digest) {
        return Ok(Installed::Before);
    }
    let bytes = own.iter().chain([plugin]).map(|plugin| u128::from(plugin.bytes)).sum::<u128>();
    if own.len() >= quota.plugins as usize || bytes > u128::from(quota.bytes) {
        return Ok(Installed::Full);
    }
    db.prepare_cached(SQL)?.execute((
        tenant.as_str(),
        &plugin.digest,
        &plugin.name,
        &plugin.version,
        checks::time(plugin.bytes)?,
        checks::time(plugin.installed_at_ms)?,
        code,
    ))?;
    Ok(Installed::Now)
}

pub(super) fn remove_plugin(
    db: &Connection,
    tenant: &TenantId,
    digest: &str,
    revision: u64,
) -> Result<Option<u64>, Error> {
    const REMOVE: &str = "DELETE FROM plugins WHERE tenant = ?1 AND digest = ?2";
    const FORGET: &str = "
        UPDATE tenants
           SET revision = ?2, has_former = has_former AND former IS NOT ?3, former = nullif(former, ?3)
         WHERE id = ?1";
    let known = present(db, tenant)?;
    if known == 0 || known != revision {
        return Ok(None);
    }
    if db.prepare_cached(REMOVE)?.execute((tenant.as_str(), digest))? == 0 {
        return Ok(None);
    }
    let revision = raised(db)?;
    db.prepare_cached(FORGET)?.execute((tenant.as_str(), checks::time(revision)?, digest))?;
    Ok(Some(revision))
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
