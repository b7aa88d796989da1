//! Counters against the model.

use std::collections::BTreeMap;
use std::sync::Arc;

use hongbao_host::domain::{Audience, PacketId, PacketKey};
use hongbao_host::store::memory::MemoryCounter;
use hongbao_host::store::{
    Card, Counter, CounterState, Lease, OpenedSeat, Opening, Seating, StoreError, Swapped, View,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::model::{Model, claimed};
use super::{START, USERS, check, tenant, user, users};

/// How many packets a history is about. The last is the first one's id at another tenant.
const PACKETS: usize = 3;

/// How long a seat lasts that is not opened, in milliseconds.
const LEASE: u64 = 20;

/// A packet is an index, and so is a user.
#[derive(Clone, Debug)]
enum Op {
    Open {
        packet: usize,
        shares: u32,
        claims: usize,
        lenient_ms: u64,
        keep_ms: u64,
    },
    Swap {
        packet: usize,
        versions_behind: u64,
        take: Vec<usize>,
    },
    Admit {
        packet: usize,
        users: Vec<usize>,
    },
    Confirm {
        packet: usize,
        users: Vec<usize>,
    },
    Close {
        packet: usize,
    },
    Forget {
        packet: usize,
    },
    Sweep,
    Clear,
    /// Time goes on, and nobody looks.
    Advance {
        ms: u64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let packet = || prop_oneof![4 => Just(0), 1 => 1..PACKETS];
    let some = || vec(0..USERS.len(), 0..4);
    let opening = (packet(), 1..7_u32, 0..4_usize, 0..2 * LEASE, LEASE..20 * LEASE);
    let behind = prop_oneof![6 => Just(0), 1 => 1..3_u64];
    prop_oneof![
        16 => opening.prop_map(|(packet, shares, claims, lenient_ms, keep_ms)| {
            Op::Open { packet, shares, claims, lenient_ms, keep_ms }
        }),
        24 => (packet(), behind, some())
            .prop_map(|(packet, versions_behind, take)| Op::Swap { packet, versions_behind, take }),
        8 => (packet(), some()).prop_map(|(packet, users)| Op::Admit { packet, users }),
        8 => (packet(), some()).prop_map(|(packet, users)| Op::Confirm { packet, users }),
        1 => packet().prop_map(|packet| Op::Close { packet }),
        1 => packet().prop_map(|packet| Op::Forget { packet }),
        1 => Just(Op::Clear),
        4 => Just(Op::Sweep),
        16 => (1..3 * LEASE / 2).prop_map(|ms| Op::Advance { ms }),
    ]
}

/// A counter and what it should be.
struct Run {
    counter: Arc<dyn Counter>,
    models: BTreeMap<usize, Model>,
    /// Versions and slots as last seen: no version goes back, nor stands still when slots move.
    seen: BTreeMap<usize, (u64, u32)>,
    now_ms: u64,
}

fn key(packet: usize) -> PacketKey {
    let tenant = tenant(packet / (PACKETS - 1));
    PacketKey { tenant, packet: PacketId::new(START, (packet % (PACKETS - 1)) as u128) }
}

fn card(packet: usize) -> Card {
    Card { audience: Audience::EveryoneBut(user(packet)), expires_at_ms: START + packet as u64 }
}

fn seats(users: &[usize]) -> Vec<OpenedSeat> {
    users.iter().map(|index| OpenedSeat { user: user(*index), amount: claimed(*index) }).collect()
}

impl Run {
    fn lease(&self) -> Lease {
        Lease { now_ms: self.now_ms, until_ms: self.now_ms + LEASE }
    }

    /// Ends what has ended by now, in the models.
    fn catch_up(&mut self) {
        let (now_ms, seen) = (self.now_ms, &mut self.seen);
        self.models.retain(|packet, model| {
            model.advance(now_ms);
            let kept = now_ms < model.keep_until_ms;
            if !kept {
                seen.remove(packet);
            }
            kept
        });
    }

    async fn apply(&mut self, op: Op) -> Result<(), TestCaseError> {
        self.catch_up();
        let acted = match op {
            Op::Advance { ms } => {
                self.now_ms += ms;
                return Ok(());
            }
            Op::Swap { packet, versions_behind, take } => {
                return self.swap(packet, versions_behind, &take).await;
            }
            Op::Open { packet, shares, claims, lenient_ms, keep_ms } => {
                self.open(packet, shares, claims, lenient_ms, keep_ms).await
            }
            Op::Admit { packet, users } => self.admit(packet, &users).await,
            Op::Confirm { packet, users } => self.confirm(packet, &users).await,
            Op::Close { packet } => self.close(packet).await,
            Op::Forget { packet } => self.forget(packet).await,
            Op::Sweep => self.counter.sweep(self.now_ms).await.map(drop),
            Op::Clear => self.clear().await,
        };
        acted.map_err(failed)
    }

    async fn open(
        &mut self,
        packet: usize,
        shares: u32,
        claims: usize,
        lenient_ms: u64,
        keep_ms: u64,
    ) -> Result<(), StoreError> {
        let opened: Vec<usize> = (0..claims.min(shares as usize)).collect();
        let (lenient_until_ms, keep_until_ms) = (self.now_ms + lenient_ms, self.now_ms + keep_ms);
        let model = Model::new(shares, &opened, lenient_until_ms, keep_until_ms);
        self.models.entry(packet).or_insert(model);
        let opened = seats(&opened);
        let opening = Opening { card: card(packet), shares, opened, lenient_until_ms, keep_until_ms };
        self.counter.open(&key(packet), opening, self.now_ms).await
    }

    async fn admit(&mut self, packet: usize, indexes: &[usize]) -> Result<(), StoreError> {
        let lease = self.lease();
        if let Some(model) = self.models.get_mut(&packet) {
            model.admit(indexes, lease.until_ms);
        }
        let users: Vec<_> = indexes.iter().map(|index| user(*index)).collect();
        self.counter.admit(&key(packet), &users, lease).await
    }

    async fn confirm(&mut self, packet: usize, indexes: &[usize]) -> Result<(), StoreError> {
        if let Some(model) = self.models.get_mut(&packet) {
            model.confirm(indexes);
        }
        self.counter.confirm(&key(packet), &seats(indexes), self.now_ms).await
    }

    async fn close(&mut self, packet: usize) -> Result<(), StoreError> {
        if let Some(model) = self.models.get_mut(&packet) {
            model.closed = true;
        }
        self.counter.close(&key(packet), self.now_ms).await
    }

    async fn forget(&mut self, packet: usize) -> Result<(), StoreError> {
        self.models.remove(&packet);
        self.seen.remove(&packet);
        self.counter.forget(&key(packet)).await
    }

    async fn clear(&mut self) -> Result<(), StoreError> {
        self.models.clear();
        self.seen.clear();
        self.counter.clear().await
    }

    async fn view(&self, packet: usize) -> Result<Option<View>, TestCaseError> {
        self.counter.load(&key(packet), &users(), self.now_ms).await.map_err(failed)
    }

    async fn swap(&mut self, packet: usize, behind: u64, indexes: &[usize]) -> Result<(), TestCaseError> {
        let version = self.view(packet).await?.map(|view| view.version).unwrap_or_default();
        let (lease, take) = (self.lease(), indexes.iter().map(|index| user(*index)).collect::<Vec<_>>());
        let asked = version.saturating_sub(behind);
        let swapped = self.counter.swap(&key(packet), asked, &take, lease).await.map_err(failed)?;
        let now = self.counter.load(&key(packet), &take, self.now_ms).await.map_err(failed)?;
        let wins = match self.models.get_mut(&packet) {
            Some(model) => asked == version && model.take(indexes, lease.until_ms),
            None => false,
        };
        let expected = match now {
            None => Swapped::Missing,
            Some(view) if wins => Swapped::Won(view.slots),
            Some(view) => Swapped::Stale(view),
        };
        prop_assert_eq!(swapped, expected);
        Ok(())
    }

    /// Reads everything, and finds it as in the models.
    async fn agrees(&mut self) -> Result<(), TestCaseError> {
        self.catch_up();
        for packet in 0..PACKETS {
            let view = self.view(packet).await?;
            let seating = self.counter.seats(&key(packet), &users(), self.now_ms).await.map_err(failed)?;
            let state = self.counter.state(&key(packet), self.now_ms).await.map_err(failed)?;
            let model = self.models.get(&packet);
            let version = view.as_ref().map(|view| view.version).unwrap_or_default();
            prop_assert_eq!(view, model.map(|model| expected_view(packet, model, version)));
            prop_assert_eq!(seating, model.map(|model| expected_seating(model, self.now_ms)));
            prop_assert_eq!(state, model.map(expected_state));
            self.rises(packet, version)?;
        }
        Ok(())
    }

    /// The version is not below the last one, and above it where the slots are others.
    fn rises(&mut self, packet: usize, version: u64) -> Result<(), TestCaseError> {
        let Some(model) = self.models.get(&packet) else { return Ok(()) };
        let slots = model.slots();
        if let Some((last_version, last_slots)) = self.seen.insert(packet, (version, slots)) {
            let least = last_version + u64::from(slots != last_slots);
            prop_assert!(version >= least, "version {version} of packet {packet}, at least {least}");
        }
        Ok(())
    }
}

fn expected_view(packet: usize, model: &Model, version: u64) -> View {
    View {
        version,
        slots: model.slots(),
        finished: model.opened() >= model.shares,
        holders: model.holders(),
        card: Arc::new(card(packet)),
    }
}

fn expected_seating(model: &Model, now_ms: u64) -> Seating {
    Seating { holders: model.holders(), lenient: now_ms < model.lenient_until_ms }
}

fn expected_state(model: &Model) -> CounterState {
    let (slots, leased) = (model.slots(), model.leased());
    CounterState { slots, leased, opened: seats(&model.openers()), closed: model.closed }
}

fn failed(error: StoreError) -> TestCaseError {
    TestCaseError::fail(format!("the counter failed: {error}"))
}

/// Holds a counter against the model. `fresh` makes an empty one, and what lives as long.
fn agrees_with_the_model<K>(histories: u32, fresh: impl AsyncFn() -> (Arc<dyn Counter>, K)) {
    check(histories, vec(op(), 1..50), async |ops| {
        let (counter, _kept) = fresh().await;
        let mut run = Run { counter, models: BTreeMap::new(), seen: BTreeMap::new(), now_ms: START };
        for op in ops {
            let looks = !matches!(op, Op::Advance { .. });
            run.apply(op).await?;
            if looks {
                run.agrees().await?;
            }
        }
        run.agrees().await
    });
}

#[test]
fn the_memory_counter_does_what_the_model_does() {
    agrees_with_the_model(1000, async || (Arc::new(MemoryCounter::new()) as _, ()));
}

#[cfg(feature = "servers")]
#[test]
fn the_redis_counter_does_what_the_model_does() {
    use std::sync::atomic::{AtomicU32, Ordering};

    use hongbao_host::store::redis::RedisCounter;

    let server = hongbao_tests::servers::Redis::start();
    let number = AtomicU32::new(0);
    agrees_with_the_model(100, async || {
        let number = number.fetch_add(1, Ordering::Relaxed);
        let url = format!("{}?namespace=history-{number}", server.url());
        (Arc::new(RedisCounter::connect(&url).await.expect("a server of ours")) as _, ())
    });
}
