//! Plugins: installed once for each tenant, and nobody else's.

use super::*;

checks! { Bench of Registry:
    a_plugin_is_installed_once_and_stays_as_it_was,
    plugins_are_listed_in_the_order_of_installing,
    a_plugin_is_its_tenants_own,
    a_component_is_what_it_was_to_the_last_byte,
    a_plugin_that_cannot_be_kept_is_refused,
    a_tenant_has_no_more_plugins_than_its_quota,
    a_plugin_is_removed_and_makes_room,
    a_plugin_is_removed_only_by_who_knows_the_tenants_revision,
    a_plugin_that_served_before_is_forgotten_with_its_removal,
}

async fn a_plugin_is_installed_once_and_stays_as_it_was(bench: Bench) {
    assert_eq!((bench.plugins(HERE).await, bench.code(HERE, "a").await), (Vec::new(), None));
    assert!(bench.install(HERE, &plugin("a"), b"abc").await);
    let another = PluginRecord { name: "another".into(), installed_at_ms: START + 1, ..plugin("a") };
    assert!(!bench.install(HERE, &another, b"xyz").await);
    assert_eq!(bench.plugins(HERE).await, [plugin("a")]);
    assert_eq!(bench.code(HERE, "a").await.as_deref(), Some(&b"abc"[..]));
    for digest in ["A", "", "a\0"] {
        assert_eq!(bench.code(HERE, digest).await, None, "{digest:?} is no plugin's");
    }
}

async fn plugins_are_listed_in_the_order_of_installing(bench: Bench) {
    // Neither by digest nor by time.
    let order = [("m", 5), ("z", 9), ("a", 1), ("b", 5)];
    let order = order.map(|(digest, at)| PluginRecord { installed_at_ms: START + at, ..plugin(digest) });
    for installed in &order {
        assert!(bench.install(HERE, installed, b"abc").await);
        assert!(bench.install(ELSEWHERE, &plugin(&format!("{}2", installed.digest)), b"abc").await);
        bench.install(HERE, &plugin("m"), b"abc").await;
    }
    assert_eq!(bench.plugins(HERE).await, order);
}

async fn a_plugin_is_its_tenants_own(bench: Bench) {
    assert!(bench.install(HERE, &plugin("a"), b"abc").await);
    assert_eq!((bench.plugins(ELSEWHERE).await, bench.code(ELSEWHERE, "a").await), (Vec::new(), None));
    let own = PluginRecord { version: "9".into(), ..plugin("a") };
    assert!(bench.install(ELSEWHERE, &own, b"xyz").await, "another's does not stand in its way");
    assert_eq!(bench.plugins(ELSEWHERE).await, [own]);
    assert_eq!(bench.code(ELSEWHERE, "a").await.as_deref(), Some(&b"xyz"[..]));
    assert_eq!(bench.plugins(HERE).await, [plugin("a")]);
    assert_eq!(bench.code(HERE, "a").await.as_deref(), Some(&b"abc"[..]));
}

/// Bytes that no compression makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

async fn a_component_is_what_it_was_to_the_last_byte(bench: Bench) {
    for (digest, code) in
        [("largest", noise(MAX_PLUGIN_BYTES)), ("plain", vec![0; 1_000_000]), ("empty", vec![])]
    {
        let record = PluginRecord { bytes: code.len() as u64, ..plugin(digest) };
        assert!(bench.install(HERE, &record, &code).await, "{digest}");
        assert!(bench.code(HERE, digest).await == Some(code), "the {digest} one is as it was");
    }
}

async fn a_plugin_that_cannot_be_kept_is_refused(bench: Bench) {
    let here = tenant(HERE);
    let put = async |plugin, code| bench.registry.put_plugin(&here, plugin, code, PluginQuota::NONE).await;
    refused(put(plugin("a"), vec![0; MAX_PLUGIN_BYTES + 1]).await);
    for bad in [
        PluginRecord { installed_at_ms: PAST_ALL, ..plugin("a") },
        PluginRecord { bytes: u64::MAX, ..plugin("a") },
        PluginRecord { name: "a\0".into(), ..plugin("a") },
        PluginRecord { version: "\0".into(), ..plugin("a") },
        plugin("\0a"),
    ] {
        refused(put(bad, b"abc".to_vec()).await);
    }
    assert_eq!((bench.plugins(HERE).await, bench.code(HERE, "a").await), (Vec::new(), None));
}

async fn a_tenant_has_no_more_plugins_than_its_quota(bench: Bench) {
    let put = async |of, digest: &str, bytes, quota| {
        bench.install_within(of, &PluginRecord { bytes, ..plugin(digest) }, b"abc", quota).await
    };
    let none = PluginQuota { plugins: 0, bytes: u64::MAX };
    assert_eq!(put(HERE, "a", 3, none).await, Installed::Full);
    let two = PluginQuota { plugins: 2, bytes: 10 };
    assert_eq!(put(HERE, "a", 11, two).await, Installed::Full, "larger than all of it");
    assert_eq!(put(HERE, "a", 4, two).await, Installed::Now);
    assert_eq!(put(HERE, "b", 7, two).await, Installed::Full, "together they are too large");
    assert_eq!(put(HERE, "b", 6, two).await, Installed::Now, "the last byte is its own");
    assert_eq!(put(HERE, "c", 0, two).await, Installed::Full, "a third is one too many");
    assert_eq!(put(HERE, "a", 4, none).await, Installed::Before, "what is there is there");
    assert_eq!(put(ELSEWHERE, "c", 10, two).await, Installed::Now, "another tenant has its own");
    let digests: Vec<_> = bench.plugins(HERE).await.into_iter().map(|plugin| plugin.digest).collect();
    assert_eq!(digests, ["a", "b"]);
    assert_eq!(bench.code(HERE, "c").await, None);
    assert_eq!(put(HERE, "c", MAX_PLUGIN_BYTES as u64, PluginQuota::NONE).await, Installed::Now);
}

async fn a_plugin_is_removed_and_makes_room(bench: Bench) {
    let here = bench.written(record(HERE)).await;
    let elsewhere = bench.written(record(ELSEWHERE)).await;
    let one = PluginQuota { plugins: 1, bytes: 3 };
    for of in [HERE, ELSEWHERE] {
        assert_eq!(bench.install_within(of, &plugin("a"), b"abc", one).await, Installed::Now);
    }
    assert_eq!(bench.install_within(HERE, &plugin("b"), b"abc", one).await, Installed::Full);
    let revision = bench.remove(HERE, "a", here.revision).await.expect("it is removed");
    assert!(revision > elsewhere.revision, "a change of the tenant, as every other");
    assert_eq!(bench.revision().await, revision);
    assert_eq!(bench.tenants().await, [elsewhere, TenantRecord { revision, ..here }]);
    assert_eq!((bench.plugins(HERE).await, bench.code(HERE, "a").await), (Vec::new(), None));
    assert_eq!(bench.plugins(ELSEWHERE).await, [plugin("a")], "another's stays");
    assert_eq!(bench.install_within(HERE, &plugin("b"), b"abc", one).await, Installed::Now);
    assert_eq!(bench.remove(HERE, "a", revision).await, None, "it is gone already");
    assert_eq!(bench.revision().await, revision, "and nothing has changed");
}

async fn a_plugin_is_removed_only_by_who_knows_the_tenants_revision(bench: Bench) {
    assert!(bench.install(HERE, &plugin("a"), b"abc").await);
    for revision in [0, 1, u64::MAX] {
        assert_eq!(bench.remove(HERE, "a", revision).await, None, "there is no such tenant");
    }
    let first = bench.written(record(HERE)).await;
    let upgraded = bench.written(TenantRecord { plugin: Some("a".into()), ..first.clone() }).await;
    for revision in [0, first.revision, upgraded.revision + 1, PAST_ALL, u64::MAX] {
        assert_eq!(bench.remove(HERE, "a", revision).await, None, "at revision {revision}");
    }
    assert_eq!(bench.remove(HERE, "a\0", upgraded.revision).await, None);
    assert_eq!(bench.remove(HERE, "", upgraded.revision).await, None);
    assert_eq!(bench.plugins(HERE).await, [plugin("a")]);
    let revision = bench.remove(HERE, "a", upgraded.revision).await.expect("it is removed");
    assert_eq!(bench.put(&upgraded).await, None, "who had read the tenant before is told");
    assert_eq!(bench.tenants().await, [TenantRecord { revision, ..upgraded }]);
}

async fn a_plugin_that_served_before_is_forgotten_with_its_removal(bench: Bench) {
    for digest in ["a", "b"] {
        assert!(bench.install(HERE, &plugin(digest), b"abc").await);
    }
    let mut present = record(HERE);
    for (former, left) in [
        (Some(Some("b".to_owned())), Some(Some("b".to_owned()))),
        (Some(None), Some(None)),
        (None, None),
        (Some(Some("a".to_owned())), None),
    ] {
        present = bench.written(TenantRecord { former, ..present }).await;
        let revision = bench.remove(HERE, "a", present.revision).await.expect("it is removed");
        present = TenantRecord { revision, former: left, ..present };
        assert_eq!(bench.tenants().await, [present.clone()]);
        assert!(bench.install(HERE, &plugin("a"), b"abc").await);
    }
}
