//! Hundreds of tasks at once, on one host and on two, in memory and on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hongbao_host::domain::{Grabbed, Opened, PacketId, Policy};
use hongbao_host::runtime::{Pace, Tenant, Workers};
use hongbao_host::store::memory::{MemoryCounter, MemoryLedger};
use hongbao_host::store::sqlite::SqliteLedger;
use hongbao_tests::chat::{Chat, user};
use tokio::task::JoinSet;

const USERS: u32 = 300;

/// What one user saw of one packet: tapping twice and opening twice, as thumbs do.
async fn tap(tenant: Tenant, packet: PacketId, name: String) -> (PacketId, String, Option<u64>) {
    let who = user(&name);
    let (first, second) = tokio::join!(tenant.grab(packet, who.clone()), tenant.grab(packet, who.clone()));
    let may_open = [first, second].into_iter().any(|grabbed| grabbed.unwrap().may_open());
    if !may_open {
        return (packet, name, None);
    }
    let (first, second) = tokio::join!(tenant.open(packet, who.clone()), tenant.open(packet, who.clone()));
    let shares: BTreeSet<_> = [first.unwrap(), second.unwrap()]
        .into_iter()
        .filter_map(|opened| match opened {
            Opened::Opened(share) | Opened::AlreadyOpened(share) => Some(share.amount.get()),
            _ => None,
        })
        .collect();
    assert!(shares.len() <= 1, "{name} was told two amounts: {shares:?}");
    (packet, name, shares.into_iter().next())
}

/// Everybody on every packet through `tenants` in turn; then the books must say what users saw.
async fn crowd(chat: &Chat, tenants: &[Tenant], packets: &[PacketId]) {
    let mut tasks = JoinSet::new();
    for number in 0..USERS {
        for (index, packet) in packets.iter().enumerate() {
            let tenant = tenants[(number as usize + index) % tenants.len()].clone();
            tasks.spawn(tap(tenant, *packet, format!("user-{number:03}")));
        }
    }
    let mut told: BTreeMap<PacketId, BTreeMap<String, u64>> = BTreeMap::new();
    while let Some(tapped) = tasks.join_next().await {
        let (packet, name, share) = tapped.unwrap();
        if let Some(share) = share {
            told.entry(packet).or_default().insert(name, share);
        }
    }
    for packet in packets {
        let details = chat.details(*packet).await;
        let claims: BTreeMap<_, _> =
            details.claims.iter().map(|claim| (claim.user.as_str().to_owned(), claim.amount.get())).collect();
        assert_eq!(details.packet.claimed_shares, details.packet.order.shares, "more users than shares");
        assert_eq!(claims.len(), details.packet.order.shares as usize, "one claim a user");
        assert_eq!(Some(&claims), told.get(packet), "what users saw is what the books say");
        assert_eq!(claims.values().sum::<u64>(), details.packet.order.total.get());
        assert!(claims.values().all(|share| *share >= 1));
        let sequences: Vec<u32> = details.claims.iter().map(|claim| claim.sequence).collect();
        assert_eq!(sequences, (1..=details.packet.order.shares).collect::<Vec<_>>());
    }
    chat.assert_conserved().await;
}

async fn packets(chat: &Chat) -> Vec<PacketId> {
    let (lucky, equal) = (chat.lucky(10_000, 40).await, chat.equal(1_000, 20).await);
    vec![lucky, equal, chat.lucky(100, 100).await, chat.lucky(60, 15).await, chat.lucky(20_000, 1).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_in_memory() {
    let chat = Chat::default();
    let packets = packets(&chat).await;
    crowd(&chat, std::slice::from_ref(&chat.tenant), &packets).await;
    chat.settle_all().await;
    chat.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_two_hosts_that_share_their_stores() {
    let chat = Chat::new(Arc::new(MemoryCounter::new()), Arc::new(MemoryLedger::new()), Policy::default());
    let packets = packets(&chat).await;
    crowd(&chat, &[chat.tenant.clone(), chat.neighbour()], &packets).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_disk_with_settlement_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = Arc::new(SqliteLedger::open(directory.path()).unwrap());
    let chat = Chat::new(Arc::new(MemoryCounter::new()), ledger, Policy::default());
    let packets = packets(&chat).await;
    let workers = [Workers::start(&chat.host, Pace::default()), Workers::start(&chat.host, Pace::default())];
    crowd(&chat, &[chat.tenant.clone(), chat.neighbour()], &packets).await;
    for worker in workers {
        worker.stop().await;
    }
    let audit = chat.tenant.audit().await.unwrap();
    assert_eq!(audit.unsettled, 0, "whoever is stopped finishes the queue");
    assert!(audit.is_conserved(), "{audit:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_two_hosts_that_share_only_the_ledger() {
    // Each has a cache of its own: both hand out every seat, and the ledger decides.
    let chat = Chat::default();
    let other = Chat::new(Arc::new(MemoryCounter::new()), Arc::clone(&chat.ledger), Policy::default());
    let packets = packets(&chat).await;
    crowd(&chat, &[chat.tenant.clone(), other.tenant.clone()], &packets).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_whose_cache_is_lost_again_and_again() {
    let chat = Chat::default();
    let packets = packets(&chat).await;
    let host = chat.host.clone();
    let vandal = tokio::spawn(async move {
        for _ in 0..200 {
            host.lose_cache().await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    crowd(&chat, std::slice::from_ref(&chat.tenant), &packets).await;
    vandal.await.unwrap();
}

#[tokio::test]
async fn a_batch_may_name_a_user_twice() {
    let chat = Chat::default();
    let packet = chat.lucky(1_000, 5).await;
    let bobs = vec![user("bob"), user("carol"), user("bob")];
    let grabbed = chat.tenant.grab_batch(vec![(packet, bobs.clone())]).await.unwrap();
    assert_eq!(grabbed, [Grabbed::Admitted, Grabbed::Admitted, Grabbed::AlreadyGrabbed]);
    let opened = chat.tenant.open_batch(vec![(packet, bobs)]).await.unwrap();
    let [Opened::Opened(first), Opened::Opened(_), Opened::AlreadyOpened(again)] = opened[..] else {
        panic!("{opened:?}");
    };
    assert_eq!(first, again);
    chat.assert_conserved().await;
}
