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
//! **All of it may be lost** by a restart, an eviction or a fail-over. A counter that is missing is
//! built again from the ledger, and one whose leases alone were evicted counts as missing. Where
//! memory is short, `maxmemory-policy volatile-ttl` lets the oldest packets go first.
//!
//! | URL | is |
//! |---|---|
//! | `redis://[user:password@]host[:port][/database]` | one server |
//! | `redis+sentinel://[user:password@]host[:port],…/master[/database]` | whichever server the sentinels call `master` |
//! | `redis+cluster://[user:password@]host[:port],…` | a cluster, of which these nodes are known |
//!
//! A parameter `?namespace=…` gives keys another beginning than `hongbao`, for hosts that share a
//! server and nothing else. For sentinels with a login of their own there are `sentinel_username`
//! and `sentinel_password`. What is special in a password is percent-encoded. There is no TLS.

mod codec;
mod connect;
mod error;
mod events;
mod link;
mod listeners;
mod news;
mod scan;
mod scripts;
mod url;

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::try_join_all;
use redis::{Cmd, Value};
use tokio::sync::Mutex;

pub use self::error::OpenError;
pub use self::events::RedisEvents;

use self::codec::{DecodeError, Keys, LEASES, Meta, field};
use self::error::Failure;
use self::link::Link;
use self::scan::Scan;
use self::scripts::{Script, Scripts};
use self::url::Address;
use super::{Card, Counter, CounterState, Lease, OpenedSeat, Opening, Seating, StoreError, Swapped, View};
use crate::domain::{Audience, PacketId, PacketKey, TenantId, UserId};

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
/// Pages of one sweep: a few milliseconds of the server, without the leases that end.
const SWEPT_PAGES: usize = 20;

/// Counters in Redis.
pub struct RedisCounter {
    link: Arc<Link>,
    namespace: String,
    scripts: Scripts,
    /// Where the next sweep begins, if not at the beginning.
    sweep: Mutex<Option<Scan>>,
}

/// A script's answer, and the key it is about.
struct Answer {
    value: Value,
    key: String,
}

impl RedisCounter {
    /// Connects, and tries out once that everything is allowed that a counter needs.
    ///
    /// The module's documentation says which URLs there are.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        let Address { place, namespace } = Address::parse(url)?;
        let name = place.name();
        let failed = |failure| OpenError::new(&name, failure);
        let link = Link::new(place, format!("{namespace}:")).await.map_err(failed)?;
        let counter = Self { link, namespace, scripts: Scripts::new(), sweep: Mutex::default() };
        recognise(&counter.link, &name).await?;
        counter.rehearse().await.map_err(failed)?;
        Ok(counter)
    }

    /// Does what a counter does, to a packet that cannot be, and forgets it.
    async fn rehearse(&self) -> Result<(), Failure> {
        let key = PacketKey { tenant: TenantId::default(), packet: PacketId::from_bytes([0; 16]) };
        let keys = Keys::new(&self.namespace, &key);
        let card = Card { audience: Audience::Everyone, expires_at_ms: 1 };
        let opening = Opening { card, shares: 1, opened: Vec::new(), lenient_until_ms: 0, keep_until_ms: 1 };
        // One script by its code and one by its digest: both ways have to be allowed.
        let open = self.scripts.open.in_full(&self.opening(&keys, &opening, 0));
        self.link.call(&open, &keys.entry).await?;
        let mut swap = self.about(&self.scripts.swap, &keys, 0);
        swap.arg(1).arg(1).arg(":");
        self.run(&self.scripts.swap, &swap, &keys).await?;
        self.link.call(&unlink(&keys), &keys.entry).await.map(drop)
    }

    fn opening(&self, keys: &Keys, opening: &Opening, now_ms: u64) -> Cmd {
        let mut command = self.about(&self.scripts.open, keys, now_ms);
        command.arg(Meta::of(opening, now_ms).encode());
        command.arg(codec::encode_card(&opening.card));
        for seat in &opening.opened {
            command.arg(field(&seat.user)).arg(seat.amount.get());
        }
        command
    }

    /// The beginning of a command that runs a script about these keys at this time.
    fn about(&self, script: &Script, keys: &Keys, now_ms: u64) -> Cmd {
        let mut command = script.command();
        command.arg(2).arg(&keys.entry).arg(&keys.leases).arg(now_ms);
        command
    }

    async fn run(&self, script: &Script, command: &Cmd, keys: &Keys) -> Result<Value, Failure> {
        script.run(&self.link, command, &keys.entry).await
    }

    /// Runs a script about a packet. `with` adds the arguments after the time.
    async fn ask(
        &self,
        script: &Script,
        key: &PacketKey,
        now_ms: u64,
        with: impl FnOnce(&mut Cmd),
    ) -> Result<Answer, StoreError> {
        let keys = Keys::new(&self.namespace, key);
        let mut command = self.about(script, &keys, now_ms);
        with(&mut command);
        match self.run(script, &command, &keys).await {
            Ok(value) => Ok(Answer { value, key: keys.entry }),
            Err(failure) => Err(failure.about(&keys.entry)),
        }
    }

    /// The keys of this namespace that end like this.
    async fn scan(&self, suffix: &str, kind: Option<&'static str>) -> Result<Scan, Failure> {
        let pattern = format!("{}:{{*{suffix}", self.namespace);
        Scan::begin(&self.link, pattern, kind).await
    }

    async fn forget_all(&self) -> Result<(), Failure> {
        let mut scan = self.scan("", None).await?;
        while let Some(keys) = scan.next().await? {
            // Each for itself, since in a cluster they are in different slots.
            try_join_all(keys.into_iter().map(|key| self.unlink(key))).await?;
        }
        Ok(())
    }

    async fn unlink(&self, key: String) -> Result<(), Failure> {
        self.link.call(redis::cmd("UNLINK").arg(&key), &key).await.map(drop)
    }

    /// Goes on where the last sweep stopped, for so many pages or to the end.
    async fn sweep_on(&self, now_ms: u64) -> Result<u64, Failure> {
        let mut place = self.sweep.lock().await;
        // Where this fails, the next one begins anew.
        let mut scan = match place.take() {
            Some(scan) => scan,
            None => self.scan(LEASES, Some("zset")).await?,
        };
        let mut ended = 0;
        for _ in 0..SWEPT_PAGES {
            let Some(page) = scan.next().await? else { return Ok(ended) };
            let swept = page.into_iter().map(|leases| self.sweep_one(leases, now_ms));
            ended += try_join_all(swept).await?.into_iter().sum::<u64>();
        }
        *place = Some(scan);
        Ok(ended)
    }

    /// Ends the leases of one packet. One that is damaged is left to whoever asks about it, and
    /// does not keep the others from being swept.
    async fn sweep_one(&self, leases: String, now_ms: u64) -> Result<u64, Failure> {
        let Some(keys) = Keys::of_leases(&leases) else { return Ok(0) };
        let command = self.about(&self.scripts.sweep, &keys, now_ms);
        match self.run(&self.scripts.sweep, &command, &keys).await {
            Ok(Value::Int(ended)) => Ok(u64::try_from(ended).unwrap_or_default()),
            Err(failure) if !failure.is_damage() => Err(failure),
            Ok(_) | Err(_) => {
                tracing::warn!(key = keys.entry, "a counter in Redis is damaged and cannot be swept");
                Ok(0)
            }
        }
    }
}

fn unlink(keys: &Keys) -> Cmd {
    redis::cmd("UNLINK").arg(&keys.entry).arg(&keys.leases).take()
}

/// Looks whether it is a server that will do, if it tells.
async fn recognise(link: &Arc<Link>, address: &str) -> Result<(), OpenError> {
    let told = match link.call(redis::cmd("INFO").arg("server"), "").await {
        // Whether this user may ask is of no interest.
        Err(Failure::Redis(error)) if error.code() == Some("NOPERM") => return Ok(()),
        told => told.map_err(|failure| OpenError::new(address, failure))?,
    };
    let info: String = redis::from_redis_value(told).unwrap_or_default();
    let find = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if let Some(found) = find("redis_version:")
        && is_older(found)
    {
        return Err(OpenError::TooOld { address: address.to_owned(), found: found.to_owned() });
    }
    match find("redis_mode:") {
        Some("cluster") if !link.is_cluster() => Err(OpenError::node_of_a_cluster(address)),
        _ => Ok(()),
    }
}

/// Whether a version is below [`OLDEST`], by its first two numbers.
fn is_older(version: &str) -> bool {
    let numbers = |text: &str| {
        let mut parts = text.split('.').map_while(|part| part.parse::<u32>().ok());
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    numbers(version) < numbers(OLDEST)
}

impl Answer {
    /// Reads the answer about a counter that may be missing.
    fn read<T>(self, read: impl FnOnce(&[Value]) -> Result<T, DecodeError>) -> Result<Option<T>, StoreError> {
        match &self.value {
            Value::Nil => Ok(None),
            Value::Array(values) => match read(values) {
                Ok(read) => Ok(Some(read)),
                Err(error) => Err(Failure::Damaged(error.to_string()).about(&self.key)),
            },
            _ => Err(Failure::Damaged("an answer of another kind".into()).about(&self.key)),
        }
    }
}

fn not_too_many(users: usize) -> Result<(), StoreError> {
    let refused = || StoreError::Refused(format!("a call is about at most {USERS} users, not {users}"));
    if users <= USERS { Ok(()) } else { Err(refused()) }
}

fn fields(command: &mut Cmd, users: &[UserId]) {
    for user in users {
        command.arg(field(user));
    }
}

#[async_trait]
impl Counter for RedisCounter {
    async fn open(&self, key: &PacketKey, opening: Opening, now_ms: u64) -> Result<(), StoreError> {
        let keys = Keys::new(&self.namespace, key);
        let command = self.opening(&keys, &opening, now_ms);
        let opened = self.run(&self.scripts.open, &command, &keys).await;
        opened.map(drop).map_err(|failure| failure.about(&keys.entry))
    }

    async fn load(&self, key: &PacketKey, users: &[UserId], now_ms: u64) -> Result<Option<View>, StoreError> {
        not_too_many(users.len())?;
        let with = |command: &mut Cmd| fields(command.arg("c"), users);
        self.ask(&self.scripts.load, key, now_ms, with).await?.read(codec::view)
    }

    async fn swap(
        &self,
        key: &PacketKey,
        expected_version: u64,
        take: &[UserId],
        lease: Lease,
    ) -> Result<Swapped, StoreError> {
        not_too_many(take.len())?;
        if has_twins(take) {
            let view = self.load(key, take, lease.now_ms).await?;
            return Ok(view.map_or(Swapped::Missing, Swapped::Stale));
        }
        let with = |command: &mut Cmd| fields(command.arg(expected_version).arg(lease.until_ms), take);
        let answer = self.ask(&self.scripts.swap, key, lease.now_ms, with).await?;
        if let Value::Int(slots) = answer.value {
            return Ok(Swapped::Won(u32::try_from(slots).unwrap_or(u32::MAX)));
        }
        Ok(answer.read(codec::view)?.map_or(Swapped::Missing, Swapped::Stale))
    }

    async fn admit(&self, key: &PacketKey, users: &[UserId], lease: Lease) -> Result<(), StoreError> {
        not_too_many(users.len())?;
        let with = |command: &mut Cmd| fields(command.arg(lease.until_ms), users);
        self.ask(&self.scripts.admit, key, lease.now_ms, with).await.map(drop)
    }

    async fn seats(
        &self,
        key: &PacketKey,
        users: &[UserId],
        now_ms: u64,
    ) -> Result<Option<Seating>, StoreError> {
        not_too_many(users.len())?;
        let with = |command: &mut Cmd| fields(command, users);
        let answer = self.ask(&self.scripts.load, key, now_ms, with).await?;
        answer.read(|answer| codec::seating(answer, now_ms))
    }

    async fn confirm(&self, key: &PacketKey, opened: &[OpenedSeat], now_ms: u64) -> Result<(), StoreError> {
        // Each seat is confirmed for itself, so parts of many are as good as all at once.
        for part in opened.chunks(USERS) {
            let with = |command: &mut Cmd| {
                for seat in part {
                    command.arg(field(&seat.user));
                }
                for seat in part {
                    command.arg(seat.amount.get());
                }
            };
            self.ask(&self.scripts.confirm, key, now_ms, with).await?;
        }
        Ok(())
    }

    async fn close(&self, key: &PacketKey, now_ms: u64) -> Result<(), StoreError> {
        self.ask(&self.scripts.close, key, now_ms, |_| ()).await.map(drop)
    }

    async fn state(&self, key: &PacketKey, now_ms: u64) -> Result<Option<CounterState>, StoreError> {
        self.ask(&self.scripts.state, key, now_ms, |_| ()).await?.read(codec::state)
    }

    async fn forget(&self, key: &PacketKey) -> Result<(), StoreError> {
        let keys = Keys::new(&self.namespace, key);
        let forgotten = self.link.call(&unlink(&keys), &keys.entry).await;
        forgotten.map(drop).map_err(|failure| failure.about(&keys.entry))
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.forget_all().await.map_err(|failure| failure.about(&self.namespace))
    }

    /// Looks only at packets that have leases, and at no more than ten thousand keys: the next sweep
    /// goes on from there. All that depends on it is memory, and a server with millions of keys has
    /// better things to do than to go over them every second for each host. Counters past their time
    /// go when somebody asks about them, or by their time to live.
    async fn sweep(&self, now_ms: u64) -> Result<u64, StoreError> {
        self.sweep_on(now_ms).await.map_err(|failure| failure.about(&self.namespace))
    }

    /// Of a cluster, one master answers for all: which packets the others have is not known.
    async fn check(&self) -> Result<(), StoreError> {
        let command = redis::cmd("EXISTS").arg(&self.namespace).to_owned();
        let answered = self.link.call(&command, &self.namespace).await;
        answered.map(drop).map_err(|failure| failure.about(&self.namespace))
    }
}

fn has_twins(users: &[UserId]) -> bool {
    let mut seen = HashSet::with_capacity(users.len());
    users.len() > 1 && !users.iter().all(|user| seen.insert(user))
}
