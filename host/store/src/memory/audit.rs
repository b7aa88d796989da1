//! The sums of a tenant's books, and whether they agree.

use super::books::Books;
use super::ledger::State;
use super::outbox::Waiting;
use crate::{Audit, Discrepancy};
use hongbao_domain::{Account, Amount, Claim, MovementKind, Packet, TenantId, WithdrawalState};

impl State {
    pub(super) fn audit(&self, tenant: &TenantId) -> Audit {
        let empty = Books::default();
        let books = self.books.get(tenant).unwrap_or(&empty);
        let sum = |of: fn(&Packet) -> Amount| -> i128 {
            self.of(tenant).map(|(_, entry)| i128::from(of(&entry.packet).get())).sum()
        };
        let claims: Vec<&Claim> = self.of(tenant).flat_map(|(_, entry)| &entry.claims).collect();
        let moved = |kind| -> i128 {
            let movements = books.movements().iter().filter(|movement| movement.kind == kind);
            movements.map(|movement| i128::from(movement.amount.get())).sum()
        };
        let waiting = self.outbox.iter().map(|waiting| &waiting.claim);
        let unsettled = waiting.filter(|claim| claim.key.tenant == *tenant);
        Audit {
            funded: moved(MovementKind::Fund),
            sent: sum(|packet| packet.order.total),
            claimed: claims.iter().map(|claim| i128::from(claim.amount.get())).sum(),
            refunded: moved(MovementKind::Refund),
            remaining: sum(Packet::remaining),
            wallets: books.sum(|account| matches!(account, Account::Wallet(_))),
            escrow: books.sum(|account| matches!(account, Account::Escrow(_))),
            held: self.withdrawn(tenant, WithdrawalState::Held),
            withdrawn: moved(MovementKind::Complete),
            unsettled: unsettled.map(|claim| i128::from(claim.amount.get())).sum(),
            postings: books.sum(|_| true),
            packets: self.of(tenant).count() as u64,
            claims: claims.len() as u64,
            movements: books.movements().len() as u64,
        }
    }

    pub(super) fn verify(&self, tenant: &TenantId) -> Vec<Discrepancy> {
        let mut found = self.books.get(tenant).map(Books::verify).unwrap_or_default();
        for (id, entry) in self.of(tenant) {
            let claims: u128 = entry.claims.iter().map(|claim| claim.amount).sum();
            let packet = u128::from(entry.packet.claimed_amount.get());
            if claims != packet {
                found.push(Discrepancy {
                    subject: format!("packet {id}"),
                    rule: "what a packet gave is the sum of its claims",
                    expected: claims.cast_signed(),
                    found: packet.cast_signed(),
                });
            }
        }
        found.extend(self.verify_withdrawals(tenant));
        let parked = self.parked().filter(|waiting| waiting.claim.key.tenant == *tenant);
        found.extend(parked.map(|Waiting { claim, .. }| Discrepancy::parked(claim)));
        found
    }
}
