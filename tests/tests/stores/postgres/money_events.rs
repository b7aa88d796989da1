//! Events of money in PostgreSQL: told once every transaction that began before has ended, and in places that go on
//! above those in use wherever the books are restored.

use std::time::{Duration, Instant};

use hongbao_host::domain::{Audience, MoneyEvent, MoneyEventId, TenantId};
use hongbao_host::store::postgres::{OpenError, PostgresLedger};
use hongbao_host::store::prelude::*;
use hongbao_host::store::{Attempt, Claimed, Ledger, StoreError};
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::Postgres;
use tokio_postgres::{Client, NoTls};

use super::books::{Books, LIFE, NOW, claim, fund, id, send, take};
use super::open;

/// A server of their own: on one that others use as well, their transactions hold events up.
async fn alone() -> (Postgres, String, PostgresLedger) {
    let server = Postgres::start_with(&["-c", "fsync=off"]);
    let url = server.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let ledger = open(&url).await;
    fund(&ledger, "alice", 1_000_000).await;
    (server, url, ledger)
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn after(ledger: &dyn Ledger, after: Option<MoneyEventId>) -> Vec<MoneyEvent> {
    ledger.money_events(&TenantId::default(), after, 1_000).await.unwrap().expect("the event is known")
}

fn names(told: &[MoneyEvent]) -> Vec<String> {
    told.iter().map(|event| format!("{} {}", event.what.name(), event.what.user())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_before_is_waited_for_and_neither_skipped_nor_told_early() {
    let (_server, url, ledger) = alone().await;
    let begun = after(&ledger, None).await.last().unwrap().id;
    let slow = connect(&url).await;
    slow.batch_execute("BEGIN; SELECT hongbao.fund_wallet('default', 'slow', 1, 1)").await.unwrap();
    fund(&ledger, "fast", 1).await;
    assert_eq!(ledger.balance(&TenantId::default(), &user("fast")).await.unwrap(), amount(1), "it is there");
    assert_eq!(after(&ledger, Some(begun)).await, [], "told, it would come before what is told later");
    assert_eq!(ledger.last_money_event(&TenantId::default()).await.unwrap(), Some(begun));
    slow.batch_execute("COMMIT").await.unwrap();
    let told = after(&ledger, Some(begun)).await;
    assert_eq!(names(&told), ["wallet.funded slow", "wallet.funded fast"]);
    // And what comes to nothing holds up no longer than it lasts.
    slow.batch_execute("BEGIN; SELECT hongbao.fund_wallet('default', 'never', 1, 1)").await.unwrap();
    fund(&ledger, "later", 1).await;
    assert_eq!(after(&ledger, Some(told[1].id)).await, []);
    slow.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(names(&after(&ledger, Some(told[1].id)).await), ["wallet.funded later"]);
}

/// Whoever guesses a version before it is written could claim after a transaction with a higher number.
#[tokio::test(flavor = "multi_thread")]
async fn claims_of_a_packet_are_told_by_their_sequence_whatever_was_guessed() {
    let (_server, url, ledger) = alone().await;
    let other = open(&url).await;
    let mut keys = Vec::new();
    for number in 1..=3 {
        keys.push(send(&ledger, number, Audience::Everyone).await);
    }
    let holder = connect(&url).await;
    let hold = format!("BEGIN; SELECT FROM hongbao.packets WHERE id = '{}' FOR UPDATE", id(2));
    holder.batch_execute(&hold).await.unwrap();
    // It has its number from the first packet, and waits at the second.
    let share = |name: &str| {
        let priority = hongbao_host::domain::Priority::Normal;
        vec![hongbao_host::domain::Share { user: user(name), amount: amount(30), priority }]
    };
    let versions = [1, 1, 2];
    let attempts = keys.iter().zip(versions).map(|(key, version)| Attempt {
        key: key.clone(),
        version,
        shares: share("bob"),
    });
    let attempts = attempts.collect();
    let waiting = tokio::spawn(async move { ledger.claim_all(attempts, NOW).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    let begun = Instant::now();
    while holder.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(2), "it waits at the second packet");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(claim(&other, &keys[2], 1, "carol", 20).await.unwrap(), Claimed::Committed(1));
    holder.batch_execute("COMMIT").await.unwrap();
    let answers = waiting.await.unwrap();
    assert!(matches!(answers[..2], [Ok(Claimed::Committed(1)), Ok(Claimed::Committed(1))]), "{answers:?}");
    assert!(matches!(answers[2], Ok(Claimed::Stale(_))), "{answers:?}");
    take(&other, &keys[2], "bob", 30).await;
    let told = after(&other, None).await;
    let of_third = told.iter().filter(|event| event.what.packet() == Some(id(3)));
    let of_third: Vec<_> = of_third.cloned().collect();
    assert_eq!(names(&of_third), ["packet.sent alice", "share.claimed carol", "share.claimed bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_an_event_at_a_place_that_is_not_its_transactions() {
    let books = Books::new().await;
    let packet = send(&*books.ledger, 1, Audience::Everyone).await;
    let claim = |place: &str| {
        format!(
            "INSERT INTO hongbao.[table] (packet, tenant, user_id, sequence, amount, priority, claimed_at_ms, place)
             VALUES ('{}', 'default', 'bob', 1, 30, 0, 1, {place})",
            packet.packet
        )
    };
    let fund = |place: &str| {
        format!(
            "INSERT INTO hongbao.movements (tenant, kind, user_id, amount, at_ms, place)
                 VALUES ('default', 'fund', 'bob', 7, 1, {place})"
        )
    };
    let of = books.try_sql(&format!("SELECT tableoid::regclass FROM hongbao.packets WHERE id = '{}'", id(1)));
    let part = of.unwrap().trim().replace("hongbao.packets", "claims");
    for place in ["0", "1", "-1", "hongbao.own_place() - 1", "hongbao.own_place() + 1", "9223372036854775807"]
    {
        for sql in
            [fund(place), claim(place).replace("[table]", "claims"), claim(place).replace("[table]", &part)]
        {
            let refused = books.try_sql(&sql).unwrap_err();
            assert!(refused.contains("an event has the place of the transaction that wrote it"), "{refused}");
        }
    }
    for sql in [
        "UPDATE hongbao.movements SET place = place + 1",
        "UPDATE hongbao.claims SET place = 0",
        "UPDATE hongbao.claims_3 SET place = 0",
    ] {
        assert!(books.try_sql(sql).unwrap_err().contains("never changes"), "{sql}");
    }
    for (sql, words) in [
        ("UPDATE hongbao.place_shift SET shift = shift - 1", "only rises"),
        ("UPDATE hongbao.place_shift SET raised_in = raised_in - 1", "only rises"),
        ("UPDATE hongbao.place_shift SET raised_in = raised_in + 1000000", "only rises"),
        ("UPDATE hongbao.place_shift SET shift = -1", "only rises"),
        ("DELETE FROM hongbao.place_shift", "is kept"),
        ("TRUNCATE hongbao.place_shift", "is kept"),
        ("INSERT INTO hongbao.place_shift VALUES (true, 5, 5)", "place_shift_pkey"),
        ("INSERT INTO hongbao.place_shift VALUES (false, 5, 5)", "check"),
    ] {
        let refused = books.try_sql(sql).unwrap_err();
        assert!(refused.contains(words), "{sql}: {refused}");
    }
    // Left out or said as it is, it is right.
    books.try_sql(&fund("hongbao.own_place()")).unwrap();
    books.try_sql(&claim("DEFAULT").replace("[table]", "claims")).unwrap();
    // Another test's transaction may be under way on this server.
    let begun = Instant::now();
    while after(&*books.ledger, None).await.len() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(20), "what was written is told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a table that is restored from a dump is like: rows with the same values, from another transaction.
async fn restored(server: &Postgres, name: &str) {
    let restore = "SET session_replication_role = replica;
        CREATE TEMPORARY TABLE dumped AS SELECT * FROM hongbao.place_shift;
        DELETE FROM hongbao.place_shift;
        INSERT INTO hongbao.place_shift SELECT * FROM dumped";
    server.psql(name, restore);
}

fn refused_with(opened: Result<PostgresLedger, OpenError>, words: &str) {
    match opened {
        Err(error @ OpenError::Damaged { .. }) => {
            assert!(
                error.to_string().contains(words) && error.to_string().contains("hongbao migrate"),
                "{error}"
            );
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not noticed: {words}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn books_of_a_dump_go_on_above_all_places_in_use() {
    // A server that has counted far, and one that has just begun.
    let (far, _, _) = alone().await;
    far.psql(
        "postgres",
        "DO $$ BEGIN FOR n IN 1..3000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$",
    );
    let url = far.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let ledger = open(&url).await;
    fund(&ledger, "alice", 1_000).await;
    let packet = send(&ledger, 1, Audience::Everyone).await;
    take(&ledger, &packet, "bob", 30).await;
    ledger.settle(10, NOW).await.unwrap();
    let before = after(&ledger, None).await;
    assert_eq!(before.len(), 4);
    let near = Postgres::start_with(&["-c", "fsync=off"]);
    let copy = near.fresh_database();
    let name = copy.rsplit('/').next().unwrap();
    far.dump_into(url.rsplit('/').next().unwrap(), &near, name);
    refused_with(PostgresLedger::open(&copy).await, "by a dump");
    let refused = near.try_psql(name, "SELECT hongbao.fund_wallet('default', 'early', 1, 1)").unwrap_err();
    assert!(refused.contains("restored from a dump"), "{refused}");
    PostgresLedger::migrate(&copy).await.unwrap();
    let ledger = open(&copy).await;
    assert_eq!(after(&ledger, None).await, before, "the same events at the same places");
    fund(&ledger, "carol", 5).await;
    let told = after(&ledger, Some(before[3].id)).await;
    assert_eq!(names(&told), ["wallet.funded carol"]);
    ledger.close(&packet, 2, NOW + LIFE).await.unwrap();
    assert_eq!(names(&after(&ledger, Some(told[0].id)).await), ["packet.refunded alice"]);
    // Once more changes nothing.
    let shift = "SELECT shift, raised_in FROM hongbao.place_shift";
    let raised = near.psql(name, shift);
    PostgresLedger::migrate(&copy).await.unwrap();
    assert_eq!(near.psql(name, shift), raised);
}

#[tokio::test(flavor = "multi_thread")]
async fn books_that_are_restored_while_a_host_serves_take_nothing_until_they_are_migrated() {
    let (server, url, ledger) = alone().await;
    let name = url.rsplit('/').next().unwrap();
    let last = after(&ledger, None).await.last().unwrap().id;
    restored(&server, name).await;
    let refused = ledger.fund(&TenantId::default(), &user("bob"), amount(1), None, NOW).await;
    assert!(
        matches!(&refused, Err(StoreError::Corrupt(why)) if why.contains("hongbao migrate")),
        "{refused:?}"
    );
    let order = super::books::order(3, 100, Audience::Everyone);
    let recorded = ledger.record(&TenantId::default(), id(1), order, NOW).await;
    assert!(matches!(recorded, Err(StoreError::Corrupt(_))), "{recorded:?}");
    PostgresLedger::migrate(&url).await.unwrap();
    ledger.check().await.unwrap();
    fund(&ledger, "bob", 1).await;
    assert_eq!(
        names(&after(&ledger, Some(last)).await),
        ["wallet.funded bob"],
        "and the host need not be restarted"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_older_than_the_raised_shift_writes_nothing() {
    let (server, url, ledger) = alone().await;
    let old = connect(&url).await;
    old.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
    restored(&server, url.rsplit('/').next().unwrap()).await;
    PostgresLedger::migrate(&url).await.unwrap();
    let refused = old.batch_execute("SELECT hongbao.fund_wallet('default', 'old', 1, 1)").await.unwrap_err();
    assert!(format!("{refused:?}").contains("restored from a dump"), "{refused:?}");
    drop(old);
    ledger.check().await.unwrap();
    fund(&ledger, "bob", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn housekeeping_of_the_server_does_not_look_like_a_dump() {
    let (server, url, ledger) = alone().await;
    let name = url.rsplit('/').next().unwrap();
    for keeping in [
        "VACUUM FREEZE hongbao.place_shift",
        "VACUUM FULL hongbao.place_shift",
        "CLUSTER hongbao.place_shift USING place_shift_pkey",
        "ANALYZE",
    ] {
        server.psql(name, keeping);
        open(&url).await;
        fund(&ledger, "bob", 1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_future_that_was_lost_is_known_no_more() {
    let (server, url, ledger) = alone().await;
    let name = url.rsplit('/').next().unwrap().to_owned();
    drop(ledger);
    let connected = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'");
    while server.psql("postgres", &connected) != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.psql("postgres", &format!("CREATE DATABASE backup TEMPLATE {name}"));
    let ledger = open(&url).await;
    fund(&ledger, "lost", 1).await;
    let lost = after(&ledger, None).await.last().unwrap().id;
    let kept = after(&ledger, None).await[0].id;
    let restored = open(&server.url("backup")).await;
    fund(&restored, "bob", 1).await;
    let told = restored.money_events(&TenantId::default(), Some(lost), 10).await.unwrap();
    assert_eq!(told, None, "it was told by a history that is no more");
    assert_eq!(names(&after(&restored, Some(kept)).await), ["wallet.funded bob"], "what is common goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_loses_no_event_of_what_it_acknowledged() {
    let server = Postgres::start();
    let url = server.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let ledger = std::sync::Arc::new(open(&url).await);
    let mut acknowledged = Vec::new();
    let (mut read, mut at) = (Vec::new(), None);
    for life in 0..3 {
        let fundings = (0..60).map(|number| {
            let (ledger, name) = (std::sync::Arc::clone(&ledger), format!("user {life} {number}"));
            tokio::spawn(async move {
                let funded = ledger.fund(&TenantId::default(), &user(&name), amount(1), None, NOW).await;
                funded.is_ok().then_some(name)
            })
        });
        let fundings: Vec<_> = fundings.collect();
        let begun = Instant::now();
        // Somebody reads all along, and goes on from there after the death.
        while read.len() < 20 * (life + 1) && begun.elapsed() < Duration::from_secs(5) {
            let told = after(&*ledger, at).await;
            at = told.last().map(|last| last.id).or(at);
            read.extend(told);
        }
        server.kill();
        for funding in fundings {
            acknowledged.extend(funding.await.unwrap());
        }
        server.restart();
        let begun = Instant::now();
        while ledger.check().await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the ledger heals by itself");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    fund(&*ledger, "last", 1).await;
    read.extend(after(&*ledger, at).await);
    assert_eq!(read, after(&*ledger, None).await, "what was read in parts is what there is");
    let told: std::collections::BTreeSet<_> =
        read.iter().map(|event| event.what.user().to_string()).collect();
    assert_eq!(told.len(), read.len(), "each once");
    let missing: Vec<_> = acknowledged.iter().filter(|name| !told.contains(*name)).collect();
    assert!(missing.is_empty() && acknowledged.len() >= 20, "{missing:?} of {}", acknowledged.len());
}
