//! Endpoints of tenants, and what they did not take.

use async_trait::async_trait;
use deadpool_postgres::GenericClient;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::{PostgresRegistry, bound};
use crate::error::Error;
use crate::rows::Columns;
use crate::sessions::Client;
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
                    (SELECT count(*) FROM hongbao.webhook_failures WHERE webhook = id AND next_at_ms IS NOT NULL),
                    (SELECT count(*) FROM hongbao.webhook_failures WHERE webhook = id AND next_at_ms IS NULL)
               FROM hongbao.webhooks WHERE ",
            $which
        )
    };
}

fn state(row: &Row) -> Result<WebhookState, Error> {
    let mut columns = Columns::of(row);
    let webhook = Webhook {
        id: WebhookId::from_bytes(columns.bytes()?),
        tenant: columns.tenant()?,
        revision: columns.number()?,
        url: columns.get()?,
        kinds: split(columns.get()?),
        secret: WebhookSecret(columns.bytes()?),
        former: {
            let (former, until) = (columns.optional_bytes()?, columns.optional()?);
            former.map(WebhookSecret).zip(until)
        },
        disabled: columns.get()?,
        created_at_ms: columns.number()?,
    };
    let (cursor, cursor_at_ms) = (columns.get()?, columns.number()?);
    let (after, only) = (columns.get()?, columns.get()?);
    let (from, until) = (columns.optional()?, columns.optional()?);
    let replay = from.zip(until).map(|(from_ms, until_ms)| WebhookReplay { after, only, from_ms, until_ms });
    let progress = WebhookProgress { cursor, cursor_at_ms, replay };
    Ok(WebhookState { webhook, progress, waiting: columns.number()?, dead: columns.number()? })
}

fn split(kinds: &str) -> Vec<String> {
    kinds.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect()
}

fn failure(row: &Row) -> Result<WebhookFailure, Error> {
    let mut columns = Columns::of(row);
    Ok(WebhookFailure {
        event: columns.get()?,
        after: columns.get()?,
        kind: columns.get()?,
        happened_at_ms: columns.number()?,
        attempts: {
            let attempts: i32 = columns.get()?;
            u32::try_from(attempts).map_err(|error| StoreError::Corrupt(error.to_string()))?
        },
        next_at_ms: columns.optional()?,
        last_error: columns.get()?,
    })
}

async fn add(
    client: &Client,
    webhook: &Webhook,
    progress: &WebhookProgress,
    most: u32,
) -> Result<bool, Error> {
    const SQL: &str = "SELECT hongbao.add_webhook($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let params: [&(dyn ToSql + Sync); 12] = [
        &i64::from(most),
        &webhook.id.to_bytes().to_vec(),
        &webhook.tenant.as_str(),
        &webhook.url,
        &webhook.kinds.join(","),
        &webhook.secret.0.as_slice(),
        &webhook.former.map(|(secret, _)| secret.0.to_vec()),
        &webhook.former.map(|(_, until)| checks::time(until)).transpose()?,
        &webhook.disabled,
        &checks::time(webhook.created_at_ms)?,
        &progress.cursor,
        &checks::time(progress.cursor_at_ms)?,
    ];
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_one(&statement, &params).await?;
    match Columns::of(&row).get()? {
        "kept" => Ok(true),
        "taken" => Err(checks::taken_webhook(webhook.id).into()),
        _ => Ok(false),
    }
}

async fn put(client: &Client, webhook: &Webhook) -> Result<Option<u64>, Error> {
    const SQL: &str = "
        UPDATE hongbao.webhooks
           SET revision = revision + 1, url = $4, kinds = $5, secret = $6, former = $7, former_until_ms = $8,
               disabled = $9
         WHERE id = $1 AND tenant = $2 AND revision = $3 RETURNING revision";
    let params: [&(dyn ToSql + Sync); 9] = [
        &webhook.id.to_bytes().to_vec(),
        &webhook.tenant.as_str(),
        // Past what a column holds, no revision ever is.
        &i64::try_from(webhook.revision).unwrap_or(-1),
        &webhook.url,
        &webhook.kinds.join(","),
        &webhook.secret.0.as_slice(),
        &webhook.former.map(|(secret, _)| secret.0.to_vec()),
        &webhook.former.map(|(_, until)| checks::time(until)).transpose()?,
        &webhook.disabled,
    ];
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &params).await?;
    row.map(|row| Columns::of(&row).number()).transpose()
}

async fn remove(client: &mut Client, tenant: &TenantId, id: WebhookId) -> Result<bool, Error> {
    const SQL: &str = "DELETE FROM hongbao.webhooks WHERE id = $1 AND tenant = $2";
    const FAILURES: &str = "DELETE FROM hongbao.webhook_failures WHERE webhook = $1";
    let id = id.to_bytes();
    let transaction = client.transaction().await?;
    let statement = transaction.prepare_cached(SQL).await?;
    let is_there = transaction.execute(&statement, &[&id.as_slice(), &tenant.as_str()]).await? > 0;
    if is_there {
        let statement = transaction.prepare_cached(FAILURES).await?;
        transaction.execute(&statement, &[&id.as_slice()]).await?;
    }
    transaction.commit().await?;
    Ok(is_there)
}

async fn failures(
    client: &Client,
    id: WebhookId,
    is_dead: bool,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<WebhookFailure>, Error> {
    const SQL: &str = "
        SELECT event, after, kind, happened_at_ms, attempts, next_at_ms, last_error FROM hongbao.webhook_failures
         WHERE webhook = $1 AND event > $2 AND (next_at_ms IS NULL) = $3 ORDER BY event LIMIT $4";
    // No text of PostgreSQL has a zero character, and so no event comes between the two.
    let after = after.and_then(|after| after.split('\0').next()).unwrap_or_default();
    let statement = client.prepare_cached(SQL).await?;
    let rows =
        client.query(&statement, &[&id.to_bytes().as_slice(), &after, &is_dead, &i64::from(limit)]).await?;
    rows.iter().map(failure).collect()
}

/// Raises the revision of a tenant's endpoint; false where there is none. It holds the row until the commit.
async fn raise(client: &impl GenericClient, tenant: &TenantId, id: WebhookId) -> Result<bool, Error> {
    const SQL: &str = "UPDATE hongbao.webhooks SET revision = revision + 1 WHERE id = $1 AND tenant = $2";
    let statement = client.prepare_cached(SQL).await?;
    Ok(client.execute(&statement, &[&id.to_bytes().as_slice(), &tenant.as_str()]).await? > 0)
}

async fn replay(
    client: &Client,
    tenant: &TenantId,
    id: WebhookId,
    replay: &WebhookReplay,
) -> Result<Option<bool>, Error> {
    const SQL: &str = "
        UPDATE hongbao.webhooks
           SET revision = revision + 1, replay_after = $3, replay_only = $4, replay_from_ms = $5, replay_until_ms = $6
         WHERE id = $1 AND tenant = $2 AND replay_from_ms IS NULL";
    const THERE: &str = "SELECT 1 FROM hongbao.webhooks WHERE id = $1 AND tenant = $2";
    let (id, tenant) = (id.to_bytes(), tenant.as_str());
    let params: [&(dyn ToSql + Sync); 6] = [
        &id.as_slice(),
        &tenant,
        &replay.after,
        &replay.only,
        &checks::time(replay.from_ms)?,
        &checks::time(replay.until_ms)?,
    ];
    let statement = client.prepare_cached(SQL).await?;
    if client.execute(&statement, &params).await? > 0 {
        return Ok(Some(true));
    }
    let statement = client.prepare_cached(THERE).await?;
    Ok(client.query_opt(&statement, &[&id.as_slice(), &tenant]).await?.map(|_| false))
}

async fn put_failure(
    client: &impl GenericClient,
    id: WebhookId,
    failure: &WebhookFailure,
) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO hongbao.webhook_failures (webhook, event, after, kind, happened_at_ms, attempts, next_at_ms,
                                              last_error)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT ON CONSTRAINT webhook_failures_pkey DO UPDATE
           SET after = excluded.after, kind = excluded.kind, happened_at_ms = excluded.happened_at_ms,
               attempts = excluded.attempts, next_at_ms = excluded.next_at_ms, last_error = excluded.last_error";
    let params: [&(dyn ToSql + Sync); 8] = [
        &id.to_bytes().to_vec(),
        &failure.event,
        &failure.after,
        &failure.kind,
        &checks::time(failure.happened_at_ms)?,
        &i32::try_from(failure.attempts).unwrap_or(i32::MAX),
        &failure.next_at_ms.map(checks::time).transpose()?,
        &failure.last_error,
    ];
    let statement = client.prepare_cached(SQL).await?;
    client.execute(&statement, &params).await?;
    Ok(())
}

async fn resend(
    client: &mut Client,
    tenant: &TenantId,
    id: WebhookId,
    failure: &WebhookFailure,
) -> Result<bool, Error> {
    let transaction = client.transaction().await?;
    let is_there = raise(&transaction, tenant, id).await?;
    if is_there {
        put_failure(&transaction, id, failure).await?;
    }
    transaction.commit().await?;
    Ok(is_there)
}

async fn revive(
    client: &mut Client,
    tenant: &TenantId,
    id: WebhookId,
    now_ms: i64,
    limit: u32,
) -> Result<Option<u64>, Error> {
    const SQL: &str = "
        UPDATE hongbao.webhook_failures SET next_at_ms = $2, attempts = 0
         WHERE webhook = $1 AND event IN (SELECT event FROM hongbao.webhook_failures
                                           WHERE webhook = $1 AND next_at_ms IS NULL ORDER BY event LIMIT $3)";
    let transaction = client.transaction().await?;
    if !raise(&transaction, tenant, id).await? {
        return Ok(None);
    }
    let statement = transaction.prepare_cached(SQL).await?;
    let params: [&(dyn ToSql + Sync); 3] = [&id.to_bytes().to_vec(), &now_ms, &i64::from(limit)];
    let count = transaction.execute(&statement, &params).await?;
    transaction.commit().await?;
    Ok(Some(count))
}

/// Three statements, each of which is right by itself. Hosts that take some at the same time pass over each other's.
async fn lease(client: &Client, lease: WebhookLease) -> Result<Vec<WebhookState>, Error> {
    const RENEW: &str = "UPDATE hongbao.webhooks SET leased_until_ms = $3
                         WHERE disabled IS NULL AND holder = $1 AND leased_until_ms < $2";
    const TAKE: &str = "
        UPDATE hongbao.webhooks SET holder = $1, leased_until_ms = $3
         WHERE id IN (SELECT id FROM hongbao.webhooks
                       WHERE disabled IS NULL AND leased_until_ms <= $2 AND holder <> $1
                       ORDER BY leased_until_ms LIMIT $4 FOR UPDATE SKIP LOCKED)";
    const HELD: &str = states!("disabled IS NULL AND holder = $1 ORDER BY holder, id");
    let (holder, until) = (checks::time(lease.holder)?, checks::time(lease.until_ms)?);
    let statement = client.prepare_cached(RENEW).await?;
    client.execute(&statement, &[&holder, &bound(lease.renew_before_ms), &until]).await?;
    let statement = client.prepare_cached(TAKE).await?;
    let (now, most) = (bound(lease.now_ms), i64::from(lease.most));
    client.execute(&statement, &[&holder, &now, &until, &most]).await?;
    let statement = client.prepare_cached(HELD).await?;
    client.query(&statement, &[&holder]).await?.iter().map(state).collect()
}

/// The row is locked first, so that whoever takes the lease or changes the endpoint comes before or after all of it.
async fn save(client: &mut Client, step: &WebhookStep) -> Result<Saved, Error> {
    const THERE: &str =
        "SELECT revision FROM hongbao.webhooks WHERE id = $1 AND holder + 0 = $2 FOR NO KEY UPDATE";
    const SQL: &str = "
        UPDATE hongbao.webhooks
           SET cursor = $2, cursor_at_ms = $3, replay_after = $4, replay_only = $5, replay_from_ms = $6,
               replay_until_ms = $7
         WHERE id = $1";
    const SETTLE: &str = "DELETE FROM hongbao.webhook_failures WHERE webhook = $1 AND event = ANY ($2)";
    let id = step.id.to_bytes().to_vec();
    let transaction = client.transaction().await?;
    let statement = transaction.prepare_cached(THERE).await?;
    let Some(row) = transaction.query_opt(&statement, &[&id, &bound(step.holder)]).await? else {
        return Ok(Saved::Lost);
    };
    if Columns::of(&row).number::<u64>()? != step.revision {
        return Ok(Saved::Changed);
    }
    let replay = step.progress.replay.as_ref();
    let params: [&(dyn ToSql + Sync); 7] = [
        &id,
        &step.progress.cursor,
        &checks::time(step.progress.cursor_at_ms)?,
        &replay.and_then(|replay| replay.after.as_deref()),
        &replay.and_then(|replay| replay.only.as_deref()),
        &replay.map(|replay| checks::time(replay.from_ms)).transpose()?,
        &replay.map(|replay| checks::time(replay.until_ms)).transpose()?,
    ];
    let statement = transaction.prepare_cached(SQL).await?;
    transaction.execute(&statement, &params).await?;
    if !step.settled.is_empty() {
        let statement = transaction.prepare_cached(SETTLE).await?;
        transaction.execute(&statement, &[&id, &step.settled]).await?;
    }
    for failure in &step.failed {
        put_failure(&transaction, step.id, failure).await?;
    }
    transaction.commit().await?;
    Ok(Saved::Now)
}

#[async_trait]
impl Webhooks for PostgresRegistry {
    async fn add_webhook(
        &self,
        webhook: Webhook,
        progress: WebhookProgress,
        most: u32,
    ) -> Result<bool, StoreError> {
        checks::webhook(&webhook)?;
        checks::webhook_progress(&progress)?;
        self.with(async |client| add(client, &webhook, &progress, most).await).await
    }

    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<WebhookState>, StoreError> {
        // Said and ordered in this way, only the index of tenants can answer it.
        const SQL: &str = states!("tenant <= $1 AND (tenant, id) > ($1, '') ORDER BY tenant, id");
        self.with(async |client| {
            let statement = client.prepare_cached(SQL).await?;
            client.query(&statement, &[&tenant.as_str()]).await?.iter().map(state).collect()
        })
        .await
    }

    async fn put_webhook(&self, webhook: Webhook) -> Result<Option<u64>, StoreError> {
        checks::webhook(&webhook)?;
        self.with(async |client| put(client, &webhook).await).await
    }

    async fn remove_webhook(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError> {
        self.with(async |client| remove(client, tenant, id).await).await
    }

    async fn webhook_failures(
        &self,
        id: WebhookId,
        is_dead: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<WebhookFailure>, StoreError> {
        self.with(async |client| failures(client, id, is_dead, after, limit).await).await
    }

    async fn replay_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        replay: WebhookReplay,
    ) -> Result<Option<bool>, StoreError> {
        checks::webhook_replay(&replay)?;
        self.with(async |client| self::replay(client, tenant, id, &replay).await).await
    }

    async fn resend_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        failure: WebhookFailure,
    ) -> Result<bool, StoreError> {
        checks::webhook_failure(&failure)?;
        self.with(async |client| resend(client, tenant, id, &failure).await).await
    }

    async fn revive_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        now_ms: u64,
        limit: u32,
    ) -> Result<Option<u64>, StoreError> {
        let now = checks::time(now_ms)?;
        self.with(async |client| revive(client, tenant, id, now, limit).await).await
    }

    async fn lease_webhooks(&self, lease: WebhookLease) -> Result<Vec<WebhookState>, StoreError> {
        checks::webhook_lease(&lease)?;
        self.with(async |client| self::lease(client, lease).await).await
    }

    async fn release_webhooks(&self, holder: u64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE hongbao.webhooks SET holder = 0, leased_until_ms = 0 WHERE holder = $1 AND disabled IS NULL";
        self.with(async |client| {
            let statement = client.prepare_cached(SQL).await?;
            client.execute(&statement, &[&bound(holder)]).await?;
            Ok(())
        })
        .await
    }

    async fn save_webhook(&self, step: WebhookStep) -> Result<Saved, StoreError> {
        checks::webhook_step(&step)?;
        self.with(async |client| save(client, &step).await).await
    }
}
