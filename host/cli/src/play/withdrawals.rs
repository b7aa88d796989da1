//! Events of withdrawals: money that leaves, and what became of it.

use std::sync::PoisonError;

use super::answer::Body;
use super::event::Withdraw;
use super::player::{Player, random_key, store};
use hongbao_domain::{Amount, Currency, Name, Reference, UserId, Withdrawal, WithdrawalId};
use hongbao_store::{End, Ended, Withdrawn};

impl Player {
    pub(super) async fn withdraw(&self, event: Withdraw) -> Body {
        let key = match event.key {
            Some(key) => key,
            None => match random_key() {
                Ok(key) => key,
                Err(error) => return Body::failed("unavailable", error.to_string()),
            },
        };
        let checked = Amount::new(event.amount)
            .map_err(|error| error.to_string())
            .and_then(|amount| Ok((amount, Name::new(key).map_err(|error| format!("a key {error}"))?)))
            .and_then(|(amount, key)| {
                let reference = Reference::new(event.reference);
                Ok((amount, key, reference.map_err(|error| format!("a reference {error}"))?))
            });
        let (amount, key, reference) = match checked {
            Ok(checked) => checked,
            Err(why) => return Body::failed("invalid-argument", why),
        };
        let withdrawn = self.tenant.withdraw(&event.user.0, amount, &key, reference).await;
        store(withdrawn, |withdrawn| match withdrawn {
            Withdrawn::Held(withdrawal, balance) => self.taken(event.r#ref, &withdrawal, balance, "held"),
            Withdrawn::Replayed(withdrawal, balance) => {
                self.taken(event.r#ref, &withdrawal, balance, "replayed")
            }
            Withdrawn::KeyReused => Body::failed("key-reused", "the key was used for another withdrawal"),
            Withdrawn::InsufficientFunds(held) => {
                let held = Currency::from(&self.tenant.policy()).show(held.get());
                Body::failed("insufficient-funds", format!("the wallet holds {held}, which is not enough"))
            }
        })
    }

    fn taken(
        &self,
        reference: String,
        withdrawal: &Withdrawal,
        balance: Amount,
        outcome: &'static str,
    ) -> Body {
        let mut refs = self.withdrawals.lock().unwrap_or_else(PoisonError::into_inner);
        refs.insert(reference, withdrawal.id);
        Body::Withdrawn { outcome, withdrawal: withdrawal.id.to_string(), balance: balance.get() }
    }

    /// The withdrawal that the log calls so; or the withdrawal's own id, from a play before this one.
    fn withdrawal(&self, reference: &str) -> Option<WithdrawalId> {
        let refs = self.withdrawals.lock().unwrap_or_else(PoisonError::into_inner);
        refs.get(reference).copied().or_else(|| reference.parse().ok())
    }

    pub(super) async fn end(&self, reference: &str, user: &UserId, end: End) -> Body {
        let missing =
            || Body::failed("not-found", format!("{user} has no withdrawal that is called {reference}"));
        let Some(id) = self.withdrawal(reference) else {
            return missing();
        };
        let ended = match end {
            End::Complete => self.tenant.complete_withdrawal(user, id).await,
            End::Cancel => self.tenant.cancel_withdrawal(user, id).await,
        };
        store(ended, |ended| match ended {
            Ended::Ended(found) | Ended::Already(found) => Body::Ended {
                outcome: found.state.name(),
                withdrawal: found.id.to_string(),
                amount: found.amount.get(),
            },
            Ended::Otherwise(_) => match end {
                End::Complete => Body::failed("withdrawal-cancelled", "it was cancelled before"),
                End::Cancel => Body::failed("withdrawal-completed", "it was completed before"),
            },
            Ended::NotFound => missing(),
        })
    }
}
