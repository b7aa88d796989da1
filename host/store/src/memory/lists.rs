//! Lists for users: a room's packets, a user's packets and claims, and the statement of a wallet.

use super::ledger::{Entry, State};
use crate::{Entry as Line, Place, Received};
use hongbao_domain::{Account, Movement, Name, Packet, PacketId, TenantId, UserId};

impl State {
    /// Packets of a room before an id, the latest first.
    pub(super) fn recent(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Vec<(PacketId, Packet)> {
        self.latest(tenant, before, limit, |entry| entry.packet.order.room == *room)
    }

    /// Packets that a user sent before an id, the latest first.
    pub(super) fn sent(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<PacketId>,
        limit: u32,
    ) -> Vec<(PacketId, Packet)> {
        self.latest(tenant, before, limit, |entry| entry.packet.order.sender == *user)
    }

    fn latest(
        &self,
        tenant: &TenantId,
        before: Option<PacketId>,
        limit: u32,
        belongs: impl Fn(&Entry) -> bool,
    ) -> Vec<(PacketId, Packet)> {
        let older = self.of(tenant).filter(|(id, _)| before.is_none_or(|before| *id < before));
        let belonging = older.filter(|(_, entry)| belongs(entry)).rev();
        belonging.take(limit as usize).map(|(id, entry)| (id, entry.packet.clone())).collect()
    }

    /// A user's claims before a place, the latest first.
    pub(super) fn received(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<Place>,
        limit: u32,
    ) -> Vec<Received> {
        let of_packet = |(id, entry): (PacketId, &Entry)| {
            let claim = entry.claims.iter().find(|claim| claim.user == *user)?.clone();
            let order = entry.packet.order.clone();
            Some(Received {
                packet: id,
                room: order.room,
                sender: order.sender,
                greeting: order.greeting,
                claim,
            })
        };
        let all = self.of(tenant).filter_map(of_packet);
        let mut older: Vec<_> =
            all.filter(|received| before.is_none_or(|before| received.place() < before)).collect();
        older.sort_unstable_by_key(|received| std::cmp::Reverse(received.place()));
        older.truncate(limit as usize);
        older
    }

    /// Movements of a wallet before a place, the latest first.
    pub(super) fn statement(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Vec<Line> {
        let wallet = Account::Wallet(user.clone());
        let movements = self.books.get(tenant).map(|books| books.movements()).unwrap_or_default();
        let placed = (1_u64..).zip(movements).filter(|(_, moved)| moved.from == wallet || moved.to == wallet);
        let older = placed.filter(|(id, _)| before.is_none_or(|before| *id < before));
        let mut lines: Vec<_> = older.map(|(id, moved)| line(id, moved)).collect();
        lines.reverse();
        lines.truncate(limit as usize);
        lines
    }
}

fn line(id: u64, moved: &Movement) -> Line {
    let packet = match (&moved.from, &moved.to) {
        (Account::Escrow(packet), _) | (_, Account::Escrow(packet)) => Some(*packet),
        _ => None,
    };
    let withdrawal = match (&moved.from, &moved.to) {
        (Account::Holding(withdrawal), _) | (_, Account::Holding(withdrawal)) => Some(*withdrawal),
        _ => None,
    };
    let amount = moved.kind.to_wallet(moved.amount);
    Line { id, kind: moved.kind, packet, withdrawal, amount, at_ms: moved.at_ms }
}
