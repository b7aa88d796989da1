//! Each limit is a typed error and a counter, for its own tenant alone.

use std::num::NonZeroU32;

use hongbao_host::domain::{Limit, Limits, Strategy};
use hongbao_host::runtime::{CallError, TenantError};
use hongbao_tests::chat::{plugin, user};

use super::{host, lucky, named};

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again() {
    let host = host();
    let limits = Limits { requests_per_second: NonZeroU32::new(5), ..Limits::default() };
    let eager = host.add(named("eager"), plugin()).await.unwrap();
    eager.configure(named("eager").limits(limits)).await.unwrap();
    let calm = host.add(named("calm"), plugin()).await.unwrap();
    let mut refused = 0;
    for _ in 0..50 {
        match eager.preview(Strategy::EQUAL, 2, 2).await {
            Ok(_) => {}
            Err(CallError::RateLimited { retry_after_ms }) => {
                assert!((1..=1_000).contains(&retry_after_ms), "{retry_after_ms}");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
        calm.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    }
    assert!((30..=45).contains(&refused), "5 at once and 5 a second: {refused} of 50 refused");
    let metrics = host.metrics();
    let counted = format!("hongbao_limits_total{{tenant=\"eager\",limit=\"rate\"}} {refused}\n");
    assert!(metrics.contains(&counted), "{metrics}");
    assert!(!metrics.contains("hongbao_limits_total{tenant=\"calm\""), "{metrics}");
}

#[tokio::test]
async fn a_plugin_that_does_not_fit_into_the_memory_of_a_tenant_does_not_serve_it() {
    let host = host();
    let limits = Limits { memory_bytes: 64 << 10, ..Limits::default() };
    let error = host.add(named("one").limits(limits), plugin()).await.err().unwrap();
    let TenantError::NoManifest(error) = error else { panic!("{error}") };
    assert_eq!(error.limit(), Some(Limit::Memory));
    assert_eq!(error.to_string(), "the plugin failed: the plugin wanted more than 65536 bytes of memory");
}

#[tokio::test]
async fn who_has_too_many_waiting_is_told_at_once() {
    let host = host();
    let limits = Limits { waiting: 2, ..Limits::default() };
    let tenant = host.add(named("one").limits(limits), plugin()).await.unwrap();
    let packet = lucky(&tenant, 100, 1).await;
    let asked = (0..10).map(|number| tenant.grab(packet, user(&format!("user-{number}"))));
    let answers = futures::future::join_all(asked).await;
    let busy = answers.iter().filter(|answer| matches!(answer, Err(CallError::Busy))).count();
    assert_eq!(busy, 8, "{answers:?}");
    assert_eq!(tenant.waiting(), 0, "nobody is forgotten");
}
