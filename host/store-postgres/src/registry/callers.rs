//! Who may call, and what was answered.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{bound, owner};
use crate::error::Error;
use crate::rows::Columns;
use crate::sessions::Client;
use hongbao_domain::{ApiKey, KeyId, TenantId};
use hongbao_store::{ANSWER_KEPT_MS, Answer, Begun, RUNNING_MS, RequestKey, StoreError, checks};

/// What [`api_key`] reads, in its order.
macro_rules! key_columns {
    () => {
        "id, tenant, user_id, label, scopes, hash, created_at_ms, expires_at_ms, revoked_at_ms"
    };
}

fn api_key(row: &Row) -> Result<ApiKey, Error> {
    let mut columns = Columns::of(row);
    Ok(ApiKey {
        id: columns.key_id()?,
        tenant: columns.owner()?,
        user: columns.optional_user()?,
        label: columns.name()?,
        scopes: columns.scopes()?,
        hash: columns.bytes()?,
        created_at_ms: columns.number()?,
        expires_at_ms: columns.optional()?,
        revoked_at_ms: columns.optional()?,
    })
}

/// Whoever proposes at the same time waits for the first, and then reads what that one wrote.
pub(super) async fn seal(client: &Client, proposed: [u8; 32]) -> Result<[u8; 32], Error> {
    const READ: &str = "SELECT secret FROM hongbao.seal WHERE the_only";
    const MAKE: &str =
        "INSERT INTO hongbao.seal (the_only, secret) VALUES (true, $1) ON CONFLICT (the_only) DO NOTHING";
    let read = client.prepare_cached(READ).await?;
    if let Some(row) = client.query_opt(&read, &[]).await? {
        return Columns::of(&row).bytes();
    }
    let make = client.prepare_cached(MAKE).await?;
    client.execute(&make, &[&proposed.as_slice()]).await?;
    let row = client.query_one(&read, &[]).await?;
    Columns::of(&row).bytes()
}

pub(super) async fn add_key(client: &Client, key: &ApiKey) -> Result<(), Error> {
    const SQL: &str = concat!(
        "INSERT INTO hongbao.api_keys (",
        key_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING"
    );
    let id = key.id.to_bytes();
    let params: [&(dyn ToSql + Sync); 9] = [
        &id.as_slice(),
        &owner(key.tenant.as_ref()),
        &key.user.as_ref().map(|user| user.as_str()),
        &key.label.as_str(),
        &i32::from(key.scopes.bits()),
        &key.hash.as_slice(),
        &checks::time(key.created_at_ms)?,
        &key.expires_at_ms.map(checks::time).transpose()?,
        &key.revoked_at_ms.map(checks::time).transpose()?,
    ];
    let statement = client.prepare_cached(SQL).await?;
    let written = client.execute(&statement, &params).await?;
    if written == 0 { Err(checks::taken_key(key.id).into()) } else { Ok(()) }
}

pub(super) async fn add_key_within(client: &Client, key: &ApiKey, most: u32) -> Result<bool, Error> {
    const SQL: &str = "SELECT hongbao.add_key_within($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let id = key.id.to_bytes();
    let params: [&(dyn ToSql + Sync); 10] = [
        &i64::from(most),
        &id.as_slice(),
        &owner(key.tenant.as_ref()),
        &key.user.as_ref().map(|user| user.as_str()),
        &key.label.as_str(),
        &i32::from(key.scopes.bits()),
        &key.hash.as_slice(),
        &checks::time(key.created_at_ms)?,
        &key.expires_at_ms.map(checks::time).transpose()?,
        &key.revoked_at_ms.map(checks::time).transpose()?,
    ];
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_one(&statement, &params).await?;
    match Columns::of(&row).get()? {
        "kept" => Ok(true),
        "taken" => Err(checks::taken_key(key.id).into()),
        _ => Ok(false),
    }
}

pub(super) async fn key(client: &Client, id: KeyId) -> Result<Option<ApiKey>, Error> {
    const SQL: &str = concat!("SELECT ", key_columns!(), " FROM hongbao.api_keys WHERE id = $1");
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &[&id.to_bytes().as_slice()]).await?;
    row.as_ref().map(api_key).transpose()
}

/// Said and ordered in this way, only the index of owners can answer it.
pub(super) async fn keys(
    client: &Client,
    tenant: Option<&TenantId>,
    after: Option<KeyId>,
    limit: u32,
) -> Result<Vec<ApiKey>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM hongbao.api_keys WHERE tenant <= $1 AND (tenant, id) > ($1, $2) AND scopes >= 0
          ORDER BY tenant, id LIMIT $3"
    );
    // Nothing at all is before every id.
    let after = after.map_or_else(Vec::new, |id| id.to_bytes().to_vec());
    let statement = client.prepare_cached(SQL).await?;
    let rows = client.query(&statement, &[&owner(tenant), &after, &i64::from(limit)]).await?;
    rows.iter().map(api_key).collect()
}

pub(super) async fn revoke_key(
    client: &Client,
    tenant: Option<&TenantId>,
    id: KeyId,
    now_ms: i64,
) -> Result<Option<ApiKey>, Error> {
    const SQL: &str = concat!(
        "UPDATE hongbao.api_keys SET revoked_at_ms = coalesce(revoked_at_ms, $3)
         WHERE id = $1 AND tenant = $2 RETURNING ",
        key_columns!()
    );
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &[&id.to_bytes().as_slice(), &owner(tenant), &now_ms]).await?;
    row.as_ref().map(api_key).transpose()
}

pub(super) async fn forget_keys(client: &Client, expired_before_ms: u64) -> Result<u64, Error> {
    const SQL: &str = "DELETE FROM hongbao.api_keys WHERE expires_at_ms < $1";
    let statement = client.prepare_cached(SQL).await?;
    Ok(client.execute(&statement, &[&bound(expired_before_ms)]).await?)
}

pub(super) async fn begin(
    client: &Client,
    request: &RequestKey,
    fingerprint: [u8; 32],
    now_ms: i64,
) -> Result<Begun, Error> {
    const SQL: &str = "SELECT outcome, status, body FROM hongbao.begin_request($1, $2, $3, $4, $5, $6)";
    let params: [&(dyn ToSql + Sync); 6] = [
        &owner(request.tenant.as_ref()),
        &request.key.as_str(),
        &fingerprint.as_slice(),
        &now_ms,
        &bound(ANSWER_KEPT_MS),
        &bound(RUNNING_MS),
    ];
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_one(&statement, &params).await?;
    let mut columns = Columns::of(&row);
    match columns.get()? {
        "new" => Ok(Begun::New),
        "running" => Ok(Begun::Running),
        "other" => Ok(Begun::Other),
        _ => {
            let (status, body): (i32, Vec<u8>) = (columns.get()?, columns.get()?);
            let status = u16::try_from(status).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            Ok(Begun::Answered(Answer { status, body }))
        }
    }
}

pub(super) async fn answer(
    client: &Client,
    request: &RequestKey,
    fingerprint: [u8; 32],
    answer: &Answer,
    now_ms: i64,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE hongbao.requests SET answered_at_ms = $4, status = $5, body = $6
                       WHERE tenant = $1 AND key = $2 AND fingerprint = $3 AND answered_at_ms IS NULL";
    let params: [&(dyn ToSql + Sync); 6] = [
        &owner(request.tenant.as_ref()),
        &request.key.as_str(),
        &fingerprint.as_slice(),
        &now_ms,
        &i32::from(answer.status),
        &answer.body,
    ];
    let statement = client.prepare_cached(SQL).await?;
    client.execute(&statement, &params).await?;
    Ok(())
}

/// The time is said so that no index goes by it, through all that began then.
pub(super) async fn abandon(
    client: &Client,
    request: &RequestKey,
    fingerprint: [u8; 32],
    begun_at_ms: i64,
) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM hongbao.requests
                       WHERE tenant = $1 AND key = $2 AND fingerprint = $3 AND begun_at_ms + 0 = $4
                           AND answered_at_ms IS NULL";
    let (tenant, key) = (owner(request.tenant.as_ref()), request.key.as_str());
    let statement = client.prepare_cached(SQL).await?;
    client.execute(&statement, &[&tenant, &key, &fingerprint.as_slice(), &begun_at_ms]).await?;
    Ok(())
}

pub(super) async fn forget_answers(client: &Client, begun_before_ms: u64) -> Result<u64, Error> {
    const SQL: &str = "DELETE FROM hongbao.requests WHERE begun_at_ms < $1";
    let statement = client.prepare_cached(SQL).await?;
    Ok(client.execute(&statement, &[&bound(begun_before_ms)]).await?)
}
