//! Money and answers, which are the same whatever becomes of the news.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::domain::{Details, Grabbed, Name, Opened, Policy};
use hongbao_host::imports::SystemClock;
use hongbao_host::runtime::Announcer;
use hongbao_host::store::change_feed::ChangeFeed;
use hongbao_host::store::memory::{MemoryCounter, MemoryEvents, MemoryLedger};
use hongbao_host::store::{Events, Ledger};
use hongbao_testkit::{Fault, Faulty};
use hongbao_tests::chat::Chat;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Everything that people were told, and what the books say after it.
#[derive(Debug, PartialEq)]
struct Story {
    grabbed: Vec<Grabbed>,
    opened: Vec<Opened>,
    details: Vec<Details>,
    balances: Vec<u64>,
}

/// A chat whose rooms are told by stores with this fault; None where nobody announces anything.
async fn story(fault: Option<Fault>) -> Story {
    let books: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let counter = Arc::new(MemoryCounter::new());
    let (chat, announcer) = match fault {
        None => (Chat::new(counter, books, Policy::default()), None),
        Some(fault) => {
            let events = Faulty::<dyn Events>::new(Arc::new(MemoryEvents::new()));
            events.set(fault);
            let (feed, changes) = ChangeFeed::new(Arc::<dyn Ledger>::clone(&books));
            let announcer = Announcer::start(changes, Arc::clone(&books), events, Arc::new(SystemClock));
            (Chat::fed(counter, books, Arc::new(feed)), Some(announcer))
        }
    };
    let told = tell(&chat).await;
    drop(announcer);
    told
}

async fn tell(chat: &Chat) -> Story {
    let mut story = Story { grabbed: vec![], opened: vec![], details: vec![], balances: vec![] };
    let packets = [chat.lucky(10_000, 5).await, chat.lucky(900, 30).await, chat.equal(80, 8).await];
    let users: Vec<String> = (0..12).map(|number| format!("user {number}")).collect();
    for packet in packets {
        for name in &users {
            story.grabbed.push(chat.grab(packet, name).await);
            story.opened.push(chat.open(packet, name).await);
            story.opened.push(chat.open(packet, name).await);
        }
    }
    chat.settle_all().await;
    chat.clock.advance(DAY_MS + 1);
    assert_eq!(chat.host.expire_due().await.unwrap().refunded.len(), 1);
    chat.settle_all().await;
    chat.assert_conserved().await;
    for packet in packets {
        let mut details = chat.details(packet).await;
        // Each packet of a test has a key of its own.
        details.packet.order.key = Name::new("key").unwrap();
        story.details.push(details);
    }
    for name in users.iter().map(String::as_str).chain(["alice"]) {
        story.balances.push(chat.balance(name).await);
    }
    story
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_money_are_the_same_whatever_becomes_of_the_news() {
    let silent = story(None).await;
    assert!(silent.opened.iter().any(|opened| matches!(opened, Opened::Opened(_))));
    for fault in [Fault::None, Fault::Down, Fault::Hangs, Fault::Slow, Fault::ReplyLost] {
        let started = Instant::now();
        assert_eq!(story(Some(fault)).await, silent, "{fault:?}");
        assert!(started.elapsed() < Duration::from_secs(20), "{fault:?}: {:?}", started.elapsed());
    }
}
