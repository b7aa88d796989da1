//! Money that leaves: taken out of the wallet, held, and ended once.

use super::*;
use crate::{End, Ended, NewWithdrawal, Withdrawn};
use hongbao_domain::{Reference, Withdrawal, WithdrawalId, WithdrawalState};

checks! { Bench of Ledger:
    a_withdrawal_leaves_the_wallet_at_once_and_is_held,
    what_is_completed_is_outside,
    what_is_cancelled_is_back,
    a_withdrawal_ends_once,
    a_wallet_gives_no_more_than_it_holds,
    withdrawing_nothing_is_refused,
    a_key_names_one_withdrawal,
    a_key_names_it_whatever_became_of_it,
    keys_of_withdrawals_belong_to_one_tenant_and_to_withdrawals,
    a_withdrawal_that_is_refused_leaves_its_key_free,
    an_id_names_one_withdrawal,
    nobody_else_ends_a_withdrawal,
    a_cancel_that_has_no_room_leaves_it_held,
    references_are_kept_as_they_are,
    racing_withdrawals_of_one_key_move_once,
    racing_withdrawals_of_one_key_for_many_users_move_once,
    racing_ends_end_it_once,
    a_withdrawal_and_a_send_do_not_both_get_the_last_cent,
}

/// The id of the `number`th withdrawal.
pub(super) fn id(number: u64) -> WithdrawalId {
    WithdrawalId::new(START, u128::from(number))
}

/// The `number`th withdrawal, with a key that is named after it.
pub(super) fn new(number: u64, name: &str, minor: u64) -> NewWithdrawal {
    NewWithdrawal {
        id: id(number),
        user: user(name),
        key: text(&format!("key {number}")),
        amount: amount(minor),
        reference: Reference::default(),
    }
}

fn keyed(number: u64, name: &str, minor: u64, key: &str) -> NewWithdrawal {
    NewWithdrawal { key: text(key), ..new(number, name, minor) }
}

/// As it stands after it ended at the start of time.
fn ended(held: Withdrawal, end: End) -> Withdrawal {
    Withdrawal { state: end.state(), ended_at_ms: Some(START), ..held }
}

impl Bench {
    pub(super) async fn try_withdraw(&self, new: NewWithdrawal) -> Result<Withdrawn, StoreError> {
        self.ledger.withdraw(&self.tenant, new, START).await
    }

    async fn withdraw(&self, new: NewWithdrawal) -> Withdrawn {
        self.try_withdraw(new).await.expect("withdraw answers")
    }

    /// Takes so much out of a wallet that holds it.
    pub(super) async fn take_out(&self, number: u64, name: &str, minor: u64) -> Withdrawal {
        match self.withdraw(new(number, name, minor)).await {
            Withdrawn::Held(withdrawal, _) => withdrawal,
            other => panic!("the withdrawal of {minor} by {name} is held, not {other:?}"),
        }
    }

    async fn try_end(&self, name: &str, id: WithdrawalId, end: End) -> Result<Ended, StoreError> {
        self.ledger.end_withdrawal(&self.tenant, &user(name), id, end, START).await
    }

    pub(super) async fn end(&self, name: &str, id: WithdrawalId, end: End) -> Ended {
        self.try_end(name, id, end).await.expect("end_withdrawal answers")
    }

    /// What is in wallets, held, and outside.
    async fn stands(&self) -> (i128, i128, i128) {
        let audit = self.audit().await;
        assert!(audit.is_conserved(), "{audit:?}");
        (audit.wallets, audit.held, audit.withdrawn)
    }
}

async fn a_withdrawal_leaves_the_wallet_at_once_and_is_held(bench: Bench) {
    bench.fund("alice", 10).await;
    let expected = Withdrawal {
        id: id(1),
        user: user("alice"),
        key: text("key 1"),
        amount: amount(7),
        reference: Reference::default(),
        state: WithdrawalState::Held,
        requested_at_ms: START,
        ended_at_ms: None,
    };
    assert_eq!(bench.withdraw(new(1, "alice", 7)).await, Withdrawn::Held(expected.clone(), amount(3)));
    assert_eq!(
        bench.ledger.withdrawal(&bench.tenant, &user("alice"), id(1)).await.unwrap_or(None),
        Some(expected)
    );
    assert_eq!((bench.balance("alice").await, bench.stands().await), (3, (3, 7, 0)));
    let sums = Audit { funded: 10, wallets: 3, held: 7, movements: 2, ..Audit::default() };
    assert_eq!(bench.audit().await, sums);
}

async fn what_is_completed_is_outside(bench: Bench) {
    bench.fund("alice", 10).await;
    let held = bench.take_out(1, "alice", 7).await;
    assert_eq!(bench.end("alice", id(1), End::Complete).await, Ended::Ended(ended(held, End::Complete)));
    assert_eq!((bench.balance("alice").await, bench.stands().await), (3, (3, 0, 7)));
    let sums = Audit { funded: 10, wallets: 3, withdrawn: 7, movements: 3, ..Audit::default() };
    assert_eq!(bench.audit().await, sums);
}

async fn what_is_cancelled_is_back(bench: Bench) {
    bench.fund("alice", 10).await;
    let held = bench.take_out(1, "alice", 10).await;
    assert_eq!(bench.stands().await, (0, 10, 0), "all of it may leave");
    assert_eq!(bench.end("alice", id(1), End::Cancel).await, Ended::Ended(ended(held, End::Cancel)));
    assert_eq!((bench.balance("alice").await, bench.stands().await), (10, (10, 0, 0)));
}

async fn a_withdrawal_ends_once(bench: Bench) {
    bench.fund("alice", 20).await;
    for (number, first, other) in [(1, End::Complete, End::Cancel), (2, End::Cancel, End::Complete)] {
        let after = ended(bench.take_out(number, "alice", 5).await, first);
        bench.end("alice", id(number), first).await;
        let stands = bench.stands().await;
        assert_eq!(bench.end("alice", id(number), first).await, Ended::Already(after.clone()));
        assert_eq!(bench.end("alice", id(number), other).await, Ended::Otherwise(after.clone()));
        let alice = user("alice");
        let later = bench.ledger.end_withdrawal(&bench.tenant, &alice, id(number), first, START + 9).await;
        assert_eq!(later.expect("end answers"), Ended::Already(after), "the time of its end stays");
        assert_eq!(bench.stands().await, stands, "nothing moved");
    }
    assert_eq!(bench.stands().await, (15, 0, 5));
}

async fn a_wallet_gives_no_more_than_it_holds(bench: Bench) {
    assert_eq!(bench.withdraw(new(1, "nobody", 1)).await, Withdrawn::InsufficientFunds(amount(0)));
    bench.fund("alice", 10).await;
    for minor in [11, 12, Amount::MAX.get()] {
        let answer = bench.withdraw(new(1, "alice", minor)).await;
        assert_eq!(answer, Withdrawn::InsufficientFunds(amount(10)), "{minor}");
    }
    bench.take_out(1, "alice", 6).await;
    let answer = bench.withdraw(new(2, "alice", 5)).await;
    assert_eq!(answer, Withdrawn::InsufficientFunds(amount(4)), "what is held is spent");
    assert!(matches!(bench.record(1, order("key", 5, 1), 0).await, Recorded::InsufficientFunds(_)));
    assert_eq!(bench.stands().await, (4, 6, 0));
}

async fn withdrawing_nothing_is_refused(bench: Bench) {
    for name in ["nobody", "alice"] {
        let refused = bench.try_withdraw(new(1, name, 0)).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{name}: {refused:?}");
        bench.fund("alice", 10).await;
    }
    assert_eq!(bench.audit().await.movements, 2);
}

async fn a_key_names_one_withdrawal(bench: Bench) {
    bench.fund("alice", 10).await;
    bench.fund("bob", 10).await;
    let held = bench.take_out(1, "alice", 4).await;
    let again = bench.withdraw(keyed(2, "alice", 4, "key 1")).await;
    assert_eq!(again, Withdrawn::Replayed(held.clone(), amount(6)), "by its first id");
    let reference = Reference::new("another").expect("a reference");
    let others = [
        keyed(2, "alice", 5, "key 1"),
        keyed(2, "bob", 4, "key 1"),
        keyed(2, "alice", 0, "key 1"),
        keyed(2, "alice", 100, "key 1"),
        keyed(2, "nobody", 4, "key 1"),
        NewWithdrawal { reference, ..keyed(2, "alice", 4, "key 1") },
    ];
    for other in others {
        assert_eq!(bench.withdraw(other.clone()).await, Withdrawn::KeyReused, "{other:?}");
    }
    assert_eq!(bench.withdraw(new(1, "alice", 4)).await, Withdrawn::Replayed(held, amount(6)));
    assert_eq!(bench.stands().await, (16, 4, 0));
}

async fn a_key_names_it_whatever_became_of_it(bench: Bench) {
    bench.fund("alice", 10).await;
    for (number, end) in [(1, End::Complete), (2, End::Cancel)] {
        let after = ended(bench.take_out(number, "alice", 5).await, end);
        bench.end("alice", id(number), end).await;
        let left = bench.balance("alice").await;
        let again = bench.withdraw(new(number, "alice", 5)).await;
        assert_eq!(again, Withdrawn::Replayed(after, amount(left)), "it is not taken out again");
    }
    bench.spend("alice", 1, 5).await;
    let again = bench.withdraw(new(1, "alice", 5)).await;
    assert!(matches!(again, Withdrawn::Replayed(_, Amount::ZERO)), "of an empty wallet as well: {again:?}");
    assert_eq!(bench.stands().await, (0, 0, 5));
}

async fn keys_of_withdrawals_belong_to_one_tenant_and_to_withdrawals(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    bench.try_fund("alice", amount(10), Some("key 1")).await.expect("fund answers");
    elsewhere.fund("bob", 10).await;
    bench.take_out(1, "alice", 4).await;
    elsewhere.take_out(1, "bob", 3).await;
    assert_eq!((bench.stands().await, elsewhere.stands().await), ((6, 4, 0), (7, 3, 0)));
    let sent = bench.record(1, order("key 1", 6, 2), 0).await;
    assert!(matches!(sent, Recorded::Recorded(_)), "a packet's key is another: {sent:?}");
    let ended = elsewhere.end("bob", id(1), End::Cancel).await;
    assert!(matches!(ended, Ended::Ended(_)), "{ended:?}");
    assert_eq!(bench.stands().await, (0, 4, 0), "the one here is still held");
}

async fn a_withdrawal_that_is_refused_leaves_its_key_free(bench: Bench) {
    bench.fund("alice", 10).await;
    assert_eq!(bench.withdraw(new(1, "alice", 11)).await, Withdrawn::InsufficientFunds(amount(10)));
    assert!(bench.try_withdraw(new(1, "alice", 0)).await.is_err());
    bench.take_out(1, "alice", 10).await;
    assert_eq!(bench.stands().await, (0, 10, 0));
}

async fn an_id_names_one_withdrawal(bench: Bench) {
    bench.fund("alice", 10).await;
    bench.fund("bob", 10).await;
    bench.take_out(1, "alice", 4).await;
    for name in ["alice", "bob"] {
        let refused = bench.try_withdraw(keyed(1, name, 5, "another")).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{name}: {refused:?}");
    }
    assert_eq!(bench.stands().await, (16, 4, 0));
}

async fn nobody_else_ends_a_withdrawal(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    bench.fund("alice", 10).await;
    elsewhere.fund("alice", 10).await;
    bench.take_out(1, "alice", 4).await;
    for end in [End::Complete, End::Cancel] {
        assert_eq!(bench.end("bob", id(1), end).await, Ended::NotFound);
        assert_eq!(elsewhere.end("alice", id(1), end).await, Ended::NotFound);
        assert_eq!(bench.end("alice", id(2), end).await, Ended::NotFound);
    }
    for (bench, name, number) in [(&bench, "bob", 1), (&elsewhere, "alice", 1), (&bench, "alice", 2)] {
        let found = bench.ledger.withdrawal(&bench.tenant, &user(name), id(number)).await;
        assert_eq!(found.expect("withdrawal answers"), None);
    }
    assert_eq!((bench.stands().await, elsewhere.stands().await), ((6, 4, 0), (10, 0, 0)));
}

async fn a_cancel_that_has_no_room_leaves_it_held(bench: Bench) {
    let largest = Amount::MAX.get();
    bench.fund("alice", largest).await;
    bench.take_out(1, "alice", 5).await;
    bench.fund("alice", 1).await;
    let refused = bench.try_end("alice", id(1), End::Cancel).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(bench.stands().await, (i128::from(largest) - 4, 5, 0), "it stays held");
    bench.spend("alice", 1, 1).await;
    assert!(matches!(bench.end("alice", id(1), End::Cancel).await, Ended::Ended(_)), "there is room now");
    assert_eq!(bench.balance("alice").await, largest);
}

async fn references_are_kept_as_they_are(bench: Bench) {
    let longest = "x".repeat(256);
    let references = ["", " ", "SEPA 2026-11/7", "微信红包", "'; DROP", "..", "\u{202e}", &longest];
    bench.fund("alice", 100).await;
    for (number, reference) in (1..).zip(references) {
        let reference = Reference::new(reference).expect("a reference");
        bench.withdraw(NewWithdrawal { reference: reference.clone(), ..new(number, "alice", 1) }).await;
        let found = bench.ledger.withdrawal(&bench.tenant, &user("alice"), id(number)).await;
        assert_eq!(found.expect("withdrawal answers").map(|found| found.reference), Some(reference));
    }
}

async fn racing_withdrawals_of_one_key_move_once(bench: Bench) {
    bench.fund("alice", 100).await;
    let racer = |number: u32| {
        let bench = bench.clone();
        async move { bench.withdraw(keyed(u64::from(number), "alice", 7, "key")).await }
    };
    let told = race(racer).await;
    let first =
        told.iter().filter(|told| matches!(told, Withdrawn::Held(_, left) if left.get() == 93)).count();
    let again =
        told.iter().filter(|told| matches!(told, Withdrawn::Replayed(_, left) if left.get() == 93)).count();
    assert_eq!((first, again), (1, RACERS as usize - 1), "{told:?}");
    assert_eq!(bench.stands().await, (93, 7, 0));
}

async fn racing_withdrawals_of_one_key_for_many_users_move_once(bench: Bench) {
    for number in 0..RACERS {
        bench.fund(&format!("user {number}"), 10).await;
    }
    let racer = |number: u32| {
        let bench = bench.clone();
        async move { bench.withdraw(keyed(u64::from(number), &format!("user {number}"), 7, "key")).await }
    };
    let told = race(racer).await;
    let first = told.iter().filter(|told| matches!(told, Withdrawn::Held(..))).count();
    let reused = told.iter().filter(|told| **told == Withdrawn::KeyReused).count();
    assert_eq!((first, reused), (1, RACERS as usize - 1), "{told:?}");
    assert_eq!(bench.stands().await.1, 7);
}

async fn racing_ends_end_it_once(bench: Bench) {
    bench.fund("alice", 100).await;
    bench.take_out(1, "alice", 40).await;
    let racer = |number: u32| {
        let (bench, end) =
            (bench.clone(), if number.is_multiple_of(2) { End::Complete } else { End::Cancel });
        async move { (end, bench.end("alice", id(1), end).await) }
    };
    let told = race(racer).await;
    let ends: Vec<End> =
        told.iter().filter_map(|(end, told)| matches!(told, Ended::Ended(_)).then_some(*end)).collect();
    let [won] = *ends else { panic!("one ends it, not {told:?}") };
    for (end, told) in &told {
        let agrees = match told {
            Ended::Ended(_) | Ended::Already(_) => *end == won,
            Ended::Otherwise(found) => *end != won && found.state == won.state(),
            Ended::NotFound => false,
        };
        assert!(agrees, "{won:?} came first, and {end:?} is told {told:?}");
    }
    let stands = if won == End::Complete { (60, 0, 40) } else { (100, 0, 0) };
    assert_eq!(bench.stands().await, stands);
}

async fn a_withdrawal_and_a_send_do_not_both_get_the_last_cent(bench: Bench) {
    bench.fund("alice", 59).await;
    let racer = |number: u32| {
        let (bench, number) = (bench.clone(), u64::from(number));
        async move {
            if number.is_multiple_of(2) {
                return matches!(bench.withdraw(new(number, "alice", 10)).await, Withdrawn::Held(..));
            }
            let recorded = bench.record(number, order(&format!("key {number}"), 10, 3), 0).await;
            matches!(recorded, Recorded::Recorded(_))
        }
    };
    let won = race(racer).await.into_iter().filter(|won| *won).count();
    assert_eq!((won, bench.balance("alice").await), (5, 9));
    let audit = bench.audit().await;
    assert_eq!(audit.held + audit.escrow, 50, "{audit:?}");
}
