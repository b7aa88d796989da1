//! A host with a clock that stands still, and short names for what people do in a chat.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that meets something unexpected stops there")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hongbao_host::domain::{
    Amount, Details, Grabbed, Opened, OpenedShare, PacketId, Policy, Request, SendError, Sent, Strategy,
    UserId,
};
use hongbao_host::imports::{Entropy, ManualClock};
use hongbao_host::runtime::{Engine, Host, HostBuilder, Plugin};
use hongbao_host::store::memory::{MemoryCounter, MemoryLedger};
use hongbao_host::store::{Counter, Ledger};

/// 2026-02-16, the eve of a year of the horse.
const EVE_MS: u64 = 1_771_200_000_000;

/// A host, and the things around it that a test wants to touch.
pub struct Chat {
    /// The host.
    pub host: Host,
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
        let host = Self::builder(&counter, &ledger, &clock).policy(policy).build().expect("a host");
        Self { host, clock, counter, ledger }
    }

    /// In memory, with this policy.
    #[must_use]
    pub fn with_policy(policy: Policy) -> Self {
        Self::new(Arc::new(MemoryCounter::new()), Arc::new(MemoryLedger::new()), policy)
    }

    /// Another host on the same stores and the same clock, as a second machine would be.
    #[must_use]
    pub fn neighbour(&self) -> Host {
        Self::builder(&self.counter, &self.ledger, &self.clock).build().expect("a host")
    }

    fn builder(
        counter: &Arc<dyn Counter>,
        ledger: &Arc<dyn Ledger>,
        clock: &Arc<ManualClock>,
    ) -> HostBuilder {
        Host::builder()
            .plugin(plugin())
            .counter(Arc::clone(counter))
            .ledger(Arc::clone(ledger))
            .clock(Arc::<ManualClock>::clone(clock))
            .entropy(Entropy::seeded(2026))
    }

    /// Funds the sender with just what the request needs and sends it.
    pub async fn send(&self, request: Request) -> PacketId {
        self.host.fund(&request.sender, amount(request.total)).await.expect("funds");
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
        self.host.send(request).await.expect("the call is answered")
    }

    /// A lucky packet by alice.
    pub async fn lucky(&self, total: u64, shares: u32) -> PacketId {
        self.send(request(total, shares)).await
    }

    /// An equal packet by alice.
    pub async fn equal(&self, total: u64, shares: u32) -> PacketId {
        self.send(Request { strategy: Some(Strategy::Equal), ..request(total, shares) }).await
    }

    /// A tap on the card.
    pub async fn grab(&self, packet: PacketId, name: &str) -> Grabbed {
        self.host.grab(packet, user(name)).await.expect("the call is answered")
    }

    /// A tap on "open".
    pub async fn open(&self, packet: PacketId, name: &str) -> Opened {
        self.host.open(packet, user(name)).await.expect("the call is answered")
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
        self.host.details(packet).await.expect("the call is answered").expect("the packet is there")
    }

    /// What a wallet holds, in minor units.
    pub async fn balance(&self, name: &str) -> u64 {
        self.host.balance(&user(name)).await.expect("a balance").get()
    }

    /// Settles whatever waits.
    pub async fn settle_all(&self) {
        while !self.host.settle(100).await.expect("settlement").is_empty() {}
    }

    /// Fails unless every cent is accounted for and the books agree with themselves.
    pub async fn assert_conserved(&self) {
        let audit = self.host.audit().await.expect("an audit");
        assert!(audit.is_conserved(), "{audit:?}");
        assert_eq!(self.host.verify().await.expect("the books"), []);
    }
}
