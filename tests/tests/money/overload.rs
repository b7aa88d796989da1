//! Stores that are overloaded, which is another answer than stores that are away; and stores that hang,
//! which cost an answer and not the instance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::domain::{Grabbed, Limits, Opened, SendError};
use hongbao_host::imports::{Entropy, ManualClock};
use hongbao_host::runtime::{CallError, Engine, Host, Plugin};
use hongbao_host::store::memory::{MemoryCounter, MemoryLedger};
use hongbao_host::store::{Counter, Ledger};
use hongbao_testkit::{Fault, Faulty};
use hongbao_tests::chat::{Chat, everything, request, serving, user};

/// The limit of a call: far more than a machine that is busy otherwise takes to answer.
const CALL_MS: u64 = 2_000;

struct Stage {
    chat: Chat,
    counter: Arc<Faulty<dyn Counter>>,
    ledger: Arc<Faulty<dyn Ledger>>,
}

impl Stage {
    /// With an engine of its own, so that nobody else's instances are counted.
    fn new() -> Self {
        let counter = Faulty::<dyn Counter>::new(Arc::new(MemoryCounter::new()));
        let ledger = Faulty::<dyn Ledger>::new(Arc::new(MemoryLedger::new()));
        let clock = Arc::new(ManualClock::new(1_771_200_000_000));
        let engine = Engine::new().unwrap();
        let plugin = Plugin::embedded(&engine).unwrap();
        let builder = Host::builder()
            .counter(Arc::<Faulty<dyn Counter>>::clone(&counter))
            .ledger(Arc::<Faulty<dyn Ledger>>::clone(&ledger))
            .clock(Arc::<ManualClock>::clone(&clock))
            .entropy(Entropy::seeded(2026));
        let limits = Limits { call_ms: CALL_MS, ..Limits::default() };
        let (host, tenant) = serving(builder, everything().limits(limits), plugin);
        let (of_counter, of_ledger) = (Arc::clone(&counter), Arc::clone(&ledger));
        let chat = Chat { host, tenant, clock, counter: of_counter, ledger: of_ledger };
        Self { chat, counter, ledger }
    }

    /// How often each store is asked in the course of something: counter, ledger.
    async fn asked<T>(&self, deed: impl Future<Output = T>) -> (T, usize, usize) {
        let before = (self.counter.asked(), self.ledger.asked());
        let done = deed.await;
        (done, self.counter.asked() - before.0, self.ledger.asked() - before.1)
    }

    /// A number in the host's metrics.
    fn metric(&self, line: &str) -> u64 {
        let metrics = self.chat.host.metrics();
        let found = metrics.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(' '));
        found.map_or(0, |count| count.parse().unwrap())
    }

    /// An answer that came within the limit of a call, from an instance that is used again.
    async fn in_time<T>(&self, deed: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let answer = deed.await;
        let took = begun.elapsed();
        assert!(took < Duration::from_millis(CALL_MS), "{took:?}");
        assert_eq!(self.metric("hongbao_instances{state=\"idle\"}"), 1, "the instance survives");
        assert_eq!(self.metric("hongbao_traps_total{tenant=\"default\"}"), 0);
        answer
    }
}

#[tokio::test]
async fn an_overloaded_cache_is_busy_and_its_load_does_not_fall_on_the_ledger() {
    let stage = Stage::new();
    let packet = stage.chat.lucky(1_000, 3).await;
    assert_eq!(stage.chat.grab(packet, "bob").await, Grabbed::Admitted);
    stage.counter.set(Fault::Overloaded);
    assert_eq!(stage.asked(stage.chat.grab(packet, "carol")).await, (Grabbed::Busy, 1, 0));
    assert!(!Grabbed::Busy.may_open());
    assert_eq!(stage.asked(stage.chat.open(packet, "bob")).await, (Opened::Busy, 1, 0));
    stage.counter.set(Fault::None);
    assert_eq!(stage.chat.grab(packet, "carol").await, Grabbed::Admitted, "nothing had happened");
    assert!(matches!(stage.chat.open(packet, "bob").await, Opened::Opened(_)), "the seat stayed");
    stage.chat.assert_conserved().await;
}

#[tokio::test]
async fn an_overloaded_ledger_is_busy_and_is_not_asked_again() {
    let stage = Stage::new();
    let packet = stage.chat.lucky(1_000, 3).await;
    stage.chat.grab(packet, "bob").await;
    stage.ledger.set(Fault::Overloaded);
    let (opened, _, ledger) = stage.asked(stage.chat.open(packet, "bob")).await;
    assert_eq!((opened, ledger), (Opened::Busy, 1));
    let (sent, counter, ledger) = stage.asked(stage.chat.try_send(request(100, 2))).await;
    assert_eq!((sent, counter, ledger), (Err(SendError::Busy), 0, 1));
    let (expired, _, ledger) = stage.asked(stage.chat.tenant.expire(packet)).await;
    assert!(matches!(expired, Err(CallError::Overloaded)) && ledger == 1, "{expired:?}");
    let (details, _, ledger) = stage.asked(stage.chat.tenant.details(packet)).await;
    let details = details.unwrap_err();
    assert_eq!((details.code(), details.limit(), ledger), ("busy", None, 1));
    // A lost cache is not built again from a ledger that has no room for it.
    stage.ledger.set(Fault::None);
    stage.chat.host.lose_cache().await.unwrap();
    stage.ledger.set(Fault::Overloaded);
    let (grabbed, _, ledger) = stage.asked(stage.chat.grab(packet, "carol")).await;
    assert_eq!((grabbed, ledger), (Grabbed::Busy, 1));
    stage.ledger.set(Fault::None);
    stage.chat.take(packet, "bob").await;
    stage.chat.assert_conserved().await;
    let errors: Vec<_> = stage.chat.host.health()[0].errors().filter(|(_, count)| *count > 0).collect();
    assert_eq!(errors, [("busy", 5)], "counted, and counted apart from what is unavailable");
}

#[tokio::test]
async fn a_claim_that_found_the_queue_full_is_not_tried_again_in_the_same_call() {
    let stage = Stage::new();
    let packet = stage.chat.lucky(1_000, 2).await;
    for name in ["bob", "carol"] {
        stage.chat.grab(packet, name).await;
    }
    let switch = Arc::clone(&stage.ledger);
    stage.ledger.before_claim(async move { switch.set(Fault::Overloaded) });
    let users = ["bob", "carol"].map(user).to_vec();
    let (opened, _, ledger) = stage.asked(stage.chat.tenant.open_batch(vec![(packet, users)])).await;
    assert_eq!((opened.unwrap(), ledger), (vec![Opened::Busy; 2], 2), "a load and a claim");
    stage.ledger.set(Fault::None);
    assert_eq!(stage.chat.details(packet).await.packet.claimed_shares, 0, "it was not carried out");
    assert!(matches!(stage.chat.open(packet, "bob").await, Opened::Opened(_)));
    stage.chat.assert_conserved().await;
}

#[tokio::test]
async fn a_ledger_that_hangs_is_unavailable_in_time_and_the_next_call_works() {
    let stage = Stage::new();
    let packet = stage.chat.lucky(1_000, 3).await;
    stage.chat.grab(packet, "bob").await;
    stage.ledger.set(Fault::Hangs);
    assert_eq!(stage.in_time(stage.chat.open(packet, "bob")).await, Opened::Unavailable);
    let sent = stage.in_time(stage.chat.try_send(request(100, 2))).await;
    assert_eq!(sent, Err(SendError::Unavailable), "whether it was sent is not known");
    let details = stage.in_time(stage.chat.tenant.details(packet)).await;
    assert_eq!(details.unwrap_err().code(), "unavailable");
    assert_eq!(stage.in_time(stage.chat.grab(packet, "carol")).await, Grabbed::Admitted);
    stage.ledger.set(Fault::None);
    assert!(matches!(stage.in_time(stage.chat.open(packet, "bob")).await, Opened::Opened(_)));
    assert_eq!(stage.metric("hongbao_limits_total{tenant=\"default\",limit=\"time\"}"), 0);
    stage.chat.assert_conserved().await;
}

#[tokio::test]
async fn a_cache_that_hangs_leaves_the_ledger_its_time() {
    let stage = Stage::new();
    let packet = stage.chat.lucky(1_000, 3).await;
    stage.counter.set(Fault::Hangs);
    assert_eq!(stage.in_time(stage.chat.grab(packet, "bob")).await, Grabbed::Contended);
    // The seats are not known in time, and neither is the confirmation taken: the ledger decides.
    assert!(matches!(stage.in_time(stage.chat.open(packet, "bob")).await, Opened::Opened(_)));
    stage.counter.set(Fault::None);
    assert_eq!(stage.in_time(stage.chat.grab(packet, "carol")).await, Grabbed::Admitted);
    stage.chat.assert_conserved().await;
}

#[tokio::test]
async fn who_waits_in_vain_for_a_place_is_busy_and_nothing_was_done() {
    let stage = Stage::new();
    let packet = stage.chat.lucky(1_000, 3).await;
    stage.chat.grab(packet, "bob").await;
    let config = stage.chat.tenant.config();
    let limits = Limits { calls_in_flight: 1, ..config.settings.limits };
    stage.chat.tenant.configure(config.limits(limits)).await.unwrap();
    stage.ledger.set(Fault::Hangs);
    let (tenant, begun) = (&stage.chat.tenant, Instant::now());
    let (first, second) = tokio::join!(tenant.open_batch(vec![(packet, vec![user("bob")])]), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        tenant.open_batch(vec![(packet, vec![user("bob")])]).await
    });
    assert_eq!(first.unwrap(), [Opened::Unavailable]);
    assert_eq!(second.unwrap_err().code(), "busy");
    assert!(begun.elapsed() < Duration::from_millis(CALL_MS));
    stage.ledger.set(Fault::None);
    assert!(matches!(stage.chat.open(packet, "bob").await, Opened::Opened(_)));
    stage.chat.assert_conserved().await;
}
