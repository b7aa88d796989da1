//! Twice as much is offered as is served: the rest must be told `busy` at once, and nothing grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hongbao_host::domain::Opened;
use hongbao_host::runtime::{CallError, Tenant};
use hongbao_host::store::Ledger;

use crate::crowd::{packets, taps};
use crate::postgres::seat_all;

const SECONDS: u64 = 5;
const SHARES: u32 = 60;

#[derive(Default)]
struct Told {
    opened: AtomicU64,
    busy: AtomicU64,
    other: AtomicU64,
    slowest_busy_us: AtomicU64,
}

/// Offers opens for some seconds at twice this rate, whether or not those before are answered.
pub async fn measure(tenant: &Tenant, ledger: &Arc<dyn Ledger>, served: f64) {
    let offered = 2.0 * served;
    let count = (offered * SECONDS as f64 / f64::from(SHARES)).ceil() as u32;
    let ids = packets(ledger, tenant.now_ms(), count, SHARES).await;
    seat_all(tenant, &ids, SHARES).await;
    let mut taps = taps(&ids, SHARES).into_iter();
    let (told, before) = (Arc::new(Told::default()), resident_kib());
    let (begun, mut sent, mut most) = (Instant::now(), 0_u64, before);
    while begun.elapsed() < Duration::from_secs(SECONDS) {
        let due = (begun.elapsed().as_secs_f64() * offered) as u64;
        for (packet, user) in taps.by_ref().take((due - sent) as usize) {
            let (tenant, told) = (tenant.clone(), Arc::clone(&told));
            tokio::spawn(async move {
                let asked = Instant::now();
                let answer = tenant.open(packet, user).await;
                told.count(&answer, asked.elapsed());
            });
        }
        sent = due;
        most = most.max(resident_kib());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "overload: {sent} opens offered in {SECONDS} s; {} opened, {} busy, {} otherwise; slowest busy {:.1} ms; \
         memory grew by {} MiB",
        count(&told.opened),
        count(&told.busy),
        count(&told.other),
        count(&told.slowest_busy_us) as f64 / 1000.0,
        most.saturating_sub(before) / 1024,
    );
}

impl Told {
    fn count(&self, answer: &Result<Opened, CallError>, took: Duration) {
        let counter = match answer {
            Ok(Opened::Opened(_)) => &self.opened,
            Ok(Opened::Busy) | Err(CallError::Busy | CallError::Overloaded) => {
                self.slowest_busy_us.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
                &self.busy
            }
            _ => &self.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What this process holds in memory; nothing where the system does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
