//! Books of every former version, brought to the present one with what is in them.

use std::time::{Duration, Instant};

use hongbao_host::domain::{Audience, Name, PacketKey, Reference, TenantId, WithdrawalId};
use hongbao_host::store::Ledger;
use hongbao_host::store::postgres::{OpenError, PostgresLedger, Schema};
use hongbao_host::store::prelude::*;
use hongbao_host::store::{Due, End, Ended, NewWithdrawal, Withdrawn};
use hongbao_tests::chat::{amount, user};

use super::books::{LIFE, NOW, assert_in_order, fund, id, key, send};
use super::{open, server};

const FORMER: [&str; 2] = [
    include_str!("../../../../host/store-postgres/src/migrations/0001_books.sql"),
    include_str!("../../../../host/store-postgres/src/migrations/0002_lists.sql"),
];

/// Packets of alice's, each of 100 in 2 shares: 1 is finished, 2 refunded, 3 open with a claim, and 4 open in
/// another room; of "elsewhere" there is one with the id of 3.
const PACKETS: &str = "
    SELECT fund_wallet(tenant, 'alice', 1000, [now]) FROM (VALUES ('default'), ('elsewhere')) AS of (tenant);
    SELECT record_packet([n]::uuid, tenant, 'former ' || n, room, 'alice', 'equal', 100, 2, 'everyone', '{}', '', [life],
                         [now])
      FROM (VALUES (1, 'default', 'room'), (2, 'default', 'room'), (3, 'default', 'room'), (4, 'default', 'hall'),
                   (3, 'elsewhere', 'room')) AS packet (n, tenant, room);
    INSERT INTO claims (packet, tenant, user_id, sequence, amount, priority, claimed_at_ms)
    SELECT [n]::uuid, 'default', user_id, sequence, 50, 0, [now]
      FROM (VALUES (1, 'bob', 1), (1, 'carol', 2), (3, 'bob', 1)) AS claim (n, user_id, sequence);
    UPDATE packets SET status = 'expired', refunded = total, version = version + 1, ended_at_ms = expires_at_ms
     WHERE key = 'former 2';";

/// The name of a database with books of a former version.
fn former(version: usize) -> String {
    let url = server().fresh_database();
    let name = url.rsplit('/').next().unwrap().to_owned();
    let former = FORMER[..version].concat();
    server().psql(&name, &format!("CREATE SCHEMA hongbao; SET search_path = hongbao, pg_catalog; {former}"));
    server().psql(
        &name,
        &format!(
            "CREATE TABLE hongbao.migrations (version bigint PRIMARY KEY, guards bigint NOT NULL,
                                              applied_at timestamptz NOT NULL DEFAULT now());
             INSERT INTO hongbao.migrations VALUES ({version}, 1)"
        ),
    );
    let packets = PACKETS.replace("[n]", "lpad(to_hex(n), 32, '0')");
    let packets = packets.replace("[now]", &NOW.to_string()).replace("[life]", &LIFE.to_string());
    server().psql(&name, &format!("SET search_path = hongbao, pg_catalog; {packets}"));
    name
}

#[tokio::test]
async fn books_of_every_former_version_answer_as_those_of_the_present_one() {
    for version in 1..=FORMER.len() {
        brought(version).await;
    }
}

async fn brought(version: usize) {
    let name = former(version);
    let url = server().url(&name);
    let refused = PostgresLedger::open(&url).await;
    let Err(OpenError::Older { found, known, .. }) = refused else {
        panic!("books of version {version} are older: {:?}", refused.err());
    };
    assert!(found == version && known > found, "{found} of {known}");
    assert_eq!(PostgresLedger::migrate(&url).await.unwrap(), Schema::Older(version));
    looked_back_on(&open(&url).await).await;
    let ledger = open(&url).await;
    send(&ledger, 5, Audience::Everyone).await;

    let tenant = TenantId::default();
    let recent = async |room| ledger.recent(&tenant, &Name::new(room).unwrap(), None, 10).await.unwrap();
    assert_eq!(recent("room").await, [5, 3, 2, 1].map(id));
    assert_eq!(recent("hall").await, [4].map(id));
    let due = async |tenant| ledger.due(tenant, NOW + LIFE, None, 10).await.unwrap();
    let ended = |key| Due { expires_at_ms: NOW + LIFE, key };
    assert_eq!(due(Some(&tenant)).await, [3, 4, 5].map(|number| ended(key(id(number)))));
    let elsewhere = PacketKey { tenant: TenantId::new("elsewhere").unwrap(), packet: id(3) };
    let of_all = [key(id(3)), key(id(4)), key(id(5)), elsewhere];
    assert_eq!(due(None).await, of_all.map(ended));
    assert_eq!(ledger.settle(10, NOW).await.unwrap().len(), 3);
    let since = ["wallet.funded", "withdrawal.held", "withdrawal.completed", "packet.sent"];
    assert_eq!(told(&ledger, 7).await, [&since[..], &["share.settled"; 3]].concat());
    assert_in_order(&ledger).await;
}

/// What is told of money: of what the books had before, nothing.
async fn told(ledger: &dyn Ledger, count: usize) -> Vec<&'static str> {
    let begun = Instant::now();
    loop {
        let told = ledger.money_events(&TenantId::default(), None, 100).await.unwrap().unwrap();
        // Other tests' transactions on this server have to end first.
        if told.len() >= count || begun.elapsed() > Duration::from_secs(20) {
            return told.iter().map(|event| event.what.name()).collect();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What users look back on, of books that were written before there were such lists.
async fn looked_back_on(ledger: &dyn Ledger) {
    let (tenant, alice, bob) = (TenantId::default(), user("alice"), user("bob"));
    let sent = ledger.sent(&tenant, &alice, None, 10).await.unwrap();
    assert_eq!(sent.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [4, 3, 2, 1].map(id));
    let received = ledger.received(&tenant, &bob, None, 10).await.unwrap();
    assert_eq!(received.iter().map(|received| received.packet).collect::<Vec<_>>(), [3, 1].map(id));
    let statement = ledger.statement(&tenant, &alice, None, 10).await.unwrap();
    let told: Vec<_> = statement.iter().map(|entry| (entry.amount, entry.packet)).collect();
    let sends = [4, 3, 2, 1].map(|number| (-100, Some(id(number))));
    assert_eq!(told, [&[(100, Some(id(2)))][..], &sends, &[(1_000, None)]].concat(), "in the order of time");
    fund(ledger, "alice", 1).await;
    let latest = ledger.statement(&tenant, &alice, None, 1).await.unwrap();
    assert_eq!((latest[0].amount, latest[0].id > statement[0].id), (1, true), "places go on");
    // Money that came in before there were withdrawals can leave.
    let new = NewWithdrawal {
        id: WithdrawalId::new(NOW, 1),
        user: alice.clone(),
        key: Name::new("out").unwrap(),
        amount: amount(101),
        reference: Reference::default(),
    };
    let withdrawn = ledger.withdraw(&tenant, new, NOW).await.unwrap();
    assert!(matches!(withdrawn, Withdrawn::Held(..)), "{withdrawn:?}");
    let ended = ledger.end_withdrawal(&tenant, &alice, WithdrawalId::new(NOW, 1), End::Complete, NOW).await;
    assert!(matches!(ended.unwrap(), Ended::Ended(_)));
}

#[tokio::test]
async fn what_a_version_adds_is_guarded_as_well() {
    let name = former(1);
    let url = server().url(&name);
    PostgresLedger::migrate(&url).await.unwrap();
    for (table, why) in [
        ("rooms", "a packet stays in its room"),
        ("rooms_7", "a packet stays in its room"),
        ("fundings", "a key names its funding for ever"),
        ("fundings_7", "a key names its funding for ever"),
        ("movements", "a movement never changes"),
        ("withdrawals", "withdrawals are kept"),
    ] {
        let refused = server().try_psql(&name, &format!("DELETE FROM hongbao.{table}")).unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    for trigger in [
        "rooms_7 % TRIGGER rooms_are_kept",
        "packets % TRIGGER a_packet_is_listed",
        "fundings_7 % TRIGGER fundings_are_kept",
        "fundings % TRIGGER a_funding_is_posted",
        "movements % TRIGGER movements_are_kept",
        "withdrawals % TRIGGER withdrawals_are_kept",
        "withdrawals % TRIGGER a_withdrawal_is_taken",
        "withdrawals % TRIGGER the_end_of_a_withdrawal_is_posted",
    ] {
        let alter = |does: &str| format!("ALTER TABLE hongbao.{}", trigger.replace('%', does));
        server().psql(&name, &alter("DISABLE"));
        let refused = PostgresLedger::open(&url).await;
        assert!(matches!(refused, Err(OpenError::Damaged { .. })), "{trigger}: {:?}", refused.err());
        server().psql(&name, &alter("ENABLE"));
    }
    open(&url).await;
}
