//! Who may call, and what was answered.

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::{bound, owner};
use crate::error::Error;
use crate::rows::Columns;
use hongbao_domain::{ApiKey, KeyId, TenantId};
use hongbao_store::{ANSWER_KEPT_MS, Answer, Begun, RUNNING_MS, RequestKey, checks};

/// What [`api_key`] reads, in its order.
macro_rules! key_columns {
    () => {
        "id, tenant, user, label, scopes, hash, created_at_ms, expires_at_ms, revoked_at_ms"
    };
}

fn api_key(row: &Row<'_>) -> Result<ApiKey, rusqlite::Error> {
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

pub(super) fn seal(db: &Connection) -> Result<Option<[u8; 32]>, Error> {
    let mut statement = db.prepare_cached("SELECT secret FROM seal")?;
    Ok(statement.query_row([], |row| Columns::of(row).bytes()).optional()?)
}

/// In the transaction that it runs in nobody comes between the two.
pub(super) fn make_seal(db: &Connection, proposed: [u8; 32]) -> Result<[u8; 32], Error> {
    if let Some(seal) = seal(db)? {
        return Ok(seal);
    }
    db.prepare_cached("INSERT INTO seal (the_only, secret) VALUES (1, ?1)")?.execute([proposed])?;
    Ok(proposed)
}

pub(super) fn add_key(db: &Connection, key: &ApiKey) -> Result<(), Error> {
    const SQL: &str = concat!(
        "INSERT INTO api_keys (",
        key_columns!(),
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING"
    );
    let written = db.prepare_cached(SQL)?.execute((
        key.id.to_bytes(),
        owner(key.tenant.as_ref()),
        key.user.as_ref().map(|user| user.as_str()),
        key.label.as_str(),
        key.scopes.bits(),
        key.hash,
        checks::time(key.created_at_ms)?,
        key.expires_at_ms.map(checks::time).transpose()?,
        key.revoked_at_ms.map(checks::time).transpose()?,
    ))?;
    if written == 0 { Err(checks::taken_key(key.id).into()) } else { Ok(()) }
}

/// In the transaction that it runs in nobody comes between the count and the key.
pub(super) fn add_key_within(db: &Connection, key: &ApiKey, most: u32) -> Result<bool, Error> {
    const VALID: &str = "SELECT count(*) FROM api_keys
                         WHERE tenant = ?1 AND revoked_at_ms IS NULL AND coalesce(expires_at_ms > ?2, 1)";
    let of = (owner(key.tenant.as_ref()), checks::time(key.created_at_ms)?);
    let valid: u32 = db.prepare_cached(VALID)?.query_row(of, |row| row.get(0))?;
    if valid >= most && self::key(db, key.id)?.is_none() {
        return Ok(false);
    }
    add_key(db, key).map(|()| true)
}

pub(super) fn key(db: &Connection, id: KeyId) -> Result<Option<ApiKey>, Error> {
    const SQL: &str = concat!("SELECT ", key_columns!(), " FROM api_keys WHERE id = ?1");
    Ok(db.prepare_cached(SQL)?.query_row([id.to_bytes()], api_key).optional()?)
}

pub(super) fn keys(
    db: &Connection,
    tenant: Option<&TenantId>,
    after: Option<KeyId>,
    limit: u32,
) -> Result<Vec<ApiKey>, Error> {
    // Nothing at all is before every id.
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM api_keys WHERE tenant = ?1 AND id > coalesce(?2, x'') ORDER BY id LIMIT ?3"
    );
    let mut statement = db.prepare_cached(SQL)?;
    let keys = statement.query_map((owner(tenant), after.map(KeyId::to_bytes), limit), api_key)?;
    Ok(keys.collect::<Result<_, _>>()?)
}

pub(super) fn revoke_key(
    db: &Connection,
    tenant: Option<&TenantId>,
    id: KeyId,
    now_ms: i64,
) -> Result<Option<ApiKey>, Error> {
    const SQL: &str = concat!(
        "UPDATE api_keys SET revoked_at_ms = coalesce(revoked_at_ms, ?3) WHERE id = ?1 AND tenant = ?2 RETURNING ",
        key_columns!()
    );
    let mut statement = db.prepare_cached(SQL)?;
    Ok(statement.query_row((id.to_bytes(), owner(tenant), now_ms), api_key).optional()?)
}

pub(super) fn forget_keys(db: &Connection, expired_before_ms: u64) -> Result<u64, Error> {
    const SQL: &str = "DELETE FROM api_keys WHERE expires_at_ms < ?1";
    Ok(db.prepare_cached(SQL)?.execute([bound(expired_before_ms)])? as u64)
}

/// One statement decides, and the row that it leaves alone says why.
pub(super) fn begin(
    db: &Connection,
    request: &RequestKey,
    fingerprint: [u8; 32],
    now_ms: i64,
) -> Result<Begun, Error> {
    const SQL: &str = "
        INSERT INTO requests (tenant, key, fingerprint, begun_at_ms) VALUES (:tenant, :key, :fingerprint, :now)
        ON CONFLICT (tenant, key) DO UPDATE
           SET fingerprint = excluded.fingerprint, begun_at_ms = excluded.begun_at_ms,
               answered_at_ms = NULL, status = NULL, body = NULL
         WHERE requests.begun_at_ms <= :now - :kept
            OR (requests.answered_at_ms IS NULL AND requests.fingerprint = excluded.fingerprint
                AND requests.begun_at_ms <= :now - :running)";
    let (tenant, key) = (owner(request.tenant.as_ref()), request.key.as_str());
    let begun = db.prepare_cached(SQL)?.execute(named_params! {
        ":tenant": tenant,
        ":key": key,
        ":fingerprint": fingerprint,
        ":now": now_ms,
        ":kept": bound(ANSWER_KEPT_MS),
        ":running": bound(RUNNING_MS),
    })?;
    if begun > 0 {
        return Ok(Begun::New);
    }
    const THERE: &str = "SELECT fingerprint, status, body FROM requests WHERE tenant = ?1 AND key = ?2";
    Ok(db.prepare_cached(THERE)?.query_row((tenant, key), |row| told(row, fingerprint))?)
}

fn told(row: &Row<'_>, fingerprint: [u8; 32]) -> Result<Begun, rusqlite::Error> {
    let mut columns = Columns::of(row);
    if columns.bytes::<32>()? != fingerprint {
        return Ok(Begun::Other);
    }
    match row.get(1)? {
        Some(status) => Ok(Begun::Answered(Answer { status, body: row.get(2)? })),
        None => Ok(Begun::Running),
    }
}

pub(super) fn answer(
    db: &Connection,
    request: &RequestKey,
    fingerprint: [u8; 32],
    answer: &Answer,
    now_ms: i64,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE requests SET answered_at_ms = ?4, status = ?5, body = ?6
                       WHERE tenant = ?1 AND key = ?2 AND fingerprint = ?3 AND answered_at_ms IS NULL";
    let (tenant, key) = (owner(request.tenant.as_ref()), request.key.as_str());
    db.prepare_cached(SQL)?.execute((tenant, key, fingerprint, now_ms, answer.status, &answer.body))?;
    Ok(())
}

pub(super) fn abandon(
    db: &Connection,
    request: &RequestKey,
    fingerprint: [u8; 32],
    begun_at_ms: i64,
) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM requests
                       WHERE tenant = ?1 AND key = ?2 AND fingerprint = ?3 AND begun_at_ms = ?4
                           AND answered_at_ms IS NULL";
    let (tenant, key) = (owner(request.tenant.as_ref()), request.key.as_str());
    db.prepare_cached(SQL)?.execute((tenant, key, fingerprint, begun_at_ms))?;
    Ok(())
}

pub(super) fn forget_answers(db: &Connection, begun_before_ms: u64) -> Result<u64, Error> {
    const SQL: &str = "DELETE FROM requests WHERE begun_at_ms < ?1";
    Ok(db.prepare_cached(SQL)?.execute([bound(begun_before_ms)])? as u64)
}
