//! What happens to calls and to money when the server, or the way to it, goes away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::domain::{Audience, Name, PacketKey, Priority, Share, TenantId};
use hongbao_host::store::Ledger;
use hongbao_host::store::postgres::PostgresLedger;
use hongbao_host::store::prelude::*;
use hongbao_host::store::{Claimed, Funded, Recorded};
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::{Mode, Postgres, Proxy};
use tokio::sync::Notify;

use super::books::{Books, NOW, assert_in_order, claim, claims, fund, id, key, order, send, take};
use super::{fresh, open, server};

/// A call that cannot be answered says so within this time.
const BOUND: Duration = Duration::from_secs(8);

/// A ledger that is reached through a proxy, and one that is not.
struct Through {
    proxy: Proxy,
    ledger: PostgresLedger,
    direct: PostgresLedger,
}

impl Through {
    async fn new() -> Self {
        let url = server().url(&fresh().await);
        let proxy = Proxy::start(server().address());
        let ledger = open(&proxy.through(&url)).await;
        let direct = open(&url).await;
        fund(&direct, "alice", 1_000_000).await;
        Self { proxy, ledger, direct }
    }
}

async fn unavailable<T: std::fmt::Debug>(
    call: impl Future<Output = Result<T, hongbao_host::store::StoreError>>,
) {
    let asked = Instant::now();
    let answer = call.await;
    assert!(asked.elapsed() < BOUND, "an answer takes {:?}", asked.elapsed());
    assert_eq!(answer.map_err(|error| error.code()).unwrap_err(), "unavailable");
}

/// Asks until there is an answer.
async fn healed(ledger: &dyn Ledger, key: &PacketKey) {
    let begun = Instant::now();
    while ledger.load(key, &[]).await.is_err() {
        assert!(begun.elapsed() < BOUND, "the ledger heals by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_is_cut_is_unavailable_and_heals() {
    let Through { proxy, ledger, .. } = Through::new().await;
    let packet = send(&ledger, 1, Audience::Everyone).await;
    proxy.set(Mode::Refuse);
    unavailable(ledger.load(&packet, &[])).await;
    unavailable(claim(&ledger, &packet, 1, "bob", 10)).await;
    unavailable(ledger.settle(10, NOW)).await;
    unavailable(ledger.check()).await;
    proxy.set(Mode::Pass);
    healed(&ledger, &packet).await;
    ledger.check().await.unwrap();
    take(&ledger, &packet, "bob", 10).await;
    proxy.cut();
    healed(&ledger, &packet).await;
    assert_eq!(claims(&ledger, &packet).await, [(user("bob"), 10)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_nothing_is_unavailable_in_time() {
    let Through { proxy, ledger, .. } = Through::new().await;
    let packet = send(&ledger, 1, Audience::Everyone).await;
    take(&ledger, &packet, "bob", 10).await;
    let alice = user("alice");
    proxy.set(Mode::Blackhole);
    tokio::join!(
        unavailable(ledger.load(&packet, &[])),
        unavailable(claim(&ledger, &packet, 2, "carol", 10)),
        unavailable(ledger.balance(&packet.tenant, &alice)),
    );
    proxy.set(Mode::Pass);
    healed(&ledger, &packet).await;
    take(&ledger, &packet, "carol", 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_lost_after_the_commit_is_found_by_asking_again() {
    let Through { proxy, ledger, direct } = Through::new().await;
    let packet = send(&direct, 1, Audience::Everyone).await;
    healed(&ledger, &packet).await;
    // Statements are prepared by now, so the next message that is lost is the answer itself.
    take(&ledger, &send(&direct, 2, Audience::Everyone).await, "bob", 10).await;
    proxy.set(Mode::DropReplies);
    unavailable(claim(&ledger, &packet, 1, "bob", 40)).await;
    proxy.set(Mode::Pass);
    healed(&ledger, &packet).await;
    match claim(&ledger, &packet, 1, "bob", 50).await.unwrap() {
        Claimed::Stale(now) => assert_eq!(now.claims[0].amount, amount(40), "it had been committed"),
        other => panic!("the first claim stands: {other:?}"),
    }

    let again = order(3, 100, Audience::Everyone);
    let tenant = TenantId::default();
    ledger.record(&tenant, id(3), order(3, 100, Audience::Everyone), NOW).await.unwrap();
    proxy.set(Mode::DropReplies);
    unavailable(ledger.record(&tenant, id(4), again.clone(), NOW)).await;
    proxy.set(Mode::Pass);
    healed(&ledger, &packet).await;
    let recorded = ledger.record(&tenant, id(5), again, NOW).await.unwrap();
    assert!(matches!(recorded, Recorded::Replayed(receipt) if receipt.id == id(4)), "{recorded:?}");

    let erin = user("erin");
    let fund_once = async |key: &str| {
        let key = Name::new(key).unwrap();
        ledger.fund(&tenant, &erin, amount(9), Some(&key), NOW).await
    };
    fund_once("first").await.unwrap();
    proxy.set(Mode::DropReplies);
    unavailable(fund_once("second")).await;
    proxy.set(Mode::Pass);
    healed(&ledger, &packet).await;
    assert_eq!(fund_once("second").await.unwrap(), Funded::Replayed(amount(18)), "it had moved, once");

    while !ledger.settle(10, NOW).await.unwrap().is_empty() {}
    take(&ledger, &packet, "carol", 5).await;
    proxy.set(Mode::DropReplies);
    unavailable(ledger.settle(10, NOW)).await;
    proxy.set(Mode::Pass);
    healed(&ledger, &packet).await;
    assert_eq!(ledger.settle(10, NOW).await.unwrap(), [], "it had been settled");
    assert_eq!(ledger.balance(&tenant, &user("carol")).await.unwrap(), amount(5));
    assert_in_order(&direct).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_survives_the_death_of_the_server() {
    let server = Postgres::start();
    let url = server.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let ledger = Arc::new(open(&url).await);
    fund(&*ledger, "alice", 1_000_000).await;
    for number in 0..40 {
        send(&*ledger, number, Audience::Everyone).await;
    }
    let first = Arc::new(Notify::new());
    let claiming = (0..40).map(|number| {
        let (ledger, first) = (Arc::clone(&ledger), Arc::clone(&first));
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for (version, name) in [(1, "bob"), (2, "carol")] {
                if claim(&*ledger, &key(id(number)), version, name, 20).await.is_ok() {
                    acknowledged.push((user(name), 20));
                    first.notify_one();
                }
                tokio::time::sleep(Duration::from_millis(u64::try_from(number).unwrap() * 3)).await;
            }
            acknowledged
        })
    });
    let claiming: Vec<_> = claiming.collect();
    // However busy the machine is, something has been acknowledged and others are under way.
    first.notified().await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    server.kill();
    let mut told = Vec::new();
    for claiming in claiming {
        told.push(claiming.await.unwrap());
    }
    server.restart();
    healed(&*ledger, &key(id(0))).await;
    for (number, acknowledged) in told.iter().enumerate() {
        let found = claims(&*ledger, &key(id(number as u128))).await;
        assert!(acknowledged.iter().all(|claim| found.contains(claim)), "{acknowledged:?} of {found:?}");
    }
    assert!(told.iter().any(|acknowledged| !acknowledged.is_empty()), "some were acknowledged");
    assert_in_order(&*ledger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_that_race_for_many_packets_never_give_a_share_twice() {
    let books = Books::new().await;
    let other = Arc::new(open(&server().url(&books.name)).await);
    const PACKETS: u128 = 60;
    for number in 0..PACKETS {
        send(&*books.ledger, number, Audience::Everyone).await;
    }
    let racing = [&books.ledger, &other].into_iter().enumerate().flat_map(|(host, ledger)| {
        (0..PACKETS).map(move |number| {
            let ledger = Arc::clone(ledger);
            tokio::spawn(async move {
                let share = |part: u64| Share {
                    user: user(&format!("user {host} {part}")),
                    amount: amount(10 + part),
                    priority: Priority::Normal,
                };
                ledger.claim(&key(id(number)), 1, vec![share(1), share(2)], NOW).await.unwrap()
            })
        })
    });
    let mut committed = 0;
    for racing in racing.collect::<Vec<_>>() {
        committed += u128::from(matches!(racing.await.unwrap(), Claimed::Committed(1)));
    }
    assert_eq!(committed, PACKETS, "one of the two hosts, for each packet");
    let (one, two) = tokio::join!(settle_all(&books.ledger), settle_all(&other));
    assert_eq!(one + two, 2 * PACKETS as usize);
    assert_in_order(&*books.ledger).await;
}

async fn settle_all(ledger: &PostgresLedger) -> usize {
    let mut settled = 0;
    loop {
        let batch = ledger.settle(7, NOW).await.unwrap().len();
        settled += batch;
        if batch == 0 && ledger.backlog().await.unwrap().normal.claims == 0 {
            return settled;
        }
    }
}
