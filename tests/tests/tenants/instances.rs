//! Instances: used again, replaced, dropped, and never more than there is room for.

use std::sync::Arc;
use std::time::Duration;

use hongbao_host::domain::{Grabbed, Limits, Strategy};
use hongbao_host::runtime::Host;
use hongbao_testkit::{Fault, Faulty};
use hongbao_tests::chat::{Chat, everything, plugin, serving, user};

use super::{host, named};

/// What the metrics say of instances: idle and busy.
fn instances(host: &Host) -> (u32, u32) {
    let metrics = host.metrics();
    let count = |state: &str| {
        let line = format!("hongbao_instances{{state=\"{state}\"}} ");
        let found = metrics.lines().find_map(|text| text.strip_prefix(&line));
        found.and_then(|count| count.parse().ok()).unwrap_or_default()
    };
    (count("idle"), count("busy"))
}

/// A host with an engine of its own, so that nobody else's instances are counted.
fn lonely(limits: Limits) -> (Host, hongbao_host::runtime::Tenant) {
    let engine = hongbao_host::runtime::Engine::new().unwrap();
    let plugin = hongbao_host::runtime::Plugin::embedded(&engine).unwrap();
    serving(Host::builder(), everything().limits(limits), plugin)
}

#[tokio::test]
async fn an_instance_is_used_again() {
    let (host, tenant) = lonely(Limits::default());
    for _ in 0..10 {
        tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    }
    assert_eq!(instances(&host), (1, 0));
    drop(tenant);
}

#[tokio::test]
async fn an_instance_is_replaced_after_its_calls_and_after_its_time() {
    let (host, tenant) = lonely(Limits { calls_per_instance: 1, ..Limits::default() });
    tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    assert_eq!(instances(&host), (0, 0));
    tenant.configure(everything().limits(Limits { idle_ms: 20, ..Limits::default() })).await.unwrap();
    tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    assert_eq!(instances(&host), (1, 0));
    tokio::time::sleep(Duration::from_millis(30)).await;
    host.drop_idle();
    assert_eq!(instances(&host), (0, 0));
}

#[tokio::test]
async fn an_instance_whose_caller_goes_away_is_dropped_and_one_whose_store_is_slow_is_not() {
    let chat = Chat::default();
    let packet = chat.lucky(100, 2).await;
    let counter = Faulty::new(Arc::clone(&chat.counter));
    counter.set(Fault::Slow);
    let engine = hongbao_host::runtime::Engine::new().unwrap();
    let plugin = hongbao_host::runtime::Plugin::embedded(&engine).unwrap();
    let builder = Host::builder().counter(counter).ledger(Arc::clone(&chat.ledger));
    let limits = Limits { call_ms: 100, ..Limits::default() };
    let (host, tenant) = serving(builder, everything().limits(limits), plugin);
    let hasty =
        tokio::time::timeout(Duration::from_millis(20), tenant.grab_batch(vec![(packet, vec![user("bob")])]));
    assert!(hasty.await.is_err());
    // The task of the call is dropped when it is next polled.
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(instances(&host), (0, 0), "its state is unknown");
    let late = tenant.grab_batch(vec![(packet, vec![user("bob")])]).await.unwrap();
    assert_eq!(late, [Grabbed::Contended], "the cache did not answer in time, and the plugin did");
    assert_eq!(instances(&host), (1, 0));
}

#[tokio::test]
async fn an_upgrade_leaves_no_instance_of_the_former_plugin() {
    let (host, tenant) = lonely(Limits::default());
    tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    tenant.upgrade(tenant.plugin()).await.unwrap();
    assert_eq!(instances(&host), (0, 0));
}

/// There is room for 2,048 instances. The one that has been idle for longest makes room.
#[tokio::test]
async fn there_may_be_more_tenants_than_instances() {
    let engine = hongbao_host::runtime::Engine::new().unwrap();
    let plugin = hongbao_host::runtime::Plugin::embedded(&engine).unwrap();
    let host = Host::builder().engine(engine).build().unwrap();
    for round in 0..2 {
        for number in 0..2_100 {
            let name = format!("tenant-{number}");
            let tenant = match round {
                0 => host.add(named(&name), plugin.clone()).await.unwrap(),
                _ => host.tenant(&hongbao_host::domain::TenantId::new(&name).unwrap()).unwrap(),
            };
            tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
        }
    }
    assert_eq!(instances(&host), (2_048, 0));
}

/// An instance that is kept for its owner holds its place; so it is not kept where somebody waits.
#[tokio::test]
async fn who_waits_for_a_place_gets_the_next_that_is_free() {
    let chat = Chat::default();
    let packet = chat.lucky(100, 2).await;
    let counter = Faulty::new(Arc::clone(&chat.counter));
    counter.set(Fault::Slow);
    let engine = hongbao_host::runtime::Engine::with_room(1).unwrap();
    let plugin = hongbao_host::runtime::Plugin::embedded(&engine).unwrap();
    let builder = Host::builder().engine(engine).counter(counter).ledger(Arc::clone(&chat.ledger));
    let host = builder.build().unwrap();
    let slow = host.add(everything(), plugin.clone()).await.unwrap();
    let other = host.add(named("other"), plugin).await.unwrap();
    let busy = tokio::spawn(async move { slow.grab_batch(vec![(packet, vec![user("bob")])]).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let waits = tokio::time::timeout(Duration::from_secs(3), other.preview(Strategy::EQUAL, 2, 2));
    assert_eq!(waits.await.expect("a place is free by now").unwrap(), Ok(vec![1, 1]));
    assert!(busy.await.unwrap().is_ok());
    let again = tokio::time::timeout(Duration::from_secs(3), other.preview(Strategy::EQUAL, 2, 2));
    assert!(again.await.expect("nobody waits any more").is_ok());
    assert_eq!(instances(&host), (1, 0));
}

#[tokio::test]
async fn tenants_of_the_same_plugin_do_not_share_instances() {
    let host = host();
    for name in ["one", "other"] {
        let tenant = host.add(named(name), plugin()).await.unwrap();
        tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    }
    assert_eq!(instances(&host).0, 2);
}
