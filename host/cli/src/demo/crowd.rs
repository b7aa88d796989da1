//! The demo's users, who tap packets concurrently.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::scene::{SentPacket, user};
use hongbao_domain::{Grabbed, Opened, PacketId, UserId};
use hongbao_runtime::{CallError, Tenant};

/// What the crowd was told.
#[derive(Default)]
pub(super) struct Taps {
    pub(super) grabs: BTreeMap<&'static str, u64>,
    pub(super) opens: BTreeMap<&'static str, u64>,
    pub(super) took: Duration,
}

/// Everybody taps every packet at once, and opens what can be opened.
pub(super) async fn tap_all(tenant: &Tenant, packets: &[SentPacket], users: u32) -> anyhow::Result<Taps> {
    let begun = Instant::now();
    let mut crowd = JoinSet::new();
    for number in 0..users {
        for packet in packets.iter().filter(|packet| number % packet.one_in == 0) {
            crowd.spawn(tap(tenant.clone(), packet.id, user(number)?));
        }
    }
    let progress = super::progress(crowd.len() as u64, "taps");
    let mut taps = Taps::default();
    while let Some(tapped) = crowd.join_next().await {
        let (grabbed, opened) = tapped??;
        *taps.grabs.entry(grabbed.name()).or_default() += 1;
        if let Some(opened) = opened {
            *taps.opens.entry(opened.name()).or_default() += 1;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    taps.took = begun.elapsed();
    Ok(taps)
}

async fn tap(tenant: Tenant, packet: PacketId, user: UserId) -> Result<(Grabbed, Option<Opened>), CallError> {
    let grabbed = patiently(|| tenant.grab(packet, user.clone())).await?;
    let opened = match grabbed.may_open() {
        true => Some(patiently(|| tenant.open(packet, user.clone())).await?),
        false => None,
    };
    Ok((grabbed, opened))
}

/// People who are told that it is busy tap again.
async fn patiently<T, F: Future<Output = Result<T, CallError>>>(ask: impl Fn() -> F) -> Result<T, CallError> {
    loop {
        match ask().await {
            Err(CallError::Busy | CallError::Overloaded) => {
                tokio::time::sleep(Duration::from_millis(20)).await
            }
            answer => return answer,
        }
    }
}
