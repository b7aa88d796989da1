//! What administrators did, and which tenants and plugins there are.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{bound, owner};
use crate::error::Error;
use crate::rows::Columns;
use crate::sessions::Client;
use hongbao_domain::{Suspension, TenantId};
use hongbao_store::{AdminEntry, Installed, PluginQuota, PluginRecord, TenantRecord, checks};

pub(super) async fn note(client: &Client, entry: &AdminEntry) -> Result<(), Error> {
    const SQL: &str = "
        WITH next AS (UPDATE hongbao.numbers SET value = value + 1 WHERE name = 'note' RETURNING value)
        INSERT INTO hongbao.notes (place, at_ms, by_key, tenant, action, subject, outcome)
        SELECT value, $1::bigint, $2::bytea, $3::text, $4::text, $5::text, $6::text FROM next";
    let params: [&(dyn ToSql + Sync); 6] = [
        &checks::time(entry.at_ms)?,
        &entry.by.map(|id| id.to_bytes().to_vec()),
        &owner(entry.tenant.as_ref()),
        &entry.action,
        &entry.subject,
        &entry.outcome,
    ];
    let statement = client.prepare_cached(SQL).await?;
    client.execute(&statement, &params).await?;
    Ok(())
}

fn placed(row: &Row) -> Result<(u64, AdminEntry), Error> {
    let mut columns = Columns::of(row);
    let place = columns.number()?;
    let entry = AdminEntry {
        at_ms: columns.number()?,
        by: columns.optional_key_id()?,
        tenant: columns.owner()?,
        action: columns.get()?,
        subject: columns.get()?,
        outcome: columns.get()?,
    };
    Ok((place, entry))
}

macro_rules! notes {
    ($which:literal) => {
        concat!(
            "SELECT place, at_ms, by_key, tenant, action, subject, outcome FROM hongbao.notes WHERE ",
            $which,
            " LIMIT $2"
        )
    };
}

pub(super) async fn notes(
    client: &Client,
    tenant: Option<&TenantId>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<(u64, AdminEntry)>, Error> {
    const OF_ALL: &str = notes!("place < $1 ORDER BY place DESC");
    // Said and ordered in this way, only the index of tenants can answer it.
    const OF_ONE: &str =
        notes!("tenant >= $3 AND (tenant, place) < ($3, $1) ORDER BY tenant DESC, place DESC");
    let (before, limit) = (before.map_or(i64::MAX, bound), i64::from(limit));
    let of = tenant.map(TenantId::as_str);
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&before, &limit];
    if of.is_some() {
        params.push(&of);
    }
    let statement = client.prepare_cached(if of.is_some() { OF_ONE } else { OF_ALL }).await?;
    client.query(&statement, &params).await?.iter().map(placed).collect()
}

pub(super) async fn revision(client: &Client) -> Result<u64, Error> {
    const SQL: &str = "SELECT value FROM hongbao.numbers WHERE name = 'revision'";
    let statement = client.prepare_cached(SQL).await?;
    Columns::of(&client.query_one(&statement, &[]).await?).number()
}

fn tenant_record(row: &Row) -> Result<TenantRecord, Error> {
    let mut columns = Columns::of(row);
    Ok(TenantRecord {
        id: columns.tenant()?,
        revision: columns.number()?,
        settings: columns.get()?,
        plugin: columns.get()?,
        former: {
            let (has_former, former): (bool, Option<String>) = (columns.get()?, columns.get()?);
            has_former.then_some(former)
        },
        suspension: Suspension { by_operator: columns.get()?, by_tenant: columns.get()? },
        declared: columns.get()?,
        created_at_ms: columns.number()?,
    })
}

pub(super) async fn tenants(client: &Client) -> Result<Vec<TenantRecord>, Error> {
    const SQL: &str = "
        SELECT id, revision, settings, plugin, has_former, former, is_suspended, is_suspended_by_tenant, declared,
               created_at_ms
          FROM hongbao.tenants ORDER BY id";
    let statement = client.prepare_cached(SQL).await?;
    client.query(&statement, &[]).await?.iter().map(tenant_record).collect()
}

pub(super) async fn put_tenant(client: &Client, record: &TenantRecord) -> Result<Option<u64>, Error> {
    const SQL: &str = "SELECT hongbao.put_tenant($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let params: [&(dyn ToSql + Sync); 10] = [
        &record.id.as_str(),
        // Past what a column holds, no revision ever is.
        &i64::try_from(record.revision).unwrap_or(-1),
        &record.settings,
        &record.plugin,
        &record.former.is_some(),
        &record.former.as_ref().and_then(Option::as_deref),
        &record.suspension.by_operator,
        &record.suspension.by_tenant,
        &record.declared,
        &checks::time(record.created_at_ms)?,
    ];
    let statement = client.prepare_cached(SQL).await?;
    Columns::of(&client.query_one(&statement, &params).await?).optional()
}

pub(super) async fn put_plugin(
    client: &Client,
    tenant: &TenantId,
    plugin: &PluginRecord,
    code: &[u8],
    quota: PluginQuota,
) -> Result<Installed, Error> {
    const SQL: &str = "SELECT hongbao.put_plugin($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let params: [&(dyn ToSql + Sync); 9] = [
        &tenant.as_str(),
        &plugin.digest,
        &plugin.name,
        &plugin.version,
        &checks::time(plugin.bytes)?,
        &checks::time(plugin.installed_at_ms)?,
        &code,
        &i64::from(quota.plugins),
        &bound(quota.bytes),
    ];
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_one(&statement, &params).await?;
    Ok(match Columns::of(&row).get()? {
        "now" => Installed::Now,
        "before" => Installed::Before,
        _ => Installed::Full,
    })
}

pub(super) async fn remove_plugin(
    client: &Client,
    tenant: &TenantId,
    digest: &str,
    revision: u64,
) -> Result<Option<u64>, Error> {
    const SQL: &str = "SELECT hongbao.remove_plugin($1, $2, $3)";
    if digest.contains('\0') {
        // No text of PostgreSQL has one.
        return Ok(None);
    }
    // Past what a column holds, no revision ever is.
    let revision = i64::try_from(revision).unwrap_or(-1);
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_one(&statement, &[&tenant.as_str(), &digest, &revision]).await?;
    Columns::of(&row).optional()
}

fn plugin(row: &Row) -> Result<PluginRecord, Error> {
    let mut columns = Columns::of(row);
    Ok(PluginRecord {
        digest: columns.get()?,
        name: columns.get()?,
        version: columns.get()?,
        bytes: columns.number()?,
        installed_at_ms: columns.number()?,
    })
}

pub(super) async fn plugins(client: &Client, tenant: &TenantId) -> Result<Vec<PluginRecord>, Error> {
    const SQL: &str = "SELECT digest, name, version, bytes, installed_at_ms FROM hongbao.plugins
                       WHERE tenant = $1 ORDER BY place";
    let statement = client.prepare_cached(SQL).await?;
    client.query(&statement, &[&tenant.as_str()]).await?.iter().map(plugin).collect()
}

pub(super) async fn plugin_code(
    client: &Client,
    tenant: &TenantId,
    digest: &str,
) -> Result<Option<Vec<u8>>, Error> {
    const SQL: &str = "SELECT code FROM hongbao.plugins WHERE tenant = $1 AND digest = $2";
    if digest.contains('\0') {
        // No text of PostgreSQL has one.
        return Ok(None);
    }
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &[&tenant.as_str(), &digest]).await?;
    row.map(|row| Columns::of(&row).get()).transpose()
}
