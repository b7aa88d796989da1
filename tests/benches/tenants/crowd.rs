//! Tenants, packets and taps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use hongbao_host::domain::{Audience, Grants, PacketId, PacketKey, TenantId, UserId};
use hongbao_host::runtime::{Engine, Host, Plugin, Tenant, TenantConfig};
use hongbao_host::store::memory::MemoryCounter;
use hongbao_host::store::{Card, Counter, Opening};

/// A host whose counter can be filled.
pub struct Place {
    pub host: Host,
    pub counter: Arc<MemoryCounter>,
    pub plugin: Plugin,
}

pub fn place() -> Place {
    with_room(Engine::INSTANCES)
}

pub fn with_room(instances: u32) -> Place {
    let engine = Engine::with_room(instances).unwrap();
    let plugin = Plugin::embedded(&engine).unwrap();
    let counter = Arc::new(MemoryCounter::new());
    let host = Host::builder().engine(engine).counter(Arc::<MemoryCounter>::clone(&counter)).build().unwrap();
    Place { host, counter, plugin }
}

pub fn named(number: usize) -> TenantConfig {
    TenantConfig::new(TenantId::new(&format!("tenant-{number:05}")).unwrap()).grants(Grants::ALL)
}

impl Place {
    pub async fn tenants(&self, count: usize) -> Vec<Tenant> {
        let mut tenants = Vec::with_capacity(count);
        for number in 0..count {
            tenants.push(self.host.add(named(number), self.plugin.clone()).await.unwrap());
        }
        tenants
    }

    /// A packet with so many slots, known to the counter alone.
    pub async fn packet(&self, tenant: &Tenant, slots: u32) -> PacketId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let packet = PacketId::from_halves(7, NEXT.fetch_add(1, Ordering::Relaxed));
        let opening = Opening {
            card: Card { audience: Audience::Everyone, expires_at_ms: u64::MAX },
            shares: slots,
            opened: Vec::new(),
            lenient_until_ms: 0,
            keep_until_ms: u64::MAX,
        };
        let key = PacketKey { tenant: tenant.id().clone(), packet };
        self.counter.open(&key, opening, 0).await.unwrap();
        packet
    }
}

/// Everybody taps every packet once, packet after packet in turn, `at_once` of them waiting; gives
/// taps a second.
pub async fn rate(packets: Vec<(Tenant, PacketId)>, users: u32, at_once: usize) -> f64 {
    let count = packets.len() * users as usize;
    let (packets, next) = (Arc::new(packets), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let crowd = (0..at_once).map(|_| {
        let (packets, next) = (Arc::clone(&packets), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let tap = next.fetch_add(1, Ordering::Relaxed);
                if tap >= count {
                    return;
                }
                let (tenant, packet) = &packets[tap % packets.len()];
                let user = UserId::new(format!("user-{:06}", tap / packets.len())).unwrap();
                assert!(tenant.grab(*packet, user).await.unwrap().may_open());
            }
        })
    });
    for user in crowd.collect::<Vec<_>>() {
        user.await.unwrap();
    }
    count as f64 / begun.elapsed().as_secs_f64()
}
