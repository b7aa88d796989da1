//! Plugins that are compiled in a process of their own: the same code, within bounds.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::domain::TenantId;
use hongbao_host::runtime::{CompileLimits, Compiler, Engine, Plugin, PluginError, PluginSource, Plugins};
use hongbao_tests::compilers::{CompilerProcess, resident};
use hongbao_tests::heavy::heavy;

use crate::loading::works;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hongbao-under-test");

fn plugins(limits: CompileLimits) -> Plugins {
    let compiler = Compiler::in_processes(PROGRAM.into(), limits);
    Plugins::new(Engine::new().unwrap()).with_compiler(compiler)
}

/// The embedded plugin with other bytes: a custom section that says nothing.
fn another(version: u8) -> PluginSource {
    let mut bytes = Plugin::EMBEDDED.to_vec();
    bytes.extend([0, 3, 1, b'v', version]);
    PluginSource::Bytes(bytes)
}

/// Some seconds of compiling, and some hundred MiB.
fn long(seed: u32) -> PluginSource {
    PluginSource::Bytes(heavy(seed, 8, 30_000))
}

fn brief(time: Duration) -> CompileLimits {
    CompileLimits { time, ..CompileLimits::default() }
}

/// Those whose component has this seed are not told apart: each test looks at children of its own plugins
/// only while no other test of this file runs.
fn compilers() -> Vec<CompilerProcess> {
    hongbao_tests::compilers::compilers(std::process::id())
}

/// One test at a time: they count the children of their process.
async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    ALONE.lock().await
}

/// How often a caller asks while the machine is busy with something else.
const TRIES: u32 = 10;

/// What a caller is told in the end who asks again while the machine is busy.
async fn refusal(plugins: &Plugins, tenant: &str, seed: u32) -> PluginError {
    let tenant = TenantId::new(tenant).unwrap();
    for _ in 0..TRIES {
        let begun = Instant::now();
        let refused = plugins.load_for(&tenant, long(seed), None).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        if refused.code() != "busy" {
            return refused;
        }
    }
    panic!("busy {TRIES} times")
}

async fn until_none() {
    let begun = Instant::now();
    while !compilers().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", compilers());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_its_own_compiles_what_this_one_would() {
    let _alone = alone().await;
    let plugins = plugins(CompileLimits::default());
    let plugin = plugins.load(another(1)).await.unwrap();
    assert_eq!(plugin.imports(), plugins.load(PluginSource::Embedded).await.unwrap().imports());
    assert!(plugins.compile_time() > Duration::ZERO);
    until_none().await;
    tokio::task::spawn_blocking(move || works(plugin)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_compiler_refuses_is_told_in_the_same_words() {
    let _alone = alone().await;
    let mut broken = Plugin::EMBEDDED.to_vec();
    // In the middle of a function, most likely.
    let middle = broken.len() / 2;
    broken[middle..middle + 16].fill(0xff);
    let told = plugins(CompileLimits::default()).load(PluginSource::Bytes(broken.clone())).await.unwrap_err();
    let here = Plugin::from_bytes(&Engine::new().unwrap(), &broken).unwrap_err();
    assert_eq!((told.code(), told.to_string()), ("not-a-component", here.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_too_long_is_ended_and_the_next_one_has_its_turn() {
    let _alone = alone().await;
    let plugins = plugins(brief(Duration::from_millis(800)));
    let refused = refusal(&plugins, "a", 1).await;
    assert_eq!(refused.code(), "compile-time", "{refused}");
    assert!(compilers().is_empty(), "it is gone before the answer is given");
    plugins.load(another(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_machine_has_no_time_for_is_not_called_too_costly() {
    let _alone = alone().await;
    let plugins = Arc::new(plugins(brief(Duration::from_secs(2))));
    let load = |plugins: Arc<Plugins>| tokio::spawn(async move { plugins.load(another(5)).await });
    let starved = load(Arc::clone(&plugins));
    let child = loop {
        if let Some(child) = compilers().first() {
            break child.id;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    // It has as little of the processor as on a machine where everything else comes first.
    let stopped = std::process::Command::new("kill").args(["-STOP", &child.to_string()]).status();
    assert!(stopped.is_ok_and(|status| status.success()));
    assert_eq!(starved.await.unwrap().unwrap_err().code(), "busy");
    until_none().await;
    for _ in 0..TRIES {
        match load(Arc::clone(&plugins)).await.unwrap() {
            Ok(_) => return,
            Err(again) => assert_eq!(again.code(), "busy", "nothing is held against it"),
        }
    }
    panic!("busy {TRIES} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_too_much_memory_is_ended() {
    let _alone = alone().await;
    let limits = CompileLimits { memory_bytes: 64 << 20, ..brief(Duration::from_secs(60)) };
    let plugins = plugins(limits);
    let load = plugins.load(long(2));
    tokio::pin!(load);
    let (mut most, mut nicest) = (0, 0);
    let refused = loop {
        tokio::select! {
            loaded = &mut load => break loaded.unwrap_err(),
            () = tokio::time::sleep(Duration::from_millis(5)) => {
                most = compilers().iter().map(|child| child.resident).max().unwrap_or_default().max(most);
                nicest = compilers().iter().map(|child| child.nice).max().unwrap_or_default().max(nicest);
            }
        }
    };
    assert_eq!(refused.code(), "compile-memory", "{refused}");
    // What is of files, such as the program itself, is not counted by the limit.
    assert!(most < 320 << 20, "{most}");
    assert_eq!(nicest, 10, "whoever is served meanwhile comes first");
    plugins.load(another(3)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_at_once_are_compiled_one_after_another_and_cost_this_process_little() {
    let _alone = alone().await;
    let plugins = Arc::new(plugins(brief(Duration::from_millis(700))));
    let before = resident(std::process::id()).unwrap();
    let loads = ["a", "b", "c"].map(|tenant| {
        let plugins = Arc::clone(&plugins);
        tokio::spawn(async move { refusal(&plugins, tenant, u32::from(tenant.as_bytes()[0])).await.code() })
    });
    let (mut at_once, mut grown) = (0, 0);
    while !loads.iter().all(tokio::task::JoinHandle::is_finished) {
        at_once = at_once.max(compilers().len());
        grown = grown.max(resident(std::process::id()).unwrap().saturating_sub(before));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for load in loads {
        assert_eq!(load.await.unwrap(), "compile-time");
    }
    assert_eq!(at_once, 1);
    assert!(grown < 64 << 20, "{grown}");
    assert_eq!(plugins.compiler().count(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_compiles_for_a_caller_who_went_away() {
    let _alone = alone().await;
    let plugins = plugins(brief(Duration::from_secs(60)));
    let hasty = tokio::time::timeout(Duration::from_millis(500), plugins.load(long(4)));
    assert!(hasty.await.is_err());
    until_none().await;
    assert_eq!(plugins.compiler().count(), (0, 0));
}

#[tokio::test]
async fn too_much_code_is_refused_by_a_look() {
    let plugins = plugins(CompileLimits { code_bytes: 100_000, ..CompileLimits::default() });
    let begun = Instant::now();
    let refused = plugins.load(long(5)).await.unwrap_err();
    assert_eq!(refused.code(), "too-much-code");
    assert!(refused.to_string().contains("more than 100000 bytes of code"), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_program_that_is_no_compiler_is_told_of() {
    for (program, code) in [("/nowhere/hongbao", "no-compiler"), ("/bin/false", "no-compiler")] {
        let compiler = Compiler::in_processes(program.into(), CompileLimits::default());
        let plugins = Plugins::new(Engine::new().unwrap()).with_compiler(compiler);
        assert_eq!(plugins.load(another(4)).await.unwrap_err().code(), code, "{program}");
        assert!(plugins.load(PluginSource::Embedded).await.is_ok(), "which needs none");
    }
}
