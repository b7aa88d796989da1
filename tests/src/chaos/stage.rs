//! Servers, the ways to them, and the host processes that use them, put up together.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hongbao_host::domain::{Amount, TenantId};
use hongbao_host::runtime::{Host, Tenant};
use hongbao_host::store::prelude::*;

use hongbao_host::store::postgres::PostgresLedger;
use hongbao_host::store::redis::RedisCounter;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;

use super::load::{Load, SENDERS};
use super::process::Process;
use super::tally::{HOSTS, Tally};
use crate::chat::{alone, everything};
use crate::servers::{Mode, Postgres, Proxy, Redis, RedisSentinel};

/// What PostgreSQL calls the sessions of a process that only settles.
const SETTLER: &str = "hongbao-settler";
/// Those that have begun to settle and wait for somebody's lock.
const HALFWAY: &str = "SELECT count(*) FROM pg_stat_activity
                        WHERE application_name = $1 AND state = 'active' AND wait_event_type = 'Lock'";

/// What every sender may spend.
const FUNDS: u64 = 1 << 50;

/// Where the counters are.
pub enum Cache {
    /// In one server.
    One(Box<Redis>),
    /// In whichever server is the master.
    Sentinel(Box<RedisSentinel>),
}

/// A host's own ways to the servers.
pub struct Ways {
    /// To Redis.
    pub redis: Proxy,
    /// To PostgreSQL.
    pub postgres: Proxy,
}

/// A place for drills. Whatever runs here ends with it.
pub struct Stage {
    hosts: [Mutex<Option<Process>>; HOSTS],
    /// Our own host, which no fault is meant for, and its books.
    pub tenant: Tenant,
    /// What it writes to.
    pub ledger: Arc<PostgresLedger>,
    /// What it runs on.
    pub runtime: Runtime,
    /// What all processes tell.
    pub tally: Arc<Tally>,
    program: PathBuf,
    load: Load,
    /// A way for each host; none on a stage where servers replace each other.
    pub ways: Vec<Ways>,
    /// Where the counters are.
    pub cache: Cache,
    primary: Postgres,
    standby: Option<Postgres>,
    promoted: AtomicBool,
    database: String,
}

impl Stage {
    /// One Redis, one PostgreSQL, and proxies on the way to both.
    #[must_use]
    pub fn plain(program: PathBuf, load: Load) -> Self {
        let (redis, primary) = (Redis::start(), Postgres::start());
        let way =
            |_| Ways { redis: Proxy::start(redis.address()), postgres: Proxy::start(primary.address()) };
        let ways = (0..HOSTS).map(way).collect();
        Self::put_up(program, load, ways, Cache::One(Box::new(redis)), primary, None)
    }

    /// Redis with a replica and sentinels, PostgreSQL with a synchronous standby.
    #[must_use]
    pub fn replicated(program: PathBuf, load: Load) -> Self {
        let sentinel = RedisSentinel::start();
        let primary = Postgres::start();
        let standby = Postgres::standby(&primary);
        Self::put_up(program, load, Vec::new(), Cache::Sentinel(Box::new(sentinel)), primary, Some(standby))
    }

    /// One Redis, and PostgreSQL with a standby that no commit waits for.
    #[must_use]
    pub fn lagging(program: PathBuf, load: Load) -> Self {
        let (redis, primary) = (Redis::start(), Postgres::start());
        let standby = Postgres::standby(&primary);
        primary.commits_wait_for("");
        Self::put_up(program, load, Vec::new(), Cache::One(Box::new(redis)), primary, Some(standby))
    }

    fn put_up(
        program: PathBuf,
        load: Load,
        ways: Vec<Ways>,
        cache: Cache,
        primary: Postgres,
        standby: Option<Postgres>,
    ) -> Self {
        let url = primary.fresh_database();
        let database = url.rsplit('/').next().unwrap_or_default().to_owned();
        let runtime = Runtime::new().expect("a runtime");
        let ledger_url = ledger_url(&primary, standby.as_ref(), &database);
        let (tenant, ledger) = runtime.block_on(async {
            PostgresLedger::migrate(&url).await.expect("new books");
            let ledger = Arc::new(PostgresLedger::open(&ledger_url).await.expect("our ledger"));
            let counter = RedisCounter::connect(&cache_url(&cache)).await.expect("our counter");
            let own =
                Host::builder().counter(Arc::new(counter)).ledger(Arc::<PostgresLedger>::clone(&ledger));
            let (_, tenant) = alone(own, everything().policy(Load::policy()));
            for number in 0..SENDERS {
                let funds = Amount::new(FUNDS).expect("an amount");
                ledger
                    .fund(&TenantId::default(), &Load::sender(number), funds, None, 0)
                    .await
                    .expect("funds");
            }
            (tenant, ledger)
        });
        let stage = Self {
            hosts: Default::default(),
            tenant,
            ledger,
            runtime,
            tally: Arc::default(),
            program,
            load,
            ways,
            cache,
            primary,
            standby,
            promoted: AtomicBool::new(false),
            database,
        };
        (0..HOSTS).for_each(|slot| stage.start_host(slot));
        assert!(stage.tally.wait_for_ready(), "the hosts do not start");
        stage
    }

    fn host(&self, slot: usize) -> MutexGuard<'_, Option<Process>> {
        let host = self.hosts.get(slot).expect("one of the hosts");
        host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a host process, in place of the one that was there.
    pub fn start_host(&self, slot: usize) {
        let mut host = self.host(slot);
        drop(host.take());
        self.tally.expect(slot);
        let (mut counter, mut ledger) = (cache_url(&self.cache), self.ledger_url());
        if let Some(way) = self.ways.get(slot) {
            counter = way.redis.through(&counter);
            ledger = way.postgres.through(&ledger);
        }
        let Load { seed, start_ms, users, every_ms } = self.load;
        let numbers = [slot as u64, seed, start_ms, users, every_ms].map(|number| number.to_string());
        let mut arguments = vec!["host".to_owned()];
        arguments.extend(numbers);
        arguments.extend([counter, ledger]);
        let tally = Arc::clone(&self.tally);
        *host = Some(Process::start(&self.program, &arguments, move |line| tally.hear(slot, &line)));
    }

    /// Kills a host process by SIGKILL.
    pub fn kill_host(&self, slot: usize) {
        drop(self.host(slot).take());
    }

    /// Starts a process that does nothing but settle; waits until it is at work.
    #[must_use]
    pub fn start_settler(&self) -> Process {
        let url = format!("{}?application_name={SETTLER}", self.books_url());
        let arguments = ["settle".to_owned(), url];
        let tally = Arc::clone(&self.tally);
        self.tally
            .start_aside(|| Process::start(&self.program, &arguments, move |line| tally.hear_aside(&line)))
    }

    /// Locks wallets, waits a while for a settler's statement to stop there, lets something happen, and
    /// unlocks; whether the settler was halfway then.
    pub async fn while_wallets_are_locked(&self, deed: impl FnOnce()) -> bool {
        let (mut client, connection) =
            tokio_postgres::connect(&self.books_url(), NoTls).await.expect("a server that is up");
        // Ends with the client.
        tokio::spawn(connection);
        let lock = client.transaction().await.expect("a transaction");
        lock.batch_execute("LOCK TABLE hongbao.wallets IN EXCLUSIVE MODE").await.expect("a lock");
        let mut is_halfway = false;
        for _ in 0..150 {
            // Within a transaction a session sees what it has seen of the others before.
            lock.batch_execute("SELECT pg_stat_clear_snapshot()").await.expect("a new look");
            let waiting: i64 = lock.query_one(HALFWAY, &[&SETTLER]).await.expect("a count").get(0);
            is_halfway = waiting > 0;
            if is_halfway {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        deed();
        lock.commit().await.expect("nothing to go wrong");
        is_halfway
    }

    /// Says something to every host process.
    pub fn order(&self, order: &str) {
        self.order_some(&std::array::from_fn::<_, HOSTS, _>(|slot| slot), order);
    }

    /// Says something to these host processes.
    pub fn order_some(&self, slots: &[usize], order: &str) {
        for slot in slots {
            if let Some(host) = &mut *self.host(*slot) {
                host.order(order);
            }
        }
    }

    /// The server that is the primary now.
    pub fn primary(&self) -> &Postgres {
        match &self.standby {
            Some(standby) if self.promoted.load(Ordering::SeqCst) => standby,
            _ => &self.primary,
        }
    }

    /// From now on the standby receives nothing.
    pub fn standby_falls_behind(&self) {
        self.standby.as_ref().expect("a stage with a standby").stop_following();
    }

    /// Kills the primary, and makes the standby the primary after `meanwhile`.
    pub fn fail_over(&self, meanwhile: impl FnOnce()) {
        let standby = self.standby.as_ref().expect("a stage with a standby");
        self.primary.kill();
        meanwhile();
        standby.promote();
        self.promoted.store(true, Ordering::SeqCst);
    }

    /// All servers of the ledger.
    fn ledger_url(&self) -> String {
        ledger_url(&self.primary, self.standby.as_ref(), &self.database)
    }

    /// The primary alone.
    #[must_use]
    pub fn books_url(&self) -> String {
        self.primary().url(&self.database)
    }

    /// The one Redis server.
    ///
    /// # Panics
    ///
    /// Where there are several.
    pub fn redis(&self) -> &Redis {
        match &self.cache {
            Cache::One(redis) => redis,
            Cache::Sentinel(_) => panic!("a stage with one Redis server"),
        }
    }

    /// Sets what happens on the way from these hosts to Redis.
    pub fn on_the_way_to_redis(&self, slots: &[usize], mode: Mode) {
        self.some_ways(slots).for_each(|way| way.redis.set(mode));
    }

    /// Sets what happens on the way from these hosts to PostgreSQL.
    pub fn on_the_way_to_postgres(&self, slots: &[usize], mode: Mode) {
        self.some_ways(slots).for_each(|way| way.postgres.set(mode));
    }

    /// The ways of these hosts.
    pub fn some_ways(&self, slots: &[usize]) -> impl Iterator<Item = &Ways> {
        slots.iter().filter_map(|slot| self.ways.get(*slot))
    }
}

fn cache_url(cache: &Cache) -> String {
    match cache {
        Cache::One(redis) => redis.url(),
        Cache::Sentinel(sentinel) => {
            let ports = sentinel.sentinel_ports();
            let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
            format!("redis+sentinel://{}/{}", hosts.join(","), RedisSentinel::NAME)
        }
    }
}

fn ledger_url(primary: &Postgres, standby: Option<&Postgres>, database: &str) -> String {
    let servers = [Some(primary), standby];
    let addresses: Vec<_> =
        servers.into_iter().flatten().map(|server| server.address().to_string()).collect();
    format!("postgres://postgres@{}/{database}", addresses.join(","))
}
