//! Withdrawals: money that leaves, in two phases.

use std::sync::Arc;

use futures::future::join_all;
use hongbao_host::domain::{
    Amount, Limits, MovementKind, Name, Reference, SendError, Withdrawal, WithdrawalId, WithdrawalState,
};
use hongbao_host::imports::{Entropy, ManualClock};
use hongbao_host::runtime::Host;
use hongbao_host::store::memory::{MemoryCounter, MemoryLedger};
use hongbao_host::store::{Ended, StoreError, Withdrawn};
use hongbao_tests::chat::{Chat, alone, amount, everything, user};

use crate::stage::{DAY_MS, FUNDED, both, by, chat, equal, fund, funded, later, take};

fn key(text: &str) -> Name {
    Name::new(text).unwrap()
}

async fn try_withdraw(chat: &Chat, name: &str, minor: u64, called: &str) -> Result<Withdrawn, StoreError> {
    let reference = Reference::new(format!("payout {called}")).unwrap();
    chat.tenant.withdraw(&user(name), amount(minor), &key(called), reference).await
}

/// Takes out what the wallet holds; gives the withdrawal.
async fn withdraw(chat: &Chat, name: &str, minor: u64, called: &str) -> Withdrawal {
    match try_withdraw(chat, name, minor, called).await.unwrap() {
        Withdrawn::Held(withdrawal, _) => withdrawal,
        other => panic!("it is held, and not: {other:?}"),
    }
}

/// What is in wallets, held, and outside.
async fn stands(chat: &Chat) -> [i128; 3] {
    chat.assert_conserved().await;
    let audit = chat.tenant.audit().await.unwrap();
    [audit.wallets, audit.held, audit.withdrawn]
}

#[tokio::test]
async fn money_is_out_of_the_wallet_at_once_and_outside_when_it_is_said() {
    let (_directory, chats) = both();
    for chat in chats {
        let chat = funded(chat).await;
        let held = withdraw(&chat, "alice", 400_000, "k1").await;
        assert_eq!((held.state, held.reference.as_str()), (WithdrawalState::Held, "payout k1"));
        assert_eq!(chat.balance("alice").await, FUNDED - 400_000);
        assert_eq!(stands(&chat).await, [600_000, 400_000, 0]);
        let too_much = chat.try_send(equal(600_040, 40)).await;
        assert_eq!(too_much, Err(SendError::InsufficientFunds(amount(600_000))), "it cannot be spent");
        chat.clock.advance(5);
        let Ended::Ended(done) = chat.tenant.complete_withdrawal(&user("alice"), held.id).await.unwrap()
        else {
            panic!("it ends")
        };
        assert_eq!(done.state, WithdrawalState::Completed);
        assert_eq!(done.ended_at_ms, Some(held.requested_at_ms + 5));
        assert_eq!(stands(&chat).await, [600_000, 0, 400_000]);
        assert_eq!(chat.tenant.withdrawal(&user("alice"), held.id).await.unwrap(), Some(done));
    }
}

#[tokio::test]
async fn what_is_cancelled_can_be_spent_again() {
    let (_directory, chats) = both();
    for chat in chats {
        let chat = funded(chat).await;
        let held = withdraw(&chat, "alice", FUNDED, "k1").await;
        assert_eq!(chat.balance("alice").await, 0);
        let ended = chat.tenant.cancel_withdrawal(&user("alice"), held.id).await.unwrap();
        assert!(matches!(ended, Ended::Ended(_)), "{ended:?}");
        assert_eq!(stands(&chat).await, [i128::from(FUNDED), 0, 0]);
        let lines = chat.tenant.statement(&user("alice"), None, 10).await.unwrap();
        let lines: Vec<_> = lines.iter().map(|line| (line.kind, line.amount, line.withdrawal)).collect();
        let minor = FUNDED.cast_signed();
        let expected = [
            (MovementKind::Cancel, minor, Some(held.id)),
            (MovementKind::Withdraw, -minor, Some(held.id)),
            (MovementKind::Fund, minor, None),
        ];
        assert_eq!(lines, expected);
    }
}

#[tokio::test]
async fn a_withdrawal_ends_once_whatever_is_said_later() {
    let chat = chat().await;
    let (one, other) = (withdraw(&chat, "alice", 10, "k1").await, withdraw(&chat, "alice", 20, "k2").await);
    let alice = user("alice");
    for _ in 0..2 {
        let ended = chat.tenant.complete_withdrawal(&alice, one.id).await.unwrap();
        assert!(matches!(ended, Ended::Ended(_) | Ended::Already(_)), "{ended:?}");
        let ended = chat.tenant.cancel_withdrawal(&alice, other.id).await.unwrap();
        assert!(matches!(ended, Ended::Ended(_) | Ended::Already(_)), "{ended:?}");
    }
    let back = chat.tenant.cancel_withdrawal(&alice, one.id).await.unwrap();
    assert!(
        matches!(&back, Ended::Otherwise(found) if found.state == WithdrawalState::Completed),
        "{back:?}"
    );
    let out = chat.tenant.complete_withdrawal(&alice, other.id).await.unwrap();
    assert!(matches!(&out, Ended::Otherwise(found) if found.state == WithdrawalState::Cancelled), "{out:?}");
    let unknown = WithdrawalId::new(1, 1);
    assert_eq!(chat.tenant.complete_withdrawal(&alice, unknown).await.unwrap(), Ended::NotFound);
    assert_eq!(chat.tenant.cancel_withdrawal(&user("bob"), one.id).await.unwrap(), Ended::NotFound);
    assert_eq!(stands(&chat).await, [i128::from(FUNDED) - 10, 0, 10]);
}

#[tokio::test]
async fn a_key_names_one_withdrawal_and_too_much_is_refused() {
    let chat = chat().await;
    let held = withdraw(&chat, "alice", 10, "k1").await;
    let again = try_withdraw(&chat, "alice", 10, "k1").await.unwrap();
    assert_eq!(again, Withdrawn::Replayed(held, amount(FUNDED - 10)));
    assert_eq!(try_withdraw(&chat, "alice", 11, "k1").await.unwrap(), Withdrawn::KeyReused);
    let short = try_withdraw(&chat, "alice", FUNDED, "k2").await.unwrap();
    assert_eq!(short, Withdrawn::InsufficientFunds(amount(FUNDED - 10)));
    let nothing = try_withdraw(&chat, "alice", 0, "k3").await;
    assert!(matches!(nothing, Err(StoreError::Refused(_))), "{nothing:?}");
    assert_eq!(stands(&chat).await, [i128::from(FUNDED) - 10, 10, 0]);
}

#[tokio::test]
async fn a_share_can_leave_once_it_is_settled() {
    let chat = Chat::default();
    let packet = chat.equal(100, 1).await;
    take(&chat, packet, "bob").await;
    let early = try_withdraw(&chat, "bob", 100, "k1").await.unwrap();
    assert_eq!(early, Withdrawn::InsufficientFunds(Amount::ZERO));
    chat.settle_all().await;
    withdraw(&chat, "bob", 100, "k1").await;
    assert_eq!(chat.try_send(by(equal(1, 1), "bob")).await, Err(SendError::InsufficientFunds(Amount::ZERO)));
    assert_eq!(stands(&chat).await, [0, 100, 0]);
}

#[tokio::test]
async fn many_at_once_take_out_what_there_is_and_no_more() {
    let (_directory, chats) = both();
    for chat in chats {
        fund(&chat, "alice", 95).await;
        let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
        let told = join_all(keys.iter().map(|key| try_withdraw(&chat, "alice", 10, key))).await;
        let held = told.iter().filter(|told| matches!(told, Ok(Withdrawn::Held(..)))).count();
        let short = told.iter().filter(|told| matches!(told, Ok(Withdrawn::InsufficientFunds(_)))).count();
        assert_eq!((held, short), (9, 11));
        assert_eq!(stands(&chat).await, [5, 90, 0]);
    }
}

#[tokio::test]
async fn lists_tell_of_a_user_the_latest_and_of_the_tenant_the_oldest_first() {
    let chat = chat().await;
    fund(&chat, "bob", 100).await;
    let mut ids = Vec::new();
    for (number, name) in ["alice", "bob", "alice", "bob"].into_iter().enumerate() {
        ids.push(withdraw(&chat, name, 10, &format!("k{number}")).await.id);
        chat.clock.advance(1);
    }
    chat.tenant.complete_withdrawal(&user("alice"), ids[0]).await.unwrap();
    let ids_of = |list: Vec<Withdrawal>| list.into_iter().map(|one| one.id).collect::<Vec<_>>();
    let of_alice = chat.tenant.withdrawals(&user("alice"), None, 10).await.unwrap();
    assert_eq!(ids_of(of_alice), [ids[2], ids[0]]);
    let earlier = chat.tenant.withdrawals(&user("alice"), Some(ids[2]), 10).await.unwrap();
    assert_eq!(ids_of(earlier), [ids[0]]);
    assert_eq!(ids_of(chat.tenant.held(None, 2).await.unwrap()), [ids[1], ids[2]]);
    assert_eq!(ids_of(chat.tenant.held(Some(ids[2]), 2).await.unwrap()), [ids[3]]);
}

#[tokio::test]
async fn what_is_held_for_long_is_reported_and_never_decided() {
    let chat = chat().await;
    let first = withdraw(&chat, "alice", 10, "k1").await;
    later(&chat, DAY_MS - 1).await;
    let second = withdraw(&chat, "alice", 20, "k2").await;
    assert!(!chat.tenant.is_hanging(&first));
    assert_eq!(chat.tenant.reconcile(true).await.unwrap().hanging, []);
    later(&chat, 1).await;
    assert!(chat.tenant.is_hanging(&first) && !chat.tenant.is_hanging(&second));
    let found = chat.tenant.reconcile(true).await.unwrap();
    assert_eq!((found.is_clean(), &found.hanging), (false, &vec![first.clone()]));
    later(&chat, 30 * DAY_MS).await;
    let found = chat.tenant.reconcile(true).await.unwrap();
    assert_eq!(found.hanging, [first.clone(), second.clone()], "the oldest first");
    assert_eq!(stands(&chat).await[1..], [30, 0], "they stay held");
    chat.tenant.cancel_withdrawal(&user("alice"), first.id).await.unwrap();
    chat.tenant.complete_withdrawal(&user("alice"), second.id).await.unwrap();
    assert!(chat.tenant.reconcile(true).await.unwrap().is_clean());
}

#[tokio::test]
async fn more_than_a_page_may_hang() {
    let chat = chat().await;
    for number in 0..300 {
        withdraw(&chat, "alice", 1, &format!("k{number}")).await;
        chat.clock.advance(1);
    }
    later(&chat, DAY_MS).await;
    withdraw(&chat, "alice", 1, "late").await;
    let hanging = chat.tenant.reconcile(false).await.unwrap().hanging;
    assert_eq!(hanging.len(), 300);
    assert!(hanging.is_sorted_by_key(|one| one.id));
}

#[tokio::test]
async fn the_time_that_a_withdrawal_may_take_is_the_tenants() {
    let clock = Arc::new(ManualClock::new(1_771_200_000_000));
    let builder = Host::builder()
        .counter(Arc::new(MemoryCounter::new()))
        .ledger(Arc::new(MemoryLedger::new()))
        .clock(Arc::<ManualClock>::clone(&clock))
        .entropy(Entropy::seeded(8));
    let limits = Limits { withdrawal_ms: 1_000, ..Limits::default() };
    let (host, tenant) = alone(builder, everything().limits(limits));
    tenant.fund(&user("alice"), amount(10)).await.unwrap();
    let withdrawn = tenant.withdraw(&user("alice"), amount(10), &key("k1"), Reference::default()).await;
    let Ok(Withdrawn::Held(held, _)) = withdrawn else { panic!("{withdrawn:?}") };
    clock.advance(999);
    assert!(!tenant.is_hanging(&held));
    clock.advance(1);
    assert!(tenant.is_hanging(&held));
    // What an operator is alarmed by.
    host.backlog().await.unwrap();
    let metrics = host.metrics();
    for line in ["hongbao_held_withdrawals 1", "hongbao_held_withdrawals_oldest_seconds 1.0"] {
        assert!(metrics.lines().any(|one| one == line), "{line} in {metrics}");
    }
}
