//! What is told of withdrawals: lists, statements, and what waits.

use super::withdrawing::{id, new};
use super::*;
use crate::{End, Entry, Held};
use hongbao_domain::{MovementKind, Withdrawal, WithdrawalId};

checks! { Bench of Ledger:
    a_user_sees_their_withdrawals_the_latest_first,
    a_tenant_sees_what_is_held_the_oldest_first,
    lists_of_withdrawals_are_walked_through_without_gaps,
    a_withdrawal_is_on_the_statement_as_it_moved_the_wallet,
    what_is_held_of_all_tenants_is_counted_with_the_oldest,
}

impl Bench {
    async fn withdrawals(&self, name: &str, before: Option<WithdrawalId>, limit: u32) -> Vec<Withdrawal> {
        let list = self.ledger.withdrawals(&self.tenant, &user(name), before, limit).await;
        list.expect("withdrawals answers")
    }

    async fn held(&self, after: Option<WithdrawalId>, limit: u32) -> Vec<Withdrawal> {
        self.ledger.held(&self.tenant, after, limit).await.expect("held answers")
    }
}

fn ids(list: &[Withdrawal]) -> Vec<WithdrawalId> {
    list.iter().map(|withdrawal| withdrawal.id).collect()
}

/// Takes out of alice's and bob's wallets in turn; 3 is completed and 4 is cancelled.
async fn six(bench: &Bench) {
    bench.fund("alice", 100).await;
    bench.fund("bob", 100).await;
    for number in 1..=6 {
        let name = if number % 2 == 1 { "alice" } else { "bob" };
        bench.take_out(number, name, number).await;
    }
    bench.end("alice", id(3), End::Complete).await;
    bench.end("bob", id(4), End::Cancel).await;
}

async fn a_user_sees_their_withdrawals_the_latest_first(bench: Bench) {
    six(&bench).await;
    assert_eq!(ids(&bench.withdrawals("alice", None, 10).await), [5, 3, 1].map(id));
    assert_eq!(ids(&bench.withdrawals("bob", None, 10).await), [6, 4, 2].map(id));
    for name in ["nobody", "alic", "alice ", "ALICE"] {
        assert_eq!(bench.withdrawals(name, None, 10).await, [], "{name}");
    }
    assert_eq!(bench.of("elsewhere").withdrawals("alice", None, 10).await, []);
    for listed in bench.withdrawals("bob", None, 10).await {
        let found = bench.ledger.withdrawal(&bench.tenant, &user("bob"), listed.id).await;
        assert_eq!(found.expect("withdrawal answers"), Some(listed));
    }
}

async fn a_tenant_sees_what_is_held_the_oldest_first(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    six(&bench).await;
    elsewhere.fund("alice", 5).await;
    elsewhere.take_out(3, "alice", 5).await;
    assert_eq!(ids(&bench.held(None, 10).await), [1, 2, 5, 6].map(id));
    assert_eq!(ids(&elsewhere.held(None, 10).await), [id(3)]);
    assert_eq!(bench.of("nowhere").held(None, 10).await, []);
}

async fn lists_of_withdrawals_are_walked_through_without_gaps(bench: Bench) {
    six(&bench).await;
    assert_eq!(ids(&bench.withdrawals("alice", None, 2).await), [5, 3].map(id));
    assert_eq!(ids(&bench.withdrawals("alice", Some(id(3)), 2).await), [id(1)]);
    assert_eq!(bench.withdrawals("alice", Some(id(1)), 2).await, []);
    assert_eq!(bench.withdrawals("alice", None, 0).await, []);
    assert_eq!(ids(&bench.held(None, 3).await), [1, 2, 5].map(id));
    assert_eq!(ids(&bench.held(Some(id(5)), 3).await), [id(6)]);
    assert_eq!(ids(&bench.held(Some(id(3)), 3).await), [5, 6].map(id), "after one that has ended");
    assert_eq!(bench.held(Some(id(6)), 3).await, []);
}

async fn a_withdrawal_is_on_the_statement_as_it_moved_the_wallet(bench: Bench) {
    bench.fund("alice", 100).await;
    bench.take_out(1, "alice", 40).await;
    bench.take_out(2, "alice", 50).await;
    bench.end("alice", id(1), End::Complete).await;
    bench.end("alice", id(2), End::Cancel).await;
    let statement = bench.ledger.statement(&bench.tenant, &user("alice"), None, 10).await;
    let statement = statement.expect("statement answers");
    let lines: Vec<_> = statement.iter().map(|line| (line.kind, line.withdrawal, line.amount)).collect();
    let expected = [
        (MovementKind::Cancel, Some(id(2)), 50),
        (MovementKind::Withdraw, Some(id(2)), -50),
        (MovementKind::Withdraw, Some(id(1)), -40),
        (MovementKind::Fund, None, 100),
    ];
    assert_eq!(lines, expected, "its completion moves no wallet");
    assert!(statement.iter().all(|line| line.packet.is_none()));
    let sum: i64 = statement.iter().map(|line: &Entry| line.amount).sum();
    assert_eq!(sum.cast_unsigned(), bench.balance("alice").await);
}

async fn what_is_held_of_all_tenants_is_counted_with_the_oldest(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    assert_eq!(bench.backlog().await.held, Held::default());
    for (bench, now) in [(&bench, 7), (&elsewhere, 3)] {
        bench.fund("alice", 5).await;
        bench
            .ledger
            .withdraw(&bench.tenant, new(1, "alice", 5), START + now)
            .await
            .expect("withdraw answers");
    }
    let held = |withdrawals, oldest| Held { withdrawals, oldest_ms: Some(START + oldest) };
    assert_eq!(bench.backlog().await.held, held(2, 3));
    elsewhere.end("alice", id(1), End::Complete).await;
    assert_eq!(bench.backlog().await.held, held(1, 7));
    assert_eq!(bench.backlog().await, Backlog { held: held(1, 7), ..Backlog::default() });
    bench.end("alice", id(1), End::Cancel).await;
    assert_eq!(bench.backlog().await, Backlog::default());
}
