//! Guests that keep the money of packets whose time is over.

use hongbao_tests::chat::{amount, user};

use crate::stage::Stage;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// After a day and a minute alice has her money back, whatever the plugin says and for how long.
async fn refunded_by_the_host(name: &str, greeting: &str) {
    let stage = Stage::greeting(name, greeting).await;
    stage.chat.clock.advance(DAY_MS);
    let patient = stage.evil.expire_due().await.unwrap();
    assert!(patient.refunded.is_empty(), "{greeting}: {patient:?}");
    assert_eq!(stage.balance("alice").await, 99_000);
    stage.assert_unmoved().await;
    stage.chat.clock.advance(60_000);
    let refunds = stage.chat.host.expire_due().await.unwrap();
    let mut refunded: Vec<_> = refunds.refunded.iter().map(|(key, amount)| (*amount, key.packet)).collect();
    refunded.sort_unstable();
    assert_eq!(refunded, [(amount(50), stage.other), (amount(1000), stage.packet)], "{greeting}");
    assert_eq!(stage.balance("alice").await, 100_000);
    assert!(stage.chat.host.expire_due().await.unwrap().refunded.is_empty(), "only once");
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn a_plugin_that_refuses_to_refund_is_passed_over_after_a_minute() {
    for greeting in ["finished", "not due", "not found", "busy", "away"] {
        refunded_by_the_host("no_refunds", greeting).await;
    }
}

#[tokio::test]
async fn a_plugin_that_breaks_whenever_it_should_refund_is_passed_over_after_a_minute() {
    refunded_by_the_host("panics", "").await;
}

#[tokio::test]
async fn a_refund_that_was_not_made_is_not_told() {
    refunded_by_the_host("false_refunds", "").await;
    let stage = Stage::new("false_refunds").await;
    let answer = stage.evil.expire(stage.packet).await;
    stage.assert_stopped(answer, "the plugin told of a refund that was not made").await;
}

#[tokio::test]
async fn a_suspended_plugin_keeps_nobodys_money() {
    let stage = Stage::new("panics").await;
    stage.evil.suspend();
    stage.chat.clock.advance(DAY_MS + 60_000);
    assert_eq!(stage.evil.expire_due().await.unwrap().refunded.len(), 2);
    assert_eq!(stage.balance("alice").await, 100_000);
    let error = stage.evil.grab(stage.packet, user("bob")).await.unwrap_err();
    assert_eq!(error.code(), "suspended");
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}
