//! Events of money, read from the movements and claims that there are.

use super::books::Row;
use super::ledger::State;
use hongbao_domain::{Account, Claim, MoneyEvent, MoneyEventId, Moved, PacketId, PacketKey, TenantId, Terms};

impl State {
    /// Events after this one; None where there is no such event.
    pub(super) fn money_events(
        &self,
        tenant: &TenantId,
        after: Option<MoneyEventId>,
        limit: u32,
    ) -> Option<Vec<MoneyEvent>> {
        let first = match after {
            None => 0,
            Some(after) => {
                // Each row is a place of its own, from 1.
                let place = usize::try_from(after.place()).ok()?;
                let told = self.money_event(tenant, place.checked_sub(1)?)?;
                (told.id == after).then_some(place)?
            }
        };
        let events = (first..).map_while(|index| self.money_event(tenant, index));
        Some(events.take(limit as usize).collect())
    }

    pub(super) fn last_money_event(&self, tenant: &TenantId) -> Option<MoneyEventId> {
        let last = self.books.get(tenant)?.log().len().checked_sub(1)?;
        self.money_event(tenant, last).map(|event| event.id)
    }

    /// What the row at this index of the tenant's log tells.
    fn money_event(&self, tenant: &TenantId, index: usize) -> Option<MoneyEvent> {
        let books = self.books.get(tenant)?;
        let place = index as u64 + 1;
        match *books.log().get(index)? {
            Row::Claim(packet, sequence) => {
                let claim = self.claimed(tenant, packet, sequence)?;
                Some(MoneyEvent::claimed(place, packet, claim.clone()))
            }
            Row::Movement(at) => {
                let moved = books.movements().get(at)?;
                let (packet, withdrawal, user) = match (&moved.from, &moved.to) {
                    (Account::Wallet(user), Account::Escrow(packet))
                    | (Account::Escrow(packet), Account::Wallet(user)) => (Some(*packet), None, user),
                    (Account::Holding(id), _) | (_, Account::Holding(id)) => {
                        (None, Some(*id), self.owner(tenant, *id)?)
                    }
                    (_, Account::Wallet(user)) => (None, None, user),
                    _ => return None,
                };
                MoneyEvent::moved(Moved {
                    place,
                    id: at as u64 + 1,
                    at_ms: moved.at_ms,
                    kind: moved.kind,
                    packet,
                    withdrawal,
                    user: user.clone(),
                    amount: moved.amount,
                    terms: packet.and_then(|packet| self.terms(tenant, packet)),
                })
            }
        }
    }

    fn claimed(&self, tenant: &TenantId, packet: PacketId, sequence: u32) -> Option<&Claim> {
        let entry = self.packets.get(&PacketKey { tenant: tenant.clone(), packet })?;
        entry.claims.get(sequence.checked_sub(1)? as usize)
    }

    fn terms(&self, tenant: &TenantId, packet: PacketId) -> Option<Terms> {
        let packet = &self.packets.get(&PacketKey { tenant: tenant.clone(), packet })?.packet;
        Some(Terms {
            room: packet.order.room.clone(),
            shares: packet.order.shares,
            expires_at_ms: packet.expires_at_ms,
            greeting: packet.order.greeting.clone(),
        })
    }
}
