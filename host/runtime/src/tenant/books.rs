//! A tenant's money: wallets, audits, refunds.

use super::Tenant;
use crate::host::Shared;
use crate::{CallError, Refunds};
use hongbao_domain::{Amount, Expired, Name, PacketKey, TenantId, UserId};
use hongbao_store::{Audit, Closed, Discrepancy, Funded, StoreError};

/// A packet that is so long past its time is refunded by the host alone: a sender's money must not
/// hang on a plugin that breaks, or says that it has done what it has not.
const PATIENCE_MS: u64 = 60_000;

/// Whether the host refunds a packet that ended then without its plugin.
pub(crate) const fn is_overdue(now_ms: u64, expired_at_ms: u64) -> bool {
    now_ms >= expired_at_ms.saturating_add(PATIENCE_MS)
}

/// Refunds a packet without its plugin. Gives what went back now.
pub(crate) async fn refund_alone(shared: &Shared, key: &PacketKey) -> Result<Option<Amount>, CallError> {
    let Shared { ledger, counter, clock, clock_watch, .. } = shared;
    clock_watch.trust()?;
    let Some(loaded) = ledger.load(key, &[]).await? else { return Ok(None) };
    let closed = ledger.close(key, loaded.packet.version, clock.now_ms()).await?;
    // The card carries the time of expiry, so a grab is refused without this as well.
    let _ = counter.close(key, clock.now_ms()).await;
    Ok(match closed {
        Closed::Refunded(amount) => Some(amount),
        _ => None,
    })
}

impl Tenant {
    /// Credits a wallet from outside; gives the new balance.
    ///
    /// # Errors
    /// When the amount is nothing, the wallet would pass [`Amount::MAX`], or the ledger is away.
    pub async fn fund(&self, user: &UserId, amount: Amount) -> Result<Amount, StoreError> {
        match self.fund_by(user, amount, None).await? {
            Funded::Funded(held) | Funded::Replayed(held) => Ok(held),
            Funded::KeyReused => Err(StoreError::Corrupt("a key that nobody gave was used before".into())),
        }
    }

    /// Credits a wallet from outside, once for each key of this tenant: whoever has had no answer
    /// asks again with the same key.
    ///
    /// # Errors
    /// As [`Tenant::fund`]. A key whose funding was refused is still free.
    pub async fn fund_once(&self, user: &UserId, amount: Amount, key: &Name) -> Result<Funded, StoreError> {
        self.fund_by(user, amount, Some(key)).await
    }

    async fn fund_by(&self, user: &UserId, amount: Amount, key: Option<&Name>) -> Result<Funded, StoreError> {
        let shared = &self.inner.shared;
        let funded = shared.ledger.fund(&self.inner.id, user, amount, key, self.now_ms()).await;
        shared.health.ledger.note(&funded);
        funded
    }

    /// What a wallet holds.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn balance(&self, user: &UserId) -> Result<Amount, StoreError> {
        self.inner.shared.ledger.balance(&self.inner.id, user).await
    }

    /// The sums of the books.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        self.inner.shared.ledger.audit(&self.inner.id).await
    }

    /// What in the books does not agree; empty when all is well.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn verify(&self) -> Result<Vec<Discrepancy>, StoreError> {
        self.inner.shared.ledger.verify(&self.inner.id).await
    }

    /// Refunds every packet that is past its time. One that cannot be refunded is not in the way
    /// of the next: it is told of in the answer, and tried again by the next sweep.
    ///
    /// # Errors
    /// When the ledger cannot say which packets are due, or the host's clock is off.
    pub async fn expire_due(&self) -> Result<Refunds, CallError> {
        self.inner.shared.clock_watch.trust()?;
        let this = |id: &TenantId| (*id == self.inner.id).then(|| self.clone());
        Refunds::sweep(&*self.inner.shared.ledger, Some(&self.inner.id), self.now_ms(), this).await
    }

    /// Refunds a packet that ended then: through the plugin, and if that was to no avail for some
    /// time or the tenant is suspended, without it. Gives what went back now.
    pub(crate) async fn refund(
        &self,
        key: &PacketKey,
        expired_at_ms: u64,
    ) -> Result<Option<Amount>, CallError> {
        self.inner.shared.clock_watch.trust()?;
        // A suspended tenant's plugin is not called, and the money that was in flight still goes home. Nor is
        // this a request of the tenant's, which its rate could hold up.
        if !self.suspension().is_any() {
            let told = self.uncounted().expire(key.packet).await;
            if let Ok(Expired::Refunded(amount)) = told {
                return Ok(Some(amount));
            }
            if !is_overdue(self.now_ms(), expired_at_ms) {
                return told.map(|_| None);
            }
        }
        refund_alone(&self.inner.shared, key).await
    }

    /// Milliseconds since the Unix epoch, by the host's clock.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.inner.shared.clock.now_ms()
    }
}
