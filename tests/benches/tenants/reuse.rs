//! Instances that are used again, against a fresh one for each call.

use std::time::Instant;

use hongbao_host::domain::{Limits, Strategy};
use hongbao_tests::pairs::Pairs;

use crate::crowd::{named, place};

const CALLS: u32 = 20_000;

pub async fn measure(rounds: usize) {
    let place = place();
    let fresh = named(1).limits(Limits { calls_per_instance: 1, ..Limits::default() });
    let fresh = place.host.add(fresh, place.plugin.clone()).await.unwrap();
    let again = place.host.add(named(2), place.plugin.clone()).await.unwrap();
    let mut pairs = Pairs::new("instances used again, against fresh ones", 0.0);
    for _ in 0..rounds {
        pairs.add(rate(&fresh).await, rate(&again).await);
    }
    pairs.print();
}

async fn rate(tenant: &hongbao_host::runtime::Tenant) -> f64 {
    let begun = Instant::now();
    for _ in 0..CALLS {
        tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    }
    f64::from(CALLS) / begun.elapsed().as_secs_f64()
}
