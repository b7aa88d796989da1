//! The component as a host sees it: what it imports and exports, which files are no plugin, how one
//! is loaded, and what becomes of one that misbehaves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may stop anywhere"
)]

mod cached;
mod damaged;
mod directory;
mod loading;
mod refused;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use hongbao_host::domain::{Amount, Grabbed, PacketId, Strategy};
use hongbao_host::imports::ManualClock;
use hongbao_host::runtime::{CallError, Engine, Host, Limits, Plugin};
use hongbao_tests::chat::{Chat, plugin, user};
use hongbao_tests::faults::{Fault, Faulty};
use hongbao_tests::guests::{Deed, misbehaving};

#[test]
fn the_plugin_imports_exactly_what_the_contract_gives() {
    let expected = [
        "hongbao:plugin/clock@0.1.0",
        "hongbao:plugin/counter@0.1.0",
        "hongbao:plugin/entropy@0.1.0",
        "hongbao:plugin/ledger@0.1.0",
        "hongbao:plugin/log@0.1.0",
        "hongbao:plugin/policy@0.1.0",
        "hongbao:plugin/types@0.1.0",
    ];
    assert_eq!(plugin().imports(), expected);
}

#[test]
fn the_plugin_fits_into_a_chat_message() {
    // Loaded by every tenant and kept in every binary: growth should be noticed.
    assert!(Plugin::EMBEDDED.len() < 128 << 10, "{} bytes", Plugin::EMBEDDED.len());
}

async fn outcome(deed: Deed, limits: Limits) -> (CallError, Duration) {
    let plugin =
        Plugin::from_bytes(&Engine::new().unwrap(), misbehaving(deed)).expect("it fits the contract");
    let host = Host::builder().plugin(plugin).limits(limits).build().unwrap();
    let begun = Instant::now();
    // Arguments without lists, so that it is the export itself that misbehaves.
    let error = host.details(PacketId::from_halves(1, 1)).await.expect_err("no answer");
    let took = begun.elapsed();
    // The host itself goes on, with a fresh instance each time.
    for _ in 0..2 * limits.instances {
        assert!(host.preview(Strategy::Equal, 1, 1).await.is_err());
    }
    assert_eq!(host.fund(&user("bob"), Amount::new(1).unwrap()).await.unwrap().get(), 1);
    (error, took)
}

fn few_instances() -> Limits {
    Limits { instances: 2, cpu_ms: 30, ..Limits::default() }
}

#[tokio::test]
async fn a_trap_costs_the_instance_and_nobody_else() {
    let (error, _) = outcome(Deed::Trap, few_instances()).await;
    assert_eq!(error.code(), "plugin-failed");
    assert!(error.to_string().contains("unreachable"), "{error}");
}

#[tokio::test]
async fn an_endless_loop_is_stopped_by_its_cpu_limit() {
    let (error, took) = outcome(Deed::Spin, few_instances()).await;
    assert_eq!(error.to_string(), "the plugin failed: the plugin computed too long without asking the host");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn endless_host_calls_are_stopped_by_their_number() {
    let (error, _) = outcome(Deed::Nag, few_instances()).await;
    assert!(error.to_string().contains("host calls"), "{error}");
}

/// A host whose counter takes a quarter of a second for each answer.
fn slow(chat: &Chat, limits: Limits) -> Host {
    let counter = Faulty::new(Arc::clone(&chat.counter));
    counter.set(Fault::Slow);
    let builder = Host::builder().plugin(plugin()).counter(counter).ledger(Arc::clone(&chat.ledger));
    builder.clock(Arc::<ManualClock>::clone(&chat.clock)).limits(limits).build().unwrap()
}

#[tokio::test]
async fn a_plugin_that_waits_for_a_slow_store_is_not_taken_for_a_loop() {
    let chat = Chat::default();
    let host = slow(&chat, Limits { cpu_ms: 10, ..Limits::default() });
    let packet = chat.lucky(100, 2).await;
    assert_eq!(host.grab(packet, user("bob")).await.unwrap(), Grabbed::Admitted);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up_and_its_permit_comes_back() {
    let chat = Chat::default();
    let packet = chat.lucky(100, 2).await;
    let host = slow(&chat, Limits { call_ms: 50, instances: 1, ..Limits::default() });
    for _ in 0..3 {
        let error = host.grab(packet, user("bob")).await.unwrap_err();
        assert_eq!(error.to_string(), "the call took longer than 50 ms");
    }
    assert!(host.preview(Strategy::Equal, 10, 10).await.unwrap().is_ok());
}

#[tokio::test]
async fn past_the_bound_of_its_lane_a_caller_is_told_at_once() {
    let chat = Chat::default();
    let packet = chat.lucky(100, 2).await;
    let host = slow(&chat, Limits { waiting_per_packet: 3, batch: 1, ..Limits::default() });
    let begun = Instant::now();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let answers = join_all(names.map(|name| host.grab(packet, user(name)))).await;
    let busy = answers.iter().filter(|answer| matches!(answer, Err(CallError::Busy))).count();
    assert!((4..=5).contains(&busy), "three wait, one may be under way: {answers:?}");
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Grabbed::Admitted))).count(), 2);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
