//! Withdrawals: what the database refuses by itself, and what is found where somebody got around it.

use super::{Books, NOW, amount, user};
use hongbao_domain::{Name, Reference, TenantId, WithdrawalId};
use hongbao_store::prelude::*;
use hongbao_store::{End, Ended, NewWithdrawal, Withdrawn};

fn id(number: u128) -> WithdrawalId {
    WithdrawalId::from_bytes(number.to_be_bytes())
}

/// Books in which alice has 910 left of 1,000: of hers 1 is held (40), 2 is completed (50), 3 is cancelled (60).
async fn books() -> Books {
    let books = Books::new();
    books.fund("alice", 1_000).await;
    books.fund("bob", 100).await;
    let tenant = TenantId::default();
    for (number, minor) in [(1, 40), (2, 50), (3, 60)] {
        let new = NewWithdrawal {
            id: id(number),
            user: user("alice"),
            key: Name::new(format!("key {number}")).unwrap(),
            amount: amount(minor),
            reference: Reference::default(),
        };
        let withdrawn = books.ledger.withdraw(&tenant, new, NOW).await.unwrap();
        assert!(matches!(withdrawn, Withdrawn::Held(..)), "{withdrawn:?}");
    }
    for (number, end) in [(2, End::Complete), (3, End::Cancel)] {
        let ended = books.ledger.end_withdrawal(&tenant, &user("alice"), id(number), end, NOW).await.unwrap();
        assert!(matches!(ended, Ended::Ended(_)), "{ended:?}");
    }
    books
}

/// `[n]` is a withdrawal's id, and `{n}` its tenant and its id.
fn filled(sql: &str) -> String {
    (1..=6).fold(sql.to_owned(), |sql, n| {
        let hex = format!("x'{n:032x}'");
        sql.replace(&format!("{{{n}}}"), &format!("'default', {hex}")).replace(&format!("[{n}]"), &hex)
    })
}

async fn check(cases: &[(String, &str)]) {
    let books = books().await;
    let db = books.connection();
    for (case, words) in cases {
        let sql = filled(case);
        match db.execute_batch(&sql) {
            Ok(()) => panic!("not refused: {sql}"),
            Err(error) => assert!(error.to_string().contains(words), "{sql}\n{error}"),
        }
    }
    books.assert_in_order().await;
}

#[tokio::test]
async fn withdrawals_that_break_a_rule() {
    let insert = |values: &str| {
        let columns = "tenant, id, user, key, amount, state, ended_at_ms, reference, requested_at_ms";
        format!("INSERT INTO withdrawals ({columns}) VALUES ({values}, '', 1)")
    };
    let inserts = [
        ("{6}, 'alice', 'key', 0, 'held', NULL", "amount >= 1"),
        ("{6}, 'alice', 'key', -1, 'held', NULL", "amount >= 1"),
        ("{6}, 'alice', 'key', 911, 'held', NULL", "the wallet holds too little"),
        ("{6}, 'nobody', 'key', 1, 'held', NULL", "the wallet holds too little"),
        (
            "{6}, 'alice', 'key 1', 1, 'held', NULL",
            "UNIQUE constraint failed: withdrawals.tenant, withdrawals.key",
        ),
        (
            "{1}, 'bob', 'key', 1, 'held', NULL",
            "UNIQUE constraint failed: withdrawals.tenant, withdrawals.id",
        ),
        ("{6}, 'alice', 'key', 1, 'completed', 1", "a withdrawal starts as it is held"),
        ("{6}, 'alice', 'key', 1, 'gone', NULL", "a withdrawal starts as it is held"),
        ("{6}, 'alice', 'key', 1, 'held', 1", "what_is_held_has_not_ended"),
    ];
    let mut cases: Vec<_> = inserts.map(|(values, words)| (insert(values), words)).into();
    let update = |set: &str| format!("UPDATE withdrawals SET {set}");
    let updates = [
        ("amount = 41 WHERE id = [1]", "what was withdrawn never changes"),
        ("user = 'bob' WHERE id = [1]", "what was withdrawn never changes"),
        ("reference = 'other' WHERE id = [1]", "what was withdrawn never changes"),
        ("key = 'other' WHERE id = [1]", "what was withdrawn never changes"),
        ("state = 'completed' WHERE id = [1]", "what_is_held_has_not_ended"),
        ("state = 'gone', ended_at_ms = 1 WHERE id = [1]", "state IN"),
        ("ended_at_ms = 1 WHERE id = [1]", "a withdrawal ends once"),
        ("state = 'held' WHERE id = [1]", "a withdrawal ends once"),
        ("state = 'cancelled' WHERE id = [2]", "a withdrawal ends once"),
        ("state = 'completed' WHERE id = [2]", "a withdrawal ends once"),
        ("state = 'completed' WHERE id = [3]", "a withdrawal ends once"),
        ("state = 'held', ended_at_ms = NULL WHERE id = [2]", "a withdrawal ends once"),
        ("ended_at_ms = 9 WHERE id = [3]", "a withdrawal ends once"),
    ];
    cases.extend(updates.map(|(set, words)| (update(set), words)));
    cases.push(("DELETE FROM withdrawals".into(), "withdrawals are kept"));
    let replaced = insert("{1}, 'alice', 'key 1', 1, 'held', NULL").replace("INSERT", "REPLACE");
    cases.push((replaced, "withdrawals are kept"));
    check(&cases).await;
}

#[tokio::test]
async fn movements_that_no_withdrawal_stands_behind() {
    let movement = |values: &str| {
        let columns = "kind, tenant, withdrawal, user, amount, at_ms";
        format!("INSERT INTO movements ({columns}) VALUES ({values}, 1)")
    };
    const SAYS: &str = "a movement is what its withdrawal says";
    let cases = [
        ("'withdraw', {1}, 'alice', 40", "UNIQUE constraint failed"),
        ("'withdraw', {6}, 'alice', 40", SAYS),
        ("'withdraw', {2}, 'alice', 50", SAYS),
        ("'complete', {1}, 'alice', 40", SAYS),
        ("'cancel', {1}, 'alice', 40", SAYS),
        ("'complete', {2}, 'alice', 50", "UNIQUE constraint failed"),
        ("'cancel', {2}, 'alice', 50", SAYS),
        ("'cancel', {3}, 'alice', 60", "UNIQUE constraint failed"),
        ("'cancel', {3}, 'bob', 60", SAYS),
        ("'cancel', {3}, 'alice', 61", SAYS),
        ("'complete', {3}, 'alice', 60", SAYS),
        ("'fund', {1}, 'alice', 40", "a_movement_of_a_withdrawal_has_one"),
        ("'cancel', 'default', NULL, 'alice', 60", SAYS),
    ];
    let mut cases: Vec<_> = cases.map(|(values, words)| (movement(values), words)).into();
    let both = "INSERT INTO movements (kind, tenant, packet, withdrawal, user, amount, at_ms)
                VALUES ('cancel', 'default', [1], [3], 'alice', 60, 1)";
    cases.push((both.into(), "a_movement_of_a_packet_has_one"));
    check(&cases).await;
}

#[tokio::test]
async fn a_row_posts_what_it_says_whoever_writes_it() {
    let books = books().await;
    let (db, tenant, bob) = (books.connection(), TenantId::default(), user("bob"));
    let sql = "INSERT INTO withdrawals (tenant, id, user, key, amount, reference, requested_at_ms)
               VALUES ({6}, 'bob', 'by hand', 30, '', 1)";
    db.execute_batch(&filled(sql)).unwrap();
    assert_eq!(books.ledger.balance(&tenant, &bob).await.unwrap(), amount(70));
    let end = "UPDATE withdrawals SET state = 'cancelled', ended_at_ms = 2 WHERE id = [6]";
    db.execute_batch(&filled(end)).unwrap();
    assert_eq!(books.ledger.balance(&tenant, &bob).await.unwrap(), amount(100));
    let again = books.ledger.end_withdrawal(&tenant, &bob, id(6), End::Complete, NOW).await.unwrap();
    assert!(matches!(again, Ended::Otherwise(_)), "{again:?}");
    books.assert_in_order().await;
}

#[tokio::test]
async fn a_change_of_a_withdrawal_behind_our_back_is_found() {
    const OFF: &str =
        "DROP TRIGGER the_end_of_a_withdrawal_is_posted; DROP TRIGGER a_withdrawal_never_changes;
                       DROP TRIGGER a_withdrawal_ends_once; DROP TRIGGER a_withdrawal_is_taken;
                       DROP TRIGGER withdrawals_are_kept;";
    const TAKEN: &str = "a withdrawal is taken from its user's wallet";
    const HOLDING: &str = "holding holds what was withdrawn and has not ended";
    const OUTSIDE: &str = "what went outside was completed";
    type Found = &'static [(&'static str, i128, i128)];
    let cases: [(&str, Found); 6] = [
        (
            "UPDATE withdrawals SET state = 'completed', ended_at_ms = 1 WHERE id = [1]",
            &[(HOLDING, 0, 40), (OUTSIDE, 40, 0)],
        ),
        ("UPDATE withdrawals SET state = 'cancelled', ended_at_ms = 1 WHERE id = [1]", &[(HOLDING, 0, 40)]),
        ("UPDATE withdrawals SET state = 'cancelled' WHERE id = [2]", &[(OUTSIDE, 0, 50)]),
        ("UPDATE withdrawals SET amount = 41 WHERE id = [1]", &[(TAKEN, 41, 40), (HOLDING, 41, 40)]),
        (
            "INSERT INTO withdrawals (tenant, id, user, key, amount, reference, requested_at_ms)
             VALUES ({6}, 'bob', 'by hand', 30, '', 1)",
            &[(TAKEN, 30, 0), (HOLDING, 30, 0)],
        ),
        (
            "UPDATE withdrawals SET user = 'bob' WHERE id = [1]",
            &[(TAKEN, 0, 40), (TAKEN, 40, 0), (HOLDING, 0, 40), (HOLDING, 40, 0)],
        ),
    ];
    for (sql, expected) in cases {
        let books = books().await;
        books.connection().execute_batch(&filled(&format!("{OFF}{sql}"))).unwrap();
        let found = books.ledger.verify(&TenantId::default()).await.unwrap();
        let withdrawals = found.iter().filter(|found| found.subject.starts_with("withdrawal "));
        let told: Vec<_> = withdrawals.map(|found| (found.rule, found.expected, found.found)).collect();
        assert_eq!(told, expected, "{sql}: {found:?}");
        assert!(found.iter().all(|found| found.rule.contains("guards") || found.is_money()), "{found:?}");
    }
}

#[tokio::test]
async fn two_ledgers_on_one_directory_end_a_withdrawal_once() {
    let books = books().await;
    let other = crate::SqliteLedger::open(books.directory.path()).unwrap();
    let (tenant, alice) = (TenantId::default(), user("alice"));
    let both = [&books.ledger, &other];
    let ends = (0..40).map(|turn| {
        let end = if turn % 3 == 0 { End::Complete } else { End::Cancel };
        both[turn % 2].end_withdrawal(&tenant, &alice, id(1), end, NOW)
    });
    let told = futures::future::try_join_all(ends).await.unwrap();
    assert_eq!(told.iter().filter(|told| matches!(told, Ended::Ended(_))).count(), 1);
    books.assert_in_order().await;
}

#[tokio::test]
async fn a_withdrawal_is_there_after_opening_again() {
    let Books { ledger, directory } = books().await;
    let (tenant, alice) = (TenantId::default(), user("alice"));
    let before = ledger.withdrawals(&tenant, &alice, None, 10).await.unwrap();
    drop(ledger);
    let ledger = crate::SqliteLedger::open(directory.path()).unwrap();
    assert_eq!(ledger.withdrawals(&tenant, &alice, None, 10).await.unwrap(), before);
    assert_eq!(ledger.held(&tenant, None, 10).await.unwrap().len(), 1);
}
