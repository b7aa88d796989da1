//! A host with a clock that stands still, and short names for what people do in a chat.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that meets something unexpected stops there")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hongbao_host::domain::{
    Amount, Details, Grabbed, Grants, Opened, OpenedShare, PacketId, Policy, Request, SendError, Sent,
    Strategy, TenantId, UserId,
};
use hongbao_host::imports::{Entropy, ManualClock};
use hongbao_host::runtime::{Engine, Host, HostBuilder, Plugin, Tenant, TenantConfig};
use hongbao_host::store::memory::{MemoryCounter, MemoryLedger};
use hongbao_host::store::{Counter, Ledger, PacketLedger};

/// 2026-02-16, the eve of a year of the horse.
const EVE_MS: u64 = 1_771_200_000_000;

/// A host, and the things around it that a test wants to touch.
pub struct Chat {
    /// The host.
    pub host: Host,
    /// Its one tenant.
    pub tenant: Tenant,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    /// Its cache.
    pub counter: Arc<dyn Counter>,
    /// Its books.
    pub ledger: Arc<dyn Ledger>,
}

/// The embedded plugin, compiled once for all tests of a process.
#[must_use]
pub fn plugin() -> Plugin {
    static PLUGIN: std::sync::OnceLock<Plugin> = std::sync::OnceLock::new();
    let compile = || Plugin::embedded(&Engine::new().expect("an engine")).expect("the embedded plugin");
    PLUGIN.get_or_init(compile).clone()
}

/// The default tenant, with everything granted.
#[must_use]
pub fn everything() -> TenantConfig {
    TenantConfig::new(TenantId::default()).grants(Grants::ALL)
}

/// A host that serves the embedded plugin to this tenant alone.
#[must_use]
pub fn alone(builder: HostBuilder, config: TenantConfig) -> (Host, Tenant) {
    serving(builder, config, plugin())
}

/// A host that serves this plugin to this tenant alone.
#[must_use]
pub fn serving(builder: HostBuilder, config: TenantConfig, plugin: Plugin) -> (Host, Tenant) {
    let host = builder.engine(plugin.engine().clone()).build().expect("a host");
    let tenant = futures::executor::block_on(host.add(config, plugin)).expect("a tenant");
    (host, tenant)
}

/// A user of this name.
#[must_use]
pub fn user(name: &str) -> UserId {
    UserId::new(name).expect("a name")
}

/// So many minor units.
#[must_use]
pub fn amount(minor: u64) -> Amount {
    Amount::new(minor).expect("an amount")
}

/// A request by alice that nothing is wrong with: lucky, for everybody, a key of its own.
#[must_use]
pub fn request(total: u64, shares: u32) -> Request {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Request {
        key: format!("key-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
        room: "room".into(),
        sender: user("alice"),
        strategy: None,
        total,
        shares,
        to: Vec::new(),
        greeting: "恭喜发财".into(),
        expires_in_ms: None,
    }
}

impl Default for Chat {
    fn default() -> Self {
        Self::new(Arc::new(MemoryCounter::new()), Arc::new(MemoryLedger::new()), Policy::default())
    }
}

impl Chat {
    /// On these stores.
    #[must_use]
    pub fn new(counter: Arc<dyn Counter>, ledger: Arc<dyn Ledger>, policy: Policy) -> Self {
        let clock = Arc::new(ManualClock::new(EVE_MS));
        let (host, tenant) = alone(Self::builder(&counter, &ledger, &clock), everything().policy(policy));
        Self { host, tenant, clock, counter, ledger }
    }

    /// On these stores, with a wrapper of the ledger's packet side.
    #[must_use]
    pub fn fed(counter: Arc<dyn Counter>, ledger: Arc<dyn Ledger>, packets: Arc<dyn PacketLedger>) -> Self {
        let clock = Arc::new(ManualClock::new(EVE_MS));
        let builder = Self::builder(&counter, &ledger, &clock).packets(packets);
        let (host, tenant) = alone(builder, everything());
        Self { host, tenant, clock, counter, ledger }
    }

    /// In memory, with this policy.
    #[must_use]
    pub fn with_policy(policy: Policy) -> Self {
        Self::new(Arc::new(MemoryCounter::new()), Arc::new(MemoryLedger::new()), policy)
    }

    /// The same tenant of another host on the same stores and the same clock, as a second machine
    /// would be.
    #[must_use]
    pub fn neighbour(&self) -> Tenant {
        alone(Self::builder(&self.counter, &self.ledger, &self.clock), everything()).1
    }

    fn builder(
        counter: &Arc<dyn Counter>,
        ledger: &Arc<dyn Ledger>,
        clock: &Arc<ManualClock>,
    ) -> HostBuilder {
        Host::builder()
            .counter(Arc::clone(counter))
            .ledger(Arc::clone(ledger))
            .clock(Arc::<ManualClock>::clone(clock))
            .entropy(Entropy::seeded(2026))
    }

    /// Funds the sender with just what the request needs and sends it.
    pub async fn send(&self, request: Request) -> PacketId {
        self.tenant.fund(&request.sender, amount(request.total)).await.expect("funds");
        match self.try_send(request).await {
            Ok(Sent::Sent(id)) => id,
            other => panic!("the packet was not sent: {other:?}"),
        }
    }

    /// Sends without funding.
    ///
    /// # Errors
    /// What the host refuses.
    pub async fn try_send(&self, request: Request) -> Result<Sent, SendError> {
        self.tenant.send(request).await.expect("the call is answered")
    }

    /// A lucky packet by alice.
    pub async fn lucky(&self, total: u64, shares: u32) -> PacketId {
        self.send(request(total, shares)).await
    }

    /// An equal packet by alice.
    pub async fn equal(&self, total: u64, shares: u32) -> PacketId {
        self.send(Request { strategy: Some(Strategy::EQUAL), ..request(total, shares) }).await
    }

    /// A tap on the card.
    pub async fn grab(&self, packet: PacketId, name: &str) -> Grabbed {
        self.tenant.grab(packet, user(name)).await.expect("the call is answered")
    }

    /// A tap on "open".
    pub async fn open(&self, packet: PacketId, name: &str) -> Opened {
        self.tenant.open(packet, user(name)).await.expect("the call is answered")
    }

    /// Both, for one who must get a share.
    pub async fn take(&self, packet: PacketId, name: &str) -> OpenedShare {
        let grabbed = self.grab(packet, name).await;
        assert!(grabbed.may_open(), "{name} may open, but: {grabbed:?}");
        match self.open(packet, name).await {
            Opened::Opened(share) => share,
            other => panic!("{name} gets a share, but: {other:?}"),
        }
    }

    /// The packet as the room sees it.
    pub async fn details(&self, packet: PacketId) -> Details {
        self.tenant.details(packet).await.expect("the call is answered").expect("the packet is there")
    }

    /// What a wallet holds, in minor units.
    pub async fn balance(&self, name: &str) -> u64 {
        self.tenant.balance(&user(name)).await.expect("a balance").get()
    }

    /// Settles whatever waits.
    pub async fn settle_all(&self) {
        while !self.host.settle(100).await.expect("settlement").is_empty() {}
    }

    /// Fails unless every cent is accounted for and the books agree with themselves.
    pub async fn assert_conserved(&self) {
        let audit = self.tenant.audit().await.expect("an audit");
        assert!(audit.is_conserved(), "{audit:?}");
        assert_eq!(self.tenant.verify().await.expect("the books"), []);
    }
}
