//! Ledgers against the ledger in memory.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use hongbao_host::domain::{
    Amount, Audience, Name, Order, PacketId, PacketKey, Priority, Reference, Share, Strategy, TenantId,
    UserId, WithdrawalId,
};
use hongbao_host::store::Ledger;
use hongbao_host::store::memory::MemoryLedger;
use hongbao_host::store::prelude::*;
use hongbao_host::store::sqlite::SqliteLedger;
use hongbao_host::store::{Due, End, NewWithdrawal, StoreError};
use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};

use super::history::{NOWHERE, Op, PURSE, ROOMS, TENANTS, Take, Version, Wanted, Who, Wish, history};
use super::{START, USERS, amount, check, tenant, user, users};

/// A call, with everything decided.
#[derive(Clone, Debug)]
enum Call {
    Fund(TenantId, UserId, Amount, Option<Name>),
    Withdraw(TenantId, NewWithdrawal),
    End(TenantId, UserId, WithdrawalId, End),
    Record(TenantId, PacketId, Order),
    Claim(PacketKey, u64, Vec<Share>),
    Close(PacketKey, u64),
    Settle(u32),
}

fn order(wish: &Wish) -> Order {
    let name = |text: String| Name::new(text).expect("a good name");
    let only = |indexes: &[usize]| Audience::Only(indexes.iter().map(|index| user(*index)).collect());
    Order {
        key: name(format!("key {}", wish.key)),
        room: room(wish.room),
        sender: user(wish.sender),
        strategy: Strategy::DOUBLE_AVERAGE,
        total: amount(wish.total),
        shares: wish.shares,
        max_share: amount(wish.total),
        audience: match &wish.audience {
            Who::Everyone => Audience::Everyone,
            Who::NotTheSender => Audience::EveryoneBut(user(wish.sender)),
            Who::Only(indexes) => only(indexes),
        },
        greeting: String::new(),
        expires_in_ms: wish.life_ms,
    }
}

fn room(number: usize) -> Name {
    Name::new(format!("room {number}")).expect("a good name")
}

/// The oracle and the ledger under test, side by side.
struct Run {
    oracle: MemoryLedger,
    tested: Arc<dyn Ledger>,
    /// The packets that were recorded.
    orders: Vec<(PacketKey, Order)>,
    /// The withdrawals that were written.
    withdrawals: Vec<(TenantId, UserId, WithdrawalId)>,
    /// How many ids were made. No two are the same.
    ids: u128,
    now_ms: u64,
}

impl Run {
    /// What the operation comes to; None where it is no call.
    async fn decide(&mut self, op: Op) -> Option<Call> {
        match op {
            Op::Fund { tenant: number, user: index, minor, key } => {
                let key = key.map(|key| Name::new(format!("key {key}")).expect("a good name"));
                Some(Call::Fund(tenant(number), user(index), amount(minor), key))
            }
            Op::Withdraw { tenant: number, user: index, minor, key } => {
                self.ids += 1;
                let new = NewWithdrawal {
                    id: WithdrawalId::new(self.now_ms, self.ids),
                    user: user(index),
                    key: Name::new(format!("key {key}")).expect("a good name"),
                    amount: amount(minor),
                    reference: Reference::default(),
                };
                Some(Call::Withdraw(tenant(number), new))
            }
            Op::End { withdrawal, user: index, complete } => {
                let place = withdrawal.checked_rem(self.withdrawals.len())?;
                let (tenant, own, id) = self.withdrawals.get(place)?.clone();
                let user = if index < USERS.len() { user(index) } else { own };
                Some(Call::End(tenant, user, id, if complete { End::Complete } else { End::Cancel }))
            }
            Op::Record { tenant: number, wish } => {
                Some(Call::Record(tenant(number), self.new_id(), order(&wish)))
            }
            Op::RecordAgain { packet } => {
                let (key, order) = self.order(packet)?.clone();
                Some(Call::Record(key.tenant, self.new_id(), order))
            }
            Op::Claim { packet, version, shares } => {
                let key = self.packet(packet);
                let version = self.version(&key, version).await;
                let shares = self.shares(&key, &shares).await;
                Some(Call::Claim(key, version, shares))
            }
            Op::Close { packet, version } => {
                let key = self.packet(packet);
                let version = self.version(&key, version).await;
                Some(Call::Close(key, version))
            }
            Op::Settle { limit } => Some(Call::Settle(limit)),
            Op::Advance { ms } => {
                self.now_ms += ms;
                None
            }
        }
    }

    fn order(&self, packet: usize) -> Option<&(PacketKey, Order)> {
        self.orders.get(packet.checked_rem(self.orders.len())?)
    }

    /// The packet of this index; one that never was where there is none yet.
    fn packet(&mut self, index: usize) -> PacketKey {
        match self.order(index) {
            Some((key, _)) if index != NOWHERE => key.clone(),
            _ => PacketKey { tenant: tenant(0), packet: self.new_id() },
        }
    }

    fn new_id(&mut self) -> PacketId {
        self.ids += 1;
        PacketId::new(self.now_ms, self.ids)
    }

    async fn version(&self, key: &PacketKey, version: Version) -> u64 {
        let loaded = self.oracle.load(key, &[]).await.expect("the oracle answers");
        let present = loaded.map_or(1, |loaded| loaded.packet.version);
        match version {
            Version::Present => present,
            Version::Behind(by) => present.saturating_sub(by),
            Version::Ahead(by) => present + by,
        }
    }

    async fn shares(&self, key: &PacketKey, wanted: &[Wanted]) -> Vec<Share> {
        let loaded = self.oracle.load(key, &[]).await.expect("the oracle answers");
        let packet = loaded.map(|loaded| loaded.packet);
        let mut rest = packet.as_ref().map_or(10, |packet| packet.remaining().get());
        let left = packet.map_or(3, |packet| packet.order.shares - packet.claimed_shares);
        let others = (0..left).rev().chain(std::iter::repeat(0));
        let share = |(wanted, others): (&Wanted, u32)| {
            let minor = taken(wanted.take, rest, u64::from(others));
            rest = rest.saturating_sub(minor);
            let priority = if wanted.large { Priority::Large } else { Priority::Normal };
            Share { user: user(wanted.user), amount: amount(minor), priority }
        };
        wanted.iter().zip(others).map(share).collect()
    }

    /// Everything that can be read of a ledger.
    async fn reading(&self, ledger: &dyn Ledger) -> Vec<String> {
        let mut lines = Vec::new();
        for tenant in (0..TENANTS).map(tenant) {
            lines.push(said("due", ledger.due(Some(&tenant), self.now_ms, None, u32::MAX).await));
            lines.push(said("audit", ledger.audit(&tenant).await));
            let found = ledger.verify(&tenant).await.map(|found| {
                let told = found.into_iter().map(|one| (one.subject, one.rule, one.expected, one.found));
                sorted(told.collect())
            });
            lines.push(said("verify", found));
            lines.push(said("held", ledger.held(&tenant, None, u32::MAX).await));
            lines.push(said("open", ledger.open_packets(&tenant, None, u32::MAX).await));
            for room in (0..ROOMS).map(room) {
                lines.push(said("recent", ledger.recent(&tenant, &room, None, u32::MAX).await));
                lines.push(said("packets", ledger.recent_packets(&tenant, &room, None, 3).await));
            }
            for user in users() {
                lines.push(said("balance", ledger.balance(&tenant, &user).await));
                lines.extend(looking_back(ledger, &tenant, &user).await);
            }
        }
        lines.push(said("due of all", ledger.due(None, self.now_ms, None, u32::MAX).await));
        lines.push(said("backlog", ledger.backlog().await));
        lines.push(said("parked", ledger.parked(u32::MAX).await));
        for (key, order) in &self.orders {
            let cursor = Due { expires_at_ms: self.now_ms, key: key.clone() };
            let older = ledger.recent(&key.tenant, &order.room, Some(key.packet), 2).await;
            lines.push(said("recent before it", older));
            let sent = ledger.sent(&key.tenant, &order.sender, Some(key.packet), 2).await;
            lines.push(said("sent before it", sent));
            lines.push(said("due after it", ledger.due(None, u64::MAX, Some(cursor), 2).await));
            lines.push(said("packet", ledger.load(key, &users()).await));
            lines.push(said("claims", ledger.claims(key, 0, u32::MAX).await));
        }
        lines
    }

    /// Does the same to both, which must answer the same.
    async fn call(&mut self, call: Call) -> Result<(), TestCaseError> {
        let expected = act(&self.oracle, call.clone(), self.now_ms).await;
        let found = act(self.tested.as_ref(), call.clone(), self.now_ms).await;
        prop_assert_eq!(found, expected, "the answer to {:?}", call);
        if let Call::Withdraw(tenant, NewWithdrawal { user, id, .. }) = &call {
            let written = self.oracle.withdrawal(tenant, user, *id).await.expect("the oracle answers");
            self.withdrawals.extend(written.map(|_| (tenant.clone(), user.clone(), *id)));
        }
        if let Call::Record(tenant, packet, order) = call {
            let key = PacketKey { tenant, packet };
            let loaded = self.oracle.load(&key, &[]).await.expect("the oracle answers");
            self.orders.extend(loaded.map(|_| (key, order)));
        }
        Ok(())
    }

    /// Both must read the same, and no cent may have been made or lost.
    async fn agrees(&self) -> Result<(), TestCaseError> {
        let expected = self.reading(&self.oracle).await;
        let found = self.reading(self.tested.as_ref()).await;
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert_eq!(found, expected);
        }
        for tenant in (0..TENANTS).map(tenant) {
            let audit = self.tested.audit(&tenant).await.expect("audit answers");
            prop_assert!(audit.is_conserved(), "the books of {} are conserved: {:?}", tenant, audit);
            let expected = told(&self.oracle, &tenant).await;
            let mut found = told(self.tested.as_ref(), &tenant).await;
            // A server has transactions of its own, which have to end first.
            for _ in 0..500 {
                if found.len() == expected.len() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
                found = told(self.tested.as_ref(), &tenant).await;
            }
            prop_assert_eq!(found, expected, "what is told of {}", tenant);
        }
        Ok(())
    }

    async fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        if let Some(call) = self.decide(op).await {
            self.call(call).await?;
        }
        self.agrees().await
    }

    /// Fills every wallet.
    async fn begin(&mut self) -> Result<(), TestCaseError> {
        for tenant in (0..TENANTS).map(tenant) {
            for user in users() {
                self.call(Call::Fund(tenant.clone(), user, amount(PURSE), None)).await?;
            }
        }
        Ok(())
    }
}

/// What a share comes to, of `rest` and with so many shares to be left to others.
fn taken(take: Take, rest: u64, others: u64) -> u64 {
    match take {
        Take::Minor(minor) => minor,
        Take::Part(_) if others == 0 => rest,
        Take::Part(part) => {
            let most = u128::from(rest.saturating_sub(others));
            let minor = (most * u128::from(part) / 255).max(1);
            u64::try_from(minor).unwrap_or(u64::MAX)
        }
    }
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

/// An answer in words. Of errors the code counts: their texts are each backend's own.
fn said<T: Debug>(what: &str, answer: Result<T, StoreError>) -> String {
    format!("{what}: {:?}", answer.map_err(|error| error.code()))
}

/// What happened to a tenant's money. Of what is settled in one batch the order is each backend's own.
async fn told(ledger: &dyn Ledger, tenant: &TenantId) -> Vec<String> {
    let told =
        ledger.money_events(tenant, None, u32::MAX).await.expect("events answer").expect("all is told");
    let (settled, others): (Vec<_>, Vec<_>) = told
        .into_iter()
        .map(|event| (event.what.name() == "share.settled", format!("{} {:?}", event.at_ms, event.what)))
        .partition(|(is_settled, _)| *is_settled);
    let words = |told: Vec<(bool, String)>| told.into_iter().map(|(_, words)| words);
    words(others).chain(sorted(words(settled).collect())).collect()
}

/// What a user looks back on. Places in the books are each backend's own, and of what is settled in one
/// batch a wallet's order is too.
async fn looking_back(ledger: &dyn Ledger, tenant: &TenantId, user: &UserId) -> Vec<String> {
    let statement = ledger.statement(tenant, user, None, u32::MAX).await.map(|entries| {
        let told = entries
            .into_iter()
            .map(|entry| (entry.at_ms, entry.kind.name(), entry.packet, entry.withdrawal, entry.amount));
        sorted(told.collect())
    });
    let received = ledger.received(tenant, user, None, u32::MAX).await;
    let after = received.as_ref().ok().and_then(|all| all.get(1)).map(|second| second.place());
    vec![
        said("withdrawals", ledger.withdrawals(tenant, user, None, u32::MAX).await),
        said("sent", ledger.sent(tenant, user, None, u32::MAX).await),
        said("received", received),
        said("received before it", ledger.received(tenant, user, after, 2).await),
        said("statement", statement),
    ]
}

async fn act(ledger: &dyn Ledger, call: Call, now_ms: u64) -> String {
    match call {
        Call::Fund(tenant, user, amount, key) => {
            said("fund", ledger.fund(&tenant, &user, amount, key.as_ref(), now_ms).await)
        }
        Call::Withdraw(tenant, new) => said("withdraw", ledger.withdraw(&tenant, new, now_ms).await),
        Call::End(tenant, user, id, end) => {
            said("end", ledger.end_withdrawal(&tenant, &user, id, end, now_ms).await)
        }
        Call::Record(tenant, id, order) => said("record", ledger.record(&tenant, id, order, now_ms).await),
        Call::Claim(key, version, shares) => said("claim", ledger.claim(&key, version, shares, now_ms).await),
        Call::Close(key, version) => said("close", ledger.close(&key, version, now_ms).await),
        Call::Settle(limit) => said("settle", ledger.settle(limit, now_ms).await),
    }
}

/// Holds a ledger against the oracle. `fresh` makes an empty one, and what lives as long.
fn agrees_with_the_oracle<K>(histories: u32, fresh: impl AsyncFn() -> (Arc<dyn Ledger>, K)) {
    check(histories, history(), async |ops| {
        let (tested, _kept) = fresh().await;
        let mut run = Run {
            oracle: MemoryLedger::new(),
            tested,
            orders: Vec::new(),
            withdrawals: Vec::new(),
            ids: 0,
            now_ms: START,
        };
        run.begin().await?;
        for op in ops {
            run.step(op).await?;
        }
        Ok(())
    });
}

/// The oracle is one more ledger: against itself it shows that its books are always conserved.
#[test]
fn the_memory_ledger_conserves_every_cent() {
    agrees_with_the_oracle(200, async || (Arc::new(MemoryLedger::new()) as _, ()));
}

#[test]
fn the_sqlite_ledger_does_what_the_memory_ledger_does() {
    agrees_with_the_oracle(24, async || {
        let directory = tempfile::tempdir().expect("a directory for the ledger");
        let ledger = SqliteLedger::open(directory.path()).expect("the ledger opens");
        (Arc::new(ledger) as _, directory)
    });
}

#[cfg(feature = "servers")]
#[test]
fn the_postgres_ledger_does_what_the_memory_ledger_does() {
    use hongbao_host::store::postgres::PostgresLedger;
    use hongbao_tests::servers::Postgres;

    let server = Postgres::start_with(&["-c", "fsync=off"]);
    agrees_with_the_oracle(12, async || {
        let url = server.fresh_database();
        PostgresLedger::migrate(&url).await.expect("an empty database can be migrated");
        let ledger = PostgresLedger::open(&url).await.expect("what was migrated opens");
        (Arc::new(ledger) as _, ())
    });
}
