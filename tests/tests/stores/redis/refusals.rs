//! A server that answers and refuses writes, as users of two hosts see it.

use std::fs;

use hongbao_host::domain::{Grabbed, Opened, PacketId, Policy};
use hongbao_host::store::Ledger;
use hongbao_host::store::finished::FinishedCache;
use hongbao_host::store::memory::MemoryLedger;
use hongbao_tests::chat::Chat;
use hongbao_tests::servers::{Redis, RedisCluster};

use super::*;

/// How long a host may take to notice by itself, on a machine that has other things to do.
const NOTICED: Duration = Duration::from_secs(5);
/// How long it may take to be well again, where the trouble came for the first time.
const HEALED: Duration = Duration::from_secs(10);

/// Two hosts on one server and one ledger.
struct Hosts {
    here: Chat,
    there: Chat,
}

impl Hosts {
    async fn on(url: &str) -> Self {
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let [here, there] = [host(url, &ledger).await, host(url, &ledger).await];
        Self { here, there }
    }

    async fn are(&self, what: &str, patience: Duration, expected: Report) {
        let started = Instant::now();
        loop {
            let health = [self.here.counter.health(), self.there.counter.health()];
            if health.iter().all(|health| health.as_ref() == Some(&expected)) {
                return;
            }
            assert!(started.elapsed() < patience, "{what}: {health:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn are_well(&self) {
        self.are("both are well", HEALED, Report::OK).await;
    }
}

async fn host(url: &str, ledger: &Arc<dyn Ledger>) -> Chat {
    let counter = Arc::new(FinishedCache::new(connect(url).await));
    tokio::task::block_in_place(|| Chat::new(counter, Arc::clone(ledger), Policy::default()))
}

async fn is_contended(chat: &Chat, packet: PacketId, name: &str) {
    assert_eq!(chat.grab(packet, name).await, Grabbed::Contended, "{name}");
}

async fn opens(chat: &Chat, packet: PacketId, name: &str) {
    let opened = chat.open(packet, name).await;
    assert!(matches!(opened, Opened::Opened(_)), "{name} was told to open, but: {opened:?}");
}

/// Somebody's evening, with a server that refuses writes from `begin` to `end`.
async fn an_evening(server: &Redis, url: &str, reason: &'static str, begin: impl Fn(), end: impl Fn()) {
    let hosts = Hosts::on(url).await;
    let Hosts { here, there } = &hosts;
    let packet = here.lucky(10_000, 50).await;
    assert_eq!(here.grab(packet, "bob").await, Grabbed::Admitted);
    assert_eq!(here.grab(packet, "carol").await, Grabbed::Admitted);
    opens(here, packet, "carol").await;
    assert_eq!(there.open(packet, "nobody").await, Opened::NotGrabbed, "while all is well a seat is needed");

    begin();
    // Whoever taps first finds it out; each may open at once, where he tapped.
    for name in ["dave", "erin"] {
        is_contended(here, packet, name).await;
        opens(here, packet, name).await;
    }
    // The other host finds it out without anybody tapping there.
    hosts.are("both know it", NOTICED, is(Standing::RefusesWrites, reason)).await;
    for chat in [here, there] {
        let error = chat.counter.check().await.expect_err("writes are refused").to_string();
        assert!(error.contains("writes are refused") && error.contains(reason), "{error}");
        assert!(!error.contains(&server.port().to_string()), "{error}");
    }
    is_contended(here, packet, "fay").await;
    opens(there, packet, "fay").await;
    // Told to open while it lasts, they do so when it is over.
    for name in ["gil", "hal", "ida"] {
        is_contended(here, packet, name).await;
    }

    end();
    hosts.are_well().await;
    opens(here, packet, "gil").await;
    opens(there, packet, "hal").await;
    opens(here, packet, "bob").await;
    opens(there, packet, "ida").await;
    // The counter knows what was claimed meanwhile, as soon as both have put right what they know of.
    for name in ["dave", "fay", "carol"] {
        let started = Instant::now();
        loop {
            match there.grab(packet, name).await {
                Grabbed::AlreadyOpened(_) => break,
                grabbed => assert!(started.elapsed() < NOTICED, "{name}: {grabbed:?}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    assert_eq!(there.grab(packet, "jon").await, Grabbed::Admitted);
    opens(there, packet, "jon").await;
    let found = there.tenant.reconcile(false).await.unwrap();
    assert!(found.counters == 1 && found.is_clean(), "{found:?}");
    here.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_memory_is_full() {
    let server = Redis::start();
    let maxmemory = |bytes: &str| assert_eq!(server.cli(&["config", "set", "maxmemory", bytes]), "OK");
    an_evening(&server, &server.url(), OUT_OF_MEMORY, || maxmemory("1"), || maxmemory("0")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_disk_fails() {
    let server = Redis::start();
    let folder = server.cli(&["config", "get", "dir"]).lines().nth(1).unwrap().trim().to_owned();
    let snapshot = std::path::Path::new(&folder).join("dump.rdb");
    let save = |expected: &str| {
        let started = Instant::now();
        loop {
            server.cli(&["bgsave"]);
            std::thread::sleep(Duration::from_millis(50));
            if server.cli(&["info", "persistence"]).contains(&format!("rdb_last_bgsave_status:{expected}")) {
                return;
            }
            assert!(started.elapsed() < NOTICED, "a snapshot whose end is {expected}");
        }
    };
    let begin = || {
        // A folder that is not empty cannot be replaced by the snapshot.
        fs::create_dir_all(snapshot.join("in the way")).unwrap();
        server.cli(&["config", "set", "save", "3600 1000000"]);
        save("err");
    };
    let end = || {
        fs::remove_dir_all(&snapshot).unwrap();
        save("ok");
    };
    an_evening(&server, &server.url(), "it cannot save to its disk (MISCONF)", begin, end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_becomes_a_replica() {
    let server = Redis::start();
    // Of nobody: it goes on with what it has.
    let begin = || drop(server.cli(&["replicaof", "127.0.0.1", "1"]));
    let end = || drop(server.cli(&["replicaof", "no", "one"]));
    an_evening(&server, &server.url(), READ_ONLY, begin, end).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_its_replicas() {
    let server = Redis::start();
    let demands = |count: &str| drop(server.cli(&["config", "set", "min-replicas-to-write", count]));
    an_evening(
        &server,
        &server.url(),
        "it has fewer replicas than min-replicas-to-write demands",
        || demands("1"),
        || demands("0"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_loses_a_command_while_serving() {
    for command in ["hset", "zadd", "evalsha"] {
        let server = Redis::start();
        let allow = |rule: &str| drop(server.cli(&["acl", "setuser", "bob", rule]));
        server.cli(&["acl", "setuser", "bob", "on", ">secret", "~*", "&*", "+@all"]);
        let url = format!("redis://bob:secret@{}", server.address());
        let (begin, end) = (|| allow(&format!("-{command}")), || allow(&format!("+{command}")));
        an_evening(&server, &url, "its user lacks a permission", begin, end).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_at_its_limit_breaks_no_promise() {
    let server = Redis::start();
    let hosts = Hosts::on(&server.url()).await;
    let Hosts { here, there } = &hosts;
    let packet = here.lucky(100_000, 100).await;
    let (mut contended, mut admitted) = (Vec::new(), 0);
    for round in 0..30 {
        let maxmemory = if round % 2 == 0 { "1" } else { "0" };
        server.cli(&["config", "set", "maxmemory", maxmemory]);
        for tap in 0..3 {
            let name = format!("user-{round}-{tap}");
            let grabbed = here.grab(packet, &name).await;
            match grabbed {
                Grabbed::Admitted => admitted += 1,
                Grabbed::Contended => contended.push(name.clone()),
                other => panic!("{name}: {other:?}"),
            }
            // Some open at once, others later and elsewhere.
            if tap == 0 || grabbed == Grabbed::Admitted {
                opens(here, packet, &name).await;
                contended.retain(|other| *other != name);
            }
        }
        sleep(Duration::from_millis(40)).await;
    }
    server.cli(&["config", "set", "maxmemory", "0"]);
    assert!(contended.len() > 10, "{} were contended, {admitted} admitted", contended.len());
    let (early, late) = contended.split_at(contended.len() / 2);
    for name in early {
        opens(here, packet, name).await;
    }
    // It has been so again and again, so it has to be well for a while.
    hosts.are("both are well", Duration::from_secs(45), Report::OK).await;
    for name in late {
        opens(there, packet, name).await;
    }
    here.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_lost_between_grab_and_open_breaks_no_promise() {
    use hongbao_tests::servers::{Mode, Proxy};
    let server = Redis::start();
    let proxy = Proxy::start(server.address());
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let here = host(&proxy.through(&server.url()), &ledger).await;
    let there = host(&server.url(), &ledger).await;
    let packet = here.lucky(10_000, 50).await;
    proxy.set(Mode::Refuse);
    for name in ["bob", "carol", "dave"] {
        is_contended(&here, packet, name).await;
    }
    opens(&here, packet, "bob").await;
    // The server has kept everything: nobody has a seat in it.
    proxy.set(Mode::Pass);
    healed("the way is back", async || here.counter.check().await).await;
    opens(&here, packet, "carol").await;
    // Where nothing was ever wrong, the promise is known as soon as it could be written down.
    let key = PacketKey { tenant: TenantId::default(), packet };
    let started = Instant::now();
    while there
        .counter
        .seats(&key, &[user("dave")], here.tenant.now_ms())
        .await
        .unwrap()
        .is_some_and(|one| !one.lenient)
    {
        assert!(started.elapsed() < NOTICED, "the other host never learned of it");
        sleep(Duration::from_millis(20)).await;
    }
    opens(&there, packet, "dave").await;
    here.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_cluster_the_other_masters_go_on() {
    let cluster = RedisCluster::start();
    let nodes: Vec<_> = cluster.nodes().iter().map(|node| node.address().to_string()).collect();
    let hosts = Hosts::on(&format!("redis+cluster://{}", nodes.join(","))).await;
    let Hosts { here, there } = &hosts;
    let mut packets = Vec::new();
    for _ in 0..12 {
        packets.push(here.lucky(1_000, 10).await);
    }
    for packet in &packets {
        assert_eq!(here.grab(*packet, "bob").await, Grabbed::Admitted);
    }
    let full = &cluster.nodes()[0];
    full.cli(&["config", "set", "maxmemory", "1"]);
    hosts.are("both know it", NOTICED, is(Standing::RefusesWrites, OUT_OF_MEMORY)).await;
    let mut contended = Vec::new();
    for packet in &packets {
        match there.grab(*packet, "carol").await {
            Grabbed::Admitted => {}
            Grabbed::Contended => contended.push(*packet),
            other => panic!("{other:?}"),
        }
    }
    assert!((1..12).contains(&contended.len()), "{} of 12 are on the master that is full", contended.len());
    for packet in &packets {
        opens(here, *packet, "carol").await;
        is_contended_or_admitted(there, *packet, "dave").await;
    }
    full.cli(&["config", "set", "maxmemory", "0"]);
    hosts.are_well().await;
    for packet in &packets {
        opens(here, *packet, "dave").await;
        opens(there, *packet, "bob").await;
    }
    here.assert_conserved().await;
}

async fn is_contended_or_admitted(chat: &Chat, packet: PacketId, name: &str) {
    let grabbed = chat.grab(packet, name).await;
    assert!(matches!(grabbed, Grabbed::Contended | Grabbed::Admitted), "{name}: {grabbed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_is_none_is_named_and_forgotten_and_the_others_are_looked_at() {
    let server = Redis::start();
    let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
    let here = host(&server.url(), &ledger).await;
    let mut packets = Vec::new();
    for _ in 0..4 {
        let packet = here.lucky(1_000, 5).await;
        assert_eq!(here.grab(packet, "bob").await, Grabbed::Admitted);
        packets.push(packet);
    }
    packets.sort();
    let entry = |packet: PacketId| {
        let keys = server.cli(&["keys", &format!("*{packet}*")]);
        let mut keys = keys.lines().map(str::trim).filter(|key| !key.is_empty() && !key.ends_with(":leases"));
        keys.next().unwrap().to_owned()
    };
    // In the order in which they are looked at. The first, so that others follow: what its hash holds, and what kind of key it is.
    for field in server.cli(&["hkeys", &entry(packets[0])]).lines() {
        server.cli(&["hset", &entry(packets[0]), field.trim(), "junk"]);
    }
    let other = entry(packets[1]);
    server.cli(&["del", &other]);
    server.cli(&["set", &other, "junk"]);
    for repair in [false, true] {
        let found = here.tenant.reconcile(repair).await.unwrap();
        let told: Vec<_> =
            found.mismatches.iter().map(|one| (one.packet, one.is_damaged, one.repaired)).collect();
        assert_eq!(told, [(packets[0], true, repair), (packets[1], true, repair)], "{found:?}");
        assert_eq!((found.packets, found.counters), (4, 4));
    }
    assert!(here.tenant.reconcile(false).await.unwrap().is_clean());
    assert_eq!(here.grab(packets[0], "carol").await, Grabbed::Admitted, "it is built again");
    here.assert_conserved().await;
}
