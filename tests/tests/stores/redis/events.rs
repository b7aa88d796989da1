//! Events in Redis: what every store of events does, and what happens when a server goes away.

mod away;
mod data;

use hongbao_host::domain::{Event, EventId, Name, News, PacketEvent, RoomKey};
use hongbao_host::store::redis::RedisEvents;
use hongbao_host::store::{Events, conformance};
use hongbao_tests::servers::{Redis, RedisCluster};
use tokio::sync::watch;
use tokio::time::timeout;

use super::*;

const BEGINNING: EventId = EventId { ms: 0, sequence: 0 };

async fn events(url: &str) -> Arc<RedisEvents> {
    Arc::new(RedisEvents::connect(url).await.unwrap())
}

/// Two hosts on one server.
async fn two(url: &str) -> [Arc<dyn Events>; 2] {
    let url = fresh(url);
    [events(&url).await, events(&url).await]
}

fn room(name: &str) -> RoomKey {
    RoomKey { tenant: TenantId::default(), room: Name::new(name).unwrap() }
}

fn message(id: &str) -> Event {
    Event::Message { id: Name::new(id).unwrap(), sender: user("alice"), text: "hello".into() }
}

fn progress(number: u128, version: u64) -> Event {
    let packet = packet(number).packet;
    let (sender, news) = (user("alice"), News::Progress);
    Event::Packet(PacketEvent { packet, version, sender, shares: 9, claimed_shares: 1, news })
}

async fn tell(events: &RedisEvents, name: &str, id: &str) -> EventId {
    events.post(&room(name), message(id), NOW).await.unwrap().expect("it is news")
}

async fn is_woken_within(listener: &mut watch::Receiver<u64>, time: Duration) -> bool {
    timeout(time, listener.changed()).await.is_ok_and(|woken| woken.is_ok())
}

/// Somebody who listens, and sleeps by now.
async fn asleep(events: &RedisEvents, name: &str) -> watch::Receiver<u64> {
    let mut listener = events.listen(&room(name)).await.unwrap();
    assert!(is_woken_within(&mut listener, Duration::from_secs(5)).await, "the subscription stands");
    while is_woken_within(&mut listener, Duration::from_millis(300)).await {}
    listener
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_conforms() {
    let server = Redis::start();
    conformance::events(async || (two(&server.url()).await, ())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_conforms_and_wakes_across_its_nodes() {
    let cluster = RedisCluster::start();
    let nodes: Vec<_> = cluster.nodes().iter().map(|node| node.address().to_string()).collect();
    let url = format!("redis+cluster://{}", nodes.join(","));
    conformance::events(async || (two(&url).await, ())).await;

    // By a message, and not only by the beat of each second: rooms are on every node, and so are
    // those who listen.
    let url = fresh(&url);
    let [here, there] = [events(&url).await, events(&url).await];
    let mut fast = 0;
    for number in 0..20 {
        let name = format!("room {number}");
        let mut listener = here.listen(&room(&name)).await.unwrap();
        assert!(is_woken_within(&mut listener, Duration::from_secs(5)).await);
        listener.mark_unchanged();
        tell(&there, &name, "a").await;
        fast += u32::from(is_woken_within(&mut listener, Duration::from_millis(200)).await);
    }
    assert!(fast >= 16, "{fast} of 20 were woken at once");
}
