//! The database by itself refuses what breaks an invariant, whatever program writes to it.

use rusqlite::Connection;

use super::{Books, LIFE, NOW};
use hongbao_domain::{Amount, Audience};
use hongbao_store::Closed;
use hongbao_store::prelude::*;

/// Books with a packet of each kind, all alice's, of 100 in 3 shares: 1 is open with one claim
/// of bob's, 40, that is not settled; 2 is finished and settled; 3 is expired; 4 is exclusive to
/// bob; 5 is not for alice.
async fn books() -> Books {
    let books = Books::new();
    books.fund("alice", 1_000).await;
    let finished = books.send(2, 100, 3, Audience::Everyone).await;
    for (name, minor) in [("bob", 10), ("carol", 20), ("dave", 70)] {
        books.claim(&finished, name, minor).await;
    }
    assert_eq!(books.ledger.settle(10, NOW).await.unwrap().len(), 3);
    let open = books.send(1, 100, 3, Audience::Everyone).await;
    books.claim(&open, "bob", 40).await;
    let expired = books.send(3, 100, 3, Audience::Everyone).await;
    books.claim(&expired, "bob", 25).await;
    let closed = books.ledger.close(&expired, 2, NOW + LIFE).await.unwrap();
    assert_eq!(closed, Closed::Refunded(super::amount(75)));
    books.send(4, 100, 3, Audience::Only([super::user("bob")].into())).await;
    books.send(5, 100, 3, Audience::EveryoneBut(super::user("alice"))).await;
    books
}

/// Fills in what a statement leaves out: `{n}` is the id of a packet.
fn filled(sql: &str) -> String {
    (1..=6).fold(sql.to_owned(), |sql, n| {
        sql.replace(&format!("{{{n}}}"), &format!("'default', x'{n:032x}'"))
            .replace(&format!("[{n}]"), &format!("x'{n:032x}'"))
    })
}

/// Each statement must be refused with a message that has these words.
async fn check(cases: &[(&str, &str)]) {
    check_each(cases, str::to_owned).await;
}

/// The same for statements that are made of what each case says.
async fn check_each(cases: &[(&str, &str)], statement: impl Fn(&str) -> String) {
    let books = books().await;
    let db: Connection = books.connection();
    for (case, words) in cases {
        let sql = filled(&statement(case));
        match db.execute_batch(&sql) {
            Ok(()) => panic!("not refused: {sql}"),
            Err(error) => assert!(error.to_string().contains(words), "{sql}\n{error}"),
        }
    }
    books.assert_in_order().await;
}

#[tokio::test]
async fn places_that_nobody_gave() {
    let given = "an event gets its place as it is written";
    check(&[
        ("INSERT INTO claims VALUES ({1}, 'carol', 2, 10, 0, 1, 99)", given),
        ("INSERT INTO claims VALUES ({1}, 'carol', 2, 10, 0, 1, 0)", given),
        (
            "INSERT INTO movements (tenant, kind, user, amount, at_ms, place) VALUES ('default', 'fund', 'bob', 1, 1, 5)",
            given,
        ),
        ("UPDATE claims SET place = place", given),
        ("UPDATE claims SET place = NULL", given),
        ("UPDATE movements SET place = (SELECT last FROM places)", given),
        ("UPDATE movements SET place = 0 WHERE kind = 'send'", given),
        ("UPDATE places SET last = last", "one by one"),
        ("UPDATE places SET last = 0", "one by one"),
        ("UPDATE places SET last = last + 2", "one by one"),
        ("DELETE FROM places", "is kept"),
        ("REPLACE INTO places VALUES (1, 0)", "is kept"),
    ])
    .await;
}

fn claim(values: &str) -> String {
    format!(
        "INSERT INTO claims (tenant, packet, user, sequence, amount, priority, claimed_at_ms)
         VALUES ({values}, 0, 1)"
    )
}

async fn check_claims(cases: &[(&str, &str)]) {
    check_each(cases, claim).await;
}

#[tokio::test]
async fn claims_that_break_a_rule() {
    check_claims(&[
        ("{1}, 'carol', 2, 60", "at_least_1_stays_for_each_share_left"),
        ("{1}, 'carol', 2, 100", "no_more_is_given_than_was_sent"),
        ("{1}, 'carol', 2, 9223372036854775807", "cannot store REAL value in INTEGER column"),
        ("{1}, 'carol', 2, 0", "amount >= 1"),
        ("{1}, 'carol', 2, -5", "amount >= 1"),
        ("{1}, 'carol', 2, 1.5", "cannot store REAL value in INTEGER column"),
        ("{1}, 'carol', 1, 10", "numbered in their order"),
        ("{1}, 'carol', 3, 10", "numbered in their order"),
        ("{1}, 'bob', 2, 10", "UNIQUE constraint failed: claims.tenant, claims.packet, claims.user"),
        ("{2}, 'erin', 4, 1", "a packet that is over takes no claims"),
        ("{3}, 'erin', 2, 1", "a packet that is over takes no claims"),
        ("{4}, 'carol', 1, 10", "not meant for this user"),
        ("{5}, 'alice', 1, 10", "not meant for this user"),
        ("{6}, 'carol', 1, 10", "FOREIGN KEY constraint failed"),
    ])
    .await;
}

#[tokio::test]
async fn a_last_share_that_does_not_take_what_is_left() {
    let all_but_last = "{1}, 'carol', 2, 20, 0, 1), ({1}, 'dave', 3";
    check_claims(&[
        (&format!("{all_but_last}, 39"), "the_last_share_takes_what_is_left"),
        (&format!("{all_but_last}, 41"), "no_more_is_given_than_was_sent"),
        (
            &format!("{all_but_last}, 40, 0, 1), ({{1}}, 'erin', 4, 1"),
            "a packet that is over takes no claims",
        ),
    ])
    .await;
}

#[tokio::test]
async fn claims_that_would_change_or_go() {
    check(&[
        ("UPDATE claims SET amount = amount + 1", "a claim never changes"),
        ("UPDATE claims SET user = 'eve'", "a claim never changes"),
        ("DELETE FROM claims", "claims are kept"),
        (&claim("{1}, 'bob', 2, 10").replace("INSERT", "INSERT OR REPLACE"), "claims are kept"),
    ])
    .await;
}

#[tokio::test]
async fn packets_that_would_change_or_go_back() {
    check(&[
        ("UPDATE packets SET total = 1000 WHERE id = [1]", "what was ordered never changes"),
        ("UPDATE packets SET sender = 'eve' WHERE id = [1]", "what was ordered never changes"),
        ("UPDATE packets SET max_share = 1000 WHERE id = [1]", "what was ordered never changes"),
        ("UPDATE packets SET expires_at_ms = 0 WHERE id = [1]", "what was ordered never changes"),
        ("UPDATE packets SET status = 'open', ended_at_ms = NULL WHERE id = [3]", "over never changes"),
        ("UPDATE packets SET status = 'expired', refunded = 0 WHERE id = [2]", "over never changes"),
        ("UPDATE packets SET version = 9 WHERE id = [3]", "over never changes"),
        ("UPDATE packets SET version = 1 WHERE id = [1]", "a version only rises"),
        ("UPDATE packets SET claimed_amount = 50 WHERE id = [1]", "the sum of its claims"),
        ("UPDATE packets SET claimed_amount = 0, claimed_shares = 0 WHERE id = [1]", "the sum of its claims"),
        ("UPDATE packets SET refunded = 60 WHERE id = [1]", "only_an_expired_packet_is_refunded"),
        ("UPDATE packets SET status = 'finished', ended_at_ms = 1 WHERE id = [1]", "every_share_is_claimed"),
        (
            "UPDATE packets SET status = 'expired', ended_at_ms = 1, refunded = 59 WHERE id = [1]",
            "expired_means_the_rest_is_refunded",
        ),
        ("DELETE FROM packets", "packets are kept"),
    ])
    .await;
}

/// A packet for everybody, of these values.
fn packet(values: &str) -> String {
    format!(
        "INSERT INTO packets (tenant, id, key, sender, total, shares, status, ended_at_ms, room, strategy,
             audience, audience_users, greeting, expires_in_ms, sent_at_ms, expires_at_ms)
         VALUES ({values}, 'room', 'equal', 'everyone', '[]', '', 1, 1, 2)"
    )
}

#[tokio::test]
async fn packets_that_are_wrong_from_the_start() {
    let cases = [
        (
            "{6}, 'key 1', 'alice', 10, 1, 'open', NULL",
            "UNIQUE constraint failed: packets.tenant, packets.sender",
        ),
        ("{1}, 'key', 'alice', 10, 1, 'open', NULL", "UNIQUE constraint failed: packets.tenant, packets.id"),
        ("{6}, 'key', 'alice', 2, 3, 'open', NULL", "a_packet_has_1_for_each_share"),
        ("{6}, 'key', 'alice', 2, 0, 'open', NULL", "shares >= 1"),
        ("{6}, 'key', 'alice', 9999, 1, 'open', NULL", "the wallet holds too little"),
        ("{6}, 'key', 'nobody', 1, 1, 'open', NULL", "the wallet holds too little"),
        ("{6}, 'key', 'alice', 9, 1, 'expired', 1", "a packet starts open and whole"),
    ];
    check_each(&cases, packet).await;
    let by_fours = packet("{6}, 'key', 'alice', 9, 2, 'open', NULL")
        .replace("room, strategy,", "room, max_share, strategy,");
    let by_fours = by_fours.replace("'room', 'equal'", "'room', 4, 'equal'");
    check(&[(&by_fours, "its_shares_can_make_the_total")]).await;
}

fn movement(values: &str) -> String {
    format!("INSERT INTO movements (kind, tenant, packet, user, amount, at_ms) VALUES ({values}, 1)")
}

#[tokio::test]
async fn movements_that_nothing_stands_behind() {
    let cases = [
        ("'refund', {3}, 'alice', 75", "UNIQUE constraint failed"),
        ("'refund', {1}, 'alice', 60", "a refund is what its packet says"),
        ("'refund', {3}, 'eve', 75", "a refund is what its packet says"),
        ("'settle', {2}, 'bob', 10", "UNIQUE constraint failed"),
        ("'settle', {1}, 'carol', 10", "a settlement is what its claim says"),
        ("'settle', {1}, 'bob', 41", "a settlement is what its claim says"),
        ("'send', {1}, 'alice', 100", "UNIQUE constraint failed"),
        ("'send', {6}, 'alice', 100", "a send is what its packet says"),
        ("'fund', {1}, 'eve', 100", "a_movement_of_a_packet_has_one"),
        ("'fund', 'default', NULL, 'eve', 0", "amount >= 1"),
        ("'fund', 'default', NULL, 'eve', -1", "amount >= 1"),
        ("'gift', 'default', NULL, 'eve', 1", "kind IN"),
    ];
    check_each(&cases, movement).await;
}

#[tokio::test]
async fn books_that_would_be_cooked() {
    check(&[
        ("UPDATE movements SET amount = 1", "a movement never changes"),
        ("DELETE FROM movements", "movements are kept"),
        (
            "REPLACE INTO movements (id, tenant, kind, user, amount, at_ms)
             VALUES (1, 'default', 'fund', 'eve', 1, 1)",
            "movements are kept",
        ),
        ("DELETE FROM postings", "cannot modify postings because it is a view"),
        ("UPDATE wallets SET balance = -1", "no_wallet_is_below_zero"),
        ("UPDATE escrows SET balance = balance - 1000", "no_escrow_is_below_zero"),
        ("DELETE FROM wallets", "wallets are kept"),
        ("DELETE FROM escrows", "escrows are kept"),
        ("DELETE FROM outbox", "leaves the outbox when it is settled"),
        ("UPDATE outbox SET amount = 41", "what waits for settlement never changes"),
        ("UPDATE outbox SET settled_at_ms = NULL", "NOT NULL constraint failed: movements.at_ms"),
    ])
    .await;
}

#[tokio::test]
async fn a_balance_that_passes_64_bits() {
    let max = Amount::MAX;
    let into_alice = movement(&format!("'fund', 'default', NULL, 'alice', {max}"));
    check(&[
        (&into_alice, "cannot store REAL value in INTEGER column wallets.balance"),
        (
            "UPDATE wallets SET balance = balance + 9223372036854775807 WHERE user = 'bob'",
            "cannot store REAL value",
        ),
    ])
    .await;
}
