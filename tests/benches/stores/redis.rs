//! Grabs through the plugin, on Redis; the packets are known to the counter alone.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use hongbao_host::domain::{Audience, Grabbed, PacketId, PacketKey, TenantId};
use hongbao_host::runtime::Tenant;
use hongbao_host::store::memory::MemoryLedger;
use hongbao_host::store::prelude::*;
use hongbao_host::store::redis::RedisCounter;
use hongbao_host::store::{Card, Counter, Opening};
use hongbao_tests::servers::{Redis, program};

use crate::crowd::{IN_ALL, ON_ONE, Tap, rate, taps, tenant};
use hongbao_tests::pairs::Pairs;

/// Packets of one measurement, and shares of each.
const MANY: (u32, u32) = (20_000, 10);
/// The same for one packet that everybody taps.
const HOT: u32 = 400_000;
const LONGEST: Duration = Duration::from_secs(5);

macro_rules! script {
    ($file:literal, $first:literal) => {
        concat!(
            include_str!("../../../host/store-redis/src/scripts/common.lua"),
            concat!("local first, last, gone = ", $first, ", #ARGV, false\n"),
            include_str!("../../../host/store-redis/src/scripts/begin.lua"),
            include_str!(concat!("../../../host/store-redis/src/scripts/", $file)),
        )
    };
}

/// The scripts as the counter puts them together.
const LOAD: &str = script!("load.lua", "2");
const SWAP: &str = script!("swap.lua", "4");

pub async fn measure(rounds: usize) {
    let server = Redis::start();
    let url = format!("{}?namespace=bench", server.url());
    let counter: Arc<dyn Counter> = Arc::new(RedisCounter::connect(&url).await.unwrap());
    let ledger = Arc::new(MemoryLedger::new());
    // Keys have the name of the ledger's history in them.
    let prefix = format!("bench:@{}:", ledger.history().name().unwrap());
    let tenant = tenant(Arc::clone(&counter), ledger);
    let baseline = Baseline::new(&server, &counter, prefix, tenant.now_ms()).await;
    let mut many = Pairs::new("grabs, many packets / redis-benchmark -P 16", 0.8);
    let mut hot = Pairs::new("grabs, one hot packet / the same", 3.0);
    for round in 0..rounds {
        baseline.prepare(&counter, tenant.now_ms()).await;
        let pair = baseline.pairs();
        many.add(pair, grabs(&tenant, &counter, round, MANY).await);
        hot.add(pair, grabs(&tenant, &counter, round, (1, HOT)).await);
    }
    many.print();
    hot.print();
}

async fn grabs(
    tenant: &Tenant,
    counter: &Arc<dyn Counter>,
    round: usize,
    (count, shares): (u32, u32),
) -> f64 {
    // A series of its own for each measurement.
    let high = ((round as u64 + 1) << 32) | u64::from(shares);
    let ids: Vec<_> = (0..u64::from(count)).map(|number| PacketId::from_halves(high, number)).collect();
    open(counter, ids.clone(), shares, tenant.now_ms()).await;
    let tenant = tenant.clone();
    let at_once = if count == 1 { ON_ONE } else { IN_ALL };
    rate(taps(&ids, shares), at_once, LONGEST, move |(packet, user): Tap| {
        let tenant = tenant.clone();
        async move { matches!(tenant.grab(packet, user).await, Ok(Grabbed::Admitted)) }
    })
    .await
}

async fn open(counter: &Arc<dyn Counter>, ids: Vec<PacketId>, shares: u32, now_ms: u64) {
    let opening = async |packet: PacketId| {
        let opening = Opening {
            card: Card { audience: Audience::Everyone, expires_at_ms: now_ms + 86_400_000 },
            shares,
            opened: Vec::new(),
            lenient_until_ms: 0,
            keep_until_ms: now_ms + 86_400_000,
        };
        counter.open(&PacketKey { tenant: TenantId::default(), packet }, opening, now_ms).await.unwrap();
    };
    stream::iter(ids).for_each_concurrent(500, opening).await;
}

/// The two commands of a grab, sent by Redis's own benchmark, 16 at a time on each connection.
struct Baseline<'s> {
    server: &'s Redis,
    /// What the counter's keys begin with.
    prefix: String,
    load: String,
    swap: String,
    now_ms: u64,
}

/// Packets of the baseline. Their ids end with a decimal number, as the benchmark writes one.
const PACKETS: u32 = 200_000;

impl<'s> Baseline<'s> {
    async fn new(server: &'s Redis, counter: &Arc<dyn Counter>, prefix: String, now_ms: u64) -> Self {
        let digest = |code: &str| server.cli(&["SCRIPT", "LOAD", code]).trim().to_owned();
        let baseline = Self { server, prefix, load: digest(LOAD), swap: digest(SWAP), now_ms };
        baseline.prepare(counter, now_ms).await;
        baseline
    }

    /// Counters that nobody has grabbed from.
    async fn prepare(&self, counter: &Arc<dyn Counter>, now_ms: u64) {
        self.server.cli(&["FLUSHALL"]);
        let ids = (0..PACKETS).map(|number| format!("00000000-0000-7000-8000-{number:012}").parse().unwrap());
        open(counter, ids.collect(), 100, now_ms).await;
    }

    /// How often a second both commands are done, one after the other: from the rate of each.
    fn pairs(&self) -> f64 {
        let (now, until) = (self.now_ms.to_string(), (self.now_ms + 60_000).to_string());
        let load = self.rate(&[&self.load, &now, "c"]);
        let swap = self.rate(&[&self.swap, &now, "1", &until]);
        // A script that fails or takes nothing would be a fast baseline. Each packet's first swap is won.
        let keys: u32 = self.server.cli(&["DBSIZE"]).trim().parse().unwrap();
        assert!(keys > PACKETS + PACKETS / 4, "the baseline took no seats: {keys} keys");
        1.0 / (1.0 / load + 1.0 / swap)
    }

    fn rate(&self, parts: &[&str]) -> f64 {
        let [digest, arguments @ ..] = parts else { unreachable!() };
        let key = format!("{}{{00000000-0000-7000-8000-__rand_int__/default}}", self.prefix);
        let output = Command::new(program("redis-benchmark"))
            .args(["-p", &self.server.port().to_string(), "-P", "16", "-c", "50", "--csv"])
            .args(["-n", "200000", "-r", &PACKETS.to_string()])
            .args(["EVALSHA", digest, "2", &key, &format!("{key}:leases")])
            .args(arguments)
            .arg(":user-__rand_int__")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().last().unwrap();
        let rate = line.rsplit("\",\"").map(|field| field.trim_matches('"')).collect::<Vec<_>>();
        // The first column is the command itself, the second requests a second.
        let columns = rate.len();
        rate[columns - 2].parse().unwrap_or_else(|_| panic!("no rate: {text}"))
    }
}
