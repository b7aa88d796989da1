//! The database by itself refuses what breaks an invariant, whatever program writes to it.

use hongbao_host::domain::{Amount, Audience, Name, TenantId};
use hongbao_host::store::prelude::*;
use hongbao_host::store::{Claimed, Closed, StoreError};
use hongbao_tests::chat::{amount, user};

use super::books::{Books, LIFE, NOW, assert_in_order, claim, claims, id, order, send, take};

/// Packets of each kind: 1 is open with one claim of bob's, 40, that is not settled; 2 is finished
/// and settled; 3 is expired; 4 is exclusive to bob; 5 is not for alice.
async fn books() -> Books {
    let books = Books::new().await;
    let ledger = &*books.ledger;
    let finished = send(ledger, 2, Audience::Everyone).await;
    for (name, minor) in [("bob", 10), ("carol", 20), ("dave", 70)] {
        take(ledger, &finished, name, minor).await;
    }
    assert_eq!(ledger.settle(10, NOW).await.unwrap().len(), 3);
    let open = send(ledger, 1, Audience::Everyone).await;
    take(ledger, &open, "bob", 40).await;
    let expired = send(ledger, 3, Audience::Everyone).await;
    take(ledger, &expired, "bob", 25).await;
    let closed = ledger.close(&expired, 2, NOW + LIFE).await.unwrap();
    assert_eq!(closed, Closed::Refunded(amount(75)));
    send(ledger, 4, Audience::Only([user("bob")].into())).await;
    send(ledger, 5, Audience::EveryoneBut(user("alice"))).await;
    books
}

/// Each statement must be refused with a message that has these words. `[n]` is a packet's id.
async fn check(cases: &[(&str, &str)]) {
    let books = books().await;
    for (case, words) in cases {
        let sql = (1..=6).fold((*case).to_owned(), |sql, n| {
            sql.replace(&format!("[{n}]"), &format!("'{:032x}'::uuid", n as u128))
        });
        match books.try_sql(&sql) {
            Ok(_) => panic!("not refused: {sql}"),
            Err(error) => assert!(error.contains(words), "{sql}\n{error}"),
        }
    }
    assert_in_order(&*books.ledger).await;
}

#[tokio::test]
async fn claims_that_break_a_rule() {
    const OVER: &str =
        "a claim is on an open packet, numbered in its order, and for whom the packet is meant";
    let cases = [
        ("[1], 'carol', 2, 60", "at_least_1_stays_for_each_share_left"),
        ("[1], 'carol', 2, 100", "at_least_1_stays_for_each_share_left"),
        ("[1], 'carol', 2, 9223372036854775807", "bigint out of range"),
        ("[1], 'carol', 2, 0", "claims_amount_check"),
        ("[1], 'carol', 2, -5", "claims_amount_check"),
        ("[1], 'carol', 1, 10", "packet_tenant_sequence_idx"),
        ("[1], 'carol', 3, 10", OVER),
        ("[1], 'bob', 2, 10", "_pkey"),
        ("[2], 'erin', 4, 1", OVER),
        ("[3], 'erin', 2, 1", OVER),
        ("[4], 'carol', 1, 10", OVER),
        ("[5], 'alice', 1, 10", OVER),
        ("[6], 'carol', 1, 10", OVER),
    ];
    let insert = |table: &str, values: &str| {
        let (packet, rest) = values.split_once(", ").unwrap();
        format!(
            "INSERT INTO hongbao.{table} (packet, tenant, user_id, sequence, amount, priority, claimed_at_ms)
             VALUES ({packet}, 'default', {rest}, 0, 1)"
        )
    };
    let cases: Vec<_> = cases.map(|(values, _)| insert("claims", values)).into_iter().zip(cases).collect();
    let cases: Vec<_> = cases.iter().map(|(sql, (_, words))| (sql.as_str(), *words)).collect();
    check(&cases).await;
}

#[tokio::test]
async fn a_last_share_that_does_not_take_what_is_left() {
    let two = |last: u64| {
        format!(
            "INSERT INTO hongbao.claims VALUES ([1], 'default', 'carol', 2, 20, 0, 1), \
             ([1], 'default', 'dave', 3, {last}, 0, 1)"
        )
    };
    check(&[(&two(39), "the_last_share_takes_what_is_left"), (&two(41), "no_more_is_given_than_was_sent")])
        .await;
}

#[tokio::test]
async fn what_is_written_never_changes() {
    check(&[
        ("UPDATE hongbao.claims SET amount = amount + 1", "a claim never changes"),
        ("DELETE FROM hongbao.claims", "a claim never changes"),
        ("TRUNCATE hongbao.claims", "a claim never changes"),
        ("UPDATE hongbao.movements SET amount = amount + 1", "a movement never changes"),
        ("DELETE FROM hongbao.movements", "a movement never changes"),
        ("TRUNCATE hongbao.movements", "a movement never changes"),
        ("DELETE FROM hongbao.packets", "packets are kept"),
        ("TRUNCATE hongbao.packets", "packets are kept"),
        ("UPDATE hongbao.orders SET packet = [1]", "a key names its packet for ever"),
        ("DELETE FROM hongbao.wallets", "wallets are kept"),
        ("DELETE FROM hongbao.escrows", "escrows are kept"),
        ("TRUNCATE hongbao.outbox", "a claim leaves the outbox when it is settled"),
        ("UPDATE hongbao.packets SET total = 1000 WHERE id = [1]", "what was ordered never changes"),
        ("UPDATE hongbao.packets SET sender = 'eve' WHERE id = [1]", "what was ordered never changes"),
        ("UPDATE hongbao.packets SET max_share = 1000 WHERE id = [1]", "what was ordered never changes"),
        ("UPDATE hongbao.outbox SET amount = 1", "what waits for settlement never changes"),
    ])
    .await;
}

#[tokio::test]
async fn a_partition_is_no_way_around() {
    let each = |statement: &str| {
        (0..8).map(|part| statement.replace('#', &part.to_string())).collect::<Vec<_>>().join(";")
    };
    let cases = [
        ("UPDATE hongbao.claims_# SET amount = amount + 1", "a claim never changes"),
        ("DELETE FROM hongbao.movements_#", "a movement never changes"),
        ("TRUNCATE hongbao.packets_#", "packets are kept"),
        ("UPDATE hongbao.wallets_# SET balance = 5", "a balance is the sum of its postings"),
        ("UPDATE hongbao.escrows_# SET balance = 5", "a balance is the sum of its postings"),
    ];
    let cases: Vec<_> = cases.iter().map(|(statement, words)| (each(statement), *words)).collect();
    let mut cases: Vec<_> = cases.iter().map(|(sql, words)| (sql.as_str(), *words)).collect();
    // The partition of packet 1 is found by the database itself.
    let insert =
        "DO $$ BEGIN EXECUTE format('INSERT INTO %s VALUES ([1], ''default'', ''carol'', 5, 60, 0, 1)',
        (SELECT tableoid::regclass FROM hongbao.claims WHERE packet = [1])); END $$";
    let quoted = insert.replace("VALUES ([1]", "VALUES (''00000000000000000000000000000001''");
    cases.push((&quoted, "a claim is on an open packet"));
    check(&cases).await;
}

#[tokio::test]
async fn packets_that_would_go_back_or_count_wrong() {
    check(&[
        ("UPDATE hongbao.packets SET status = 'open', version = version + 1, ended_at_ms = NULL WHERE id = [2]",
         "a packet that is over never changes"),
        ("UPDATE hongbao.packets SET version = version WHERE id = [1]", "a version only rises"),
        ("UPDATE hongbao.packets SET version = version + 1, claimed_amount = 50 WHERE id = [1]",
         "what a packet gave is the sum of its claims"),
        ("UPDATE hongbao.packets SET version = version + 1, claimed_shares = 2 WHERE id = [1]",
         "what a packet gave is the sum of its claims"),
        ("UPDATE hongbao.packets SET version = version + 1, status = 'expired', refunded = 59, ended_at_ms = 1
          WHERE id = [1]", "expired_means_the_rest_is_refunded"),
        ("UPDATE hongbao.packets SET version = version + 1, status = 'expired', refunded = 61, ended_at_ms = 1
          WHERE id = [1]", "expired_means_the_rest_is_refunded"),
        ("UPDATE hongbao.packets SET version = version + 1, refunded = 1 WHERE id = [1]",
         "only_an_expired_packet_is_refunded"),
    ])
    .await;
}

#[tokio::test]
async fn money_that_would_come_from_nowhere() {
    const SAYS: &str = "a movement is what its packet, its claim or its withdrawal says";
    let insert = "INSERT INTO hongbao.movements (packet, tenant, kind, user_id, amount, at_ms) VALUES ";
    let cases = [
        ("([1], 'default', 'settle', 'bob', 41, 1)", SAYS),
        ("([1], 'default', 'settle', 'eve', 40, 1)", SAYS),
        ("([2], 'default', 'settle', 'bob', 10, 1)", "packet_tenant_kind_user_id_key"),
        ("([1], 'default', 'refund', 'alice', 60, 1)", SAYS),
        ("([3], 'default', 'refund', 'alice', 75, 1)", "packet_tenant_kind_user_id_key"),
        ("([1], 'default', 'send', 'alice', 100, 1)", "packet_tenant_kind_user_id_key"),
        ("([1], 'default', 'send', 'eve', 100, 1)", SAYS),
        ("([1], 'default', 'fund', 'eve', 100, 1)", "a_movement_of_a_packet_has_one"),
        ("(NULL, 'default', 'settle', 'eve', 100, 1)", "a_movement_of_a_packet_has_one"),
        ("(NULL, 'default', 'cancel', 'eve', 100, 1)", "a_movement_of_a_withdrawal_has_one"),
        ("(NULL, 'default', 'fund', 'eve', 0, 1)", "movements_amount_check"),
        ("(NULL, 'default', 'gift', 'eve', 1, 1)", "movements_kind_check"),
    ];
    let cases: Vec<_> = cases.iter().map(|(values, words)| (format!("{insert}{values}"), *words)).collect();
    let mut cases: Vec<_> = cases.iter().map(|(sql, words)| (sql.as_str(), *words)).collect();
    cases.extend([
        ("UPDATE hongbao.wallets SET balance = balance + 1", "a balance is the sum of its postings"),
        ("INSERT INTO hongbao.wallets VALUES ('eve', 'default', 5)", "a balance is the sum of its postings"),
        ("DELETE FROM hongbao.outbox", "a claim leaves the outbox when it is settled"),
        (
            "INSERT INTO hongbao.outbox (packet, tenant, user_id, amount, priority, claimed_at_ms)
          VALUES ([1], 'default', 'eve', 5, 0, 1)",
            "what waits for settlement is a claim",
        ),
        (
            "INSERT INTO hongbao.packets (id, tenant, key, room, sender, strategy, total, shares, audience,
              audience_users, greeting, expires_in_ms, sent_at_ms, expires_at_ms)
          VALUES ([6], 'default', 'k', 'r', 'nobody', 'equal', 10, 2, 'everyone', '{}', '', 1, 1, 2)",
            "the wallet holds too little",
        ),
        (
            "INSERT INTO hongbao.packets (id, tenant, key, room, sender, strategy, total, shares, max_share, audience,
              audience_users, greeting, expires_in_ms, sent_at_ms, expires_at_ms)
          VALUES ([6], 'default', 'k', 'r', 'alice', 'equal', 9, 2, 4, 'everyone', '{}', '', 1, 1, 2)",
            "its_shares_can_make_the_total",
        ),
        (
            "INSERT INTO hongbao.packets (id, tenant, key, room, sender, strategy, total, shares, audience,
              audience_users, greeting, expires_in_ms, sent_at_ms, expires_at_ms)
          VALUES ([6], 'default', 'k', 'r', 'alice', 'equal', 9000000, 2, 'everyone', '{}', '', 1, 1, 2)",
            "no_wallet_is_below_zero",
        ),
    ]);
    check(&cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_the_database_refuses_costs_its_neighbours_nothing() {
    let books = Books::new().await;
    // A rule that our statement does not know, so that the batch fails as a whole.
    books.try_sql("ALTER TABLE hongbao.claims ADD CONSTRAINT not_seven CHECK (amount <> 7)").unwrap();
    let mut keys = Vec::new();
    for number in 1..=40 {
        keys.push(send(&*books.ledger, number, Audience::Everyone).await);
    }
    let claiming = keys.iter().zip(1_u64..).map(|(key, number)| {
        let (ledger, key) = (books.ledger.clone(), key.clone());
        let minor = if number % 10 == 7 { 7 } else { 8 };
        tokio::spawn(async move { claim(&*ledger, &key, 1, "bob", minor).await })
    });
    for (claiming, number) in claiming.collect::<Vec<_>>().into_iter().zip(1_u64..) {
        match claiming.await.unwrap() {
            Ok(Claimed::Committed(1)) if number % 10 != 7 => {}
            // Whoever claimed kept to the rules: it is the books that are not as they should be.
            Err(StoreError::Corrupt(why)) if number % 10 == 7 => assert!(why.contains("not_seven"), "{why}"),
            other => panic!("packet {number}: {other:?}"),
        }
    }
    assert_eq!(books.ledger.audit(&TenantId::default()).await.unwrap().claims, 36);
    assert_eq!(claims(&*books.ledger, &keys[0]).await, [(user("bob"), 8)]);
    assert_in_order(&*books.ledger).await;
}

/// What somebody did to the books, and whoever keeps to the rules meets it.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_to_the_books_is_no_refusal_of_what_a_caller_asks() {
    let books = Books::new().await;
    let (ledger, tenant) = (&books.ledger, TenantId::default());
    let full = ledger.fund(&tenant, &user("alice"), amount(i64::MAX as u64), None, NOW).await;
    let words = "the wallet would hold more than can be written down";
    assert!(matches!(&full, Err(StoreError::Refused(why)) if why == words), "{full:?}");
    let none = ledger.fund(&tenant, &user("alice"), Amount::ZERO, None, NOW).await;
    assert!(
        matches!(&none, Err(StoreError::Refused(why)) if why == "an amount must be at least 1"),
        "{none:?}"
    );

    let corrupt = |what: &str, told: Option<StoreError>| match told {
        Some(StoreError::Corrupt(_)) => {}
        other => panic!("{what}: {other:?}"),
    };
    books.try_sql("ALTER TABLE hongbao.movements ADD CONSTRAINT not_seven CHECK (amount <> 7)").unwrap();
    corrupt("a constraint", ledger.fund(&tenant, &user("alice"), amount(7), None, NOW).await.err());
    let key = Name::new("key").unwrap();
    corrupt("with a key", ledger.fund(&tenant, &user("alice"), amount(7), Some(&key), NOW).await.err());
    books.try_sql("ALTER SEQUENCE hongbao.movements_places MAXVALUE 1000; SELECT setval('hongbao.movements_places', 1000)").unwrap();
    corrupt("a sequence at its end", ledger.fund(&tenant, &user("alice"), amount(5), None, NOW).await.err());
    let order = order(3, 100, Audience::Everyone);
    corrupt("a send then", ledger.record(&tenant, id(1), order, NOW).await.err());
}
