//! The wallet side of the ledger: each call handed to the writer or to a reader.

use async_trait::async_trait;

use super::{SqliteLedger, lists, rows, withdrawals, write};
use hongbao_domain::{Amount, Name, TenantId, UserId, Withdrawal, WithdrawalId};
use hongbao_store::{
    End, Ended, Entry, Funded, NewWithdrawal, Place, Received, StoreError, WalletLedger, Withdrawn,
};

#[async_trait]
impl WalletLedger for SqliteLedger {
    async fn fund(
        &self,
        tenant: &TenantId,
        user: &UserId,
        amount: Amount,
        key: Option<&Name>,
        now_ms: u64,
    ) -> Result<Funded, StoreError> {
        let (tenant, user, key) = (tenant.clone(), user.clone(), key.cloned());
        self.write(move |db| write::fund(db, &tenant, &user, amount, key.as_ref(), now_ms)).await
    }

    async fn withdraw(
        &self,
        tenant: &TenantId,
        withdrawal: NewWithdrawal,
        now_ms: u64,
    ) -> Result<Withdrawn, StoreError> {
        let tenant = tenant.clone();
        self.write(move |db| withdrawals::withdraw(db, &tenant, &withdrawal, now_ms)).await
    }

    async fn end_withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
        end: End,
        now_ms: u64,
    ) -> Result<Ended, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.write(move |db| withdrawals::end(db, &tenant, &user, id, end, now_ms)).await
    }

    async fn withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
    ) -> Result<Option<Withdrawal>, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.read(move |db| withdrawals::find(db, &tenant, &user, id)).await
    }

    async fn withdrawals(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.read(move |db| withdrawals::of_user(db, &tenant, &user, before, limit)).await
    }

    async fn held(
        &self,
        tenant: &TenantId,
        after: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        let tenant = tenant.clone();
        self.read(move |db| withdrawals::held(db, &tenant, after, limit)).await
    }

    async fn balance(&self, tenant: &TenantId, user: &UserId) -> Result<Amount, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.read(move |db| rows::balance(db, &tenant, &user)).await
    }

    async fn received(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Received>, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.read(move |db| lists::received(db, &tenant, &user, before, limit)).await
    }

    async fn statement(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let (tenant, user) = (tenant.clone(), user.clone());
        self.read(move |db| lists::statement(db, &tenant, &user, before, limit)).await
    }
}
