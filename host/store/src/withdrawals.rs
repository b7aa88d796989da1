//! What a ledger is asked about withdrawals and what it answers: plain data.

use hongbao_domain::{Amount, Name, Reference, UserId, Withdrawal, WithdrawalId, WithdrawalState};

/// Money that is to leave a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWithdrawal {
    /// Which withdrawal it becomes. The caller makes the id.
    pub id: WithdrawalId,
    /// Out of whose wallet.
    pub user: UserId,
    /// Names one withdrawal of the tenant for ever.
    pub key: Name,
    /// How much, at least 1.
    pub amount: Amount,
    /// What the platform notes of it.
    pub reference: Reference,
}

impl NewWithdrawal {
    /// The withdrawal, as it begins.
    #[must_use]
    pub fn held(self, now_ms: u64) -> Withdrawal {
        let Self { id, user, key, amount, reference } = self;
        let state = WithdrawalState::Held;
        Withdrawal { id, user, key, amount, reference, state, requested_at_ms: now_ms, ended_at_ms: None }
    }

    /// Whether it is the one that was written under its key, whatever became of that.
    #[must_use]
    pub fn is(&self, before: &Withdrawal) -> bool {
        self.user == before.user && self.amount == before.amount && self.reference == before.reference
    }
}

/// Answer to [`WalletLedger::withdraw`](crate::WalletLedger::withdraw).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// Taken out of the wallet. What the wallet holds then.
    Held(Withdrawal, Amount),
    /// The same withdrawal was written before under this key, and this is how it stands. Nothing moved; what the
    /// wallet holds now.
    Replayed(Withdrawal, Amount),
    /// The key was used for another user, another amount or another reference. Nothing moved.
    KeyReused,
    /// The wallet holds only this much. Nothing moved.
    InsufficientFunds(Amount),
}

/// How a withdrawal is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The money is outside.
    Complete,
    /// The money goes back to the wallet that it was taken from.
    Cancel,
}

impl End {
    /// How a withdrawal stands that ended in this way.
    #[must_use]
    pub const fn state(self) -> WithdrawalState {
        match self {
            Self::Complete => WithdrawalState::Completed,
            Self::Cancel => WithdrawalState::Cancelled,
        }
    }
}

/// Answer to [`WalletLedger::end_withdrawal`](crate::WalletLedger::end_withdrawal).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ended now.
    Ended(Withdrawal),
    /// It had ended in this way before. Nothing moved.
    Already(Withdrawal),
    /// It had ended in the other way before. Nothing moved.
    Otherwise(Withdrawal),
    /// The user has no such withdrawal.
    NotFound,
}

impl Ended {
    /// The answer about a withdrawal that is not held any more; None about one that is.
    #[must_use]
    pub fn before(withdrawal: Withdrawal, end: End) -> Option<Self> {
        match withdrawal.state {
            WithdrawalState::Held => None,
            state if state == end.state() => Some(Self::Already(withdrawal)),
            WithdrawalState::Completed | WithdrawalState::Cancelled => Some(Self::Otherwise(withdrawal)),
        }
    }
}

/// Withdrawals of all tenants that are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many.
    pub withdrawals: u64,
    /// When the oldest of them was requested.
    pub oldest_ms: Option<u64>,
}
