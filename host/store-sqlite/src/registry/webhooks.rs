//! Endpoints of tenants, and what they did not take.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::SqliteRegistry;
use crate::error::Error;
use crate::rows::Columns;
use hongbao_domain::{TenantId, WebhookId};
use hongbao_store::{
    Saved, StoreError, Webhook, WebhookFailure, WebhookLease, WebhookProgress, WebhookReplay, WebhookSecret,
    WebhookState, WebhookStep, Webhooks, checks,
};

/// What [`state`] reads, in its order.
macro_rules! states {
    ($which:literal) => {
        concat!(
            "SELECT id, tenant, revision, url, kinds, secret, former, former_until_ms, disabled, created_at_ms, cursor,
                    cursor_at_ms, replay_after, replay_only, replay_from_ms, replay_until_ms,
                    (SELECT count(*) FROM webhook_failures WHERE webhook = id AND next_at_ms IS NOT NULL),
                    (SELECT count(*) FROM webhook_failures WHERE webhook = id AND next_at_ms IS NULL)
               FROM webhooks WHERE ",
            $which,
            " ORDER BY id"
        )
    };
}

fn state(row: &Row<'_>) -> Result<WebhookState, rusqlite::Error> {
    let mut columns = Columns::of(row);
    let webhook = Webhook {
        id: WebhookId::from_bytes(columns.bytes()?),
        tenant: columns.tenant()?,
        revision: columns.number()?,
        url: columns.text()?,
        kinds: split(&columns.text()?),
        secret: WebhookSecret(columns.bytes()?),
        former: {
            let (former, until) = (columns.optional_bytes()?, columns.optional()?);
            former.map(WebhookSecret).zip(until)
        },
        disabled: columns.optional_text()?,
        created_at_ms: columns.number()?,
    };
    let (cursor, cursor_at_ms) = (columns.optional_text()?, columns.number()?);
    let (after, only) = (columns.optional_text()?, columns.optional_text()?);
    let (from, until) = (columns.optional()?, columns.optional()?);
    let replay = from.zip(until).map(|(from_ms, until_ms)| WebhookReplay { after, only, from_ms, until_ms });
    let progress = WebhookProgress { cursor, cursor_at_ms, replay };
    Ok(WebhookState { webhook, progress, waiting: columns.number()?, dead: columns.number()? })
}

fn split(kinds: &str) -> Vec<String> {
    kinds.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect()
}

fn failure(row: &Row<'_>) -> Result<WebhookFailure, rusqlite::Error> {
    let mut columns = Columns::of(row);
    Ok(WebhookFailure {
        event: columns.text()?,
        after: columns.optional_text()?,
        kind: columns.text()?,
        happened_at_ms: columns.number()?,
        attempts: columns.number()?,
        next_at_ms: columns.optional()?,
        last_error: columns.text()?,
    })
}

/// In the transaction that it runs in nobody comes between the count and the endpoint.
fn add(db: &Connection, webhook: &Webhook, progress: &WebhookProgress, most: u32) -> Result<bool, Error> {
    const TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM webhooks WHERE id = ?1)";
    const OWN: &str = "SELECT count(*) FROM webhooks WHERE tenant = ?1";
    const SQL: &str = "
        INSERT INTO webhooks (id, tenant, revision, url, kinds, secret, former, former_until_ms, disabled,
                              created_at_ms, cursor, cursor_at_ms)
        VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let (tenant, id) = (webhook.tenant.as_str(), webhook.id.to_bytes());
    let is_taken: bool = db.prepare_cached(TAKEN)?.query_row([id], |row| row.get(0))?;
    if is_taken {
        return Err(checks::taken_webhook(webhook.id).into());
    }
    let own: u32 = db.prepare_cached(OWN)?.query_row([tenant], |row| row.get(0))?;
    if own >= most {
        return Ok(false);
    }
    db.prepare_cached(SQL)?.execute((
        id,
        tenant,
        &webhook.url,
        webhook.kinds.join(","),
        webhook.secret.0,
        webhook.former.map(|(secret, _)| secret.0),
        webhook.former.map(|(_, until)| checks::time(until)).transpose()?,
        &webhook.disabled,
        checks::time(webhook.created_at_ms)?,
        &progress.cursor,
        checks::time(progress.cursor_at_ms)?,
    ))?;
    Ok(true)
}

fn put(db: &Connection, webhook: &Webhook) -> Result<Option<u64>, Error> {
    const SQL: &str = "
        UPDATE webhooks
           SET revision = revision + 1, url = ?4, kinds = ?5, secret = ?6, former = ?7, former_until_ms = ?8,
               disabled = ?9
         WHERE id = ?1 AND tenant = ?2 AND revision = ?3 RETURNING revision";
    let mut statement = db.prepare_cached(SQL)?;
    let params = (
        webhook.id.to_bytes(),
        webhook.tenant.as_str(),
        // Past what a column holds, no revision ever is.
        i64::try_from(webhook.revision).unwrap_or(-1),
        &webhook.url,
        webhook.kinds.join(","),
        webhook.secret.0,
        webhook.former.map(|(secret, _)| secret.0),
        webhook.former.map(|(_, until)| checks::time(until)).transpose()?,
        &webhook.disabled,
    );
    Ok(statement.query_row(params, |row| Columns::of(row).number()).optional()?)
}

fn remove(db: &Connection, tenant: &TenantId, id: WebhookId) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM webhooks WHERE id = ?1 AND tenant = ?2";
    const FAILURES: &str = "DELETE FROM webhook_failures WHERE webhook = ?1";
    let is_there = db.prepare_cached(SQL)?.execute((id.to_bytes(), tenant.as_str()))? > 0;
    if is_there {
        db.prepare_cached(FAILURES)?.execute([id.to_bytes()])?;
    }
    Ok(is_there)
}

fn failures(
    db: &Connection,
    id: WebhookId,
    is_dead: bool,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<WebhookFailure>, Error> {
    // Nothing at all is before every event.
    const SQL: &str = "
        SELECT event, after, kind, happened_at_ms, attempts, next_at_ms, last_error FROM webhook_failures
         WHERE webhook = ?1 AND event > coalesce(?2, '') AND (next_at_ms IS NULL) = ?3 ORDER BY event LIMIT ?4";
    let mut statement = db.prepare_cached(SQL)?;
    let found = statement.query_map((id.to_bytes(), after, is_dead, limit), failure)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Raises the revision of a tenant's endpoint; false where there is none.
fn raise(db: &Connection, tenant: &TenantId, id: WebhookId) -> Result<bool, Error> {
    const SQL: &str = "UPDATE webhooks SET revision = revision + 1 WHERE id = ?1 AND tenant = ?2";
    Ok(db.prepare_cached(SQL)?.execute((id.to_bytes(), tenant.as_str()))? > 0)
}

fn replay(
    db: &Connection,
    tenant: &TenantId,
    id: WebhookId,
    replay: &WebhookReplay,
) -> Result<Option<bool>, Error> {
    const THERE: &str = "SELECT replay_from_ms IS NULL FROM webhooks WHERE id = ?1 AND tenant = ?2";
    const SQL: &str = "
        UPDATE webhooks
           SET revision = revision + 1, replay_after = ?2, replay_only = ?3, replay_from_ms = ?4, replay_until_ms = ?5
         WHERE id = ?1";
    let mut statement = db.prepare_cached(THERE)?;
    let is_free: Option<bool> =
        statement.query_row((id.to_bytes(), tenant.as_str()), |row| row.get(0)).optional()?;
    if is_free == Some(true) {
        let (from, until) = (checks::time(replay.from_ms)?, checks::time(replay.until_ms)?);
        db.prepare_cached(SQL)?.execute((id.to_bytes(), &replay.after, &replay.only, from, until))?;
    }
    Ok(is_free)
}

fn put_failure(db: &Connection, id: WebhookId, failure: &WebhookFailure) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO webhook_failures (webhook, event, after, kind, happened_at_ms, attempts, next_at_ms, last_error)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
        ON CONFLICT (webhook, event) DO UPDATE
           SET after = excluded.after, kind = excluded.kind, happened_at_ms = excluded.happened_at_ms,
               attempts = excluded.attempts, next_at_ms = excluded.next_at_ms, last_error = excluded.last_error";
    db.prepare_cached(SQL)?.execute((
        id.to_bytes(),
        &failure.event,
        &failure.after,
        &failure.kind,
        checks::time(failure.happened_at_ms)?,
        failure.attempts,
        failure.next_at_ms.map(checks::time).transpose()?,
        &failure.last_error,
    ))?;
    Ok(())
}

fn revive(
    db: &Connection,
    tenant: &TenantId,
    id: WebhookId,
    now_ms: i64,
    limit: u32,
) -> Result<Option<u64>, Error> {
    const SQL: &str = "
        UPDATE webhook_failures SET next_at_ms = ?2, attempts = 0
         WHERE webhook = ?1 AND event IN (SELECT event FROM webhook_failures
                                           WHERE webhook = ?1 AND next_at_ms IS NULL ORDER BY event LIMIT ?3)";
    if !raise(db, tenant, id)? {
        return Ok(None);
    }
    Ok(Some(db.prepare_cached(SQL)?.execute((id.to_bytes(), now_ms, limit))? as u64))
}

fn lease(db: &Connection, lease: WebhookLease) -> Result<Vec<WebhookState>, Error> {
    const RENEW: &str = "UPDATE webhooks SET leased_until_ms = :until
                         WHERE disabled IS NULL AND leased_until_ms < :renew AND holder = :holder";
    const TAKE: &str = "
        UPDATE webhooks SET holder = :holder, leased_until_ms = :until
         WHERE id IN (SELECT id FROM webhooks
                       WHERE disabled IS NULL AND leased_until_ms <= :now AND holder <> :holder
                       ORDER BY leased_until_ms, id LIMIT :most)";
    const HELD: &str = states!("disabled IS NULL AND holder = ?1");
    let holder = checks::time(lease.holder)?;
    let (now, until) = (super::bound(lease.now_ms), checks::time(lease.until_ms)?);
    let renew = super::bound(lease.renew_before_ms);
    db.prepare_cached(RENEW)?
        .execute(named_params! { ":until": until, ":renew": renew, ":holder": holder })?;
    db.prepare_cached(TAKE)?.execute(named_params! {
        ":holder": holder, ":until": until, ":now": now, ":most": lease.most,
    })?;
    let mut statement = db.prepare_cached(HELD)?;
    let held = statement.query_map([holder], state)?;
    Ok(held.collect::<Result<_, _>>()?)
}

fn save(db: &Connection, step: &WebhookStep) -> Result<Saved, Error> {
    const THERE: &str = "SELECT revision FROM webhooks WHERE id = ?1 AND holder = ?2";
    const SQL: &str = "
        UPDATE webhooks
           SET cursor = ?2, cursor_at_ms = ?3, replay_after = ?4, replay_only = ?5, replay_from_ms = ?6,
               replay_until_ms = ?7
         WHERE id = ?1";
    const SETTLE: &str = "DELETE FROM webhook_failures WHERE webhook = ?1 AND event = ?2";
    let id = step.id.to_bytes();
    let mut statement = db.prepare_cached(THERE)?;
    let there = statement.query_row((id, super::bound(step.holder)), |row| Columns::of(row).number::<u64>());
    match there.optional()? {
        None => return Ok(Saved::Lost),
        Some(revision) if revision != step.revision => return Ok(Saved::Changed),
        Some(_) => {}
    }
    let replay = step.progress.replay.as_ref();
    db.prepare_cached(SQL)?.execute((
        id,
        &step.progress.cursor,
        checks::time(step.progress.cursor_at_ms)?,
        replay.and_then(|replay| replay.after.as_deref()),
        replay.and_then(|replay| replay.only.as_deref()),
        replay.map(|replay| checks::time(replay.from_ms)).transpose()?,
        replay.map(|replay| checks::time(replay.until_ms)).transpose()?,
    ))?;
    for event in &step.settled {
        db.prepare_cached(SETTLE)?.execute((id, event))?;
    }
    step.failed.iter().try_for_each(|failure| put_failure(db, step.id, failure))?;
    Ok(Saved::Now)
}

#[async_trait]
impl Webhooks for SqliteRegistry {
    async fn add_webhook(
        &self,
        webhook: Webhook,
        progress: WebhookProgress,
        most: u32,
    ) -> Result<bool, StoreError> {
        checks::webhook(&webhook)?;
        checks::webhook_progress(&progress)?;
        self.sessions.write(move |db| add(db, &webhook, &progress, most)).await
    }

    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<WebhookState>, StoreError> {
        const SQL: &str = states!("tenant = ?1");
        let tenant = tenant.clone();
        self.sessions
            .read(move |db| {
                let mut statement = db.prepare_cached(SQL)?;
                let own = statement.query_map([tenant.as_str()], state)?;
                Ok(own.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn put_webhook(&self, webhook: Webhook) -> Result<Option<u64>, StoreError> {
        checks::webhook(&webhook)?;
        self.sessions.write(move |db| put(db, &webhook)).await
    }

    async fn remove_webhook(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError> {
        let tenant = tenant.clone();
        self.sessions.write(move |db| remove(db, &tenant, id)).await
    }

    async fn webhook_failures(
        &self,
        id: WebhookId,
        is_dead: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<WebhookFailure>, StoreError> {
        let after = after.map(str::to_owned);
        self.sessions.read(move |db| failures(db, id, is_dead, after.as_deref(), limit)).await
    }

    async fn replay_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        replay: WebhookReplay,
    ) -> Result<Option<bool>, StoreError> {
        checks::webhook_replay(&replay)?;
        let tenant = tenant.clone();
        self.sessions.write(move |db| self::replay(db, &tenant, id, &replay)).await
    }

    async fn resend_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        failure: WebhookFailure,
    ) -> Result<bool, StoreError> {
        checks::webhook_failure(&failure)?;
        let tenant = tenant.clone();
        let resend = move |db: &Connection| {
            let is_there = raise(db, &tenant, id)?;
            if is_there {
                put_failure(db, id, &failure)?;
            }
            Ok(is_there)
        };
        self.sessions.write(resend).await
    }

    async fn revive_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        now_ms: u64,
        limit: u32,
    ) -> Result<Option<u64>, StoreError> {
        let (tenant, now) = (tenant.clone(), checks::time(now_ms)?);
        self.sessions.write(move |db| revive(db, &tenant, id, now, limit)).await
    }

    async fn lease_webhooks(&self, lease: WebhookLease) -> Result<Vec<WebhookState>, StoreError> {
        checks::webhook_lease(&lease)?;
        self.sessions.write(move |db| self::lease(db, lease)).await
    }

    async fn release_webhooks(&self, holder: u64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE webhooks SET holder = 0, leased_until_ms = 0 WHERE holder = ?1";
        let release = move |db: &Connection| {
            db.prepare_cached(SQL)?.execute([super::bound(holder)])?;
            Ok(())
        };
        self.sessions.write(release).await
    }

    async fn save_webhook(&self, step: WebhookStep) -> Result<Saved, StoreError> {
        checks::webhook_step(&step)?;
        self.sessions.write(move |db| save(db, &step)).await
    }
}
