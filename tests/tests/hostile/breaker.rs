//! Guests that break again and again.

use hongbao_host::runtime::CallError;
use hongbao_tests::chat::{plugin, user};

use crate::stage::Stage;

/// Lets the plugin break five times in a row.
async fn suspended() -> Stage {
    let stage = Stage::new("panics").await;
    for _ in 0..5 {
        let error = stage.evil.grab(stage.packet, user("bob")).await.unwrap_err();
        assert_eq!(error.code(), "plugin-failed");
    }
    stage
}

#[tokio::test]
async fn who_breaks_five_times_in_a_row_is_suspended_and_others_are_not() {
    let stage = suspended().await;
    let error = stage.evil.grab(stage.packet, user("bob")).await.unwrap_err();
    assert!(matches!(error, CallError::Suspended { retry_after_ms: Some(1..=1000) }), "{error:?}");
    assert_eq!(error.to_string(), "the tenant's plugin is suspended for 1000 ms");
    assert_eq!((error.code(), error.limit()), ("suspended", None));
    assert!(stage.evil.is_suspended() && !stage.chat.tenant.is_suspended());
    assert!(stage.chat.host.metrics().contains("hongbao_tenants_suspended 1"));
    assert_eq!(stage.count("traps", "{tenant=\"evil\"}"), 5, "a refusal is no trap");
    stage.assert_others_go_on().await;
    stage.assert_unmoved().await;
}

#[tokio::test]
async fn a_suspension_ends_and_the_next_is_twice_as_long() {
    let stage = suspended().await;
    for length in [1000, 2000, 4000] {
        let error = stage.evil.grab(stage.packet, user("bob")).await.unwrap_err();
        assert!(
            matches!(error, CallError::Suspended { retry_after_ms: Some(ms) } if ms == length),
            "{error:?}"
        );
        stage.chat.clock.advance(length);
        let error = stage.evil.grab(stage.packet, user("bob")).await.unwrap_err();
        assert_eq!(error.code(), "plugin-failed", "it is tried again");
    }
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn after_an_upgrade_to_a_better_plugin_it_serves_at_once() {
    let stage = suspended().await;
    stage.evil.upgrade(plugin()).await.unwrap();
    assert!(!stage.evil.is_suspended());
    assert!(stage.evil.grab(stage.packet, user("bob")).await.unwrap().may_open());
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn an_operator_may_let_it_try_again() {
    let stage = suspended().await;
    stage.evil.resume();
    let error = stage.evil.grab(stage.packet, user("bob")).await.unwrap_err();
    assert_eq!(error.code(), "plugin-failed", "it is called again, and breaks again");
    stage.evil.rollback().await.unwrap();
    assert!(stage.evil.grab(stage.packet, user("bob")).await.unwrap().may_open());
    stage.assert_unharmed().await;
}
