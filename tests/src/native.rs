//! The plugin's logic without WebAssembly: the same functions, natively, over a host's counter.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt as _;
use hongbao_guest::bindings::hongbao::plugin::counter::{
    self as wit, OpenedSeat, Opening, Seating, Swapped, View,
};
use hongbao_guest::bindings::hongbao::plugin::ledger::{Claimed, Closed, Loaded, Order, Recorded, Share};
use hongbao_guest::bindings::hongbao::plugin::log::Level;
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use hongbao_guest::bindings::hongbao::plugin::types::{self, Claim, Error, Strategy};
use hongbao_guest::{Counter, Host, Ledger};
use hongbao_host::domain::{Audience, PacketId, PacketKey, Policy, TenantId, UserId};
use hongbao_host::store::{self, Lease, StoreError};

/// Imports with a counter and without a ledger: for measuring grab, which needs no more.
pub struct NativeHost {
    counter: NativeCounter,
}

struct NativeCounter {
    inner: Arc<dyn store::Counter>,
    tenant: TenantId,
    lease_ms: u64,
}

struct NoLedger;

impl NativeHost {
    /// Over a counter whose futures are ready at once, such as the one in memory.
    #[must_use]
    pub fn new(counter: Arc<dyn store::Counter>) -> Self {
        let lease_ms = Policy::default().lease_ms;
        Self { counter: NativeCounter { inner: counter, tenant: TenantId::default(), lease_ms } }
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
            default_strategy: Strategy::DoubleAverage,
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
    fn key(&self, id: types::PacketId) -> PacketKey {
        PacketKey { tenant: self.tenant.clone(), packet: PacketId::from_halves(id.high, id.low) }
    }

    fn lease(&self) -> Lease {
        let now_ms = now_ms();
        Lease { now_ms, until_ms: now_ms + self.lease_ms }
    }
}

/// A future that is not ready counts as a store that does not answer.
fn ready<T>(future: impl Future<Output = Result<T, StoreError>>) -> Result<T, Error> {
    future.now_or_never().unwrap_or_else(|| Err(StoreError::Refused("not ready".into()))).map_err(|error| {
        match error {
            StoreError::Overloaded(_) => Error::Busy,
            _ => Error::Unavailable,
        }
    })
}

fn users(names: &[String]) -> Result<Vec<UserId>, Error> {
    let user = |name: &String| UserId::new(name.as_str()).map_err(|error| Error::Other(error.to_string()));
    names.iter().map(user).collect()
}

impl Counter for NativeCounter {
    fn load(&self, id: types::PacketId, names: &[String]) -> Result<Option<View>, Error> {
        let users = users(names)?;
        Ok(ready(self.inner.load(&self.key(id), &users, now_ms()))?.map(view))
    }
    fn swap(&self, id: types::PacketId, version: u64, take: &[String]) -> Result<Swapped, Error> {
        let users = users(take)?;
        Ok(match ready(self.inner.swap(&self.key(id), version, &users, self.lease()))? {
            store::Swapped::Won(slots) => Swapped::Won(slots),
            store::Swapped::Stale(now) => Swapped::Stale(view(now)),
            store::Swapped::Missing => Swapped::Missing,
        })
    }
    fn admit(&self, id: types::PacketId, names: &[String]) -> Result<(), Error> {
        let users = users(names)?;
        ready(self.inner.admit(&self.key(id), &users, self.lease()))
    }
    fn open(&self, _: types::PacketId, _: &Opening) -> Result<(), Error> {
        Err(Error::Unavailable)
    }
    fn seats(&self, _: types::PacketId, _: &[String]) -> Result<Option<Seating>, Error> {
        Err(Error::Unavailable)
    }
    fn confirm(&self, _: types::PacketId, _: &[OpenedSeat]) -> Result<(), Error> {
        Err(Error::Unavailable)
    }
    fn close(&self, _: types::PacketId) -> Result<(), Error> {
        Err(Error::Unavailable)
    }
}

fn view(view: store::View) -> View {
    let holder = |holder: store::Holder| wit::Holder {
        index: holder.index,
        seat: match holder.seat {
            store::Seat::Leased => wit::Seat::Leased,
            store::Seat::Opened(amount) => wit::Seat::Opened(amount.get()),
        },
    };
    View {
        version: view.version,
        slots: view.slots,
        finished: view.finished,
        holders: view.holders.into_iter().map(holder).collect(),
        card: wit::Card { audience: audience(&view.card.audience), expires_at_ms: view.card.expires_at_ms },
    }
}

fn audience(audience: &Audience) -> types::Audience {
    let name = |user: &UserId| user.as_str().to_owned();
    match audience {
        Audience::Everyone => types::Audience::Everyone,
        Audience::EveryoneBut(user) => types::Audience::EveryoneBut(name(user)),
        Audience::Only(users) => types::Audience::Only(users.iter().map(name).collect()),
    }
}

impl Ledger for NoLedger {
    fn record(&self, _: &Order) -> Result<Recorded, Error> {
        Err(Error::Unavailable)
    }
    fn load(&self, _: types::PacketId, _: &[String]) -> Result<Option<Loaded>, Error> {
        Err(Error::Unavailable)
    }
    fn claim(&self, _: types::PacketId, _: u64, _: &[Share]) -> Result<Claimed, Error> {
        Err(Error::Unavailable)
    }
    fn close(&self, _: types::PacketId, _: u64) -> Result<Closed, Error> {
        Err(Error::Unavailable)
    }
    fn claims(&self, _: types::PacketId, _: u32, _: u32) -> Result<Vec<Claim>, Error> {
        Err(Error::Unavailable)
    }
    fn recent(&self, _: &str, _: u32) -> Result<Vec<types::PacketId>, Error> {
        Err(Error::Unavailable)
    }
}
