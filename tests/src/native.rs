//! The plugin's logic without WebAssembly: the same functions, natively, over a host's counter.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use hongbao_guest::bindings::exports::hongbao::plugin::packets::{Grabbed, Task};
use hongbao_guest::bindings::hongbao::plugin::counter::{
    self as wit, Attempt, Group, Seatings, Swapped, Views,
};
use hongbao_guest::bindings::hongbao::plugin::entropy::Draw;
use hongbao_guest::bindings::hongbao::plugin::ledger::{
    ClaimAttempt, Claimed, Order, PacketDetails, Recorded, Share, States,
};
use hongbao_guest::bindings::hongbao::plugin::log::Level;
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use hongbao_guest::bindings::hongbao::plugin::types::Failure;
use hongbao_guest::{Counter, Host, Ledger};
use hongbao_host::domain::{PacketId, PacketKey, Policy, TenantId, UserId};
use hongbao_host::store::{self, Lease, StoreError};

/// Imports with a counter and without a ledger: for measuring grab, which needs no more.
pub struct NativeHost {
    counter: NativeCounter,
}

struct NativeCounter {
    inner: Arc<dyn store::Counter>,
    tenant: TenantId,
    lease_ms: u64,
    /// The packets of the call, and where the users of each end.
    packets: RefCell<Vec<(PacketKey, usize)>>,
    users: RefCell<Vec<UserId>>,
}

struct NoLedger;

impl NativeHost {
    /// Over a counter whose futures are ready at once, such as the one in memory.
    #[must_use]
    pub fn new(counter: Arc<dyn store::Counter>) -> Self {
        let (lease_ms, tenant) = (Policy::default().lease_ms, TenantId::default());
        let (packets, users) = (RefCell::default(), RefCell::default());
        Self { counter: NativeCounter { inner: counter, tenant, lease_ms, packets, users } }
    }

    /// A grab of these users on these packets.
    pub fn grab(&self, taps: Vec<(PacketId, Vec<UserId>)>) -> Vec<Grabbed> {
        let (mut packets, mut users) = (self.counter.packets.borrow_mut(), self.counter.users.borrow_mut());
        packets.clear();
        users.clear();
        let mut tasks = Vec::with_capacity(taps.len());
        for (packet, tapped) in taps {
            tasks.push(Task { users: u32::try_from(tapped.len()).unwrap_or(u32::MAX) });
            users.extend(tapped);
            packets.push((PacketKey { tenant: self.counter.tenant.clone(), packet }, users.len()));
        }
        drop((packets, users));
        hongbao_guest::grab(self, &tasks)
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl Host for NativeHost {
    fn counter(&self) -> &impl Counter {
        &self.counter
    }
    fn ledger(&self) -> &impl Ledger {
        &NoLedger
    }
    fn numbers(&self, _: &[Draw]) -> Vec<u64> {
        Vec::new()
    }
    fn u64s(&self, count: u32) -> Vec<u64> {
        vec![0; count as usize]
    }
    fn now_ms(&self) -> u64 {
        now_ms()
    }
    fn limits(&self) -> Limits {
        let policy = Policy::default();
        Limits {
            currency: policy.currency,
            currency_digits: policy.currency_digits,
            max_shares: policy.max_shares,
            max_share: policy.max_share.get(),
            max_greeting_chars: policy.max_greeting_chars,
            default_strategy: policy.default_strategy.to_string(),
            default_expires_in_ms: policy.default_expires_in_ms,
            max_expires_in_ms: policy.max_expires_in_ms,
            large_from: policy.large_from.get(),
            sender_may_grab: policy.sender_may_grab,
            lease_ms: policy.lease_ms,
        }
    }
    fn log(&self, _level: Level, _message: &str) {}
}

impl NativeCounter {
    fn lease(&self) -> Lease {
        let now_ms = now_ms();
        Lease { now_ms, until_ms: now_ms + self.lease_ms }
    }

    /// A packet's key and its users.
    fn of<T>(&self, packet: u32, act: impl FnOnce(&PacketKey, &[UserId]) -> T) -> Result<T, Failure> {
        let (packets, users) = (self.packets.borrow(), self.users.borrow());
        let place = packet as usize;
        let (key, end) = packets.get(place).ok_or(Failure::NotFound)?;
        let start = place.checked_sub(1).and_then(|before| packets.get(before)).map_or(0, |(_, end)| *end);
        Ok(act(key, users.get(start..*end).unwrap_or_default()))
    }
}

/// A future that is not ready counts as a store that does not answer.
fn ready<T>(future: impl Future<Output = Result<T, StoreError>>) -> Result<T, Failure> {
    future.now_or_never().unwrap_or_else(|| Err(StoreError::Refused("not ready".into()))).map_err(|error| {
        match error {
            StoreError::Overloaded(_) => Failure::Busy,
            _ => Failure::Unavailable,
        }
    })
}

impl Counter for NativeCounter {
    fn load(&self, packets: &[u32]) -> Views {
        let mut views = Views { packets: Vec::with_capacity(packets.len()), seats: Vec::new() };
        for packet in packets {
            let view = self.of(*packet, |key, users| {
                let view = ready(self.inner.load(key, users, now_ms()))?.ok_or(Failure::NotFound)?;
                let first = views.seats.len();
                views.seats.extend(users.iter().map(|user| match view.card.audience.admits(user) {
                    true => wit::Seat::None,
                    false => wit::Seat::NotEligible,
                }));
                for holder in &view.holders {
                    if let Some(seat) = views.seats.get_mut(first + holder.index as usize) {
                        *seat = match holder.seat {
                            store::Seat::Leased => wit::Seat::Leased,
                            store::Seat::Opened(_) => wit::Seat::Opened,
                        };
                    }
                }
                Ok(wit::View {
                    version: view.version,
                    slots: view.slots,
                    finished: view.finished,
                    expires_at_ms: view.card.expires_at_ms,
                })
            });
            views.packets.push(view.and_then(|view| view));
        }
        views
    }
    fn swap(&self, attempts: &[Attempt], users: &[u32]) -> Vec<Result<Swapped, Failure>> {
        let mut rest = users;
        let swap = |attempt: &Attempt| {
            let (own, others) = rest.split_at(attempt.users as usize);
            rest = others;
            let all = self.users.borrow();
            let take: Vec<UserId> = own.iter().filter_map(|user| all.get(*user as usize).cloned()).collect();
            let swapped = self.of(attempt.packet, |key, _| {
                ready(self.inner.swap(key, attempt.version, &take, self.lease()))
            })??;
            Ok(match swapped {
                store::Swapped::Won(_) => Swapped::Won,
                store::Swapped::Stale(_) | store::Swapped::Missing => Swapped::Stale,
            })
        };
        attempts.iter().map(swap).collect()
    }
    fn admit(&self, groups: &[Group], _: &[u32]) -> Vec<Result<(), Failure>> {
        groups.iter().map(|_| Err(Failure::CacheAway)).collect()
    }
    fn seats(&self, packets: &[u32]) -> Seatings {
        Seatings { packets: packets.iter().map(|_| Err(Failure::CacheAway)).collect(), may_open: Vec::new() }
    }
}

impl Ledger for NoLedger {
    fn record(&self, _: &Order) -> Recorded {
        Recorded::Failed(Failure::Unavailable)
    }
    fn load(&self, packets: &[u32]) -> States {
        States { packets: packets.iter().map(|_| Err(Failure::Unavailable)).collect(), users: Vec::new() }
    }
    fn claim(&self, attempts: &[ClaimAttempt], _: &[Share]) -> Vec<Claimed> {
        attempts.iter().map(|_| Claimed::Failed(Failure::Unavailable)).collect()
    }
    fn details(&self, _: u32, _: bool) -> Result<PacketDetails, Failure> {
        Err(Failure::Unavailable)
    }
    fn recent(&self, _: u32) -> Result<Vec<u32>, Failure> {
        Err(Failure::Unavailable)
    }
}
