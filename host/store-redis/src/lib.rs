//! Counters and events that many hosts share: a Redis server, one found by sentinels, or a cluster.
//! Of events more is said at [`RedisEvents`].
//!
//! **The data** of a packet is two keys, written down in `codec.rs`: a hash with everything that
//! reading needs, so that a load is one `HMGET`, and a sorted set of leases by their end, which is
//! touched only when leases begin and end. The hash remembers the earliest end, so a reader knows
//! without looking that nothing has ended.
//!
//! **An operation is one script** on the server (`scripts/*.lua`): reading the version, refusing
//! who is seated already, taking slots and writing leases down happen at once or not at all. A
//! script is called by its digest; a server that does not know it, because it was restarted or is
//! another since a fail-over, is sent the code and knows it from then on.
//!
//! **Time is the caller's.** Leases end and counters are forgotten by the time that comes with a
//! call. The server's own clock only frees the memory of what nobody asks about any more: every
//! key has a time to live, an hour longer than the counter is kept.
//!
//! **A server that refuses writes** (its memory is full, its disk fails, it is a replica by now, its user may
//! not) is worse than one that is away, since it goes on answering. `health.rs` says how that is noticed,
//! told and left; `promises.rs`, what becomes of users who were told meanwhile that they may open.
//!
//! **Counters are of one history of the ledger** (see [`History`]), whose name is in their keys. Where a standby
//! was promoted that was behind, or a backup restored, none of what was counted before is found.
//!
//! **All of it may be lost** by a restart, an eviction or a fail-over. A counter that is missing is
//! built again from the ledger, and one whose leases alone were evicted counts as missing. Where
//! memory is short, `maxmemory-policy volatile-ttl` lets the oldest packets go first; a policy that
//! refuses writes instead is warned of.
//!
//! | URL | is |
//! |---|---|
//! | `redis://[user:password@]host[:port][/database]` | one server |
//! | `redis+sentinel://[user:password@]host[:port],…/master[/database]` | whichever server the sentinels call `master` |
//! | `redis+cluster://[user:password@]host[:port],…` | a cluster, of which these nodes are known |
//!
//! Each of them with `rediss` instead of `redis` is by TLS: to every server, those included that sentinels
//! and a cluster name, and to the sentinels. Certificates are verified with the name that is connected to.
//!
//! | parameter | is |
//! |---|---|
//! | `namespace` | what keys begin with, instead of `hongbao`: for hosts that share a server and nothing else |
//! | `sentinel_username`, `sentinel_password` | the login of the sentinels, where they have one |
//! | `cacert` | a file of certificates to trust, instead of the system's |
//! | `cert`, `key` | files of a client certificate (with those that lead to its authority) and its key |
//!
//! Files are in PEM form. What is special in a password or a path is percent-encoded.

#![warn(missing_docs)]

mod codec;
mod connect;
mod diagnosis;
mod error;
mod events;
mod fault;
mod health;
mod link;
mod listeners;
mod news;
mod promises;
mod scan;
mod scripts;
mod server;
mod shared;
mod slots;
mod tls;
mod tls_fault;
mod url;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use redis::{Cmd, Value};
use tokio::task::JoinSet;

pub use self::error::OpenError;
pub use self::events::RedisEvents;

use self::codec::field;
use self::health::{COUNTER, Health};
use self::link::Link;
use self::scripts::Script;
use self::shared::{Answer, Shared};
use self::url::Address;
use hongbao_domain::{PacketKey, UserId};
use hongbao_store::{
    Confirmation, Counter, CounterState, History, Lease, Lookup, Opening, Report, Seating, StoreError, Swap,
    Swapped, View,
};

/// Whether a URL can be used at all. Connects to nobody.
///
/// # Errors
/// What is wrong with it; see [`OpenError::Url`].
pub fn check_url(url: &str) -> Result<(), OpenError> {
    Address::parse(url).map(drop)
}

/// The oldest server whose scripts and commands are those we use.
const OLDEST: &str = "6.0";
/// Users of one call. Lua cannot pass on many more at once.
const USERS: usize = 2000;

/// Counters in Redis.
pub struct RedisCounter {
    shared: Arc<Shared>,
    /// Looks after the server until this is dropped.
    _watch: JoinSet<()>,
}

impl RedisCounter {
    /// Connects, and tries out once that everything is allowed that a counter needs.
    ///
    /// The module's documentation says which URLs there are.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        let (address, health) = Self::begin(url)?;
        let name = address.place.name();
        let failed = |failure| OpenError::new(&name, failure);
        let probe = address.probe();
        let link = Link::new(address.place, probe, Arc::clone(&health)).await.map_err(failed)?;
        let shared = Shared::new(link, address.namespace, health);
        shared.rehearse().await.map_err(failed)?;
        Ok(Self::start(shared))
    }

    /// The same where the process must start without its cache: with a server that is away, or that
    /// refuses writes, every call is unavailable until it is well, which needs nobody.
    ///
    /// # Errors
    /// What can only be a mistake: see [`OpenError`]. Found only when the server answers at last, it is
    /// told in the log and by [`Counter::check`].
    pub async fn join(url: &str) -> Result<Self, OpenError> {
        let (address, health) = Self::begin(url)?;
        let name = address.place.name();
        let failed = |failure| OpenError::new(&name, failure);
        let probe = address.probe();
        let link = Link::join(address.place, probe, Arc::clone(&health)).await.map_err(failed)?;
        let shared = Shared::new(link, address.namespace, health);
        if !shared.health.is_ill() {
            match shared.rehearse().await {
                Err(failure) if failure.fault().is_some_and(|fault| fault.is_mistake()) => {
                    return Err(failed(failure));
                }
                // Otherwise the probe finds out when it is over.
                Err(failure) => shared.health.probed(0, Err(&failure)),
                Ok(()) => {}
            }
        }
        Ok(Self::start(shared))
    }

    fn begin(url: &str) -> Result<(Address, Arc<Health>), OpenError> {
        let address = Address::parse(url)?;
        let health = Arc::new(Health::new(COUNTER, address.place.name()));
        Ok((address, health))
    }

    fn start(shared: Shared) -> Self {
        let (shared, mut watch) = (Arc::new(shared), JoinSet::new());
        watch.spawn(Arc::clone(&shared).watch());
        Self { shared, _watch: watch }
    }

    /// Asks about packets and users, as far as one script can be about so many users.
    async fn ask_all(
        &self,
        script: &Script,
        lookups: &[Lookup<'_>],
        now_ms: u64,
        with: impl Fn(usize, &mut Cmd) + Send + Sync,
    ) -> Vec<Result<Answer, StoreError>> {
        let fits = |asked: &&Lookup<'_>| asked.users.len() <= USERS;
        if lookups.iter().all(|asked| fits(&asked)) {
            return self.shared.ask_all(script, lookups, now_ms, with).await;
        }
        let mut answers = Vec::with_capacity(lookups.len());
        for (element, asked) in lookups.iter().enumerate() {
            if !fits(&asked) {
                answers.push(Err(too_many(asked.users.len())));
                continue;
            }
            let with = |_: usize, command: &mut Cmd| with(element, command);
            answers.extend(self.shared.ask_all(script, std::slice::from_ref(asked), now_ms, with).await);
        }
        answers
    }
}

/// A call of more users than one script can be about.
fn too_many(users: usize) -> StoreError {
    StoreError::Refused(format!("a call is about at most {USERS} users, not {users}"))
}

#[async_trait]
impl Counter for RedisCounter {
    async fn open(&self, key: &PacketKey, opening: Opening, now_ms: u64) -> Result<(), StoreError> {
        let shared = &self.shared;
        let keys = shared.keys(key);
        let opened = match shared.health.gate(&keys.entry) {
            Ok(()) => {
                let command = shared.opening(&keys, &opening, now_ms);
                shared.run(&shared.scripts.open, &command, &keys).await
            }
            Err(refused) => Err(refused),
        };
        opened.map(drop).map_err(|failure| {
            shared.doubt(key, now_ms, &failure);
            failure.about(&keys.entry)
        })
    }

    async fn load_all(&self, lookups: &[Lookup<'_>], now_ms: u64) -> Vec<Result<Option<View>, StoreError>> {
        let card = |_: usize, command: &mut Cmd| _ = command.arg("c");
        let answers = self.ask_all(&self.shared.scripts.load, lookups, now_ms, card).await;
        answers.into_iter().map(|answer| answer?.read(codec::view)).collect()
    }

    async fn swap_all(&self, swaps: &[Swap<'_>], lease: Lease) -> Vec<Result<Swapped, StoreError>> {
        self.shared.promises.saw(lease);
        // Who stands twice makes a swap stale; the script counts on nobody doing so, and a version that never was
        // makes it answer what stands.
        let version = |swap: &Swap<'_>| if has_twins(swap.take) { u64::MAX } else { swap.version };
        let lookups: Vec<_> = swaps.iter().map(|swap| Lookup { key: swap.key, users: swap.take }).collect();
        let with = |element: usize, command: &mut Cmd| {
            command.arg(swaps.get(element).map(version)).arg(lease.until_ms);
        };
        let answers = self.ask_all(&self.shared.scripts.swap, &lookups, lease.now_ms, with).await;
        let swapped = |answer: Result<Answer, StoreError>| match answer? {
            Answer { value: Value::Int(slots), .. } => {
                Ok(Swapped::Won(u32::try_from(slots).unwrap_or(u32::MAX)))
            }
            answer => Ok(answer.read(codec::view)?.map_or(Swapped::Missing, Swapped::Stale)),
        };
        answers.into_iter().map(swapped).collect()
    }

    async fn admit_all(&self, groups: &[Lookup<'_>], lease: Lease) -> Vec<Result<(), StoreError>> {
        self.shared.promises.saw(lease);
        let until = |_: usize, command: &mut Cmd| _ = command.arg(lease.until_ms);
        let answers = self.ask_all(&self.shared.scripts.admit, groups, lease.now_ms, until).await;
        answers.into_iter().map(|answer| answer.map(drop)).collect()
    }

    async fn seats_all(
        &self,
        lookups: &[Lookup<'_>],
        now_ms: u64,
    ) -> Vec<Result<Option<Seating>, StoreError>> {
        // Before the call: it may be well again when the answer comes.
        let was_ill = self.shared.health.is_ill();
        let answers = self.ask_all(&self.shared.scripts.load, lookups, now_ms, |_, _| ()).await;
        let seating = |(asked, answer): (&Lookup<'_>, Result<Answer, StoreError>)| {
            let seating = answer?.read(|answer| codec::seating(answer, now_ms))?;
            let is_lenient = || was_ill || self.shared.promises.is_lenient(asked.key, now_ms);
            Ok(seating.map(|seating| Seating { lenient: seating.lenient || is_lenient(), ..seating }))
        };
        lookups.iter().zip(answers).map(seating).collect()
    }

    async fn confirm_all(
        &self,
        confirmations: &[Confirmation<'_>],
        now_ms: u64,
    ) -> Vec<Result<(), StoreError>> {
        // Each seat is confirmed for itself, so parts of many are as good as all at once.
        let mut parts = Vec::with_capacity(confirmations.len());
        let mut packets = Vec::with_capacity(confirmations.len());
        for (element, Confirmation { key, opened }) in confirmations.iter().enumerate() {
            for part in opened.chunks(USERS) {
                parts.push((element, part));
                packets.push(*key);
            }
        }
        let with = |part: usize, command: &mut Cmd| {
            let seats = parts.get(part).map(|(_, seats)| *seats).unwrap_or_default();
            for seat in seats {
                command.arg(field(&seat.user));
            }
            for seat in seats {
                command.arg(seat.amount.get());
            }
        };
        let told = self.shared.tell_all(&self.shared.scripts.confirm, &packets, now_ms, with).await;
        let mut confirmed: Vec<_> = confirmations.iter().map(|_| Ok(())).collect();
        for ((element, _), told) in parts.into_iter().zip(told) {
            if let (Some(slot), Err(error)) = (confirmed.get_mut(element), told) {
                *slot = Err(error);
            }
        }
        confirmed
    }

    async fn close(&self, key: &PacketKey, now_ms: u64) -> Result<(), StoreError> {
        let told = self.shared.tell_all(&self.shared.scripts.close, &[key], now_ms, |_, _| ()).await;
        told.into_iter().collect()
    }

    async fn state(&self, key: &PacketKey, now_ms: u64) -> Result<Option<CounterState>, StoreError> {
        let asked = [Lookup { key, users: &[] }];
        let answers = self.ask_all(&self.shared.scripts.state, &asked, now_ms, |_, _| ()).await;
        answers.into_iter().next().map_or(Ok(None), |answer| answer?.read(codec::state))
    }

    async fn forget(&self, key: &PacketKey) -> Result<(), StoreError> {
        let keys = self.shared.keys(key);
        self.shared.forget(&keys).await.map_err(|failure| failure.about(&keys.entry))
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.shared.forget_all().await.map_err(|failure| failure.about(&self.shared.namespace))
    }

    /// Looks only at packets that have leases, and at no more than ten thousand keys: the next sweep
    /// goes on from there. All that depends on it is memory, and a server with millions of keys has
    /// better things to do than to go over them every second for each host. Counters past their time
    /// go when somebody asks about them, or by their time to live.
    async fn sweep(&self, now_ms: u64) -> Result<u64, StoreError> {
        self.shared.sweep_on(now_ms).await.map_err(|failure| failure.about(&self.shared.namespace))
    }

    fn follow(&self, history: History) {
        self.shared.history.follow(history);
    }

    fn let_through(&self, key: &PacketKey, lease: Lease) {
        self.shared.promises.let_through(key, lease);
    }

    fn health(&self) -> Option<Report> {
        Some(self.shared.health.told())
    }

    /// Of a cluster, every master is asked.
    async fn check(&self) -> Result<(), StoreError> {
        self.shared.check().await.map_err(|failure| failure.about(&self.shared.namespace))
    }
}

fn has_twins(users: &[UserId]) -> bool {
    let mut seen = HashSet::with_capacity(users.len());
    users.len() > 1 && !users.iter().all(|user| seen.insert(user))
}
