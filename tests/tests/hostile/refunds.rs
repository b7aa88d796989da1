//! What is left of a packet goes back to its sender, whatever its plugin does.

use std::time::{Duration, Instant};

use hongbao_host::domain::Expired;
use hongbao_host::runtime::{Pace, Workers};
use hongbao_tests::chat::{amount, user};

use crate::stage::Stage;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn no_plugin_is_asked_for_a_refund() {
    let stage = Stage::new("panics").await;
    stage.chat.clock.advance(DAY_MS);
    let refunds = stage.evil.expire_due().await.unwrap();
    let mut refunded: Vec<_> = refunds.refunded.iter().map(|(key, amount)| (*amount, key.packet)).collect();
    refunded.sort_unstable();
    assert_eq!(refunded, [(amount(50), stage.other), (amount(1000), stage.packet)]);
    assert_eq!(stage.balance("alice").await, 100_000);
    assert!(stage.chat.host.expire_due().await.unwrap().refunded.is_empty(), "only once");
    assert_eq!(stage.count("traps", "{tenant=\"evil\"}"), 0);
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn a_plugin_that_breaks_keeps_nobody_from_seeing_and_ending_a_packet() {
    let stage = Stage::new("panics").await;
    while stage.evil.plugin_suspended_for_ms().is_none() {
        stage.evil.grab(stage.packet, user("bob")).await.unwrap_err();
    }
    let details = stage.evil.details(stage.packet).await.unwrap().unwrap();
    assert_eq!((details.packet.order.total, details.claims.len()), (amount(1000), 0));
    assert_eq!(stage.evil.expire(stage.packet).await.unwrap(), Expired::NotDue);
    stage.chat.clock.advance(DAY_MS);
    assert_eq!(stage.evil.expire(stage.packet).await.unwrap(), Expired::Refunded(amount(1000)));
    assert_eq!(stage.evil.expire(stage.packet).await.unwrap(), Expired::Already(amount(1000)));
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn a_suspended_plugin_keeps_nobodys_money() {
    let stage = Stage::new("panics").await;
    stage.evil.suspend();
    stage.chat.clock.advance(DAY_MS);
    assert_eq!(stage.evil.expire_due().await.unwrap().refunded.len(), 2);
    assert_eq!(stage.balance("alice").await, 100_000);
    let error = stage.evil.grab(stage.packet, user("bob")).await.unwrap_err();
    assert_eq!(error.code(), "suspended");
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_in_the_background_need_no_plugin() {
    let stage = Stage::new("endless_loop").await;
    stage.chat.clock.advance(DAY_MS);
    let pace = Pace { settle: Duration::from_millis(10), sweep: Duration::from_millis(100) };
    let (workers, begun) = (Workers::start(&stage.chat.host, pace), Instant::now());
    while stage.balance("alice").await < 100_000 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the refunds never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    workers.stop().await;
    assert_eq!(stage.evil.balance(&user("dave")).await.unwrap(), amount(50));
    stage.assert_conserved().await;
}
