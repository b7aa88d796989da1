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
mod compiling;
mod damaged;
mod directory;
mod loading;
mod refused;
mod versions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use hongbao_host::domain::{Grabbed, Limits, Strategy};
use hongbao_host::imports::ManualClock;
use hongbao_host::runtime::{CallError, Host, Plugin, Tenant, TenantError};
use hongbao_testkit::{Fault, Faulty};
use hongbao_tests::chat::{Chat, alone, everything, plugin, user};
use hongbao_tests::guests::{Deed, misbehaving};

#[test]
fn the_plugin_imports_what_it_uses() {
    let expected = [
        "hongbao:plugin/clock@0.2.0",
        "hongbao:plugin/counter@0.2.0",
        "hongbao:plugin/entropy@0.2.0",
        "hongbao:plugin/ledger@0.2.0",
        "hongbao:plugin/log@0.2.0",
        "hongbao:plugin/policy@0.2.0",
        "hongbao:plugin/types@0.2.0",
    ];
    assert_eq!(plugin().imports(), expected);
}

#[test]
fn the_plugin_fits_into_a_chat_message() {
    // Loaded by every tenant and kept in every binary: growth should be noticed.
    assert!(Plugin::EMBEDDED.len() < 128 << 10, "{} bytes", Plugin::EMBEDDED.len());
}

/// What becomes of a plugin whose every export does this, and how long it takes.
async fn outcome(deed: Deed) -> (CallError, Duration) {
    let plugin = Plugin::from_bytes(plugin().engine(), misbehaving(deed)).expect("it fits the contract");
    let chat = Chat::default();
    let begun = Instant::now();
    // It would misbehave in `manifest` already, so it never serves anybody.
    let error = chat.tenant.upgrade(plugin).await.expect_err("no answer");
    let took = begun.elapsed();
    let TenantError::NoManifest(error) = error else { panic!("{error}") };
    chat.take(chat.lucky(10, 1).await, "bob").await;
    (error, took)
}

#[tokio::test]
async fn a_trap_costs_the_instance_and_nobody_else() {
    let (error, _) = outcome(Deed::Trap).await;
    assert_eq!(error.code(), "plugin-failed");
    assert!(error.to_string().contains("unreachable"), "{error}");
}

#[tokio::test]
async fn an_endless_loop_is_stopped_by_its_cpu_limit() {
    let (error, took) = outcome(Deed::Spin).await;
    assert_eq!(error.to_string(), "the plugin failed: the plugin computed for more than 100 ms");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_plugin_asks_the_host_nothing_before_it_has_said_what_it_is() {
    let (error, _) = outcome(Deed::Nag).await;
    assert_eq!(error.to_string(), "the plugin failed: the plugin called `clock`, which it was not granted");
}

/// A host whose counter takes a quarter of a second for each answer.
fn slow(chat: &Chat, limits: Limits) -> Tenant {
    let counter = Faulty::new(Arc::clone(&chat.counter));
    counter.set(Fault::Slow);
    let builder = Host::builder().counter(counter).ledger(Arc::clone(&chat.ledger));
    alone(builder.clock(Arc::<ManualClock>::clone(&chat.clock)), everything().limits(limits)).1
}

#[tokio::test]
async fn a_plugin_that_waits_for_a_slow_store_is_not_taken_for_a_loop() {
    let chat = Chat::default();
    let tenant = slow(&chat, Limits { cpu_ms: 10, ..Limits::default() });
    let packet = chat.lucky(100, 2).await;
    assert_eq!(tenant.grab(packet, user("bob")).await.unwrap(), Grabbed::Admitted);
}

#[tokio::test]
async fn a_cache_that_takes_too_long_is_given_up_and_the_permit_comes_back() {
    let chat = Chat::default();
    let packet = chat.lucky(100, 2).await;
    let tenant = slow(&chat, Limits { call_ms: 50, calls_in_flight: 1, ..Limits::default() });
    for _ in 0..3 {
        assert_eq!(tenant.grab(packet, user("bob")).await.unwrap(), Grabbed::Contended);
    }
    assert!(tenant.preview(Strategy::EQUAL, 10, 10).await.unwrap().is_ok());
}

#[tokio::test]
async fn past_the_bound_of_its_queue_a_caller_is_told_at_once() {
    let chat = Chat::default();
    let packet = chat.lucky(100, 2).await;
    let tenant = slow(&chat, Limits { waiting_per_packet: 3, batch: 1, ..Limits::default() });
    let begun = Instant::now();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let answers = join_all(names.map(|name| tenant.grab(packet, user(name)))).await;
    let busy = answers.iter().filter(|answer| matches!(answer, Err(CallError::Busy))).count();
    assert!((4..=5).contains(&busy), "three wait, one may be under way: {answers:?}");
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Grabbed::Admitted))).count(), 2);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
