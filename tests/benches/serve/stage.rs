//! A service with a hot packet in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hongbao_host::domain::{
    Amount, Grants, Limits, Name, PacketId, Policy, Request, Scope, Sent, TenantId, UserId,
};
use hongbao_host::runtime::{Announcer, Host, Tenant, TenantConfig, TenantEntry, TenantsFile};
use hongbao_host::server::{Listening, NewKey, RateSettings, Seal, Service, ServiceSettings};
use hongbao_host::store::change_feed::ChangeFeed;
use hongbao_host::store::finished::FinishedCache;
use hongbao_host::store::memory::{MemoryCounter, MemoryEvents, MemoryLedger, MemoryRegistry};
use hongbao_host::store::postgres::{PostgresLedger, PostgresRegistry};
use hongbao_host::store::redis::{RedisCounter, RedisEvents};
use hongbao_host::store::{Counter, Events, Ledger, Registry};
use hongbao_tests::servers::{Postgres, Redis};

use crate::wrk::Script;

/// Enough for every grab of a run.
const SHARES: u32 = 1_000_000;

pub struct Stores {
    counter: Arc<dyn Counter>,
    ledger: Arc<dyn Ledger>,
    registry: Arc<dyn Registry>,
    events: Arc<dyn Events>,
}

impl Stores {
    pub fn memory() -> Self {
        Self {
            counter: Arc::new(MemoryCounter::new()),
            ledger: Arc::new(MemoryLedger::new()),
            registry: Arc::new(MemoryRegistry::new()),
            events: Arc::new(MemoryEvents::new()),
        }
    }

    /// On private servers, which live as long as what stands beside the stores.
    pub async fn servers() -> (Self, (Redis, Postgres)) {
        let (redis, postgres) = tokio::task::block_in_place(|| (Redis::start(), Postgres::start()));
        let url = tokio::task::block_in_place(|| postgres.fresh_database());
        PostgresLedger::migrate(&url).await.unwrap();
        let counter = RedisCounter::connect(&redis.url()).await.unwrap();
        let stores = Self {
            counter: Arc::new(FinishedCache::new(Arc::new(counter))),
            ledger: Arc::new(PostgresLedger::open(&url).await.unwrap()),
            registry: Arc::new(PostgresRegistry::open(&url).await.unwrap()),
            events: Arc::new(RedisEvents::connect(&redis.url()).await.unwrap()),
        };
        (stores, (redis, postgres))
    }
}

pub struct Stage {
    listening: Listening,
    tenant: Tenant,
    key: String,
    packet: std::sync::Mutex<PacketId>,
    rounds: AtomicUsize,
    _announcer: Announcer,
}

impl Stage {
    pub async fn start(stores: Stores) -> Self {
        let (feed, changes) = ChangeFeed::new(Arc::<dyn Ledger>::clone(&stores.ledger));
        let host = Host::builder()
            .counter(stores.counter)
            .ledger(Arc::clone(&stores.ledger))
            .packets(Arc::new(feed))
            .build()
            .unwrap();
        let announcer =
            Announcer::start(changes, Arc::clone(&stores.ledger), Arc::clone(&stores.events), host.clock());
        let id = TenantId::new("acme").unwrap();
        let new = NewKey {
            tenant: Some(id.clone()),
            user: None,
            label: Name::new("bench").unwrap(),
            scopes: [Scope::Member].into_iter().collect(),
            expires_at_ms: None,
        };
        let (kept, key) = new.make(&Seal::of(&*stores.registry).await.unwrap(), host.now_ms()).unwrap();
        stores.registry.add_key(kept).await.unwrap();
        let config = TenantConfig::new(id.clone())
            .grants(Grants::ALL)
            .policy(Policy { max_shares: SHARES, ..Policy::default() })
            .limits(Limits::default());
        let file =
            TenantsFile { tenants: vec![TenantEntry { config, plugin: None }], ..TenantsFile::default() };
        // As many users as requests come: each has a rate of their own, as in earnest.
        let settings = ServiceSettings { rate: RateSettings::default(), ..ServiceSettings::default() };
        let service = Service::builder(host.clone()).events(stores.events).registry(stores.registry);
        let service = service.settings(settings).build().unwrap();
        let listening = service.listen("127.0.0.1:0".parse().unwrap(), None, &file).await.unwrap();
        let tenant = host.tenant(&id).unwrap();
        let packet = std::sync::Mutex::new(send(&tenant, 0).await);
        Self { listening, tenant, key, packet, rounds: AtomicUsize::new(1), _announcer: announcer }
    }

    pub const fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// Grabs of the packet of this round.
    pub fn script(&self) -> Script {
        let path = format!("/v1/packets/{}/grab", self.packet.lock().unwrap());
        Script { path, key: self.key.clone(), round: self.rounds.load(Ordering::Relaxed) }
    }

    /// Another packet, all of whose shares are there.
    pub async fn next(&self) -> Script {
        let round = self.rounds.fetch_add(1, Ordering::Relaxed);
        let packet = send(&self.tenant, round).await;
        *self.packet.lock().unwrap() = packet;
        self.script()
    }
}

async fn send(tenant: &Tenant, round: usize) -> PacketId {
    let sender = UserId::new("alice").unwrap();
    let total = u64::from(SHARES);
    tenant.fund(&sender, Amount::new(total).unwrap()).await.unwrap();
    let request = Request {
        key: format!("packet {round}"),
        room: "square".into(),
        sender,
        strategy: None,
        total,
        shares: SHARES,
        to: vec![],
        greeting: String::new(),
        expires_in_ms: None,
    };
    match tenant.send(request).await.unwrap().unwrap() {
        Sent::Sent(id) | Sent::Replayed(id) => id,
    }
}
