//! Hosts that end under load, killed or told to.

use std::time::Duration;

use tokio::time::sleep;

use crate::caller::Caller;
use crate::check::all_is_sound;
use crate::load::Load;
use crate::stage::{Stage, until};
use crate::stream::Stream;

/// How long each part of a story lasts.
const A_WHILE: Duration = Duration::from_secs(3);

/// How many taps a host has answered, by its own metrics.
async fn taps(host: &Caller) -> u64 {
    let metrics =
        host.client.get(format!("{}/metrics", host.url)).send().await.unwrap().text().await.unwrap();
    let lines = metrics.lines().filter(|line| {
        line.starts_with("hongbao_http_requests_total{") && line.contains("/grab-and-open\",status=\"200\"")
    });
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Waits until a host has answered this many more.
async fn works(host: &Caller, more: u64) {
    let before = taps(host).await;
    until("a host that is given work", || async { taps(host).await >= before + more }).await;
}

/// The load goes on: packets are sent and opened.
async fn goes_on(load: &Load) {
    let (packets, opens) = (load.packets(), load.opens());
    until("packets that are sent and opened", || async {
        load.packets() >= packets + 20 && load.opens() >= opens + 20
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_killed_and_nothing_that_was_answered_is_lost_or_done_twice() {
    let mut stage = Stage::start().await;
    let metrics = stage.caller.client.get(format!("{}/metrics", stage.balancer.url)).send().await.unwrap();
    assert_eq!(metrics.status().as_u16(), 404, "the balancer tells no strangers who the tenants are");
    let load = Load::start(&stage.caller);
    sleep(A_WHILE).await;
    for host in 0..2 {
        works(&stage.directly(host), 20).await;
    }
    stage.hosts[0].end("KILL").await;
    goes_on(&load).await;
    sleep(A_WHILE).await;
    goes_on(&load).await;
    stage.hosts[0].start().await;
    works(&stage.directly(0), 20).await;
    sleep(A_WHILE).await;
    let record = load.stop().await;
    assert!(!record.told.again.is_empty(), "it was killed while somebody waited for it");
    all_is_sound(&stage, &record).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_told_to_end_answers_whom_it_has_and_nobody_notices() {
    let mut stage = Stage::start().await;
    let load = Load::start(&stage.caller);
    let mut stream = Stream::open(&stage.directly(0), "quiet", None).await;
    sleep(A_WHILE).await;
    for host in 0..2 {
        works(&stage.directly(host), 20).await;
    }
    let (code, after) = stage.hosts[0].end("TERM").await;
    assert_eq!(code, 0);
    assert!(after < Duration::from_secs(10), "{after:?}");
    assert!(stream.next().await.is_none(), "a stream holds nobody up");
    goes_on(&load).await;
    sleep(A_WHILE).await;
    let record = load.stop().await;
    assert!(record.told.again.is_empty(), "the balancer was told in time: {:?}", record.told.again);
    stage.hosts[0].start().await;
    all_is_sound(&stage, &record).await;
}
