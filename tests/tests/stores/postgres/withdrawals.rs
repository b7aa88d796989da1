//! Withdrawals: what the database refuses by itself, what is found where somebody got around it, and what survives a
//! server that is killed.

use std::time::{Duration, Instant};

use hongbao_host::domain::{Name, Reference, TenantId, WithdrawalId, WithdrawalState};
use hongbao_host::store::prelude::*;
use hongbao_host::store::{End, Ended, Ledger, NewWithdrawal, StoreError, Withdrawn};
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::Postgres;

use super::books::{Books, NOW, assert_in_order, fund};
use super::open;

fn id(number: u128) -> WithdrawalId {
    WithdrawalId::from_bytes(number.to_be_bytes())
}

fn new(number: u128, minor: u64) -> NewWithdrawal {
    NewWithdrawal {
        id: id(number),
        user: user("alice"),
        key: Name::new(format!("key {number}")).unwrap(),
        amount: amount(minor),
        reference: Reference::default(),
    }
}

async fn end(ledger: &dyn Ledger, number: u128, end: End) -> Result<Ended, StoreError> {
    ledger.end_withdrawal(&TenantId::default(), &user("alice"), id(number), end, NOW).await
}

/// Of alice's, 1 is held (40), 2 is completed (50), 3 is cancelled (60).
async fn books() -> Books {
    let books = Books::new().await;
    for (number, minor) in [(1, 40), (2, 50), (3, 60)] {
        let withdrawn = books.ledger.withdraw(&TenantId::default(), new(number, minor), NOW).await.unwrap();
        assert!(matches!(withdrawn, Withdrawn::Held(..)), "{withdrawn:?}");
    }
    for (number, how) in [(2, End::Complete), (3, End::Cancel)] {
        assert!(matches!(end(&*books.ledger, number, how).await.unwrap(), Ended::Ended(_)));
    }
    books
}

/// `[n]` is a withdrawal's id.
fn filled(sql: &str) -> String {
    (1..=6).fold(sql.to_owned(), |sql, n| sql.replace(&format!("[{n}]"), &format!("'{n:032x}'::uuid")))
}

async fn check(cases: &[(String, &str)]) {
    let books = books().await;
    for (case, words) in cases {
        let sql = filled(case);
        match books.try_sql(&sql) {
            Ok(_) => panic!("not refused: {sql}"),
            Err(error) => assert!(error.contains(words), "{sql}\n{error}"),
        }
    }
    assert_in_order(&*books.ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_that_break_a_rule() {
    let insert = |values: &str| {
        let columns = "id, tenant, user_id, key, amount, state, ended_at_ms, reference, requested_at_ms";
        format!("INSERT INTO hongbao.withdrawals ({columns}) VALUES ({values}, '', 1)")
    };
    let inserts = [
        ("[6], 'default', 'alice', 'key', 0, 'held', NULL", "withdrawals_amount_check"),
        ("[6], 'default', 'alice', 'key', -1, 'held', NULL", "withdrawals_amount_check"),
        ("[6], 'default', 'alice', 'key', 999911, 'held', NULL", "no_wallet_is_below_zero"),
        ("[6], 'default', 'nobody', 'key', 1, 'held', NULL", "the wallet holds too little"),
        ("[6], 'default', 'alice', 'key 1', 1, 'held', NULL", "a_key_names_one_withdrawal"),
        ("[1], 'default', 'alice', 'key', 1, 'held', NULL", "withdrawals_pkey"),
        ("[1], 'default', 'bob', 'key', 1, 'held', NULL", "of_a_withdrawal"),
        ("[6], 'default', 'alice', 'key', 1, 'completed', 1", "a withdrawal starts as it is held"),
        ("[6], 'default', 'alice', 'key', 1, 'gone', NULL", "a withdrawal starts as it is held"),
        ("[6], 'default', 'alice', 'key', 1, 'held', 1", "what_is_held_has_not_ended"),
    ];
    let mut cases: Vec<_> = inserts.map(|(values, words)| (insert(values), words)).into();
    let update = |set: &str| format!("UPDATE hongbao.withdrawals SET {set}");
    let updates = [
        ("amount = 41 WHERE id = [1]", "what was withdrawn never changes"),
        ("user_id = 'bob' WHERE id = [1]", "what was withdrawn never changes"),
        ("reference = 'other' WHERE id = [1]", "what was withdrawn never changes"),
        ("key = 'other' WHERE id = [1]", "what was withdrawn never changes"),
        ("state = 'completed' WHERE id = [1]", "what_is_held_has_not_ended"),
        ("state = 'gone', ended_at_ms = 1 WHERE id = [1]", "withdrawals_state_check"),
        ("ended_at_ms = 1 WHERE id = [1]", "a withdrawal ends once"),
        ("state = 'held' WHERE id = [1]", "a withdrawal ends once"),
        ("state = 'cancelled' WHERE id = [2]", "a withdrawal ends once"),
        ("state = 'completed' WHERE id = [2]", "a withdrawal ends once"),
        ("state = 'completed' WHERE id = [3]", "a withdrawal ends once"),
        ("state = 'held', ended_at_ms = NULL WHERE id = [2]", "a withdrawal ends once"),
        ("ended_at_ms = 9 WHERE id = [3]", "a withdrawal ends once"),
    ];
    cases.extend(updates.map(|(set, words)| (update(set), words)));
    cases.push(("DELETE FROM hongbao.withdrawals".into(), "withdrawals are kept"));
    cases.push(("TRUNCATE hongbao.withdrawals".into(), "withdrawals are kept"));
    check(&cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn movements_that_are_posted_by_no_withdrawal() {
    const SAYS: &str = "a movement is what its packet, its claim or its withdrawal says";
    let rows = [
        ("[1], 'default', 'withdraw', 'alice', 40", "of_a_withdrawal"),
        ("[6], 'default', 'withdraw', 'alice', 40", SAYS),
        ("[1], 'default', 'complete', 'alice', 40", SAYS),
        ("[1], 'default', 'cancel', 'alice', 40", SAYS),
        ("[2], 'default', 'complete', 'alice', 50", "of_a_withdrawal"),
        ("[2], 'default', 'cancel', 'alice', 50", SAYS),
        ("[3], 'default', 'cancel', 'alice', 60", "of_a_withdrawal"),
        ("[3], 'elsewhere', 'cancel', 'alice', 60", SAYS),
        ("[1], 'default', 'fund', 'alice', 40", "a_movement_of_a_withdrawal_has_one"),
        ("NULL, 'default', 'cancel', 'alice', 60", "a_movement_of_a_withdrawal_has_one"),
    ];
    let tables = ["movements", "movements_0"];
    let insert = |table: &str, values: &str| {
        let columns = "withdrawal, tenant, kind, user_id, amount, at_ms";
        format!("INSERT INTO hongbao.{table} ({columns}) VALUES ({values}, 1)")
    };
    let of = |table| rows.map(|(values, words)| (insert(table, values), words));
    check(&tables.map(of).concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_posts_what_it_says_whoever_writes_it() {
    let books = books().await;
    let (ledger, tenant, alice) = (&*books.ledger, TenantId::default(), user("alice"));
    let before = ledger.balance(&tenant, &alice).await.unwrap().get();
    let sql = "INSERT INTO hongbao.withdrawals (id, tenant, user_id, key, amount, reference, requested_at_ms)
               VALUES ([6], 'default', 'alice', 'by hand', 30, '', 1)";
    books.try_sql(&filled(sql)).unwrap();
    assert_eq!(ledger.balance(&tenant, &alice).await.unwrap(), amount(before - 30));
    let sql = "UPDATE hongbao.withdrawals SET state = 'cancelled', ended_at_ms = 2 WHERE id = [6]";
    books.try_sql(&filled(sql)).unwrap();
    assert_eq!(ledger.balance(&tenant, &alice).await.unwrap(), amount(before));
    assert!(matches!(end(ledger, 6, End::Complete).await.unwrap(), Ended::Otherwise(_)));
    assert_in_order(ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_withdrawal_behind_our_back_is_found() {
    const TAKEN: &str = "a withdrawal is taken from its user's wallet";
    const HOLDING: &str = "holding holds what was withdrawn and has not ended";
    const OUTSIDE: &str = "what went outside was completed";
    type Found = &'static [(&'static str, i128, i128)];
    let cases: [(&str, Found); 4] = [
        (
            "UPDATE hongbao.withdrawals SET state = 'completed', ended_at_ms = 1 WHERE id = [1]",
            &[(HOLDING, 0, 40), (OUTSIDE, 40, 0)],
        ),
        ("UPDATE hongbao.withdrawals SET state = 'cancelled' WHERE id = [2]", &[(OUTSIDE, 0, 50)]),
        ("UPDATE hongbao.withdrawals SET amount = 41 WHERE id = [1]", &[(TAKEN, 41, 40), (HOLDING, 41, 40)]),
        (
            "INSERT INTO hongbao.withdrawals (id, tenant, user_id, key, amount, reference, requested_at_ms)
             VALUES ([6], 'default', 'bob', 'by hand', 30, '', 1)",
            &[(TAKEN, 30, 0), (HOLDING, 30, 0)],
        ),
    ];
    for (sql, expected) in cases {
        let books = books().await;
        let tampered = format!("SET session_replication_role = replica; {}", filled(sql));
        books.try_sql(&tampered).unwrap();
        let found = books.ledger.verify(&TenantId::default()).await.unwrap();
        let told: Vec<_> = found.iter().map(|found| (found.rule, found.expected, found.found)).collect();
        assert_eq!(told, expected, "{sql}: {found:?}");
        // What was posted is not touched where a completed one is called cancelled: the sums alone tell nothing then.
        let is_conserved = books.ledger.audit(&TenantId::default()).await.unwrap().is_conserved();
        assert_eq!(is_conserved, expected.iter().all(|(rule, ..)| *rule == OUTSIDE), "{sql}");
    }
}

/// Where one trigger is switched off in a session, the function that relies on it notices before it commits.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_trigger_is_noticed_before_money_is_lost() {
    let books = books().await;
    let silent = |call: &str| format!("SET session_replication_role = replica; SELECT {call}");
    for call in [
        "hongbao.withdraw([6], 'default', 'key 6', 'alice', 5, '', 1)",
        "hongbao.end_withdrawal([1], 'default', 'alice', 'completed', 1)",
        "hongbao.end_withdrawal([1], 'default', 'alice', 'cancelled', 1)",
    ] {
        let told = books.try_sql(&filled(&silent(call))).unwrap_err();
        assert!(told.contains("triggers of the books are switched off"), "{call}: {told}");
    }
    assert_in_order(&*books.ledger).await;
}

/// The server is killed while withdrawals are written and ended; what was told holds, and the rest can be asked again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_of_withdrawals_holds_after_the_server_was_killed() {
    const EACH: u64 = 10;
    const COUNT: u128 = 60;
    let server = Postgres::start();
    let url = server.fresh_database();
    hongbao_host::store::postgres::PostgresLedger::migrate(&url).await.unwrap();
    let ledger = open(&url).await;
    let (tenant, alice) = (TenantId::default(), user("alice"));
    fund(&ledger, "alice", EACH * COUNT as u64).await;
    let how = |number: u128| if number.is_multiple_of(2) { End::Complete } else { End::Cancel };
    // One task kills the server in the middle of what the other does.
    let deeds = async {
        let (mut held, mut ended) = (Vec::new(), Vec::new());
        for number in 0..COUNT {
            match ledger.withdraw(&tenant, new(number, EACH), NOW).await {
                Ok(_) => held.push(number),
                Err(_) => break,
            }
            match end(&ledger, number, how(number)).await {
                Ok(_) => ended.push(number),
                Err(_) => break,
            }
        }
        (held, ended)
    };
    let killed = async {
        tokio::time::sleep(Duration::from_millis(120)).await;
        server.kill();
    };
    let ((held, ended), ()) = tokio::join!(deeds, killed);
    server.restart();
    let begun = Instant::now();
    while ledger.check().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the ledger heals by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for number in 0..COUNT {
        let again = ledger.withdraw(&tenant, new(number, EACH), NOW).await.unwrap();
        let is_kept = matches!(again, Withdrawn::Replayed(..)) || !held.contains(&number);
        assert!(is_kept, "{number} was told to be held, and now {again:?}");
        let found = ledger.withdrawal(&tenant, &alice, id(number)).await.unwrap().unwrap();
        let is_kept = found.state == how(number).state() || !ended.contains(&number);
        assert!(is_kept, "{number} was told to have ended, and now {found:?}");
        if found.state == WithdrawalState::Held {
            assert!(matches!(end(&ledger, number, how(number)).await.unwrap(), Ended::Ended(_)));
        }
    }
    let audit = ledger.audit(&tenant).await.unwrap();
    let half = i128::from(EACH) * COUNT as i128 / 2;
    assert_eq!((audit.wallets, audit.held, audit.withdrawn), (half, 0, half));
    assert_in_order(&ledger).await;
}
