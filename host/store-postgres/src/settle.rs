//! Settlement: claims that wait, credited to wallets in their order by several processes at once.

use tokio::time::timeout;
use tokio_postgres::types::ToSql;

use super::error::Error;
use super::rows::{Columns, stored};
use super::sessions::{ANSWER, Client, LONG, Sessions};
use super::withdrawals;
use hongbao_domain::PacketKey;
use hongbao_store::{Backlog, Parked, Queue, RETRY_MS, Settled};

/// What [`waiting`] reads, in its order.
macro_rules! waiting_columns {
    () => {
        "attempts, tenant, packet, user_id, amount, priority, claimed_at_ms"
    };
}

/// Posts what is due and takes it out of the outbox. Rows that another process is settling are
/// passed over, so processes do not wait for each other. A trigger posts to both accounts, and
/// another refuses that a row leaves the outbox without its movement. Between which places the rows
/// stand is said too: a join that began with the outbox would otherwise read all of it.
macro_rules! post {
    ($of:literal) => {
        concat!(
            "WITH due AS MATERIALIZED (
                 SELECT rank_ms, sequence, ",
            waiting_columns!(),
            " FROM hongbao.outbox WHERE hongbao.are_guarded() AND NOT parked AND ",
            $of,
            " ORDER BY rank_ms, sequence LIMIT $2 FOR UPDATE SKIP LOCKED
             ), posted AS (
                 INSERT INTO hongbao.movements (packet, tenant, kind, user_id, amount, at_ms, place)
                 SELECT packet, tenant, 'settle', user_id, amount, $1, (SELECT hongbao.own_place()) FROM due
             ), gone AS (
                 DELETE FROM hongbao.outbox USING due
                  WHERE outbox.packet = due.packet AND outbox.rank_ms = due.rank_ms
                    AND outbox.sequence = due.sequence AND NOT outbox.parked
                    AND (outbox.rank_ms, outbox.sequence) >=
                        (SELECT rank_ms, sequence FROM due ORDER BY rank_ms, sequence LIMIT 1)
                    AND (outbox.rank_ms, outbox.sequence) <=
                        (SELECT rank_ms, sequence FROM due ORDER BY rank_ms DESC, sequence DESC LIMIT 1)
             )
             SELECT ",
            waiting_columns!(),
            " FROM due ORDER BY rank_ms, sequence"
        )
    };
}

const POST: &str = post!("retry_at_ms <= $1");
const POST_ONE: &str = post!("rank_ms = $3 AND sequence = $4 AND attempts = $5");
const DUE: &str = concat!(
    "SELECT rank_ms, sequence, ",
    waiting_columns!(),
    " FROM hongbao.outbox WHERE NOT parked AND retry_at_ms <= $1 ORDER BY rank_ms, sequence LIMIT $2"
);

fn waiting(columns: &mut Columns<'_>) -> Result<Parked, Error> {
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
    let settled = async |client: &mut Client| {
        let batch = timeout(ANSWER, batch(client, limit, now)).await;
        match batch.unwrap_or(Err(Error::TimedOut(ANSWER.as_millis()))) {
            // On the same session: it tells of the refusal before it lets go of the rows, which another
            // session would then take for rows in other hands.
            Err(error) if error.is_refusal() => each(client, limit, now).await,
            answer => answer,
        }
    };
    match sessions.write(LONG, settled).await {
        // Another settlement had the same wallets: the next round settles these.
        Err(error) if error.is_collision() => Ok(Vec::new()),
        answer => answer,
    }
}

async fn batch(client: &Client, limit: u32, now: i64) -> Result<Vec<Settled>, Error> {
    let statement = client.prepare_cached(POST).await?;
    let rows = client.query(&statement, &[&now, &i64::from(limit)]).await?;
    rows.iter().map(|row| Ok(waiting(&mut Columns::of(row))?.claim)).collect()
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
            let mut columns = Columns::of(row);
            let place = Place { rank_ms: columns.get()?, sequence: columns.get()? };
            let Parked { claim, attempts } = waiting(&mut columns)?;
            let tried = i16::try_from(attempts).unwrap_or(i16::MAX);
            let posted = client.query(&post, &[&now, &1_i64, &place.rank_ms, &place.sequence, &tried]).await;
            match posted.map_err(Error::from) {
                Ok(rows) if rows.is_empty() => {}
                Ok(_) => settled.push(claim),
                Err(error) if error.is_refusal() => put += put_off(client, &place, attempts, now).await?,
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

/// Where a claim stands in the outbox: what it is found by.
struct Place {
    rank_ms: i64,
    sequence: i64,
}

/// Puts off a claim that could not be credited; gives whether we were the one who did.
async fn put_off(client: &Client, place: &Place, attempts: u32, now: i64) -> Result<u64, Error> {
    const SQL: &str = "UPDATE hongbao.outbox SET attempts = attempts + 1, retry_at_ms = $4, parked = $5
                       WHERE rank_ms = $1 AND sequence = $2 AND attempts = $3 AND NOT parked";
    let after = RETRY_MS.get(attempts as usize);
    let retry_at = now.saturating_add_unsigned(after.copied().unwrap_or_default());
    let tried = i16::try_from(attempts).unwrap_or(i16::MAX);
    let statement = client.prepare_cached(SQL).await?;
    let params: [&(dyn ToSql + Sync); 5] =
        [&place.rank_ms, &place.sequence, &tried, &retry_at, &after.is_none()];
    Ok(client.execute(&statement, &params).await?)
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
    Ok(Backlog { large, normal, parked: columns.number()?, held: withdrawals::all_held(client).await? })
}

/// Claims that wait for a person, in the order of claiming.
pub(super) async fn parked(client: &Client, limit: u32) -> Result<Vec<Parked>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        waiting_columns!(),
        " FROM hongbao.outbox WHERE parked ORDER BY claimed_at_ms, sequence LIMIT $1"
    );
    let statement = client.prepare_cached(SQL).await?;
    let rows = client.query(&statement, &[&i64::from(limit)]).await?;
    rows.iter().map(|row| waiting(&mut Columns::of(row))).collect()
}

/// Puts every parked claim back in the queue.
pub(super) async fn unpark(client: &Client) -> Result<u64, Error> {
    const SQL: &str = "UPDATE hongbao.outbox SET parked = false, attempts = 0, retry_at_ms = 0 WHERE parked";
    let statement = client.prepare_cached(SQL).await?;
    Ok(client.execute(&statement, &[]).await?)
}
