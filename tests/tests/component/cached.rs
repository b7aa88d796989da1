//! Compiled code from an earlier process, and from several at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hongbao_host::runtime::{CodeCache, Engine, Plugin, PluginSource, Plugins};
use tempfile::tempdir;

use super::loading::works;

/// Loads the embedded plugin as a new process would; gives it, with hits and misses.
fn load(directory: &Path) -> (Plugin, u64, u64) {
    let cache = Arc::new(CodeCache::open(directory).unwrap());
    let plugins = Plugins::new(Engine::new().unwrap()).with_cache(Arc::clone(&cache));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let plugin = runtime.block_on(plugins.load(PluginSource::Embedded)).unwrap();
    (plugin, cache.hits(), cache.misses())
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_plugin_from_the_cache_works() {
    let directory = tempdir().unwrap();
    let code = directory.path().join("code");
    let (_, hits, misses) = load(&code);
    assert_eq!((hits, misses), (0, 1));
    let (plugin, hits, misses) = load(&code);
    assert_eq!((hits, misses), (1, 0));
    assert_eq!(plugin.imports().len(), 7);
    works(plugin);
}

#[test]
fn whatever_happens_to_a_file_the_plugin_is_loaded_and_the_file_replaced() {
    let directory = tempdir().unwrap();
    let code = directory.path().join("code");
    load(&code);
    let deeds: [fn(&Path); 4] = [
        |file| fs::write(file, &fs::read(file).unwrap()[..1000]).unwrap(),
        |file| {
            let mut content = fs::read(file).unwrap();
            let middle = content.len() / 2;
            content[middle] ^= 1;
            fs::write(file, content).unwrap();
        },
        |file| fs::write(file, "").unwrap(),
        |file| fs::remove_file(file).and_then(|()| fs::create_dir(file)).unwrap(),
    ];
    for deed in deeds {
        let [file] = files(&code).try_into().unwrap();
        deed(&file);
        let (plugin, hits, misses) = load(&code);
        assert_eq!((hits, misses), (0, 1));
        works(plugin);
        assert_eq!(load(&code).1, 1, "it was replaced");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_no_failure() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempdir().unwrap();
    let code = directory.path().join("code");
    load(&code);
    let [file] = files(&code).try_into().unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything, and has a hit.
    let may_read = fs::read(&file).is_ok();
    assert_eq!(load(&code).1, u64::from(may_read));
    assert_eq!(load(&code).1, 1);
}

#[test]
fn a_cache_that_is_taken_away_is_no_failure() {
    let directory = tempdir().unwrap();
    let code = directory.path().join("code");
    let cache = Arc::new(CodeCache::open(&code).unwrap());
    fs::remove_dir(&code).unwrap();
    let plugins = Plugins::new(Engine::new().unwrap()).with_cache(cache);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(plugins.load(PluginSource::Embedded)).is_ok());
}

#[test]
fn what_does_not_fit_fills_no_disk() {
    let directory = tempdir().unwrap();
    let cache = Arc::new(CodeCache::open(directory.path()).unwrap());
    let plugins = Plugins::new(Engine::new().unwrap()).with_cache(cache);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let empty = wat::parse_str("(component)").unwrap();
    assert!(runtime.block_on(plugins.load(PluginSource::Bytes(empty))).is_err());
    assert_eq!(files(directory.path()), [] as [PathBuf; 0]);
}

/// Where the processes of the next test find the cache.
const SHARED: &str = "HONGBAO_TESTS_CODE_CACHE";

#[test]
fn processes_at_once_do_not_hurt_each_other() {
    if let Some(directory) = std::env::var_os(SHARED) {
        // One of the processes below. Again and again the file is gone, or somebody writes it.
        for _ in 0..5 {
            let (plugin, ..) = load(Path::new(&directory));
            works(plugin);
            for file in files(Path::new(&directory)) {
                // Somebody else may have been faster.
                let _ = fs::remove_file(file);
            }
        }
        return;
    }
    let directory = tempdir().unwrap();
    let code = directory.path().join("code");
    let name = "cached::processes_at_once_do_not_hurt_each_other";
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([name, "--exact"]).env(SHARED, &code).spawn().unwrap()
    };
    let children = [start(), start(), start()];
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
    load(&code);
    assert_eq!(load(&code).1, 1);
}
