//! What a statement reads does not grow with the tables, whatever the statistics said when it was planned.
//!
//! The worst case on purpose: tables are analysed while nearly empty, and never again; every session plans its
//! statements then and keeps the plans; and then the tables grow.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, join_all};
use hongbao_host::domain::{
    ApiKey, Audience, KeyId, Name, PacketKey, Reference, Scopes, TenantId, WithdrawalId,
};
use hongbao_host::store::postgres::{PostgresLedger, PostgresRegistry};
use hongbao_host::store::prelude::*;
use hongbao_host::store::{AdminEntry, Answer, Claimed, End, Ended, NewWithdrawal, Registry, RequestKey};
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::Postgres;

use super::books::{LIFE, NOW, claim, fund, id, key, send};
use super::open;

/// How many packets the tables grow by, each with two claims, and as many of everything else.
const GROWTH: usize = 8_000;
/// So many packets at a time.
const PART: usize = 250;
/// Of claims and settlements in one statement.
const BATCH: u128 = 40;

/// A use of the ledger or the registry. It is told which packets it may have: `BATCH` from this number on, which
/// are open and have no claims.
type Use = fn(Arc<Stores>, u128) -> BoxFuture<'static, ()>;

struct Stores {
    ledger: PostgresLedger,
    registry: PostgresRegistry,
}

macro_rules! uses {
    ($($name:literal => |$stores:ident, $first:ident| $act:expr,)*) => {
        &[$(($name, |$stores: Arc<Stores>, $first: u128| Box::pin(async move { let _ = $first; $act }))),*]
    };
}

const USES: &[(&str, Use)] = uses! {
    "record" => |stores, first| _ = send(&stores.ledger, first + BATCH, Audience::Everyone).await,
    "claim" => |stores, first| {
        let claims = (0..BATCH).map(|number| {
            let stores = Arc::clone(&stores);
            tokio::spawn(async move { claim(&stores.ledger, &key(id(first + number)), 1, "bob", 30).await.unwrap() })
        });
        for claimed in join_all(claims).await {
            assert_eq!(claimed.unwrap(), Claimed::Committed(1));
        }
    },
    "settle" => |stores, first| {
        let settled = stores.ledger.settle(BATCH as u32, NOW).await.unwrap();
        assert!(first == 0 || settled.len() == BATCH as usize, "{}", settled.len());
    },
    "load" => |stores, first| {
        let loads = (0..BATCH).map(|number| {
            let stores = Arc::clone(&stores);
            tokio::spawn(async move { stores.ledger.load(&key(id(first + number)), &[user("bob")]).await.unwrap() })
        });
        assert!(join_all(loads).await.into_iter().all(|loaded| loaded.unwrap().is_some()));
    },
    "claims" => |stores, first| _ = stores.ledger.claims(&key(id(first)), 0, 10).await.unwrap(),
    "close" => |stores, first| {
        let packet: PacketKey = key(id(first + BATCH - 1));
        let version = stores.ledger.load(&packet, &[]).await.unwrap().unwrap().packet.version;
        stores.ledger.close(&packet, version, NOW + LIFE).await.unwrap();
    },
    "fund" => |stores, first| _ = fund(&stores.ledger, "bob", 1).await,
    "fund once" => |stores, first| {
        let name = Name::new(format!("funding {first}")).unwrap();
        stores.ledger.fund(&TenantId::default(), &user("bob"), amount(1), Some(&name), NOW).await.unwrap();
    },
    "withdraw" => |stores, first| {
        stores.ledger.withdraw(&TenantId::default(), withdrawal(first), NOW).await.unwrap();
        stores.ledger.withdraw(&TenantId::default(), withdrawal(first), NOW).await.unwrap();
    },
    "complete" => |stores, first| ended(&stores.ledger, first, End::Complete).await,
    "cancel" => |stores, first| ended(&stores.ledger, first, End::Cancel).await,
    "withdrawal" => |stores, first| {
        stores.ledger.withdrawal(&TenantId::default(), &user("bob"), withdrawal(first).id).await.unwrap();
    },
    "withdrawals" => |stores, first| {
        stores.ledger.withdrawals(&TenantId::default(), &user("bob"), None, 5).await.unwrap();
    },
    "held" => |stores, first| _ = stores.ledger.held(&TenantId::default(), None, 5).await.unwrap(),
    "balance" => |stores, first| {
        stores.ledger.balance(&TenantId::default(), &user("bob")).await.unwrap();
    },
    "due" => |stores, first| _ = stores.ledger.due(None, NOW + LIFE, None, 5).await.unwrap(),
    "due of one" => |stores, first| {
        stores.ledger.due(Some(&TenantId::default()), NOW + LIFE, None, 5).await.unwrap();
    },
    "open packets" => |stores, first| {
        stores.ledger.open_packets(&TenantId::default(), None, 5).await.unwrap();
    },
    "recent" => |stores, first| {
        stores.ledger.recent(&TenantId::default(), &Name::new("room").unwrap(), None, 5).await.unwrap();
    },
    "recent packets" => |stores, first| {
        stores.ledger.recent_packets(&TenantId::default(), &Name::new("room").unwrap(), None, 5).await.unwrap();
    },
    "sent" => |stores, first| {
        stores.ledger.sent(&TenantId::default(), &user("alice"), None, 5).await.unwrap();
    },
    "received" => |stores, first| {
        stores.ledger.received(&TenantId::default(), &user("bob"), None, 5).await.unwrap();
    },
    "statement" => |stores, first| {
        stores.ledger.statement(&TenantId::default(), &user("bob"), None, 5).await.unwrap();
    },
    "money events" => |stores, first| {
        stores.ledger.money_events(&TenantId::default(), None, 5).await.unwrap();
        let last = stores.ledger.last_money_event(&TenantId::default()).await.unwrap();
        stores.ledger.money_events(&TenantId::default(), last, 5).await.unwrap();
    },
    "parked" => |stores, first| _ = stores.ledger.parked(5).await.unwrap(),
    "add key" => |stores, first| {
        let key = ApiKey {
            id: KeyId::new(first as u64 + 7),
            tenant: Some(TenantId::default()),
            user: None,
            label: Name::new("label").unwrap(),
            scopes: Scopes::default(),
            hash: [0; 32],
            created_at_ms: NOW,
            expires_at_ms: Some(NOW + LIFE),
            revoked_at_ms: None,
        };
        stores.registry.add_key(key).await.unwrap();
    },
    "key" => |stores, first| _ = stores.registry.key(KeyId::new(first as u64)).await.unwrap(),
    "keys" => |stores, first| {
        stores.registry.keys(Some(&TenantId::default()), None, 5).await.unwrap();
    },
    "revoke key" => |stores, first| {
        stores.registry.revoke_key(Some(&TenantId::default()), KeyId::new(first as u64), NOW).await.unwrap();
    },
    "forget keys" => |stores, first| _ = stores.registry.forget_keys(1).await.unwrap(),
    "request" => |stores, first| {
        let key = Name::new(format!("request {first}")).unwrap();
        let request = RequestKey { tenant: Some(TenantId::default()), key };
        stores.registry.begin(&request, [0; 32], NOW).await.unwrap();
        let answer = Answer { status: 200, body: Vec::new() };
        stores.registry.answer(&request, [0; 32], answer, NOW).await.unwrap();
        stores.registry.abandon(&request, [0; 32], NOW).await.unwrap();
    },
    "forget answers" => |stores, first| _ = stores.registry.forget_answers(1).await.unwrap(),
    "note" => |stores, first| {
        let entry = AdminEntry {
            at_ms: NOW,
            by: None,
            tenant: Some(TenantId::default()),
            action: "a".into(),
            subject: "b".into(),
            outcome: "c".into(),
        };
        stores.registry.note(entry).await.unwrap();
    },
    "notes" => |stores, first| {
        stores.registry.notes(Some(&TenantId::default()), None, 5).await.unwrap();
        stores.registry.notes(None, None, 5).await.unwrap();
    },
    "tenants" => |stores, first| {
        stores.registry.revision().await.unwrap();
        stores.registry.plugin_code(&TenantId::default(), "digest").await.unwrap();
    },
};

/// A withdrawal of alice's that no other use has.
fn withdrawal(first: u128) -> NewWithdrawal {
    NewWithdrawal {
        id: WithdrawalId::from_bytes(first.to_be_bytes()),
        user: user("alice"),
        key: Name::new(format!("withdrawal {first}")).unwrap(),
        amount: amount(1),
        reference: Reference::default(),
    }
}

async fn ended(ledger: &PostgresLedger, first: u128, end: End) {
    let (tenant, new) = (TenantId::default(), withdrawal(first));
    ledger.withdraw(&tenant, new.clone(), NOW).await.unwrap();
    let ended = ledger.end_withdrawal(&tenant, &new.user, new.id, end, NOW).await.unwrap();
    assert!(matches!(ended, Ended::Ended(_)), "{ended:?}");
}

/// A database that nobody analyses but us.
struct Growing {
    server: Postgres,
    name: String,
}

impl Growing {
    async fn new(before: &str) -> Self {
        let server = Postgres::start_with(&["-c", "fsync=off", "-c", "autovacuum=off"]);
        let url = server.fresh_database();
        let name = url.rsplit('/').next().unwrap().to_owned();
        PostgresLedger::migrate(&url).await.unwrap();
        server.psql(&name, before);
        server.psql(&name, "ANALYZE");
        Self { server, name }
    }

    /// Stores whose sessions have this name.
    async fn stores(&self, name: &str) -> Arc<Stores> {
        let url = format!("{}?application_name={name}", self.server.url(&self.name));
        Arc::new(Stores { ledger: open(&url).await, registry: PostgresRegistry::open(&url).await.unwrap() })
    }

    /// How many pages a use touches in sessions of this name, which end with it.
    async fn cost(&self, name: &str, stores: Arc<Stores>, act: Use, first: u128) -> u64 {
        let before = self.pages();
        act(Arc::clone(&stores), first).await;
        drop(stores);
        self.ended(name).await;
        self.pages() - before
    }

    /// How many pages opening the stores touches, which looks at the end of each partition.
    async fn opening(&self) -> u64 {
        let before = self.pages();
        // Whoever moves money first looks at the guards once more.
        self.stores("opening").await.ledger.check().await.unwrap();
        self.ended("opening").await;
        self.pages() - before
    }

    /// How many pages a use touches in sessions that are opened for it, without what opening them touches.
    async fn cost_anew(&self, name: &str, act: Use, first: u128, opening: u64) -> u64 {
        let before = self.pages();
        act(self.stores(name).await, first).await;
        self.ended(name).await;
        (self.pages() - before).saturating_sub(opening)
    }

    /// Packets for every use, the first of them with this number.
    async fn packets(&self, first: u128) {
        let helper = self.stores("helper").await;
        for (number, _) in (0..).zip(USES) {
            for packet in 0..BATCH {
                send(&helper.ledger, first + number * EACH + packet, Audience::Everyone).await;
            }
        }
        // For each settlement as many claims as it takes.
        let (place, _) = (0_u128..).zip(USES).find(|(_, (name, _))| *name == "settle").unwrap();
        for packet in 0..BATCH {
            claim(&helper.ledger, &key(id(first + place * EACH + packet)), 1, "bob", 30).await.unwrap();
        }
        drop(helper);
        self.ended("helper").await;
    }

    /// Fills the tables without a word to the statistics.
    fn grow(&self) {
        // Plans that are told to avoid what they must do cost so much that each would be compiled: sessions
        // of ours do not.
        let fill = "SET search_path = hongbao; SET jit = off;
             CREATE TEMPORARY TABLE grown AS
             SELECT n, 'grown ' || n AS key, lpad(to_hex(1048576 + n), 32, '0')::uuid AS packet
               FROM generate_series([first], [first] + [part] - 1) n;
             INSERT INTO orders SELECT 'alice', 'default', key, packet FROM grown;
             INSERT INTO packets (id, tenant, key, room, sender, strategy, total, shares, audience, audience_users,
                                  greeting, expires_in_ms, sent_at_ms, expires_at_ms)
             SELECT packet, 'default', key, 'room', 'alice', 'equal', 100, 3, 'everyone', '{}', '', [life],
                    [now] - 1000, [now] - 1000 + [life] FROM grown;
             INSERT INTO claims (packet, tenant, user_id, sequence, amount, priority, claimed_at_ms)
             SELECT packet, 'default', user_id, sequence, 30, 0, [now] - 500
               FROM grown, (VALUES ('bob', 1), ('carol', 2)) AS claim (user_id, sequence);
             INSERT INTO api_keys
             SELECT decode(lpad(to_hex(1048576 + n), 16, '0'), 'hex'), 'default', NULL, 'label', 1,
                    decode(repeat('00', 32), 'hex'), [now], [now], NULL FROM grown;
             INSERT INTO requests SELECT 'default', key, decode(repeat('00', 32), 'hex'), [now] FROM grown;
             INSERT INTO notes SELECT 1048576 + n, [now], NULL, 'default', 'a', 'b', 'c' FROM grown;
             INSERT INTO fundings SELECT key, 'default', 'bob', 1, [now] FROM grown;
             INSERT INTO withdrawals (id, tenant, user_id, key, amount, reference, requested_at_ms)
             SELECT packet, 'default', 'bob', key, 1, '', [now] FROM grown;
             UPDATE withdrawals SET state = CASE n % 4 WHEN 0 THEN 'completed' ELSE 'cancelled' END,
                    ended_at_ms = [now] FROM grown WHERE id = packet AND n % 4 < 2";
        let fill = fill.replace("[life]", &LIFE.to_string()).replace("[now]", &NOW.to_string());
        // In batches of the size that hosts write.
        for first in (0..GROWTH).step_by(PART) {
            let fill = fill.replace("[part]", &PART.to_string()).replace("[first]", &first.to_string());
            self.server.psql(&self.name, &fill);
        }
        self.server.psql(&self.name, "UPDATE hongbao.numbers SET value = 2097152 WHERE name = 'note'");
    }

    /// Settles what the tables grew by, so that most of the movements are settlements.
    async fn settle(&self) {
        let helper = self.stores("helper").await;
        let claims = 2 * GROWTH;
        let mut settled = 0;
        while settled < claims {
            settled += helper.ledger.settle(500, NOW).await.unwrap().len();
        }
        drop(helper);
        self.ended("helper").await;
    }

    /// Waits for the end of all sessions of a name: what they counted, they tell at the latest then.
    async fn ended(&self, name: &str) {
        let there = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
        let begun = Instant::now();
        while self.server.psql(&self.name, &there) != "0" {
            assert!(begun.elapsed() < Duration::from_secs(20), "sessions end with their ledger");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Pages that were touched by now.
    fn pages(&self) -> u64 {
        let sum = "SELECT sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit, 0) + coalesce(idx_blks_read, 0))
                     FROM pg_statio_user_tables WHERE schemaname = 'hongbao'";
        self.server.psql(&self.name, sum).parse().unwrap()
    }
}

/// Pages at the ends of all partitions, each of which is looked at twice.
const ENDS: u64 = 2 * 8 * 128 + 64;

/// Room for the packets of one use.
const EACH: u128 = 2 * BATCH;

/// A use in sessions that keep the plans they made while the tables were small, and what it cost then.
struct Kept {
    stores: Arc<Stores>,
    small: u64,
}

async fn reads_no_more(before: &str) {
    let growing = Growing::new(before).await;
    let funded = growing.stores("funding").await;
    fund(&funded.ledger, "alice", 100_000_000).await;
    drop(funded);
    growing.ended("funding").await;
    growing.packets(0x1000).await;
    growing.packets(0x4000).await;
    let opening = growing.opening().await;
    let mut kept = Vec::new();
    for (number, (name, act)) in (0_u128..).zip(USES) {
        let small = growing.cost_anew("small", *act, 0x1000 + number * EACH, opening).await;
        let stores = growing.stores(&format!("kept {name}").replace(' ', "_")).await;
        act(Arc::clone(&stores), 0x4000 + number * EACH).await;
        kept.push(Kept { stores, small });
    }
    growing.grow();
    growing.settle().await;
    growing.packets(0x8000).await;
    growing.packets(0xc000).await;
    // Until sessions that are idle have told what they counted.
    tokio::time::sleep(Duration::from_secs(11)).await;
    let opening_large = growing.opening().await;
    println!("opening: {opening} pages of small tables, {opening_large} of large ones");
    assert!(opening_large <= opening + ENDS, "{opening_large} pages are touched by opening large books");
    let mut wrong = Vec::new();
    for ((number, (name, act)), Kept { stores, small }) in (0_u128..).zip(USES).zip(kept) {
        let session = format!("kept {name}").replace(' ', "_");
        let large = growing.cost(&session, stores, *act, 0x8000 + number * EACH).await;
        let anew = growing.cost_anew("anew", *act, 0xc000 + number * EACH, opening_large).await;
        let most = small * 5 / 2 + 64;
        println!(
            "{name}: {small} pages of small tables, {large} of large ones by the same plans, {anew} by new ones"
        );
        if large > most || anew > most {
            wrong.push((name, small, large, anew));
        }
    }
    assert!(wrong.is_empty(), "pages that grow with the tables (small, large, planned anew): {wrong:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn statistics_of_empty_tables_cost_nothing_later() {
    reads_no_more("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn statistics_that_know_no_more_than_packets_that_were_sent_cost_nothing_later() {
    let sent = "SELECT hongbao.fund_wallet('default', 'alice', 1000000, 1);
        SELECT hongbao.record_packet(lpad(to_hex(n), 32, '0')::uuid, 'default', 'first ' || n, 'room', 'alice', 'equal',
                                     100, 3, 100, 'everyone', '{}', '', 1000, 1) FROM generate_series(1, 5) n";
    reads_no_more(sent).await;
}
