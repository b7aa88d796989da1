//! The ledger as a host uses it: by its parts, of which the packet side may be a wrapper of the ledger's own.

use std::sync::Arc;

use hongbao_store::{AuditLedger, Ledger, MoneyEvents, PacketLedger, PacketLists, Settlement, WalletLedger};

/// One ledger.
#[derive(Clone)]
pub(crate) struct LedgerParts {
    pub(crate) packets: Arc<dyn PacketLedger>,
    pub(crate) lists: Arc<dyn PacketLists>,
    pub(crate) wallets: Arc<dyn WalletLedger>,
    pub(crate) settlement: Arc<dyn Settlement>,
    pub(crate) money_events: Arc<dyn MoneyEvents>,
    pub(crate) audit: Arc<dyn AuditLedger>,
}

impl LedgerParts {
    /// Of this ledger, with its packet side or the one that was given for it.
    pub(crate) fn new(ledger: Arc<dyn Ledger>, packets: Option<Arc<dyn PacketLedger>>) -> Self {
        Self {
            packets: packets.unwrap_or_else(|| Arc::<dyn Ledger>::clone(&ledger)),
            lists: Arc::<dyn Ledger>::clone(&ledger),
            wallets: Arc::<dyn Ledger>::clone(&ledger),
            settlement: Arc::<dyn Ledger>::clone(&ledger),
            money_events: Arc::<dyn Ledger>::clone(&ledger),
            audit: ledger,
        }
    }
}
