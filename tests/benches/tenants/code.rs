//! Loading a plugin from the cache of compiled code, against compiling it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::runtime::{CodeCache, Engine, PluginSource, Plugins};
use hongbao_tests::pairs::{median, sorted};

pub async fn measure(rounds: usize) {
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::new().unwrap();
    let (mut compiled, mut cached) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let fresh = Plugins::new(engine.clone());
        compiled.push(load(&fresh).await);
        let cache = Arc::new(CodeCache::open(&directory.path().join("code")).unwrap());
        load(&Plugins::new(engine.clone()).with_cache(Arc::clone(&cache))).await;
        cached.push(load(&Plugins::new(engine.clone()).with_cache(Arc::clone(&cache))).await);
        assert!(cache.hits() > 0);
    }
    let ratios =
        sorted(compiled.iter().zip(&cached).map(|(one, other)| one.as_secs_f64() / other.as_secs_f64()));
    let millis = |times: &[Duration]| 1e3 * median(&sorted(times.iter().map(Duration::as_secs_f64)));
    println!(
        "loading a plugin: compiled {:.1} ms, from the cache {:.2} ms; ratio {:.0} ({:.0} to {:.0})",
        millis(&compiled),
        millis(&cached),
        median(&ratios),
        ratios[0],
        ratios[ratios.len() - 1]
    );
}

async fn load(plugins: &Plugins) -> Duration {
    let begun = Instant::now();
    plugins.load(PluginSource::Embedded).await.unwrap();
    begun.elapsed()
}
