//! What an operator's collector sees.

use hongbao_host::domain::Strategy;
use std::sync::Arc;

use hongbao_host::runtime::{CodeCache, Host, PluginSource};
use hongbao_tests::chat::{plugin, user};

use super::{lucky, named};

#[tokio::test]
async fn requests_calls_and_tenants_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let cache = Arc::new(CodeCache::open(&directory.path().join("code")).unwrap());
    let builder = Host::builder().engine(plugin().engine().clone()).code_cache(cache);
    let host = builder.named_in_metrics(2).build().unwrap();
    let _kept = host.plugins().load(PluginSource::Embedded).await.unwrap();
    for name in ["one", "two", "three", "four"] {
        let tenant = host.add(named(name), plugin()).await.unwrap();
        let packet = lucky(&tenant, 100, 2).await;
        for user in ["bob", "carol"].map(user) {
            tenant.grab(packet, user.clone()).await.unwrap();
            tenant.open(packet, user).await.unwrap();
        }
        tenant.suspend();
        assert!(tenant.preview(Strategy::EQUAL, 2, 2).await.is_err());
    }
    let settled = host.settle(100).await.unwrap().len();
    let text = host.metrics();
    let expected = [
        "hongbao_plugins 1".to_owned(),
        "hongbao_code_cache_loads{result=\"hit\"} 0".into(),
        "hongbao_code_cache_loads{result=\"miss\"} 1".into(),
        "hongbao_tenants 4".into(),
        "hongbao_tenants_suspended 4".into(),
        "hongbao_waiting_callers 0".into(),
        "hongbao_requests_total{tenant=\"one\",operation=\"grab\",outcome=\"answered\"} 2".into(),
        "hongbao_requests_total{tenant=\"two\",operation=\"preview\",outcome=\"suspended\"} 1".into(),
        "hongbao_requests_total{tenant=\"_other\",operation=\"open\",outcome=\"answered\"} 4".into(),
        "hongbao_requests_total{tenant=\"_other\",operation=\"preview\",outcome=\"suspended\"} 2".into(),
        "hongbao_request_seconds_count{operation=\"send\"} 4".into(),
        "hongbao_call_seconds_count{operation=\"open\"} 8".into(),
        "hongbao_call_users_sum{operation=\"grab\"} 8.0".into(),
        format!("hongbao_settled_claims_total{{class=\"normal\"}} {settled}"),
        "# EOF".into(),
    ];
    for line in expected {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let compiled = text.lines().find_map(|line| line.strip_prefix("hongbao_compile_seconds "));
    assert!(compiled.unwrap().parse::<f64>().unwrap() > 0.0);
    assert!(!text.contains("three") && !text.contains("four"), "names do not explode");
    assert!(!text.contains("alice") && !text.contains("bob"), "users are nobody's business");
}
