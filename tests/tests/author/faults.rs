//! The example, while stores forget, lose answers and are away, and another host is faster.

use std::sync::Arc;

use hongbao_host::domain::{Grabbed, Opened, Policy, SendError, Sent};
use hongbao_host::store::memory::{MemoryCounter, MemoryLedger};
use hongbao_host::store::{Counter, Ledger};
use hongbao_testkit::{Fault, Faulty};
use hongbao_tests::chat::{Chat, amount, plugin, request, user};

use crate::build::halving;

struct Switched {
    chat: Chat,
    counter: Arc<Faulty<dyn Counter>>,
    ledger: Arc<Faulty<dyn Ledger>>,
}

async fn switched() -> Switched {
    let counter = Faulty::<dyn Counter>::new(Arc::new(MemoryCounter::new()));
    let ledger = Faulty::<dyn Ledger>::new(Arc::new(MemoryLedger::new()));
    let stores = (Arc::<Faulty<dyn Counter>>::clone(&counter), Arc::<Faulty<dyn Ledger>>::clone(&ledger));
    let chat = Chat::new(stores.0, stores.1, Policy::default());
    chat.tenant.upgrade(halving()).await.unwrap();
    Switched { chat, counter, ledger }
}

#[tokio::test]
async fn a_cache_that_forgets_costs_no_share() {
    let Switched { chat, .. } = switched().await;
    let packet = chat.lucky(1_000, 3).await;
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    chat.host.lose_cache().await.unwrap();
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(share) if share.amount == amount(500)));
    chat.host.lose_cache().await.unwrap();
    assert_eq!(
        chat.grab(packet, "bob").await,
        Grabbed::AlreadyOpened(amount(500)),
        "the counter knows its claims"
    );
    assert_eq!(chat.take(packet, "carol").await.amount, amount(250));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn who_keeps_losing_the_race_may_still_open() {
    let Switched { chat, counter, .. } = switched().await;
    let packet = chat.lucky(1_000, 3).await;
    counter.set(Fault::Contended);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Contended);
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn without_the_cache_the_ledger_decides_alone() {
    let Switched { chat, counter, .. } = switched().await;
    let packet = chat.lucky(1_000, 2).await;
    counter.set(Fault::Down);
    for name in ["bob", "carol"] {
        assert_eq!(chat.grab(packet, name).await, Grabbed::Contended);
        assert!(matches!(chat.open(packet, name).await, Opened::Opened(_)));
    }
    assert_eq!(chat.open(packet, "dave").await, Opened::Exhausted);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn without_the_cache_who_comes_too_late_in_a_batch_hears_so() {
    let Switched { chat, counter, .. } = switched().await;
    let packet = chat.lucky(1_000, 2).await;
    counter.set(Fault::Down);
    let users = ["bob", "carol", "dave"].map(user).to_vec();
    let opened = chat.tenant.open_batch(vec![(packet, users)]).await.unwrap();
    assert!(matches!(opened[..2], [Opened::Opened(_), Opened::Opened(_)]), "{opened:?}");
    assert_eq!(opened[2], Opened::Exhausted);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn an_overloaded_cache_moves_no_load_to_the_ledger() {
    let Switched { chat, counter, ledger } = switched().await;
    let packet = chat.lucky(1_000, 2).await;
    counter.set(Fault::Overloaded);
    // Whatever reached the ledger would be answered otherwise.
    ledger.set(Fault::Down);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Busy);
    assert_eq!(chat.open(packet, "bob").await, Opened::Busy);
    counter.set(Fault::None);
    ledger.set(Fault::None);
    assert_eq!(chat.take(packet, "bob").await.amount, amount(500));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_packet_of_another_plugin_is_not_drawn_by_this_rule() {
    let chat = Chat::default();
    let packet = chat.equal(1_000, 4).await;
    chat.tenant.upgrade(halving()).await.unwrap();
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    assert_eq!(chat.open(packet, "bob").await, Opened::Unavailable);
    chat.tenant.upgrade(plugin()).await.unwrap();
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(share) if share.amount == amount(250)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_lost_answer_of_the_ledger_is_asked_for_again() {
    let Switched { chat, ledger, .. } = switched().await;
    let order = request(1_000, 2);
    chat.tenant.fund(&user("alice"), amount(1_000)).await.unwrap();
    ledger.set(Fault::ReplyLost);
    assert_eq!(chat.try_send(order.clone()).await, Err(SendError::Unavailable));
    ledger.set(Fault::None);
    let Ok(Sent::Replayed(packet)) = chat.try_send(order).await else { panic!("it was sent") };
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted, "the first grab builds the counter");
    ledger.set(Fault::Down);
    assert_eq!(chat.open(packet, "bob").await, Opened::Unavailable);
    ledger.set(Fault::None);
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_stale_version_is_drawn_again_from_what_remains() {
    let Switched { chat, ledger, .. } = switched().await;
    let packet = chat.lucky(1_000, 3).await;
    for name in ["bob", "carol"] {
        assert_eq!(chat.grab(packet, name).await, Grabbed::Admitted);
    }
    // Between what bob's call reads and what it claims, another host gives carol a share.
    let neighbour = chat.neighbour();
    neighbour.upgrade(halving()).await.unwrap();
    ledger.before_claim(async move {
        assert!(matches!(neighbour.open(packet, user("carol")).await.unwrap(), Opened::Opened(_)));
    });
    let Opened::Opened(share) = chat.open(packet, "bob").await else { panic!("bob holds a seat") };
    assert_eq!((share.amount, share.sequence), (amount(250), 2));
    chat.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_two_hosts_shares_one_packet() {
    let chat = Chat::default();
    chat.tenant.upgrade(halving()).await.unwrap();
    let neighbour = chat.neighbour();
    neighbour.upgrade(halving()).await.unwrap();
    let packet = chat.lucky(12_345, 40).await;
    let taps = (0..200_u32).map(|number| {
        let tenant = if number % 2 == 0 { chat.tenant.clone() } else { neighbour.clone() };
        tokio::spawn(async move {
            let user = user(&format!("user-{number}"));
            if tenant.grab(packet, user.clone()).await.unwrap().may_open() {
                let _ = tenant.open(packet, user).await.unwrap();
            }
        })
    });
    for tap in taps.collect::<Vec<_>>() {
        tap.await.unwrap();
    }
    let details = chat.details(packet).await;
    let packet = &details.packet;
    assert_eq!((packet.claimed_shares, packet.claimed_amount), (40, amount(12_345)));
    let amounts: Vec<_> = details.claims.iter().map(|claim| claim.amount).collect();
    assert!(amounts.is_sorted_by(|one, next| one >= next), "{amounts:?}");
    chat.assert_conserved().await;
}
