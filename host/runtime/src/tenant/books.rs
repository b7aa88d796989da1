//! Operations on a tenant's ledger without its plugin: wallets, audits, refunds, packets as a room sees them.

use super::Tenant;
use crate::shared::Shared;
use crate::{CallError, Operation, Refunds};
use hongbao_domain::{Amount, Details, Expired, Name, PacketId, PacketKey, Status, UserId};
use hongbao_store::{Audit, Closed, Discrepancy, Funded, Loaded, StoreError};

/// How often a refund is tried that claims keep overtaking.
const TRIES: u32 = 8;

/// Ends a packet that is past its time and gives its sender back what is left, once.
pub(crate) async fn refund(shared: &Shared, key: &PacketKey) -> Result<Expired, CallError> {
    let Shared { ledger, counter, clock, clock_watch, health, .. } = shared;
    clock_watch.trust()?;
    for _ in 0..TRIES {
        let loaded = ledger.packets.load(key, &[]).await;
        health.ledger.note(&loaded);
        let Some(Loaded { packet, .. }) = loaded? else { return Ok(Expired::NotFound) };
        match packet.status {
            Status::Finished => return Ok(Expired::Finished),
            Status::Expired => return Ok(Expired::Already(packet.refunded)),
            Status::Open if clock.now_ms() < packet.expires_at_ms => return Ok(Expired::NotDue),
            Status::Open => {}
        }
        let closed = ledger.packets.close(key, packet.version, clock.now_ms()).await;
        health.ledger.note(&closed);
        let expired = match closed? {
            Closed::Refunded(amount) => {
                shared.wakes.wake(&key.tenant);
                Expired::Refunded(amount)
            }
            Closed::Already(amount) => Expired::Already(amount),
            Closed::NotDue => Expired::NotDue,
            Closed::NotFound => Expired::NotFound,
            Closed::Stale => continue,
        };
        // The card carries the time of expiry, so a grab is refused without this as well.
        let _ = counter.close(key, clock.now_ms()).await;
        return Ok(expired);
    }
    Ok(Expired::Busy)
}

impl Tenant {
    /// Credits a wallet with money from outside; returns the new balance.
    ///
    /// # Errors
    /// When the amount is zero, the wallet would exceed [`Amount::MAX`], or the ledger is unavailable.
    pub async fn fund(&self, user: &UserId, amount: Amount) -> Result<Amount, StoreError> {
        match self.fund_by(user, amount, None).await? {
            Funded::Funded(held) | Funded::Replayed(held) => Ok(held),
            Funded::KeyReused => Err(StoreError::Corrupt("a key that nobody gave was used before".into())),
        }
    }

    /// Credits a wallet with money from outside, once for each key of this tenant: after a lost answer,
    /// retry with the same key.
    ///
    /// # Errors
    /// As [`Tenant::fund`]. A key whose funding was refused is still free.
    pub async fn fund_once(&self, user: &UserId, amount: Amount, key: &Name) -> Result<Funded, StoreError> {
        self.fund_by(user, amount, Some(key)).await
    }

    async fn fund_by(&self, user: &UserId, amount: Amount, key: Option<&Name>) -> Result<Funded, StoreError> {
        let shared = &self.inner.shared;
        let funded = shared.ledger.wallets.fund(&self.inner.id, user, amount, key, self.now_ms()).await;
        shared.health.ledger.note(&funded);
        if matches!(funded, Ok(Funded::Funded(_))) {
            shared.wakes.wake(&self.inner.id);
        }
        funded
    }

    /// The balance of a wallet.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn balance(&self, user: &UserId) -> Result<Amount, StoreError> {
        self.inner.shared.ledger.wallets.balance(&self.inner.id, user).await
    }

    /// The sums of the tenant's ledger.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        self.inner.shared.ledger.audit.audit(&self.inner.id).await
    }

    /// Inconsistencies in the ledger; empty if there are none.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn verify(&self) -> Result<Vec<Discrepancy>, StoreError> {
        self.inner.shared.ledger.audit.verify(&self.inner.id).await
    }

    /// Refunds every expired packet. A failed refund does not stop the others: it is reported in the answer,
    /// and retried by the next sweep.
    ///
    /// # Errors
    /// When the ledger cannot say which packets are due, or the host's clock is off.
    pub async fn expire_due(&self) -> Result<Refunds, CallError> {
        self.inner.shared.clock_watch.trust()?;
        Refunds::sweep(&self.inner.shared, Some(&self.inner.id), |id| *id == self.inner.id).await
    }

    /// As [`expire`](Self::expire), for the host's own work: neither suspensions nor limits hold it up.
    pub(crate) async fn refund(&self, key: &PacketKey) -> Result<Expired, CallError> {
        refund(&self.inner.shared, key).await
    }

    /// Refunds what is left of a packet that is past its time. No plugin has a say in it.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe.
    pub async fn expire(&self, packet: PacketId) -> Result<Expired, CallError> {
        let (shared, key) = (&self.inner.shared, self.context().key(packet));
        self.answer(Operation::Expire, refund(shared, &key)).await
    }

    /// A packet with its claims; None where there is no such packet.
    ///
    /// # Errors
    /// When the call has no answer.
    pub async fn details(&self, packet: PacketId) -> Result<Option<Details>, CallError> {
        let (shared, key) = (&self.inner.shared, self.context().key(packet));
        let read = async {
            let loaded = shared.ledger.packets.load(&key, &[]).await;
            shared.health.ledger.note(&loaded);
            let Some(Loaded { packet, .. }) = loaded? else { return Ok(None) };
            // A claim may commit between the two reads; the answer stays with what the first one saw.
            let claims = shared.ledger.lists.claims(&key, 0, packet.claimed_shares).await;
            shared.health.ledger.note(&claims);
            Ok(Some(Details::of(packet, claims?, self.now_ms())))
        };
        self.answer(Operation::Details, read).await
    }

    /// Milliseconds since the Unix epoch, by the host's clock.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.inner.shared.clock.now_ms()
    }
}
