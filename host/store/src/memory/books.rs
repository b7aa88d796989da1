//! Balances and their movements.

use std::collections::BTreeMap;

use crate::Discrepancy;
use hongbao_domain::{Account, Amount, Movement, MovementKind, PacketId, TenantId};

/// One tenant's money. Balances are kept beside the movements and checked against them.
#[derive(Default)]
pub(super) struct Books {
    balances: BTreeMap<Account, i128>,
    movements: Vec<Movement>,
    /// Movements and claims in the order in which they were written: what events are read from.
    log: Vec<Row>,
}

/// What an event is made of, by where it is kept.
#[derive(Clone, Copy)]
pub(super) enum Row {
    /// The movement at this index.
    Movement(usize),
    /// The claim of this sequence.
    Claim(PacketId, u32),
}

/// The books of every tenant.
pub(super) type AllBooks = BTreeMap<TenantId, Books>;

impl Books {
    pub(super) fn balance(&self, account: &Account) -> i128 {
        self.balances.get(account).copied().unwrap_or_default()
    }

    /// What an account that is never below zero holds.
    pub(super) fn held(&self, account: &Account) -> Amount {
        u64::try_from(self.balance(account)).ok().and_then(|held| Amount::new(held).ok()).unwrap_or_default()
    }

    /// Moves money, unless an account would leave its limits. False where nothing moved.
    #[must_use]
    pub(super) fn post(
        &mut self,
        kind: MovementKind,
        from: Account,
        to: Account,
        amount: Amount,
        at_ms: u64,
    ) -> bool {
        let minor = i128::from(amount.get());
        let (gives, gets) = (self.balance(&from) - minor, self.balance(&to) + minor);
        let in_limits = gives >= 0 || from == Account::Treasury;
        if amount.is_zero() || !in_limits || gets > i128::from(Amount::MAX.get()) {
            return false;
        }
        self.balances.insert(from.clone(), gives);
        self.balances.insert(to.clone(), gets);
        self.log.push(Row::Movement(self.movements.len()));
        self.movements.push(Movement { kind, from, to, amount, at_ms });
        true
    }

    pub(super) fn claimed(&mut self, packet: PacketId, sequence: u32) {
        self.log.push(Row::Claim(packet, sequence));
    }

    pub(super) fn log(&self) -> &[Row] {
        &self.log
    }

    pub(super) fn movements(&self) -> &[Movement] {
        &self.movements
    }

    pub(super) fn sum(&self, belongs: impl Fn(&Account) -> bool) -> i128 {
        self.balances.iter().filter(|(account, _)| belongs(account)).map(|(_, balance)| balance).sum()
    }

    /// Balances that are not the sum of their postings.
    pub(super) fn verify(&self) -> Vec<Discrepancy> {
        let mut sums: BTreeMap<&Account, i128> = self.balances.keys().map(|account| (account, 0)).collect();
        for movement in &self.movements {
            *sums.entry(&movement.from).or_default() -= i128::from(movement.amount.get());
            *sums.entry(&movement.to).or_default() += i128::from(movement.amount.get());
        }
        let pairs = sums.into_iter().map(|(account, sum)| (account, sum, self.balance(account)));
        pairs
            .filter(|(_, sum, balance)| sum != balance)
            .map(|(account, expected, found)| Discrepancy {
                subject: account.to_string(),
                rule: "a balance is the sum of its postings",
                expected,
                found,
            })
            .collect()
    }
}
