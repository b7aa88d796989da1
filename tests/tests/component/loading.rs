//! A process's plugins: what is loaded once, by however many, and what is dropped again.

use std::time::Duration;

use futures::future::join_all;
use hongbao_host::domain::Strategy;
use hongbao_host::runtime::{Digest, Engine, Host, Plugin, PluginSource, Plugins};
use hongbao_tests::chat::{everything, serving};
use hongbao_tests::guests::{Deed, misbehaving};
use tempfile::tempdir;

fn plugins() -> Plugins {
    Plugins::new(Engine::new().unwrap())
}

#[track_caller]
pub fn works(plugin: Plugin) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let preview = runtime.block_on(async {
        let (_, tenant) = serving(Host::builder(), everything(), plugin);
        tenant.preview(Strategy::EQUAL, 10, 5).await.unwrap()
    });
    assert_eq!(preview, Ok(vec![2; 5]));
}

#[test]
fn a_plugin_comes_from_the_program_from_memory_from_a_file_and_is_one() {
    let directory = tempdir().unwrap();
    let file = directory.path().join("红包.wasm");
    std::fs::write(&file, Plugin::EMBEDDED).unwrap();
    let sources = [
        PluginSource::Embedded,
        PluginSource::Bytes(Plugin::EMBEDDED.to_vec()),
        PluginSource::File(file.clone()),
        PluginSource::at(&file),
    ];
    let plugins = plugins();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let loaded = sources.map(|source| runtime.block_on(plugins.load(source)).unwrap());
    assert_eq!(plugins.count(), 1);
    for plugin in loaded {
        assert_eq!(plugin.digest(), Digest::of(Plugin::EMBEDDED));
        works(plugin);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_ask_at_once_it_is_compiled_once() {
    let directory = tempdir().unwrap();
    let cache = hongbao_host::runtime::CodeCache::open(&directory.path().join("code")).unwrap();
    let plugins = plugins().with_cache(cache.into());
    let loaded = join_all((0..32).map(|_| plugins.load(PluginSource::Embedded))).await;
    assert!(loaded.iter().all(Result::is_ok));
    assert!(plugins.compile_time() > Duration::ZERO);
    let cache = plugins.cache().unwrap();
    assert_eq!((cache.hits(), cache.misses()), (0, 1));
}

#[tokio::test]
async fn who_goes_away_while_it_compiles_leaves_it_to_the_next() {
    let plugins = plugins();
    let hasty = tokio::time::timeout(Duration::ZERO, plugins.load(PluginSource::Embedded));
    assert!(hasty.await.is_err(), "nothing is compiled in no time");
    assert!(plugins.load(PluginSource::Embedded).await.is_ok());
}

#[tokio::test]
async fn what_nobody_uses_is_dropped_when_the_next_is_loaded() {
    let plugins = plugins();
    let made = |deed| PluginSource::Bytes(misbehaving(deed).to_vec());
    let kept = plugins.load(made(Deed::Trap)).await.unwrap();
    let served = plugins.load(PluginSource::Embedded).await.unwrap();
    let host = serving(Host::builder(), everything(), served);
    drop(plugins.load(made(Deed::Nag)).await.unwrap());
    assert_eq!(plugins.count(), 3);
    drop(plugins.load(made(Deed::Trap)).await.unwrap());
    assert_eq!(plugins.count(), 2, "one is held here, one by a host");
    drop((kept, host));
    drop(plugins.load(made(Deed::Nag)).await.unwrap());
    assert_eq!(plugins.count(), 1);
}

#[tokio::test]
async fn a_refusal_is_no_plugin_and_no_obstacle() {
    let plugins = plugins();
    for _ in 0..2 {
        let error = plugins.load(PluginSource::Bytes(b"(component)".to_vec())).await.unwrap_err();
        assert_eq!(error.code(), "not-a-component");
    }
    assert_eq!(plugins.count(), 0);
    let missing = tempdir().unwrap().path().join("none.wasm");
    let error = plugins.load(PluginSource::at(&missing)).await.unwrap_err();
    assert_eq!(error.code(), "not-found");
    assert!(error.to_string().starts_with(&format!("{} cannot be read: ", missing.display())), "{error}");
}

#[tokio::test]
async fn a_file_without_an_end_is_not_read_to_it() {
    let error = plugins().load(PluginSource::File("/dev/zero".into())).await.unwrap_err();
    assert_eq!(error.code(), "too-large");
}

#[tokio::test]
async fn a_thread_of_the_runtime_goes_on_while_a_plugin_compiles() {
    let plugins = plugins();
    let mut ticks = 0;
    let load = plugins.load(PluginSource::Embedded);
    tokio::pin!(load);
    let loaded = loop {
        tokio::select! {
            biased;
            loaded = &mut load => break loaded,
            () = tokio::time::sleep(Duration::from_millis(1)) => ticks += 1,
        }
    };
    assert!(loaded.is_ok());
    assert!(ticks > 2, "{ticks} ticks of the only thread while something else compiled");
}
