//! Another plugin, while it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hongbao_host::domain::{Amount, Grant, Grants, Limits, Opened, Policy, TenantId};
use hongbao_host::runtime::{Plugin, PluginSource, Tenant, TenantConfig, TenantError};
use hongbao_tests::chat::{plugin, user};
use hongbao_tests::guests::{Deed, misbehaving};

use super::{another, assert_conserved, host, lucky, named};

/// Taps until it is stopped; every request must be answered. Gives how many shares were opened.
async fn tap(tenant: Tenant, number: usize, stopped: Arc<AtomicBool>, rounds: Arc<AtomicU64>) -> u64 {
    let mut opened = 0;
    while !stopped.load(Ordering::Relaxed) {
        let packet = lucky(&tenant, 1_000, 4).await;
        let names: Vec<_> = (0..6).map(|tapper| user(&format!("user-{number}-{tapper}"))).collect();
        for name in &names {
            tenant.grab(packet, name.clone()).await.unwrap();
        }
        let opens = names.into_iter().map(|name| tenant.open(packet, name));
        for answer in futures::future::join_all(opens).await {
            opened += u64::from(matches!(answer.unwrap(), Opened::Opened(_)));
        }
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    opened
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_because_of_an_upgrade() {
    let host = host();
    let tenant = host.add(named("one"), plugin()).await.unwrap();
    let (stopped, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let tapping: Vec<_> = (0..8)
        .map(|number| tokio::spawn(tap(tenant.clone(), number, Arc::clone(&stopped), Arc::clone(&rounds))))
        .collect();
    let versions = [another(1), another(2), plugin()];
    for round in 0..30 {
        let before = rounds.load(Ordering::Relaxed);
        match round % 5 {
            4 => tenant.rollback().await.unwrap(),
            _ => tenant.upgrade(versions[round % 3].clone()).await.unwrap(),
        };
        // Every version gets something to do.
        while rounds.load(Ordering::Relaxed) < before + 5 {
            tokio::task::yield_now().await;
        }
    }
    stopped.store(true, Ordering::Relaxed);
    let mut opened = 0;
    for tapper in tapping {
        opened += tapper.await.expect("every request was answered");
    }
    assert_eq!(tenant.audit().await.unwrap().claims, opened);
    assert_eq!(opened, 4 * rounds.load(Ordering::Relaxed), "all shares of all packets");
    assert_conserved(&tenant).await;
}

#[tokio::test]
async fn a_rollback_goes_back_and_forth() {
    let host = host();
    let tenant = host.add(named("one"), plugin()).await.unwrap();
    let error = tenant.rollback().await.unwrap_err();
    assert_eq!(error.code(), "no-former-plugin");
    let next = another(1);
    tenant.upgrade(next.clone()).await.unwrap();
    assert_eq!(tenant.plugin().digest(), next.digest());
    assert_eq!(tenant.former().unwrap().digest(), plugin().digest());
    tenant.rollback().await.unwrap();
    assert_eq!(tenant.plugin().digest(), plugin().digest());
    tenant.rollback().await.unwrap();
    assert_eq!(tenant.plugin().digest(), next.digest());
}

#[tokio::test]
async fn a_plugin_that_does_not_say_what_it_is_never_takes_over() {
    let host = host();
    let tenant = host.add(named("one"), plugin()).await.unwrap();
    for deed in [Deed::Trap, Deed::Spin, Deed::Nag] {
        let bad = Plugin::from_bytes(plugin().engine(), misbehaving(deed)).unwrap();
        let error = tenant.upgrade(bad.clone()).await.unwrap_err();
        assert_eq!(error.code(), "no-manifest", "{error}");
        assert!(host.add(named("two"), bad).await.is_err());
    }
    assert_eq!((tenant.plugin().digest(), tenant.former().is_none()), (plugin().digest(), true));
    assert_eq!(host.tenants().len(), 1);
    lucky(&tenant, 100, 1).await;
}

#[tokio::test]
async fn nothing_is_granted_unless_somebody_says_so() {
    let host = host();
    let config = named("one").grants(Grants::NONE);
    let error = host.add(config.clone(), plugin()).await.err().unwrap();
    let all = "counter, ledger, entropy, clock, log, policy";
    let remedy = "which the tenant does not grant; list it in the tenant's grants";
    assert_eq!(error.to_string(), format!("the plugin asks for {all}, {remedy}"));
    let without_ledger = Grants::ALL.without([Grant::Ledger].into_iter().collect());
    let error = host.add(config.grants(without_ledger), plugin()).await.err().unwrap();
    assert!(matches!(error, TenantError::NotGranted(missing) if missing.to_string() == "ledger"));
    let tenant = host.add(named("one"), plugin()).await.unwrap();
    let error = tenant.configure(named("one").grants(without_ledger)).await.unwrap_err();
    assert_eq!(error.code(), "not-granted");
    assert_eq!(tenant.config(), named("one"), "all stays as it was");
    lucky(&tenant, 100, 1).await;
}

#[tokio::test]
async fn by_default_the_embedded_plugin_is_granted_what_it_asks_for_and_a_foreign_one_nothing() {
    let host = host();
    let unsaid = || TenantConfig::new(TenantId::new("one").unwrap());
    let tenant = host.add(unsaid(), plugin()).await.unwrap();
    assert_eq!((tenant.grants(), tenant.config().settings.grants), (plugin().asks(), None));
    lucky(&tenant, 100, 1).await;
    let error = tenant.upgrade(another(1)).await.unwrap_err();
    assert!(matches!(error, TenantError::NotGranted(missing) if missing == plugin().asks()), "{error}");
    assert_eq!(tenant.plugin().digest(), plugin().digest(), "the former one serves on");
    // Said once, it holds for whichever plugin serves.
    tenant.configure(unsaid().grants(Grants::ALL)).await.unwrap();
    tenant.upgrade(another(1)).await.unwrap();
    let error = tenant.configure(unsaid()).await.unwrap_err();
    assert_eq!(error.code(), "not-granted", "nor by the way back to the default");
    lucky(&tenant, 100, 1).await;
    tenant.rollback().await.unwrap();
    tenant.configure(unsaid()).await.unwrap();
    // The embedded plugin is known by its digest, wherever it comes from.
    let same = host.plugins().load(PluginSource::Bytes(Plugin::EMBEDDED.to_vec())).await.unwrap();
    tenant.upgrade(same).await.unwrap();
    assert_eq!(tenant.grants(), plugin().asks());
}

#[tokio::test]
async fn a_change_touches_one_tenant() {
    let host = host();
    let one = host.add(named("one"), plugin()).await.unwrap();
    let other = host.add(named("other"), plugin()).await.unwrap();
    let policy = Policy { max_shares: 2, ..Policy::default() };
    one.configure(named("somebody else").policy(policy.clone())).await.unwrap();
    one.upgrade(another(1)).await.unwrap();
    one.suspend();
    assert_eq!(one.id().as_str(), "one", "a name stays");
    assert_eq!(one.policy(), policy, "an upgrade keeps what was said");
    assert_eq!(other.config(), named("other"));
    assert_eq!(other.plugin().digest(), plugin().digest());
    assert!(one.is_suspended() && !other.is_suspended());
    assert!(one.preview(hongbao_host::domain::Strategy::EQUAL, 9, 3).await.is_err());
    lucky(&other, 900, 3).await;
    one.resume();
    let preview = one.preview(hongbao_host::domain::Strategy::EQUAL, 9, 3).await.unwrap();
    assert_eq!(preview.unwrap_err(), "shares must be between 1 and 2, not 3");
}

#[tokio::test]
async fn a_packet_is_drawn_by_the_most_that_a_share_was_when_it_was_sent() {
    let tenant = host().add(named("one"), plugin()).await.unwrap();
    let mut packets = Vec::new();
    for _ in 0..20 {
        packets.push(lucky(&tenant, 1_000, 2).await);
    }
    let lower = Policy { max_share: Amount::new(10).unwrap(), ..Policy::default() };
    tenant.configure(named("one").policy(lower)).await.unwrap();
    let mut firsts = Vec::new();
    for packet in packets {
        let mut drawn = Vec::new();
        for name in ["bob", "carol"] {
            tenant.grab(packet, user(name)).await.unwrap();
            match tenant.open(packet, user(name)).await.unwrap() {
                Opened::Opened(share) => drawn.push(share.amount.get()),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(drawn.iter().sum::<u64>(), 1_000);
        firsts.push(drawn[0]);
    }
    assert!(firsts.iter().any(|first| *first != 990), "the second share need not be 10: {firsts:?}");
    assert_conserved(&tenant).await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_and_changes_nothing() {
    let host = host();
    let tenant = host.add(named("one"), plugin()).await.unwrap();
    let limits = Limits { memory_bytes: (16 << 20) + 1, ..Limits::default() };
    let error = tenant.configure(named("one").limits(limits)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("invalid-argument", "memory_bytes must be 1 to 16777216")
    );
    let policy = Policy { currency: "yuan".into(), ..Policy::default() };
    let error = host.add(named("two").policy(policy), plugin()).await.err().unwrap();
    assert!(error.to_string().starts_with("currency must be 3 to 12 capital letters"), "{error}");
    assert_eq!(tenant.config(), named("one"));
}
