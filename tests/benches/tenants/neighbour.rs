//! A tenant beside one that asks for more than it may: how long its own requests take.
//!
//! Both are asked on a schedule, whether or not those before are answered, and a request's time
//! counts from when it was due; so nobody who waits is left out.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hongbao_host::domain::{Limits, PacketId, UserId};
use hongbao_host::runtime::Tenant;
use hongbao_tests::pairs::{median, sorted};

use crate::crowd::{named, place};

/// Of the tenant that is looked at.
const REQUESTS_A_SECOND: u32 = 1_000;
/// What its neighbour may, and what it tries.
const ALLOWED: u32 = 2_000;
const TRIED: u32 = 20_000;
const LASTS: Duration = Duration::from_secs(4);

pub async fn measure(rounds: usize) {
    let place = place();
    let quiet = place.host.add(named(1), place.plugin.clone()).await.unwrap();
    let limits = Limits {
        requests_per_second: NonZeroU32::new(ALLOWED),
        calls_in_flight: 8,
        waiting: 64,
        ..Limits::default()
    };
    let loud = place.host.add(named(2).limits(limits), place.plugin.clone()).await.unwrap();
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let packet = place.packet(&quiet, 1_000_000).await;
        alone.push(p99(run(&quiet, packet, REQUESTS_A_SECOND).await));
        let (packet, theirs) = (place.packet(&quiet, 1_000_000).await, place.packet(&loud, 1_000_000).await);
        let noise = tokio::spawn({
            let loud = loud.clone();
            async move { run(&loud, theirs, TRIED).await }
        });
        beside.push(p99(run(&quiet, packet, REQUESTS_A_SECOND).await));
        noise.await.unwrap();
    }
    let ratios = sorted(alone.iter().zip(&beside).map(|(alone, beside)| beside / alone));
    let micros = |times: &[f64]| 1e6 * median(&sorted(times.iter().copied()));
    println!(
        "p99 alone {:.0} µs, beside a tenant that tries ten times what it may {:.0} µs; ratio {:.2} ({:.2} to {:.2}), goal at most 1.2",
        micros(&alone),
        micros(&beside),
        median(&ratios),
        ratios[0],
        ratios[ratios.len() - 1]
    );
}

/// Grabs on a schedule; gives how long each took.
async fn run(tenant: &Tenant, packet: PacketId, a_second: u32) -> Vec<f64> {
    let took = Arc::new(Mutex::new(Vec::new()));
    let (begun, mut sent) = (Instant::now(), 0_u32);
    let mut ticks = tokio::time::interval(Duration::from_millis(1));
    while begun.elapsed() < LASTS {
        ticks.tick().await;
        let due = (begun.elapsed().as_secs_f64() * f64::from(a_second)) as u32;
        for number in sent..due {
            let (tenant, took) = (tenant.clone(), Arc::clone(&took));
            let user = UserId::new(format!("user-{number:06}")).unwrap();
            tokio::spawn(async move {
                let asked = Instant::now();
                // A refusal is an answer as well.
                let _ = tenant.grab(packet, user).await;
                took.lock().unwrap().push(asked.elapsed().as_secs_f64());
            });
        }
        sent = due;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    std::mem::take(&mut *took.lock().unwrap())
}

fn p99(times: Vec<f64>) -> f64 {
    let times = sorted(times.into_iter());
    times[times.len() * 99 / 100]
}
