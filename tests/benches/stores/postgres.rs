//! Durable opens through the plugin, on PostgreSQL; the counter is the embedded one.

use std::sync::Arc;
use std::time::Duration;

use hongbao_host::domain::{Grabbed, Opened, PacketId};
use hongbao_host::runtime::Tenant;
use hongbao_host::store::Ledger;
use hongbao_host::store::memory::MemoryCounter;
use hongbao_host::store::postgres::PostgresLedger;
use hongbao_tests::servers::Postgres;

use crate::crowd::{IN_ALL, ON_ONE, Tap, packets, rate, taps, tenant};
use crate::overload;
use crate::pgbench::Baseline;
use hongbao_tests::pairs::Pairs;

/// Packets of one measurement, and shares of each: a busy minute, in which six people at a time tap
/// each packet.
const MANY: (u32, u32) = (2000, 120);
/// The same number of people on so many packets that they hardly ever meet.
const SPARSE: (u32, u32) = (12_000, 20);
/// The same for one packet that everybody taps.
const HOT: u32 = 100_000;
/// Opened before anything is measured.
const WARM_UP: (u32, u32) = (1000, 40);
const LONGEST: Duration = Duration::from_secs(5);

pub async fn measure(rounds: usize) {
    let server = Postgres::start();
    let baseline = Baseline::new(&server);
    let url = server.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let ledger: Arc<dyn Ledger> = Arc::new(PostgresLedger::open(&url).await.unwrap());
    let tenant = tenant(Arc::new(MemoryCounter::new()), Arc::clone(&ledger));
    let mut many = Pairs::new("opens, many packets / pgbench", 3.0);
    let mut sparse = Pairs::new("opens, a packet for each who waits / pgbench", 2.0);
    let mut hot = Pairs::new("opens, one hot packet / pgbench on one row", 10.0);
    // What is made once (instances, connections, plans) is there before anything is measured, and
    // nobody pays for the checkpoint that another's writing made due.
    let books = url.rsplit('/').next().unwrap();
    let rest = || drop(server.psql(books, "CHECKPOINT"));
    opens(&tenant, &ledger, WARM_UP, rest).await;
    let mut best: f64 = 0.0;
    for _ in 0..rounds {
        let ours = opens(&tenant, &ledger, MANY, rest).await;
        best = best.max(ours);
        rest();
        let one_by_one = baseline.many();
        many.add(one_by_one, ours);
        sparse.add(one_by_one, opens(&tenant, &ledger, SPARSE, rest).await);
        let ours = opens(&tenant, &ledger, (1, HOT), rest).await;
        rest();
        hot.add(baseline.hot(), ours);
    }
    many.print();
    sparse.print();
    hot.print();
    overload::measure(&tenant, &ledger, best).await;
    let audit = tenant.audit().await.unwrap();
    assert!(audit.is_conserved(), "{audit:?}");
}

/// `before` is done when everything stands ready.
async fn opens(
    tenant: &Tenant,
    ledger: &Arc<dyn Ledger>,
    (count, shares): (u32, u32),
    before: impl Fn(),
) -> f64 {
    let ids = packets(ledger, tenant.now_ms(), count, shares).await;
    seat_all(tenant, &ids, shares).await;
    before();
    let tenant = tenant.clone();
    let at_once = if count == 1 { ON_ONE } else { IN_ALL };
    rate(taps(&ids, shares), at_once, LONGEST, move |(packet, user): Tap| {
        let tenant = tenant.clone();
        async move { matches!(tenant.open(packet, user).await, Ok(Opened::Opened(_))) }
    })
    .await
}

/// Everybody grabs, so that only opens are left to measure.
pub async fn seat_all(tenant: &Tenant, packets: &[PacketId], shares: u32) {
    for packet in packets {
        let users: Vec<_> = taps(&[*packet], shares).into_iter().map(|(_, user)| user).collect();
        for batch in users.chunks(1000) {
            let seated = tenant.grab_batch(vec![(*packet, batch.to_vec())]).await.unwrap();
            assert!(seated.iter().all(|answer| *answer == Grabbed::Admitted));
        }
    }
}
