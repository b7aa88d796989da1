//! The wallet side of the ledger: a session for each call.

use async_trait::async_trait;

use super::sessions::ANSWER;
use super::{PostgresLedger, lists, withdrawals, write};
use hongbao_domain::{Amount, Name, TenantId, UserId, Withdrawal, WithdrawalId};
use hongbao_store::{
    End, Ended, Entry, Funded, NewWithdrawal, Place, Received, StoreError, WalletLedger, Withdrawn,
};

#[async_trait]
impl WalletLedger for PostgresLedger {
    async fn fund(
        &self,
        tenant: &TenantId,
        user: &UserId,
        amount: Amount,
        key: Option<&Name>,
        now_ms: u64,
    ) -> Result<Funded, StoreError> {
        self.write(async |client| write::fund(client, tenant, user, amount, key, now_ms).await).await
    }

    async fn withdraw(
        &self,
        tenant: &TenantId,
        withdrawal: NewWithdrawal,
        now_ms: u64,
    ) -> Result<Withdrawn, StoreError> {
        self.write(async |client| withdrawals::withdraw(client, tenant, withdrawal, now_ms).await).await
    }

    async fn end_withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
        end: End,
        now_ms: u64,
    ) -> Result<Ended, StoreError> {
        self.write(async |client| withdrawals::end(client, tenant, user, id, end, now_ms).await).await
    }

    async fn withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
    ) -> Result<Option<Withdrawal>, StoreError> {
        self.with(ANSWER, async |client| withdrawals::find(client, tenant, user, id).await).await
    }

    async fn withdrawals(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        self.with(ANSWER, async |client| withdrawals::of_user(client, tenant, user, before, limit).await)
            .await
    }

    async fn held(
        &self,
        tenant: &TenantId,
        after: Option<WithdrawalId>,
        limit: u32,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        self.with(ANSWER, async |client| withdrawals::held(client, tenant, after, limit).await).await
    }

    async fn balance(&self, tenant: &TenantId, user: &UserId) -> Result<Amount, StoreError> {
        self.with(ANSWER, async |client| write::balance(client, tenant, user).await).await
    }

    async fn received(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Received>, StoreError> {
        self.with(ANSWER, async |client| lists::received(client, tenant, user, before, limit).await).await
    }

    async fn statement(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        self.with(ANSWER, async |client| lists::statement(client, tenant, user, before, limit).await).await
    }
}
