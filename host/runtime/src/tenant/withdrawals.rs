//! Withdrawals of a tenant: money that leaves, in two phases. No plugin has a say in them.

use super::Tenant;
use hongbao_domain::{Amount, Name, Reference, UserId, Withdrawal, WithdrawalId};
use hongbao_store::{End, Ended, NewWithdrawal, StoreError, Withdrawn};

impl Tenant {
    /// Takes money out of a wallet and holds it, once for each key of this tenant: after a lost answer, retry with
    /// the same key. Have it paid out then, and say what became of it: [`complete_withdrawal`] or
    /// [`cancel_withdrawal`].
    ///
    /// [`complete_withdrawal`]: Self::complete_withdrawal
    /// [`cancel_withdrawal`]: Self::cancel_withdrawal
    ///
    /// # Errors
    /// When the amount is zero, or the ledger is unavailable. A key whose withdrawal was refused is still free.
    pub async fn withdraw(
        &self,
        user: &UserId,
        amount: Amount,
        key: &Name,
        reference: Reference,
    ) -> Result<Withdrawn, StoreError> {
        let (shared, context) = (&self.inner.shared, self.context());
        let now_ms = context.clock.now_ms();
        let id = WithdrawalId::new(now_ms, context.entropy.u128());
        let (user, key) = (user.clone(), key.clone());
        let new = NewWithdrawal { id, user, key, amount, reference };
        let withdrawn = shared.ledger.wallets.withdraw(&self.inner.id, new, now_ms).await;
        shared.health.ledger.note(&withdrawn);
        withdrawn
    }

    /// Ends a withdrawal whose money is outside. Asking again is safe.
    ///
    /// # Errors
    /// When the ledger is unavailable.
    pub async fn complete_withdrawal(&self, user: &UserId, id: WithdrawalId) -> Result<Ended, StoreError> {
        self.end_withdrawal(user, id, End::Complete).await
    }

    /// Ends a withdrawal whose money did not leave: it is back in the wallet. Asking again is safe.
    ///
    /// # Errors
    /// When the wallet would exceed [`Amount::MAX`], where the withdrawal stays held, or the ledger is unavailable.
    pub async fn cancel_withdrawal(&self, user: &UserId, id: WithdrawalId) -> Result<Ended, StoreError> {
        self.end_withdrawal(user, id, End::Cancel).await
    }

    async fn end_withdrawal(&self, user: &UserId, id: WithdrawalId, end: End) -> Result<Ended, StoreError> {
        let shared = &self.inner.shared;
        let ended = shared.ledger.wallets.end_withdrawal(&self.inner.id, user, id, end, self.now_ms()).await;
        shared.health.ledger.note(&ended);
        ended
    }

    /// A withdrawal of a user; None where there is none.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn withdrawal(
        &self,
        user: &UserId,
        id: WithdrawalId,
    ) -> Result<Option<Withdrawal>, StoreError> {
        self.inner.shared.ledger.wallets.withdrawal(&self.inner.id, user, id).await
    }

    /// At most `limit` withdrawals of a user, with ids below `before`, whatever became of them, the latest first.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn withdrawals(
        &self,
        user: &UserId,
        before: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        self.inner.shared.ledger.wallets.withdrawals(&self.inner.id, user, before, limit).await
    }

    /// At most `limit` withdrawals of all users that have not ended, with ids above `after`, the oldest first.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn held(&self, after: Option<WithdrawalId>, limit: u32) -> Result<Vec<Withdrawal>, StoreError> {
        self.inner.shared.ledger.wallets.held(&self.inner.id, after, limit).await
    }

    /// Whether a withdrawal is held for so long that somebody should ask what became of it: its limit is
    /// [`withdrawal_ms`](hongbao_domain::Limits::withdrawal_ms).
    #[must_use]
    pub fn is_hanging(&self, withdrawal: &Withdrawal) -> bool {
        withdrawal.is_hanging(self.now_ms(), self.limits().withdrawal_ms)
    }
}
