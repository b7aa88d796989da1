//! Something dies halfway, on every path that moves money.

use std::sync::Arc;

use hongbao_host::domain::{
    Expired, Grabbed, Name, Opened, PacketKey, Policy, Reference, SendError, Sent, TenantId,
};
use hongbao_host::store::memory::{MemoryCounter, MemoryLedger};
use hongbao_host::store::{Counter, Ended, FRESH, Funded, Ledger, Standing, Withdrawn};
use hongbao_testkit::{Fault, Faulty};
use hongbao_tests::chat::{Chat, amount, request, user};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

struct Switched {
    chat: Chat,
    counter: Arc<Faulty<dyn Counter>>,
    ledger: Arc<Faulty<dyn Ledger>>,
}

fn switched() -> Switched {
    let counter = Faulty::<dyn Counter>::new(Arc::new(MemoryCounter::new()));
    let ledger = Faulty::<dyn Ledger>::new(Arc::new(MemoryLedger::new()));
    let chat = Chat::new(
        Arc::<Faulty<dyn Counter>>::clone(&counter),
        Arc::<Faulty<dyn Ledger>>::clone(&ledger),
        Policy::default(),
    );
    Switched { chat, counter, ledger }
}

/// Contention was answered with HTTP 500 "too popular".
#[tokio::test]
async fn who_keeps_losing_the_race_may_still_open() {
    let Switched { chat, counter, .. } = switched();
    let packet = chat.lucky(1_000, 3).await;
    counter.set(Fault::Contended);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Contended);
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
    counter.set(Fault::None);
    assert!(matches!(chat.grab(packet, "bob").await, Grabbed::AlreadyOpened(_)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn without_the_cache_the_ledger_decides_alone() {
    let Switched { chat, counter, .. } = switched();
    let packet = chat.lucky(1_000, 2).await;
    counter.set(Fault::Down);
    for name in ["bob", "carol"] {
        assert_eq!(chat.grab(packet, name).await, Grabbed::Contended);
        assert!(matches!(chat.open(packet, name).await, Opened::Opened(_)));
    }
    assert_eq!(chat.grab(packet, "dave").await, Grabbed::Contended);
    assert_eq!(chat.open(packet, "dave").await, Opened::Exhausted, "grabbed, but already finished");
    counter.set(Fault::None);
    // The counter still says two slots; it costs dave a walk, never money.
    assert_eq!(chat.grab(packet, "erin").await, Grabbed::Admitted);
    assert_eq!(chat.open(packet, "erin").await, Opened::Exhausted);
    chat.assert_conserved().await;
}

/// A cache that still answered reads but refused writes was taken for a healthy one.
#[tokio::test]
async fn who_could_not_be_given_a_seat_may_open_for_as_long_as_a_lease() {
    let Switched { chat, counter, .. } = switched();
    let packet = chat.lucky(1_000, 9).await;
    counter.set(Fault::RefusesWrites);
    for name in ["bob", "carol", "dave"] {
        assert_eq!(chat.grab(packet, name).await, Grabbed::Contended);
    }
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
    counter.set(Fault::None);
    assert!(matches!(chat.open(packet, "carol").await, Opened::Opened(_)), "it is well again");
    chat.clock.advance(Policy::default().lease_ms - 1);
    assert!(matches!(chat.open(packet, "dave").await, Opened::Opened(_)));
    assert_eq!(chat.grab(packet, "erin").await, Grabbed::Admitted);
    chat.clock.advance(Policy::default().lease_ms);
    assert_eq!(chat.open(packet, "erin").await, Opened::NotGrabbed, "as a seat ends, so does this");
    chat.assert_conserved().await;
}

#[tokio::test]
async fn the_promise_of_a_lost_answer_is_kept_whichever_call_it_was() {
    for fault in [Fault::Down, Fault::ReplyLost, Fault::RefusesWrites] {
        let Switched { chat, counter, .. } = switched();
        let packet = chat.lucky(1_000, 9).await;
        counter.set(fault);
        let grabbed = chat.grab(packet, "bob").await;
        assert!(grabbed.may_open(), "{fault:?}: {grabbed:?}");
        counter.set(Fault::None);
        assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)), "{fault:?}");
        chat.assert_conserved().await;
    }
}

#[tokio::test]
async fn who_opens_through_two_hosts_is_not_told_exhausted_by_one_of_them() {
    let Switched { chat, counter, ledger } = switched();
    let packet = chat.lucky(1_000, 2).await;
    // The ledger alone decides, so more may open than there are shares.
    counter.set(Fault::Down);
    let neighbour = chat.neighbour();
    ledger.before_claim(async move {
        for name in ["dave", "erin"] {
            assert!(matches!(neighbour.open(packet, user(name)).await.unwrap(), Opened::Opened(_)));
        }
    });
    let users = ["bob", "carol", "dave"].map(user).to_vec();
    let answers = chat.tenant.open_batch(vec![(packet, users)]).await.unwrap();
    assert_eq!(answers[..2], [Opened::Exhausted, Opened::Exhausted]);
    assert!(matches!(answers[2], Opened::AlreadyOpened(_)), "dave has a share, but: {:?}", answers[2]);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn nobody_is_told_exhausted_because_of_a_claim_that_was_not_committed() {
    let Switched { chat, counter, ledger } = switched();
    let packet = chat.lucky(1_000, 2).await;
    counter.set(Fault::Down);
    let switch = Arc::clone(&ledger);
    ledger.before_claim(async move { switch.set(Fault::Down) });
    let users = ["bob", "carol", "dave"].map(user).to_vec();
    let answers = chat.tenant.open_batch(vec![(packet, users)]).await.unwrap();
    assert_eq!(answers, [Opened::Unavailable; 3], "both shares are left");
    ledger.set(Fault::None);
    assert!(matches!(chat.open(packet, "dave").await, Opened::Opened(_)));
    chat.assert_conserved().await;
}

/// A retried increment after a lost reply counted twice.
#[tokio::test]
async fn a_grab_whose_answer_was_lost_takes_one_slot() {
    let Switched { chat, counter, .. } = switched();
    let packet = chat.lucky(1_000, 3).await;
    counter.set(Fault::ReplyLost);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Contended);
    counter.set(Fault::None);
    let before = chat.grab(packet, "bob").await;
    assert!(before.may_open(), "{before:?}");
    let key = PacketKey { tenant: TenantId::default(), packet };
    let state = chat.counter.state(&key, chat.tenant.now_ms()).await.unwrap().unwrap();
    assert_eq!((state.slots, state.leased), (2, 1));
}

#[tokio::test]
async fn an_open_whose_answer_was_lost_claims_once() {
    let Switched { chat, ledger, .. } = switched();
    let packet = chat.lucky(1_000, 3).await;
    chat.grab(packet, "bob").await;
    ledger.set(Fault::ReplyLost);
    assert_eq!(chat.open(packet, "bob").await, Opened::Unavailable);
    ledger.set(Fault::None);
    let Opened::AlreadyOpened(share) = chat.open(packet, "bob").await else {
        panic!("the claim was committed");
    };
    assert_eq!((share.sequence, chat.details(packet).await.packet.claimed_shares), (1, 1));
    chat.settle_all().await;
    assert_eq!(chat.balance("bob").await, share.amount.get());
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_send_whose_answer_was_lost_debits_once() {
    let Switched { chat, ledger, .. } = switched();
    chat.tenant.fund(&user("alice"), amount(1_500)).await.unwrap();
    let wish = request(1_000, 3);
    ledger.set(Fault::ReplyLost);
    assert_eq!(chat.try_send(wish.clone()).await, Err(SendError::Unavailable));
    ledger.set(Fault::None);
    let Ok(Sent::Replayed(packet)) = chat.try_send(wish).await else {
        panic!("the packet was recorded");
    };
    assert_eq!(chat.balance("alice").await, 500);
    chat.take(packet, "bob").await;
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_funding_whose_answer_was_lost_moves_once() {
    let Switched { chat, ledger, .. } = switched();
    let (alice, key) = (user("alice"), Name::new("top-up").unwrap());
    let fund = async |minor| chat.tenant.fund_once(&alice, amount(minor), &key).await;
    ledger.set(Fault::Down);
    assert!(fund(500).await.is_err());
    assert_eq!(chat.ledger.balance(&TenantId::default(), &alice).await.ok(), None, "it did not arrive");
    ledger.set(Fault::ReplyLost);
    assert!(fund(500).await.is_err());
    ledger.set(Fault::None);
    assert_eq!(fund(500).await.unwrap(), Funded::Replayed(amount(500)));
    assert_eq!(fund(501).await.unwrap(), Funded::KeyReused);
    assert_eq!(chat.balance("alice").await, 500);
    let statement = chat.tenant.statement(&alice, None, 10).await.unwrap();
    assert_eq!(statement.iter().map(|entry| entry.amount).collect::<Vec<_>>(), [500]);
    // Without a key nobody can tell the same funding from another.
    assert_eq!(chat.tenant.fund(&alice, amount(500)).await.unwrap(), amount(1_000));
    chat.assert_conserved().await;
}

/// Each phase may fail in each way, and whoever asks again with the same key, or says the same end again, moves
/// nothing twice.
#[tokio::test]
async fn a_withdrawal_whose_answers_were_lost_leaves_once_or_comes_back_once() {
    let faults = [Fault::Down, Fault::RefusesWrites, Fault::Overloaded, Fault::ReplyLost];
    for completes in [true, false] {
        let Switched { chat, ledger, .. } = switched();
        let (alice, key) = (user("alice"), Name::new("payout").unwrap());
        chat.tenant.fund(&alice, amount(500)).await.unwrap();
        let withdraw = async || chat.tenant.withdraw(&alice, amount(300), &key, Reference::default()).await;
        for fault in faults {
            ledger.set(fault);
            assert!(withdraw().await.is_err(), "{fault:?}");
        }
        ledger.set(Fault::None);
        let Withdrawn::Replayed(held, left) = withdraw().await.unwrap() else {
            panic!("the last one took effect, and its answer was lost")
        };
        assert_eq!((left, chat.balance("alice").await), (amount(200), 200));
        let end = async || match completes {
            true => chat.tenant.complete_withdrawal(&alice, held.id).await,
            false => chat.tenant.cancel_withdrawal(&alice, held.id).await,
        };
        for fault in faults {
            ledger.set(fault);
            assert!(end().await.is_err(), "{fault:?}");
        }
        ledger.set(Fault::None);
        assert!(matches!(end().await.unwrap(), Ended::Already(_)), "it had taken effect");
        let audit = chat.tenant.audit().await.unwrap();
        let expected = if completes { (200, 0, 300) } else { (500, 0, 0) };
        assert_eq!((audit.wallets, audit.held, audit.withdrawn), expected);
        chat.assert_conserved().await;
    }
}

#[tokio::test]
async fn a_host_says_which_of_its_stores_is_away() {
    let Switched { chat, counter, ledger } = switched();
    // A report stands for a second, so that a flood of probes costs the stores nothing.
    let checked = async || {
        tokio::time::sleep(FRESH).await;
        let checked = chat.host.check().await;
        (checked.ledger.standing, checked.counter.standing, checked.is_ready())
    };
    assert_eq!(checked().await, (Standing::Ok, Standing::Ok, true));
    counter.set(Fault::Down);
    assert_eq!(checked().await, (Standing::Ok, Standing::Away, true), "the ledger decides alone");
    counter.set(Fault::RefusesWrites);
    assert_eq!(checked().await, (Standing::Ok, Standing::RefusesWrites, true));
    counter.set(Fault::None);
    ledger.set(Fault::Down);
    assert_eq!(checked().await, (Standing::Away, Standing::Ok, false));
    ledger.set(Fault::Overloaded);
    assert_eq!(checked().await, (Standing::Busy, Standing::Ok, true), "others would get its load");
    ledger.set(Fault::None);
    assert_eq!(checked().await, (Standing::Ok, Standing::Ok, true), "it heals by itself");
}

#[tokio::test]
async fn a_ledger_that_reads_and_refuses_writes_is_not_ready_at_once_and_heals() {
    let Switched { chat, ledger, .. } = switched();
    let packet = chat.lucky(1_000, 3).await;
    chat.grab(packet, "bob").await;
    assert!(chat.host.check().await.is_ready());
    ledger.set(Fault::RefusesWrites);
    assert_eq!(chat.open(packet, "bob").await, Opened::Unavailable);
    let checked = chat.host.check().await;
    assert_eq!(
        (checked.ledger.standing, &*checked.ledger.reason),
        (Standing::RefusesWrites, "the disk is full")
    );
    assert!(!checked.is_ready(), "the write that was refused counts at once");
    assert_eq!(chat.details(packet).await.packet.claimed_shares, 0, "it reads");
    tokio::time::sleep(FRESH).await;
    assert!(!chat.host.check().await.is_ready(), "the check writes too");
    ledger.set(Fault::None);
    tokio::time::sleep(FRESH).await;
    assert!(chat.host.check().await.is_ready());
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_refunds_once() {
    let Switched { chat, ledger, .. } = switched();
    let packet = chat.lucky(1_000, 3).await;
    chat.clock.advance(DAY_MS);
    ledger.set(Fault::ReplyLost);
    assert!(chat.tenant.expire(packet).await.is_err());
    ledger.set(Fault::None);
    assert_eq!(chat.tenant.expire(packet).await.unwrap(), Expired::Already(amount(1_000)));
    assert_eq!(chat.balance("alice").await, 1_000);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn without_the_ledger_a_seat_stays() {
    let Switched { chat, ledger, .. } = switched();
    let packet = chat.lucky(1_000, 3).await;
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    ledger.set(Fault::Down);
    assert_eq!(chat.open(packet, "bob").await, Opened::Unavailable);
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Admitted, "grab needs the cache alone");
    assert_eq!(chat.try_send(request(10, 1)).await, Err(SendError::Unavailable));
    ledger.set(Fault::None);
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_ledger_that_never_stands_still_is_busy_and_the_seat_stays() {
    let Switched { chat, ledger, .. } = switched();
    let packet = chat.lucky(1_000, 3).await;
    chat.grab(packet, "bob").await;
    ledger.set(Fault::Contended);
    assert_eq!(chat.open(packet, "bob").await, Opened::Busy);
    chat.clock.advance(1);
    ledger.set(Fault::None);
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
}

#[tokio::test]
async fn a_lost_cache_loses_neither_seats_nor_claims() {
    let chat = Chat::default();
    let packet = chat.lucky(1_000, 4).await;
    let opened = chat.take(packet, "bob").await;
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Admitted);
    chat.host.lose_cache().await.unwrap();
    assert!(matches!(chat.open(packet, "carol").await, Opened::Opened(_)), "carol had a seat");
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::AlreadyOpened(opened.amount));
    chat.take(packet, "dave").await;
    chat.take(packet, "erin").await;
    assert_eq!(chat.grab(packet, "frank").await, Grabbed::Exhausted);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn after_a_lease_without_the_cache_strangers_are_told_apart_again() {
    let chat = Chat::default();
    let packet = chat.lucky(1_000, 4).await;
    chat.host.lose_cache().await.unwrap();
    chat.grab(packet, "bob").await;
    chat.clock.advance(chat.tenant.policy().lease_ms);
    assert_eq!(chat.open(packet, "mallory").await, Opened::NotGrabbed);
    assert_eq!(chat.open(packet, "bob").await, Opened::NotGrabbed, "bob's lease has ended too");
    assert!(matches!(chat.grab(packet, "bob").await, Grabbed::Admitted));
}

#[tokio::test]
async fn a_counter_that_was_tampered_with_is_found_and_built_again() {
    let Switched { chat, counter, .. } = switched();
    let packet = chat.lucky(1_000, 3).await;
    chat.grab(packet, "bob").await;
    // The cache forgets that bob opened: its confirmation never arrived.
    counter.set(Fault::Down);
    assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
    counter.set(Fault::None);
    chat.clock.advance(chat.tenant.policy().lease_ms);
    let report = chat.tenant.reconcile(true).await.unwrap();
    assert_eq!(report.discrepancies, []);
    assert_eq!(report.mismatches.len(), 1);
    assert!(report.mismatches[0].repaired);
    assert!(matches!(chat.grab(packet, "bob").await, Grabbed::AlreadyOpened(_)));
    assert!(chat.tenant.reconcile(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_reconciliation_that_may_not_repair_any_more_goes_on_to_tell() {
    let Switched { chat, counter, .. } = switched();
    for _ in 0..2 {
        let packet = chat.lucky(1_000, 3).await;
        chat.grab(packet, "bob").await;
        counter.set(Fault::Down);
        assert!(matches!(chat.open(packet, "bob").await, Opened::Opened(_)));
        counter.set(Fault::None);
    }
    chat.clock.advance(chat.tenant.policy().lease_ms);
    let is_first = std::sync::atomic::AtomicBool::new(true);
    let once = || is_first.swap(false, std::sync::atomic::Ordering::SeqCst);
    let report = chat.tenant.reconcile_while(&once).await.unwrap();
    let repaired: Vec<_> = report.mismatches.iter().map(|found| found.repaired).collect();
    assert_eq!(repaired, [true, false]);
    let report = chat.tenant.reconcile(true).await.unwrap();
    assert_eq!(report.mismatches.len(), 1, "the one that was left");
}
