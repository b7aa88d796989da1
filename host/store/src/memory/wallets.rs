//! The wallet side: money that comes in and leaves, and what users look back on.

use async_trait::async_trait;

use super::ledger::{MemoryLedger, State};
use crate::{
    End, Ended, Entry as Line, Funded, NewWithdrawal, Place, Received, StoreError, WalletLedger, Withdrawn,
    checks,
};
use hongbao_domain::{Account, Amount, MovementKind, Name, TenantId, UserId, Withdrawal, WithdrawalId};

impl State {
    fn fund(
        &mut self,
        tenant: &TenantId,
        user: &UserId,
        amount: Amount,
        key: Option<&Name>,
        now_ms: u64,
    ) -> Result<Funded, StoreError> {
        let named = key.map(|key| (tenant.clone(), key.clone()));
        let before = named.as_ref().and_then(|named| self.fundings.get(named));
        let is_reused = before.is_some_and(|before| *before != (user.clone(), amount));
        let (is_replayed, wallet) = (before.is_some(), Account::Wallet(user.clone()));
        let books = self.books(tenant);
        if is_reused {
            return Ok(Funded::KeyReused);
        }
        if is_replayed {
            return Ok(Funded::Replayed(books.held(&wallet)));
        }
        if !books.post(MovementKind::Fund, Account::Treasury, wallet.clone(), amount, now_ms) {
            return Err(checks::refused_funding(amount));
        }
        let held = books.held(&wallet);
        self.fundings.extend(named.map(|named| (named, (user.clone(), amount))));
        Ok(Funded::Funded(held))
    }
}

#[async_trait]
impl WalletLedger for MemoryLedger {
    async fn fund(
        &self,
        tenant: &TenantId,
        user: &UserId,
        amount: Amount,
        key: Option<&Name>,
        now_ms: u64,
    ) -> Result<Funded, StoreError> {
        self.state().fund(tenant, user, amount, key, now_ms)
    }

    async fn withdraw(
        &self,
        tenant: &TenantId,
        withdrawal: NewWithdrawal,
        now_ms: u64,
    ) -> Result<Withdrawn, StoreError> {
        self.state().withdraw(tenant, withdrawal, now_ms)
    }

    async fn end_withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
        end: End,
        now_ms: u64,
    ) -> Result<Ended, StoreError> {
        self.state().end_withdrawal(tenant, user, id, end, now_ms)
    }

    async fn withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
    ) -> Result<Option<Withdrawal>, StoreError> {
        Ok(self.state().withdrawal(tenant, user, id).cloned())
    }

    async fn withdrawals(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        Ok(self.state().withdrawals_of(tenant, user, before, limit))
    }

    async fn held(
        &self,
        tenant: &TenantId,
        after: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        Ok(self.state().held_of(tenant, after, limit))
    }

    async fn balance(&self, tenant: &TenantId, user: &UserId) -> Result<Amount, StoreError> {
        Ok(self.state().books(tenant).held(&Account::Wallet(user.clone())))
    }

    async fn received(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Received>, StoreError> {
        Ok(self.state().received(tenant, user, before, limit))
    }

    async fn statement(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Line>, StoreError> {
        Ok(self.state().statement(tenant, user, before, limit))
    }
}
