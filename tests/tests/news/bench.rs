//! A ledger with a change feed, and rooms that are told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::domain::{
    Amount, Audience, Event, EventId, Name, News, Order, PacketEvent, PacketId, PacketKey, Priority, RoomKey,
    Share, Strategy, TenantId, UserId,
};
use hongbao_host::imports::{Clock as _, ManualClock};
use hongbao_host::runtime::Announcer;
use hongbao_host::store::change_feed::ChangeFeed;
use hongbao_host::store::memory::{MemoryEvents, MemoryLedger};
use hongbao_host::store::{
    Claimed, Closed, Events, Ledger, PacketLedger, Recorded, StoreError, WalletLedger as _,
};
use hongbao_testkit::Faulty;
use tokio::time::sleep;

pub const NOW: u64 = 1_750_000_000_000;
pub const LIFE_MS: u64 = 60_000;
const BEGINNING: EventId = EventId { ms: 0, sequence: 0 };

pub struct Bench {
    /// The packet side as the host has it.
    pub packets: Arc<dyn PacketLedger>,
    /// The same books below the feed.
    pub books: Arc<Faulty<dyn Ledger>>,
    /// The same books as the announcer reads them.
    pub read: Arc<Faulty<dyn Ledger>>,
    /// The rooms as the announcer tells them.
    pub told: Arc<Faulty<dyn Events>>,
    rooms: Arc<MemoryEvents>,
    pub clock: Arc<ManualClock>,
    announcer: Announcer,
}

pub fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub fn amount(minor: u64) -> Amount {
    Amount::new(minor).unwrap()
}

pub fn key(number: u128) -> PacketKey {
    PacketKey { tenant: TenantId::default(), packet: PacketId::new(NOW, number) }
}

/// Each packet has a room of its own.
fn room(number: u128) -> RoomKey {
    RoomKey { tenant: TenantId::default(), room: Name::new(format!("room {number}")).unwrap() }
}

impl Bench {
    pub fn new() -> Self {
        let books: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let (read, books) = (Faulty::new(Arc::clone(&books)), Faulty::new(books));
        let rooms = Arc::new(MemoryEvents::new());
        Self::on(books, read, rooms)
    }

    /// Another host on the same books and rooms.
    pub fn neighbour(&self) -> Self {
        Self::on(Arc::clone(&self.books), Arc::clone(&self.read), Arc::clone(&self.rooms))
    }

    fn on(books: Arc<Faulty<dyn Ledger>>, read: Arc<Faulty<dyn Ledger>>, rooms: Arc<MemoryEvents>) -> Self {
        let told = Faulty::<dyn Events>::new(Arc::<MemoryEvents>::clone(&rooms));
        let clock = Arc::new(ManualClock::new(NOW));
        let (feed, changes) = ChangeFeed::new(Arc::<Faulty<dyn Ledger>>::clone(&books));
        let announcer = Announcer::start(
            changes,
            Arc::<Faulty<dyn Ledger>>::clone(&read),
            Arc::<Faulty<dyn Events>>::clone(&told),
            Arc::<ManualClock>::clone(&clock),
        );
        Self { packets: Arc::new(feed), books, read, told, rooms, clock, announcer }
    }

    /// Stops the announcer; gives what is left.
    pub async fn stop(self) -> Rooms {
        self.announcer.stop().await;
        Rooms(self.rooms)
    }

    pub fn rooms(&self) -> Rooms {
        Rooms(Arc::clone(&self.rooms))
    }

    pub fn dropped(&self) -> u64 {
        self.announcer.dropped()
    }

    pub async fn send(&self, number: u128, total: u64, shares: u32) -> PacketKey {
        let (tenant, order) = (TenantId::default(), order(number, total, shares));
        self.books.fund(&tenant, &order.sender, order.total, None, NOW).await.unwrap();
        let recorded = self.packets.record(&tenant, key(number).packet, order, NOW).await.unwrap();
        assert!(matches!(recorded, Recorded::Recorded(_)));
        key(number)
    }

    /// Claims at the present version.
    pub async fn try_claim(&self, key: &PacketKey, name: &str, minor: u64) -> Result<Claimed, StoreError> {
        let version = self.packets.load(key, &[]).await?.unwrap().packet.version;
        let share = Share { user: user(name), amount: amount(minor), priority: Priority::Normal };
        let now = self.clock.now_ms();
        self.packets.claim(key, version, vec![share], now).await
    }

    pub async fn claim(&self, key: &PacketKey, name: &str, minor: u64) {
        let claimed = self.try_claim(key, name, minor).await.unwrap();
        assert!(matches!(claimed, Claimed::Committed(_)), "{claimed:?}");
    }

    pub async fn expire(&self, key: &PacketKey) {
        let version = self.packets.load(key, &[]).await.unwrap().unwrap().packet.version;
        let closed = self.packets.close(key, version, NOW + LIFE_MS).await.unwrap();
        assert!(matches!(closed, Closed::Refunded(_)), "{closed:?}");
    }
}

pub fn order(number: u128, total: u64, shares: u32) -> Order {
    Order {
        key: Name::new(number.to_string()).unwrap(),
        room: room(number).room,
        sender: user("alice"),
        strategy: Strategy::EQUAL,
        total: amount(total),
        shares,
        max_share: amount(total),
        audience: Audience::Everyone,
        greeting: String::new(),
        expires_in_ms: LIFE_MS,
    }
}

pub struct Rooms(Arc<MemoryEvents>);

impl Rooms {
    /// What a packet's room was told.
    pub async fn of(&self, number: u128) -> Vec<PacketEvent> {
        let since = self.0.since(&room(number), BEGINNING, u32::MAX).await.unwrap();
        let packet = |event| match event {
            Event::Packet(event) => event,
            Event::Message { .. } => panic!("nobody says anything"),
        };
        since.events.into_iter().map(|(_, event)| packet(event)).collect()
    }

    /// What the packet's room was told last; waits until that is so.
    pub async fn until(&self, number: u128, what: impl Fn(&PacketEvent) -> bool) -> PacketEvent {
        let started = Instant::now();
        loop {
            let told = self.of(number).await;
            if let Some(last) = told.last().filter(|last| what(last)) {
                return last.clone();
            }
            assert!(started.elapsed() < Duration::from_secs(30), "room {number} was told {told:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn is_finished(event: &PacketEvent) -> bool {
    matches!(event.news, News::Finished { .. })
}

pub fn is_sent(event: &PacketEvent) -> bool {
    matches!(event.news, News::Sent { .. })
}
