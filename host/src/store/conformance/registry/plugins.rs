//! Plugins: installed once for each tenant, and nobody else's.

use super::*;

checks! { Bench of Registry:
    a_plugin_is_installed_once_and_stays_as_it_was,
    plugins_are_listed_in_the_order_of_installing,
    a_plugin_is_its_tenants_own,
    a_component_is_what_it_was_to_the_last_byte,
    a_plugin_that_cannot_be_kept_is_refused,
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
    let put = async |plugin, code| bench.registry.put_plugin(&here, plugin, code).await;
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
