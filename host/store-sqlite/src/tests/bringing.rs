//! Books of every former version, brought to the present one with what is in them.

use std::path::Path;

use rusqlite::{Connection, params};

use super::{LIFE, NOW, amount, user};
use crate::migrate::{BOOKS, Series};
use crate::rows::stored;
use crate::{SqliteLedger, write};
use hongbao_domain::{Amount, Name, PacketId, PacketKey, Reference, TenantId, WithdrawalId};
use hongbao_store::prelude::*;
use hongbao_store::{Due, End, Ended, Funded, NewWithdrawal, Withdrawn};

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn key(tenant: &str, number: u128) -> PacketKey {
    PacketKey { tenant: TenantId::new(tenant).unwrap(), packet: PacketId::new(NOW, number) }
}

/// Alice sends 100 in 2 shares to a room. In words of the database that every version knows.
fn send(db: &Connection, key: &PacketKey, room: &str) {
    const SQL: &str = "INSERT INTO packets (tenant, id, key, room, sender, strategy, total, shares, audience,
                           audience_users, greeting, expires_in_ms, sent_at_ms, expires_at_ms)
                       VALUES (?1, ?2, ?3, ?4, 'alice', 'equal', 100, 2, 'everyone', '[]', '', ?5, ?6, ?7)";
    write::fund(db, &key.tenant, &user("alice"), amount(100), None, NOW).unwrap();
    let (tenant, id) = (key.tenant.as_str(), key.packet.to_bytes());
    let [life, now, end] = [LIFE, NOW, NOW + LIFE].map(|ms| stored(ms).unwrap());
    db.execute(SQL, params![tenant, id, key.packet.to_string(), room, life, now, end]).unwrap();
}

fn take(db: &Connection, key: &PacketKey, sequence: u32, user: &str) {
    const RAISE: &str = "UPDATE packets SET version = version + 1 WHERE tenant = ?1 AND id = ?2";
    const CLAIM: &str = "INSERT INTO claims (tenant, packet, user, sequence, amount, priority, claimed_at_ms)
                         VALUES (?1, ?2, ?3, ?4, 50, 0, ?5)";
    let (tenant, id) = (key.tenant.as_str(), key.packet.to_bytes());
    db.execute(RAISE, params![tenant, id]).unwrap();
    db.execute(CLAIM, params![tenant, id, user, sequence, stored(NOW).unwrap()]).unwrap();
}

/// Books of a version. Of the packets of "here", 1 is finished, 2 refunded, 3 open with a claim, and 4 open
/// in another room; "elsewhere" has its own 1.
fn books(directory: &Path, version: usize) {
    const CLOSE: &str = "UPDATE packets SET status = 'expired', refunded = total, version = version + 1,
                             ended_at_ms = expires_at_ms WHERE tenant = 'here' AND id = ?1";
    let mut db = Connection::open(directory.join(BOOKS.file)).unwrap();
    Series { migrations: &BOOKS.migrations[..version], ..BOOKS }.migrate(&mut db).unwrap();
    for number in 1..=4 {
        send(&db, &key("here", number), if number == 4 { "hall" } else { "room" });
    }
    send(&db, &key("elsewhere", 1), "room");
    take(&db, &key("here", 1), 1, "bob");
    take(&db, &key("here", 1), 2, "carol");
    take(&db, &key("here", 3), 1, "bob");
    assert_eq!(db.execute(CLOSE, [key("here", 2).packet.to_bytes()]).unwrap(), 1);
}

#[tokio::test]
async fn books_of_every_former_version_answer_as_those_of_the_present_one() {
    let here = TenantId::new("here").unwrap();
    for version in 1..=BOOKS.migrations.len() {
        let home = tempfile::tempdir().unwrap();
        books(home.path(), version);
        let ledger = SqliteLedger::open(home.path()).unwrap();
        let ids = |numbers: &[u128]| -> Vec<_> {
            numbers.iter().map(|number| key("here", *number).packet).collect()
        };
        let recent = async |room| ledger.recent(&here, &name(room), None, 10).await.unwrap();
        assert_eq!(recent("room").await, ids(&[3, 2, 1]), "of version {version}");
        assert_eq!(recent("hall").await, ids(&[4]), "of version {version}");
        let due = async |tenant| ledger.due(tenant, NOW + LIFE, None, 10).await.unwrap();
        let [first, second, third] = [key("elsewhere", 1), key("here", 3), key("here", 4)]
            .map(|key| Due { expires_at_ms: NOW + LIFE, key });
        assert_eq!(due(Some(&here)).await, [second.clone(), third.clone()], "of version {version}");
        assert_eq!(due(None).await, [first, second, third], "of version {version}");
        look_back(&ledger, &ids, version).await;
        assert_eq!(ledger.settle(10, NOW + LIFE).await.unwrap().len(), 3, "of version {version}");
        told(&ledger, version).await;
        assert!(ledger.audit(&here).await.unwrap().is_conserved(), "of version {version}");
        assert_eq!(ledger.verify(&here).await.unwrap(), [], "of version {version}");
    }
}

/// What is told of money: of what the books had before there were events, nothing.
async fn told(ledger: &SqliteLedger, version: usize) {
    /// Since when they have places.
    const SINCE: usize = 9;
    let here = TenantId::new("here").unwrap();
    let told = ledger.money_events(&here, None, 100).await.unwrap().unwrap();
    let names: Vec<_> = told.iter().map(|event| event.what.name()).collect();
    let (before, since) = names.split_at(names.len() - 6);
    assert_eq!(
        since,
        [&["wallet.funded", "withdrawal.held", "withdrawal.completed"][..], &["share.settled"; 3]].concat(),
        "of version {version}"
    );
    assert_eq!(
        before.len(),
        if version < SINCE { 0 } else { 4 + 4 + 3 + 1 },
        "of version {version}: {before:?}"
    );
}

/// What users look back on, of books that were written before there were such lists.
async fn look_back(ledger: &SqliteLedger, ids: &dyn Fn(&[u128]) -> Vec<PacketId>, version: usize) {
    let (here, alice, bob) = (TenantId::new("here").unwrap(), user("alice"), user("bob"));
    let sent = ledger.sent(&here, &alice, None, 10).await.unwrap();
    for (id, packet) in &sent {
        assert_eq!(
            packet.order.max_share, packet.order.total,
            "{id} of version {version} has no other limit"
        );
    }
    let sent: Vec<_> = sent.into_iter().map(|(id, _)| id).collect();
    assert_eq!(sent, ids(&[4, 3, 2, 1]), "of version {version}");
    let received = ledger.received(&here, &bob, None, 10).await.unwrap();
    let received: Vec<_> = received.iter().map(|received| received.packet).collect();
    assert_eq!(received, ids(&[3, 1]), "of version {version}");
    let entries = ledger.statement(&here, &alice, None, 100).await.unwrap();
    let amounts: Vec<_> = entries.iter().map(|entry| entry.amount).collect();
    assert_eq!(amounts, [100, -100, 100, -100, 100, -100, 100, -100, 100], "of version {version}");
    assert_eq!(ledger.statement(&here, &bob, None, 100).await.unwrap(), [], "of version {version}");
    let key = name("key");
    let fund = async || ledger.fund(&here, &bob, amount(7), Some(&key), NOW).await.unwrap();
    assert_eq!(fund().await, Funded::Funded(amount(7)), "of version {version}");
    assert_eq!(fund().await, Funded::Replayed(amount(7)), "of version {version}");
    takes_out(ledger, version).await;
}

/// Money that came in before there were withdrawals can leave.
async fn takes_out(ledger: &SqliteLedger, version: usize) {
    let (here, bob, id) = (TenantId::new("here").unwrap(), user("bob"), WithdrawalId::new(NOW, 1));
    let (key, reference) = (name("out"), Reference::default());
    let new = NewWithdrawal { id, user: bob.clone(), key, amount: amount(7), reference };
    let withdrawn = ledger.withdraw(&here, new, NOW).await.unwrap();
    assert!(matches!(withdrawn, Withdrawn::Held(_, Amount::ZERO)), "of version {version}: {withdrawn:?}");
    let ended = ledger.end_withdrawal(&here, &bob, id, End::Complete, NOW).await.unwrap();
    assert!(matches!(ended, Ended::Ended(_)), "of version {version}: {ended:?}");
}

/// A movement as every version has it: place, tenant, kind, packet, user, amount, time.
type Moved = (i64, String, String, Option<Vec<u8>>, String, i64, i64);

/// Every movement of books of a version, in the order of places.
fn movements(directory: &Path) -> Vec<Moved> {
    let db = Connection::open(directory.join(BOOKS.file)).unwrap();
    let sql = "SELECT id, tenant, kind, packet, user, amount, at_ms FROM movements ORDER BY id";
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_movement_keeps_its_place_and_what_it_says() {
    for version in 1..=BOOKS.migrations.len() {
        let home = tempfile::tempdir().unwrap();
        books(home.path(), version);
        // A cursor into a statement is a place, so gaps between them stay as well.
        let db = Connection::open(home.path().join(BOOKS.file)).unwrap();
        let far = "INSERT INTO movements (id, tenant, kind, user, amount, at_ms)
                   VALUES (1000, 'here', 'fund', 'dave', 3, 1)";
        db.execute_batch(far).unwrap();
        drop(db);
        let before = movements(home.path());
        drop(SqliteLedger::open(home.path()).unwrap());
        assert_eq!(movements(home.path()), before, "of version {version}");
        assert!(before.len() > 10 && before.last().unwrap().0 == 1_000, "{before:?}");
    }
}
