//! Claims a share as it should, and tells of one that is larger, or of another place in the order.

use hongbao_hostile_guests::{Guest, Imports, Opened, OpenedShare, PacketId, UserId, component, first};

struct RicherShares;

impl Guest for RicherShares {
    fn open(packet: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        let richer = |opened: Opened| match opened {
            Opened::Opened(share) if first(&users) == "place" => {
                Opened::Opened(OpenedShare { sequence: share.sequence + 1, ..share })
            }
            Opened::Opened(share) => Opened::Opened(OpenedShare { amount: share.amount + 1, ..share }),
            other => other,
        };
        hongbao_guest::open(&Imports, packet, &users).into_iter().map(richer).collect()
    }
}

component!(RicherShares);
