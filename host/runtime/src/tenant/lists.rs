//! Lists of a tenant's users: packets, claims, statements.
//! Lists are pages, the latest first; what a page ends with is
//! where the next one begins.

use tokio::sync::watch;

use super::Tenant;
use hongbao_domain::{MoneyEvent, MoneyEventId, Name, Packet, PacketId, UserId};
use hongbao_store::{Entry, Place, Received, StoreError};

impl Tenant {
    /// At most `limit` packets of a room with ids below `before`, whatever became of them, as they
    /// stand now.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn recent(
        &self,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        self.inner.shared.ledger.lists.recent_packets(&self.inner.id, room, before, limit).await
    }

    /// At most `limit` packets that a user sent, with ids below `before`, as they stand now.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn sent_by(
        &self,
        user: &UserId,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        self.inner.shared.ledger.lists.sent(&self.inner.id, user, before, limit).await
    }

    /// At most `limit` shares that a user received, below `before`: see [`Received::place`].
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn received_by(
        &self,
        user: &UserId,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Received>, StoreError> {
        self.inner.shared.ledger.wallets.received(&self.inner.id, user, before, limit).await
    }

    /// At most `limit` movements of a user's wallet, with ids below `before`. A share is among them
    /// once it is settled.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn statement(
        &self,
        user: &UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.shared.ledger.wallets.statement(&self.inner.id, user, before, limit).await
    }

    /// At most `limit` events of money after this one, in their order; from the first on where there is none. None where
    /// `after` is no event of this ledger: it was never given, or by a history that is no more.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn money_events(
        &self,
        after: Option<MoneyEventId>,
        limit: u32,
    ) -> Result<Option<Vec<MoneyEvent>>, StoreError> {
        self.inner.shared.ledger.money_events.money_events(&self.inner.id, after, limit).await
    }

    /// Changes whenever money of the tenant may have moved by a call of this host, so that whoever reads its events need
    /// not wait until it looks by itself. A hint: it may say too much, and never says what other hosts did.
    #[must_use]
    pub fn money_moves(&self) -> watch::Receiver<()> {
        self.inner.shared.wakes.listen(&self.inner.id)
    }

    /// The last of the events of money that can be told now; None where there is none yet.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn last_money_event(&self) -> Result<Option<MoneyEventId>, StoreError> {
        self.inner.shared.ledger.money_events.last_money_event(&self.inner.id).await
    }
}
