//! What a tenant costs that does nothing, and its first call.

use std::time::{Duration, Instant};

use hongbao_host::domain::Strategy;
use hongbao_tests::pairs::{median, sorted};

use crate::crowd::place;

const TENANTS: usize = 10_000;

pub async fn measure() {
    let place = place();
    // What everybody shares is there before anybody is counted.
    let first = place.host.add(crate::crowd::named(TENANTS), place.plugin.clone()).await.unwrap();
    warm(&first).await;
    let (before, begun) = (resident_kib(), Instant::now());
    let tenants = place.tenants(TENANTS).await;
    let took = begun.elapsed();
    let kib = resident_kib().saturating_sub(before) as f64 / TENANTS as f64;
    println!("a tenant more, of {TENANTS}: {:.1} KiB and {}", kib, micros(took / TENANTS as u32));
    let mut cold = Vec::new();
    let mut again = Vec::new();
    for tenant in tenants.iter().take(1_000) {
        cold.push(warm(tenant).await);
        again.push(warm(tenant).await);
    }
    let (cold, again) = (typical(&cold), typical(&again));
    let ratio = cold.as_secs_f64() / again.as_secs_f64();
    println!("its first call: {}; the next: {}; ratio {ratio:.1}", micros(cold), micros(again));
}

async fn warm(tenant: &hongbao_host::runtime::Tenant) -> Duration {
    let begun = Instant::now();
    tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    begun.elapsed()
}

fn typical(times: &[Duration]) -> Duration {
    Duration::from_secs_f64(median(&sorted(times.iter().map(Duration::as_secs_f64))))
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

/// What this process holds in memory; nothing where the system does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
