//! Withdrawals: what is held, and what became of it.

use std::collections::BTreeMap;

use super::ledger::State;
use crate::{Discrepancy, End, Ended, Held, NewWithdrawal, StoreError, Withdrawn, checks};
use hongbao_domain::{
    Account, Amount, Movement, MovementKind, Name, TenantId, UserId, Withdrawal, WithdrawalId,
    WithdrawalState,
};

/// The withdrawals of every tenant.
#[derive(Default)]
pub(super) struct Withdrawals {
    all: BTreeMap<(TenantId, WithdrawalId), Withdrawal>,
    keys: BTreeMap<(TenantId, Name), WithdrawalId>,
}

impl State {
    pub(super) fn withdraw(
        &mut self,
        tenant: &TenantId,
        new: NewWithdrawal,
        now_ms: u64,
    ) -> Result<Withdrawn, StoreError> {
        let named = (tenant.clone(), new.key.clone());
        let wallet = Account::Wallet(new.user.clone());
        let held = self.books(tenant).held(&wallet);
        if let Some(before) = self.withdrawals.keys.get(&named) {
            let before = self.withdrawals.all.get(&(tenant.clone(), *before)).filter(|before| new.is(before));
            return Ok(
                before.map_or(Withdrawn::KeyReused, |before| Withdrawn::Replayed(before.clone(), held))
            );
        }
        if held < new.amount {
            return Ok(Withdrawn::InsufficientFunds(held));
        }
        let (place, id, amount) = ((tenant.clone(), new.id), new.id, new.amount);
        let is_taken = self.withdrawals.all.contains_key(&place);
        let books = self.books(tenant);
        if is_taken
            || !books.post(MovementKind::Withdraw, wallet.clone(), Account::Holding(id), amount, now_ms)
        {
            return Err(checks::refused_withdrawal(id, amount));
        }
        let (withdrawal, left) = (new.held(now_ms), books.held(&wallet));
        self.withdrawals.keys.insert(named, id);
        self.withdrawals.all.insert(place, withdrawal.clone());
        Ok(Withdrawn::Held(withdrawal, left))
    }

    pub(super) fn end_withdrawal(
        &mut self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
        end: End,
        now_ms: u64,
    ) -> Result<Ended, StoreError> {
        let Some(withdrawal) = self.withdrawal(tenant, user, id).cloned() else {
            return Ok(Ended::NotFound);
        };
        let amount = withdrawal.amount;
        if let Some(before) = Ended::before(withdrawal.clone(), end) {
            return Ok(before);
        }
        let (kind, to) = match end {
            End::Complete => (MovementKind::Complete, Account::Treasury),
            End::Cancel => (MovementKind::Cancel, Account::Wallet(user.clone())),
        };
        if !self.books(tenant).post(kind, Account::Holding(id), to, amount, now_ms) {
            return Err(checks::refused_cancel(id));
        }
        let ended = Withdrawal { state: end.state(), ended_at_ms: Some(now_ms), ..withdrawal };
        self.withdrawals.all.insert((tenant.clone(), id), ended.clone());
        Ok(Ended::Ended(ended))
    }

    pub(super) fn withdrawal(
        &self,
        tenant: &TenantId,
        user: &UserId,
        id: WithdrawalId,
    ) -> Option<&Withdrawal> {
        self.withdrawals.all.get(&(tenant.clone(), id)).filter(|withdrawal| withdrawal.user == *user)
    }

    /// Out of whose wallet it was taken.
    pub(super) fn owner(&self, tenant: &TenantId, id: WithdrawalId) -> Option<&UserId> {
        self.withdrawals.all.get(&(tenant.clone(), id)).map(|withdrawal| &withdrawal.user)
    }

    /// In the order of ids.
    pub(super) fn all_withdrawals<'s>(
        &'s self,
        tenant: &'s TenantId,
    ) -> impl DoubleEndedIterator<Item = &'s Withdrawal> {
        self.withdrawals.all.iter().filter(move |((of, _), _)| of == tenant).map(|(_, withdrawal)| withdrawal)
    }

    pub(super) fn withdrawals_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<WithdrawalId>,
        limit: u32,
    ) -> Vec<Withdrawal> {
        let theirs = self.all_withdrawals(tenant).filter(|withdrawal| withdrawal.user == *user);
        let earlier = theirs.filter(|withdrawal| before.is_none_or(|before| withdrawal.id < before)).rev();
        earlier.take(limit as usize).cloned().collect()
    }

    pub(super) fn held_of(
        &self,
        tenant: &TenantId,
        after: Option<WithdrawalId>,
        limit: u32,
    ) -> Vec<Withdrawal> {
        let held =
            self.all_withdrawals(tenant).filter(|withdrawal| withdrawal.state == WithdrawalState::Held);
        let later = held.filter(|withdrawal| after.is_none_or(|after| withdrawal.id > after));
        later.take(limit as usize).cloned().collect()
    }

    /// What is held of all tenants.
    pub(super) fn all_held(&self) -> Held {
        let held = self.withdrawals.all.values().filter(|one| one.state == WithdrawalState::Held);
        let requested = held.map(|withdrawal| withdrawal.requested_at_ms);
        Held { withdrawals: requested.clone().count() as u64, oldest_ms: requested.min() }
    }

    /// What a withdrawal says against what was posted of it.
    pub(super) fn verify_withdrawals(&self, tenant: &TenantId) -> Vec<Discrepancy> {
        let movements = self.books.get(tenant).map(|books| books.movements()).unwrap_or_default();
        let posted = |id: WithdrawalId, belongs: &dyn Fn(&Movement) -> bool| -> i128 {
            let of = |movement: &&Movement| {
                [&movement.from, &movement.to].contains(&&Account::Holding(id)) && belongs(movement)
            };
            movements.iter().filter(of).map(|movement| i128::from(movement.amount.get())).sum()
        };
        let mut found = Vec::new();
        for withdrawal in self.all_withdrawals(tenant) {
            let (id, amount) = (withdrawal.id, i128::from(withdrawal.amount.get()));
            let if_in = |state| if withdrawal.state == state { amount } else { 0 };
            let wallet = Account::Wallet(withdrawal.user.clone());
            let taken = posted(id, &|moved| moved.kind == MovementKind::Withdraw && moved.from == wallet);
            let gone = posted(id, &|moved| moved.kind == MovementKind::Complete);
            let back = posted(id, &|moved| moved.kind == MovementKind::Cancel && moved.to == wallet);
            let rules = [
                ("a withdrawal is taken from its user's wallet", amount, taken),
                (
                    "holding holds what was withdrawn and has not ended",
                    if_in(WithdrawalState::Held),
                    taken - gone - back,
                ),
                ("what went outside was completed", if_in(WithdrawalState::Completed), gone),
            ];
            let broken = rules.into_iter().filter(|(_, expected, found)| expected != found);
            found.extend(broken.map(|(rule, expected, found)| Discrepancy {
                subject: format!("withdrawal {id} of {}", withdrawal.user),
                rule,
                expected,
                found,
            }));
        }
        found
    }

    /// The sum of a tenant's withdrawals in a state.
    pub(super) fn withdrawn(&self, tenant: &TenantId, state: WithdrawalState) -> i128 {
        let all = self.all_withdrawals(tenant).filter(|withdrawal| withdrawal.state == state);
        all.map(|withdrawal| Amount::get(withdrawal.amount)).map(i128::from).sum()
    }
}
