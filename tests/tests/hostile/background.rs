//! Work in the background beside guests that are slow or fail at it.

use std::time::{Duration, Instant};

use hongbao_host::domain::Limits;
use hongbao_host::runtime::{Pace, TenantConfig, Workers};
use hongbao_tests::chat::{Chat, amount, request, user};

use crate::stage::{Stage, evil};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const PACE: Pace = Pace { settle: Duration::from_millis(10), sweep: Duration::from_millis(100) };

/// Waits until something is so; gives how long that took.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) -> Duration {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(120), "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_is_refunded_in_time_beside_a_plugin_that_takes_long() {
    let limits = Limits { cpu_ms: 60_000, call_ms: 60_000, ..Limits::default() };
    let config = TenantConfig { limits, ..evil() };
    let stage = Stage::on("slow_refunds", Chat::default(), config, request(1000, 10)).await;
    for _ in 0..60 {
        stage.evil.send(request(10, 1)).await.unwrap().unwrap();
    }
    stage.chat.clock.advance(1);
    let before = stage.chat.balance("alice").await;
    stage.chat.equal(20, 2).await;
    stage.chat.clock.advance(DAY_MS);
    let workers = Workers::start(&stage.chat.host, PACE);
    let took =
        until("the neighbour's refund", || async { stage.chat.balance("alice").await == before + 20 }).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(stage.balance("alice").await < 99_000 + 1000, "the slow one is not done yet");
    let slow = until("the slow one's refunds", || async { stage.balance("alice").await == 100_000 }).await;
    assert!(slow > took, "it was slow: {slow:?}");
    workers.stop().await;
    stage.assert_conserved().await;
}

/// How often the other tenant's plugin was asked to refund.
fn asked(stage: &Stage) -> u64 {
    let labels = "{tenant=\"evil\",operation=\"expire\",outcome=\"answered\"}";
    stage.count("requests", labels)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_does_not_refund_is_asked_seldom_and_passed_over_after_a_minute() {
    let stage = Stage::greeting("no_refunds", "not due").await;
    stage.chat.clock.advance(DAY_MS);
    let pace = Pace { sweep: Duration::from_millis(5), ..PACE };
    let workers = Workers::start(&stage.chat.host, pace);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    // Two packets, at 0 s, 1 s, and once more where that took its time.
    let asked = asked(&stage);
    assert!((2..=8).contains(&asked), "{asked}");
    assert_eq!(stage.balance("alice").await, 99_000);
    let gauge = "hongbao_failing_refunds 2\n";
    assert!(stage.chat.host.metrics().contains(gauge), "{}", stage.chat.host.metrics());
    stage.chat.clock.advance(60_000);
    let took = until("the host's refund", || async { stage.balance("alice").await == 100_000 }).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    until("nothing that fails", || async {
        stage.chat.host.metrics().contains("hongbao_failing_refunds 0\n")
    })
    .await;
    workers.stop().await;
    assert_eq!(stage.evil.balance(&user("dave")).await.unwrap(), amount(50));
    stage.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_end_beside_a_plugin_that_takes_long() {
    let limits = Limits { cpu_ms: 60_000, call_ms: 60_000, ..Limits::default() };
    let config = TenantConfig { limits, ..evil() };
    let stage = Stage::on("slow_refunds", Chat::default(), config, request(1000, 10)).await;
    for _ in 0..200 {
        stage.evil.send(request(10, 1)).await.unwrap().unwrap();
    }
    stage.chat.clock.advance(DAY_MS);
    let workers = Workers::start(&stage.chat.host, PACE);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    workers.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    stage.assert_conserved().await;
}
