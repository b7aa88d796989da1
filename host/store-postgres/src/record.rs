//! Sends: gathered, and written by one statement for all of a batch, which is one transaction and one flush.

use tokio::sync::oneshot;

use super::error::Error;
use super::rows::{Columns, audience, stored, uuid};
use super::sessions::{ANSWER, Client, Sessions};
use super::write::packet;
use hongbao_domain::PacketKey;
use hongbao_store::gatherer::{Bounds, Gatherer, Operation};
use hongbao_store::{NewPacket, Receipt, Recorded, StoreError, checks};

/// A send costs more than a claim, so fewer go together: nobody waits long for a batch that is under way.
const BOUNDS: Bounds = Bounds { queue: 4096, batch: 128 };
/// Statements under way at one time: while one waits for its flush, another is carried out.
const WRITERS: usize = 2;
/// How often a batch is tried that another transaction made us undo.
const TRIES: usize = 3;

/// The users of each audience lie one after the other in $12, so many each.
const SQL: &str = "
    SELECT item, recorded.outcome, recorded.packet, recorded.held
      FROM (SELECT *, (sum(of_audience) OVER (ORDER BY item))::bigint AS last_user
              FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                          $8::bigint[], $9::bigint[], $10::text[], $11::bigint[], $13::text[], $14::bigint[],
                          $15::bigint[])
                   WITH ORDINALITY AS item (id, tenant, key, room, sender, strategy, total, shares, max_share,
                                            audience, of_audience, greeting, expires_in_ms, now_ms, item)
             ORDER BY item) AS item
     CROSS JOIN LATERAL hongbao.record_packet(id, tenant, key, room, sender, strategy, total, shares, max_share,
         audience, ($12::text[])[last_user - of_audience + 1 : last_user], greeting, expires_in_ms, now_ms)
           AS recorded";

/// Orders, and who waits for the answer.
struct Sends {
    packets: Vec<NewPacket>,
    now_ms: u64,
    reply: oneshot::Sender<Result<Vec<Result<Recorded, StoreError>>, StoreError>>,
}

impl Operation for Sends {
    fn size(&self) -> usize {
        self.packets.len()
    }
}

/// The writers of packets of this process.
pub(super) struct Records {
    gatherer: Gatherer<Sends>,
}

impl Records {
    pub(super) fn start(sessions: &Sessions) -> Self {
        let sessions = sessions.clone();
        Self {
            gatherer: Gatherer::on_runtime(BOUNDS, WRITERS, move |batch| {
                let sessions = sessions.clone();
                async move { write(&sessions, batch).await }
            }),
        }
    }

    pub(super) async fn record_all(
        &self,
        packets: Vec<NewPacket>,
        now_ms: u64,
    ) -> Vec<Result<Recorded, StoreError>> {
        let count = packets.len();
        let recorded = match count {
            0 => Ok(Vec::new()),
            _ => self.gatherer.ask(|reply| Sends { packets, now_ms, reply }).await,
        };
        StoreError::to_each(recorded, count)
    }
}

/// One order of a batch.
#[derive(Clone, Copy)]
struct Item<'s> {
    place: usize,
    packet: &'s NewPacket,
    now_ms: i64,
    expires_in_ms: i64,
}

async fn write(sessions: &Sessions, batch: Vec<Sends>) {
    let mut answers: Vec<_> = batch.iter().flat_map(|sends| &sends.packets).map(|_| None).collect();
    let of_batch = batch.iter().flat_map(|sends| sends.packets.iter().map(|packet| (packet, sends.now_ms)));
    let mut items = Vec::with_capacity(answers.len());
    for (place, (packet, now_ms)) in of_batch.enumerate() {
        match item(place, packet, now_ms) {
            Ok(item) => items.push(item),
            Err(error) => answer(&mut answers, place, Err(error)),
        }
    }
    // Wallets are locked in the order of their keys, as everywhere, so that hosts do not wait for each other in a
    // circle; what one sender sent stays in its order.
    items.sort_by_key(|item| (&item.packet.order.sender, &item.packet.key.tenant));
    for (item, recorded) in items.iter().zip(write_items(sessions, &items).await) {
        answer(&mut answers, item.place, recorded);
    }
    let mut answers = answers.into_iter();
    for Sends { packets, reply, .. } in batch {
        let missing = || Err(StoreError::Corrupt("a send that was not answered".into()));
        let own = answers.by_ref().take(packets.len()).map(|answer| answer.unwrap_or_else(missing));
        // A caller that went away wants no answer.
        let _ = reply.send(Ok(own.collect()));
    }
}

fn answer<T>(answers: &mut [Option<T>], place: usize, answer: T) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = Some(answer);
    }
}

fn item(place: usize, packet: &NewPacket, now_ms: u64) -> Result<Item<'_>, StoreError> {
    checks::order(&packet.order, now_ms)?;
    Ok(Item { place, packet, now_ms: stored(now_ms)?, expires_in_ms: stored(packet.order.expires_in_ms)? })
}

async fn write_items(sessions: &Sessions, items: &[Item<'_>]) -> Vec<Result<Recorded, StoreError>> {
    match commit(sessions, items).await {
        Ok(recorded) => recorded,
        // An id that is taken, or a rule of the database: it must not cost the others their packets.
        Err(error) if error.is_refusal() && items.len() > 1 => {
            let mut all = Vec::with_capacity(items.len());
            for item in items {
                all.push(alone(sessions, *item).await);
            }
            all
        }
        Err(error) => match items {
            [item] => vec![Err(taken(error, item))],
            _ => StoreError::to_each(Err(error.into()), items.len()),
        },
    }
}

async fn alone(sessions: &Sessions, item: Item<'_>) -> Result<Recorded, StoreError> {
    let recorded = commit(sessions, &[item]).await.map_err(|error| taken(error, &item))?;
    recorded.into_iter().next().unwrap_or_else(|| Err(StoreError::Corrupt("an answer about nothing".into())))
}

/// The sender's key is looked at in the transaction, so the one unique thing left is the id.
fn taken(error: Error, item: &Item<'_>) -> StoreError {
    match error.is_taken() {
        true => StoreError::Refused(format!("the id {} is taken", item.packet.key.packet)),
        false => error.into(),
    }
}

async fn commit(sessions: &Sessions, items: &[Item<'_>]) -> Result<Vec<Result<Recorded, StoreError>>, Error> {
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let mut tries = 1;
    loop {
        match sessions.write(ANSWER, async |client| statement(client, items).await).await {
            Err(error) if error.is_collision() && tries < TRIES => tries += 1,
            answer => return answer,
        }
    }
}

async fn statement(client: &Client, items: &[Item<'_>]) -> Result<Vec<Result<Recorded, StoreError>>, Error> {
    let orders = || items.iter().map(|item| &item.packet.order);
    let keys = || items.iter().map(|item| &item.packet.key);
    let audiences: Vec<_> = orders().map(|order| audience(&order.audience)).collect();
    let ids: Vec<_> = keys().map(|key| uuid(key.packet)).collect();
    let tenants: Vec<_> = keys().map(|key| key.tenant.as_str()).collect();
    let names: Vec<_> = orders().map(|order| order.key.as_str()).collect();
    let rooms: Vec<_> = orders().map(|order| order.room.as_str()).collect();
    let senders: Vec<_> = orders().map(|order| order.sender.as_str()).collect();
    let strategies: Vec<_> = orders().map(|order| order.strategy.as_str()).collect();
    let totals: Vec<_> = orders().map(|order| order.total.as_i64()).collect();
    let shares: Vec<_> = orders().map(|order| i64::from(order.shares)).collect();
    let most: Vec<_> = orders().map(|order| order.max_share.as_i64()).collect();
    let kinds: Vec<_> = audiences.iter().map(|(kind, _)| *kind).collect();
    let counts: Vec<_> = audiences.iter().map(|(_, users)| users.len() as i64).collect();
    let users: Vec<_> = audiences.iter().flat_map(|(_, users)| users.iter().copied()).collect();
    let greetings: Vec<_> = orders().map(|order| order.greeting.as_str()).collect();
    let lives: Vec<_> = items.iter().map(|item| item.expires_in_ms).collect();
    let times: Vec<_> = items.iter().map(|item| item.now_ms).collect();
    let statement = client.prepare_cached(SQL).await?;
    let rows = client
        .query(
            &statement,
            &[
                &ids,
                &tenants,
                &names,
                &rooms,
                &senders,
                &strategies,
                &totals,
                &shares,
                &most,
                &kinds,
                &counts,
                &users,
                &greetings,
                &lives,
                &times,
            ],
        )
        .await?;
    let mut recorded: Vec<_> = items.iter().map(|_| None).collect();
    for row in &rows {
        let mut columns = Columns::of(row);
        let number: usize = columns.number()?;
        let Some(item) = items.get(number.wrapping_sub(1)) else { continue };
        answer(&mut recorded, number.wrapping_sub(1), outcome(client, item, &mut columns).await?);
    }
    let missing = || Err(StoreError::Corrupt("a send that the database did not answer".into()));
    Ok(recorded.into_iter().map(|recorded| recorded.unwrap_or_else(missing)).collect())
}

async fn outcome(
    client: &Client,
    item: &Item<'_>,
    columns: &mut Columns<'_>,
) -> Result<Result<Recorded, StoreError>, Error> {
    let NewPacket { key, order } = item.packet;
    let outcome: &str = columns.get()?;
    Ok(match outcome {
        "recorded" => {
            let expires_at_ms = u64::try_from(item.now_ms).unwrap_or_default() + order.expires_in_ms;
            Ok(Recorded::Recorded(Receipt { id: key.packet, expires_at_ms }))
        }
        "key" => {
            let before = PacketKey { tenant: key.tenant.clone(), packet: columns.id()? };
            match packet(client, &before).await? {
                Some(there) if there.order == *order => {
                    let receipt = Receipt { id: before.packet, expires_at_ms: there.expires_at_ms };
                    Ok(Recorded::Replayed(receipt))
                }
                Some(_) => Ok(Recorded::KeyReused),
                None => Err(StoreError::Corrupt(format!("packet {} is not there", before.packet))),
            }
        }
        _ => {
            let _: Option<uuid::Uuid> = columns.get()?;
            Ok(Recorded::InsufficientFunds(columns.amount()?))
        }
    })
}
