//! Settlement: claims that wait, credited to wallets in their order by several processes at once.

use deadpool_postgres::Client;

use super::error::Error;
use super::rows::{Columns, stored, uuid};
use super::sessions::{ANSWER, LONG, Sessions};
use crate::domain::PacketKey;
use crate::store::{Backlog, Parked, Queue, RETRY_MS, Settled};

/// What [`waiting`] reads, in its order.
macro_rules! waiting_columns {
    () => {
        "attempts, tenant, packet, user_id, amount, priority, claimed_at_ms"
    };
}

/// Posts what is due and takes it out of the outbox. Rows that another process is settling are
/// passed over, so processes do not wait for each other. A trigger posts to both accounts, and
/// another refuses that a row leaves the outbox without its movement.
macro_rules! post {
    ($of:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                 SELECT rank_ms, sequence, ",
            waiting_columns!(),
            " FROM hongbao.outbox WHERE NOT parked AND ",
            $of,
            " ORDER BY rank_ms, sequence LIMIT $2 FOR UPDATE SKIP LOCKED
             ), posted AS (
                 INSERT INTO hongbao.movements (packet, tenant, kind, user_id, amount, at_ms)
                 SELECT packet, tenant, 'settle', user_id, amount, $1 FROM due
             ), gone AS (
                 DELETE FROM hongbao.outbox USING due
                  WHERE outbox.packet = due.packet AND outbox.rank_ms = due.rank_ms
                    AND outbox.sequence = due.sequence AND NOT outbox.parked
             )
             SELECT ",
            waiting_columns!(),
            " FROM due ORDER BY rank_ms, sequence"
        )
    };
}

const POST: &str = post!("retry_at_ms <= $1");
const POST_ONE: &str = post!("packet = $3 AND tenant = $4 AND user_id = $5 AND attempts = $6");
const DUE: &str = concat!(
    "SELECT ",
    waiting_columns!(),
    " FROM hongbao.outbox WHERE NOT parked AND retry_at_ms <= $1 ORDER BY rank_ms, sequence LIMIT $2"
);

fn waiting(row: &tokio_postgres::Row) -> Result<Parked, Error> {
    let mut columns = Columns::of(row);
    let attempts = u32::from(columns.get::<i16>()?.unsigned_abs());
    let key = PacketKey { tenant: columns.tenant()?, packet: columns.id()? };
    let (user, amount, priority) = (columns.user()?, columns.amount()?, columns.priority()?);
    let claim = Settled { key, user, amount, priority, claimed_at_ms: columns.number()? };
    Ok(Parked { claim, attempts })
}

/// Credits claims that wait. One that the database does not post undoes its batch, which is then
/// gone through claim by claim.
pub(super) async fn settle(sessions: &Sessions, limit: u32, now_ms: u64) -> Result<Vec<Settled>, Error> {
    let now = stored(now_ms)?;
    let all = async |client: &mut Client| {
        let statement = client.prepare_cached(POST).await?;
        let rows = client.query(&statement, &[&now, &i64::from(limit)]).await?;
        rows.iter().map(|row| Ok(waiting(row)?.claim)).collect::<Result<Vec<_>, Error>>()
    };
    match sessions.with(ANSWER, all).await {
        Err(error) if error.is_refusal() => {
            sessions.with(LONG, async |client| each(client, limit, now).await).await
        }
        // Another settlement had the same wallets: the next round settles these.
        Err(error) if error.is_collision() => Ok(Vec::new()),
        answer => answer,
    }
}

async fn each(client: &Client, limit: u32, now: i64) -> Result<Vec<Settled>, Error> {
    let (list, post) = (client.prepare_cached(DUE).await?, client.prepare_cached(POST_ONE).await?);
    let mut settled = Vec::new();
    let mut left = limit;
    while left > 0 {
        let due = client.query(&list, &[&now, &i64::from(left)]).await?;
        if due.is_empty() {
            break;
        }
        let before = settled.len();
        let mut put = 0;
        for row in &due {
            let Parked { claim, attempts } = waiting(row)?;
            let Settled { key, user, .. } = &claim;
            let (packet, tenant, user) = (uuid(key.packet), key.tenant.as_str(), user.as_str());
            let tried = i16::try_from(attempts).unwrap_or(i16::MAX);
            let posted = client.query(&post, &[&now, &1_i64, &packet, &tenant, &user, &tried]).await;
            match posted.map_err(Error::from) {
                Ok(rows) if rows.is_empty() => {}
                Ok(_) => settled.push(claim),
                Err(error) if error.is_refusal() => put += put_off(client, &claim, attempts, now).await?,
                Err(error) => return Err(error),
            }
        }
        if settled.len() == before && put == 0 {
            // All of these are in other hands.
            break;
        }
        left = limit.saturating_sub(settled.len() as u32);
    }
    Ok(settled)
}

/// Puts off a claim that could not be credited; gives whether we were the one who did.
async fn put_off(client: &Client, claim: &Settled, attempts: u32, now: i64) -> Result<u64, Error> {
    const SQL: &str = "UPDATE hongbao.outbox SET attempts = attempts + 1, retry_at_ms = $5, parked = $6
                       WHERE packet = $1 AND tenant = $2 AND user_id = $3 AND attempts = $4 AND NOT parked";
    let after = RETRY_MS.get(attempts as usize);
    let retry_at = now.saturating_add_unsigned(after.copied().unwrap_or_default());
    let tried = i16::try_from(attempts).unwrap_or(i16::MAX);
    let statement = client.prepare_cached(SQL).await?;
    let (packet, tenant, user) = (uuid(claim.key.packet), claim.key.tenant.as_str(), claim.user.as_str());
    Ok(client.execute(&statement, &[&packet, &tenant, &user, &tried, &retry_at, &after.is_none()]).await?)
}

/// What waits, by class.
pub(super) async fn backlog(client: &Client) -> Result<Backlog, Error> {
    const SQL: &str = "SELECT count(*) FILTER (WHERE NOT parked AND priority = 1),
                              min(claimed_at_ms) FILTER (WHERE NOT parked AND priority = 1),
                              count(*) FILTER (WHERE NOT parked AND priority = 0),
                              min(claimed_at_ms) FILTER (WHERE NOT parked AND priority = 0),
                              count(*) FILTER (WHERE parked)
                       FROM hongbao.outbox";
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_one(&statement, &[]).await?;
    let mut columns = Columns::of(&row);
    let mut queue = || {
        let claims = columns.number()?;
        let oldest: Option<i64> = columns.get()?;
        Ok::<_, Error>(Queue { claims, oldest_ms: oldest.map(i64::unsigned_abs) })
    };
    let (large, normal) = (queue()?, queue()?);
    Ok(Backlog { large, normal, parked: columns.number()? })
}

/// Claims that wait for a person, in the order of claiming.
pub(super) async fn parked(client: &Client, limit: u32) -> Result<Vec<Parked>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        waiting_columns!(),
        " FROM hongbao.outbox WHERE parked ORDER BY claimed_at_ms, sequence LIMIT $1"
    );
    let statement = client.prepare_cached(SQL).await?;
    client.query(&statement, &[&i64::from(limit)]).await?.iter().map(waiting).collect()
}

/// Puts every parked claim back in the queue.
pub(super) async fn unpark(client: &Client) -> Result<u64, Error> {
    const SQL: &str = "UPDATE hongbao.outbox SET parked = false, attempts = 0, retry_at_ms = 0 WHERE parked";
    let statement = client.prepare_cached(SQL).await?;
    Ok(client.execute(&statement, &[]).await?)
}
