//! What senders take out of their wallets: each host does the same with the same keys, and both end it in the same
//! way. So of each withdrawal one host writes it and one ends it, and the other is told so.

use hongbao_host::domain::{Amount, Name, Reference, UserId, WithdrawalId};
use hongbao_host::store::{End, Ended, StoreError, Withdrawn};
use tokio::time::timeout;

use super::PATIENCE;
use super::line::Line;
use super::load::{Load, Pause, World, again, odd, tell};

/// One packet in so many comes with a withdrawal.
const EVERY: u64 = 3;

/// What the bank says of a withdrawal; of one in four it never says anything.
const fn end(number: u64) -> Option<End> {
    match (number / EVERY) % 4 {
        0 | 1 => Some(End::Complete),
        2 => Some(End::Cancel),
        _ => None,
    }
}

impl World {
    /// Takes money of a packet's sender out, with the same key until there is an answer, and ends it.
    pub(super) async fn pay_out(&self, number: u64) {
        if !number.is_multiple_of(EVERY) {
            return;
        }
        let user = Load::sender(number);
        let mut pause = Pause::new(self, number, &user);
        let Some(id) = self.take(number, &user, &mut pause).await else { return };
        tell(&Line::Taken { number, withdrawal: id.to_string() });
        if let Some(end) = end(number) {
            self.end(id, &user, end, &mut pause).await;
        }
    }

    async fn take(&self, number: u64, user: &UserId, pause: &mut Pause) -> Option<WithdrawalId> {
        let amount = Amount::new(1 + number % 90).expect("an amount");
        let key = Name::new(format!("withdrawal-{number}")).expect("a name");
        loop {
            let asked = self.tenant.withdraw(user, amount, &key, Reference::default());
            match timeout(PATIENCE, asked).await {
                Ok(Ok(Withdrawn::Held(found, _) | Withdrawn::Replayed(found, _))) => return Some(found.id),
                Ok(Ok(refused)) => {
                    odd(format!("withdrawal number {number} was refused: {refused:?}"));
                    return None;
                }
                Ok(Err(error)) => failed("withdrawal", &error),
                Err(_) => odd(format!("withdrawal number {number} hangs")),
            }
            pause.wait().await;
        }
    }

    async fn end(&self, id: WithdrawalId, user: &UserId, end: End, pause: &mut Pause) {
        loop {
            let asked = async {
                match end {
                    End::Complete => self.tenant.complete_withdrawal(user, id).await,
                    End::Cancel => self.tenant.cancel_withdrawal(user, id).await,
                }
            };
            match timeout(PATIENCE, asked).await {
                Ok(Ok(Ended::Ended(found) | Ended::Already(found))) => {
                    let state = found.state.name().to_owned();
                    return tell(&Line::Ended { withdrawal: id.to_string(), state });
                }
                Ok(Ok(other)) => return odd(format!("withdrawal {id} has to be {end:?}, and is {other:?}")),
                Ok(Err(error)) => failed("end of a withdrawal", &error),
                Err(_) => odd(format!("the end of withdrawal {id} hangs")),
            }
            pause.wait().await;
        }
    }
}

fn failed(what: &str, error: &StoreError) {
    match error {
        StoreError::Unavailable(_) | StoreError::Overloaded(_) => again(error.code()),
        other => odd(format!("a {what} failed for good: {other}")),
    }
}
