//! Ten thousand tenants, each with one packet, against one tenant with all these packets.

use hongbao_host::domain::Strategy;
use hongbao_host::runtime::Tenant;
use hongbao_tests::pairs::Pairs;

use crate::crowd::{Place, place, rate, with_room};

const TENANTS: usize = 10_000;
/// Of instances, so that as many tenants keep a warm one. For more, Linux has not enough mappings
/// (`vm.max_map_count`) by default.
const ROOM: u32 = 9_000;
const WARM: usize = ROOM as usize;
/// Fewer than may wait of one tenant.
const AT_ONCE: usize = 12_000;
/// Taps of each packet.
const USERS: u32 = 40;
/// A busy night: everybody taps the packets of few.
const BUSY: usize = 500;

pub async fn measure(rounds: usize) {
    let (one, many) = (place(), with_room(ROOM));
    let alone = one.tenants(1).await;
    let tenants = many.tenants(TENANTS).await;
    // A first call makes an instance; that is another figure.
    for tenant in alone.iter().chain(&tenants[WARM..]).chain(&tenants[..WARM]) {
        tenant.preview(Strategy::EQUAL, 2, 2).await.unwrap().unwrap();
    }
    let mut all = Pairs::new("10,000 tenants, 9,000 at once, against one", 0.8);
    let mut busy = Pairs::new("10,000 tenants, 500 of them busy, against one", 0.8);
    for _ in 0..rounds {
        let baseline = rate(packets(&one, &alone, WARM).await, USERS, AT_ONCE).await;
        all.add(baseline, rate(packets(&many, &tenants[..WARM], WARM).await, USERS, AT_ONCE).await);
        let baseline = rate(packets(&one, &alone, BUSY).await, 20 * USERS, AT_ONCE).await;
        busy.add(baseline, rate(packets(&many, &tenants[..BUSY], BUSY).await, 20 * USERS, AT_ONCE).await);
    }
    all.print();
    busy.print();
}

async fn packets(
    place: &Place,
    tenants: &[Tenant],
    count: usize,
) -> Vec<(Tenant, hongbao_host::domain::PacketId)> {
    let mut packets = Vec::with_capacity(count);
    for tenant in tenants.iter().cycle().take(count) {
        packets.push((tenant.clone(), place.packet(tenant, 1_000_000).await));
    }
    packets
}
