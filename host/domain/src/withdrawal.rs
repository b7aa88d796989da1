//! Withdrawals: money that leaves, in two phases.
//!
//! It is taken out of the wallet at once and held, so that nothing else can spend it. The platform has its bank pay
//! it out, and then says how that ended: completed, or cancelled, which puts it back. Each ends once. Nobody but
//! the platform knows what its bank did, so nothing here ends a withdrawal by itself.

use super::{Amount, Name, Reference, UserId, WithdrawalId};

/// How a withdrawal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WithdrawalState {
    /// Out of the wallet, and not outside yet.
    Held,
    /// Outside. It never changes again.
    Completed,
    /// Back in the wallet. It never changes again.
    Cancelled,
}

impl WithdrawalState {
    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Held, Self::Completed, Self::Cancelled].into_iter().find(|state| state.name() == name)
    }
}

/// Money that leaves, or was to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Its id.
    pub id: WithdrawalId,
    /// Out of whose wallet.
    pub user: UserId,
    /// What the platform calls it: one withdrawal of its tenant, for ever.
    pub key: Name,
    /// How much, at least 1.
    pub amount: Amount,
    /// What the platform noted of it.
    pub reference: Reference,
    /// How it stands.
    pub state: WithdrawalState,
    /// When it was taken out of the wallet, in milliseconds since the Unix epoch.
    pub requested_at_ms: u64,
    /// When it ended; None while it is held.
    pub ended_at_ms: Option<u64>,
}

impl Withdrawal {
    /// Whether it has been held for so long that somebody should ask what became of it.
    #[must_use]
    pub fn is_hanging(&self, now_ms: u64, limit_ms: u64) -> bool {
        self.state == WithdrawalState::Held && now_ms.saturating_sub(self.requested_at_ms) >= limit_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_held_for_long_enough_hangs() {
        let held = Withdrawal {
            id: WithdrawalId::new(1_000, 1),
            user: UserId::new("alice").unwrap(),
            key: Name::new("key").unwrap(),
            amount: Amount::new(5).unwrap(),
            reference: Reference::default(),
            state: WithdrawalState::Held,
            requested_at_ms: 1_000,
            ended_at_ms: None,
        };
        assert!(!held.is_hanging(1_099, 100) && held.is_hanging(1_100, 100));
        assert!(!held.is_hanging(0, 100), "a clock that was set back makes nothing old");
        for state in [WithdrawalState::Completed, WithdrawalState::Cancelled] {
            assert!(!Withdrawal { state, ..held.clone() }.is_hanging(u64::MAX, 100));
            assert_eq!(WithdrawalState::from_name(state.name()), Some(state));
        }
    }
}
