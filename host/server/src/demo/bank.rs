//! The demo's bank, which there is not: it pays out whatever it is asked to, after a moment.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::Service;
use crate::access::Member;
use crate::once::{Done, Once};
use crate::problem::{Kind, Problem};
use hongbao_domain::{Amount, Currency, Name, Reference, UserId, WithdrawalId};
use hongbao_runtime::Tenant;
use hongbao_store::Withdrawn;

/// How long the bank takes.
const MOMENT: Duration = Duration::from_secs(2);
/// Withdrawals of one question to the ledger.
const AT_ONCE: u32 = 100;

/// What somebody takes out of the demo.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TakeOut {
    amount: u64,
}

/// What was taken out, and what is left.
#[derive(Debug, Serialize)]
struct Taken {
    withdrawal: String,
    balance: u64,
}

/// A person's keys may not take money out: the demo does it for them, as a platform would.
pub(super) async fn take_out(
    State(service): State<Service>,
    member: Member,
    once: Once<TakeOut>,
) -> Result<Response, Problem> {
    let id = super::tenant_id()?;
    let none = || Problem::not_found("there is no demo");
    let user =
        member.caller.key.user.clone().filter(|_| service.demo().is_some() && *member.tenant.id() == id);
    let user = user.ok_or_else(none)?;
    service.rates().user(&id, &user)?;
    let tenant = member.tenant.clone();
    let act = move |TakeOut { amount }: TakeOut, key: Name| async move {
        if amount == 0 {
            return Err(Problem::invalid("an amount must be at least 1"));
        }
        let amount = Amount::new(amount).map_err(|error| Problem::invalid(error.to_string()))?;
        let (withdrawal, balance) = match tenant.withdraw(&user, amount, &key, Reference::default()).await? {
            Withdrawn::Held(withdrawal, balance) | Withdrawn::Replayed(withdrawal, balance) => {
                (withdrawal, balance)
            }
            Withdrawn::KeyReused => {
                return Err(Problem::new(
                    Kind::KEY_REUSED,
                    "this Idempotency-Key belongs to another withdrawal",
                ));
            }
            Withdrawn::InsufficientFunds(balance) => {
                let holds = Currency::from(&tenant.policy()).show(balance.get());
                return Err(Problem::new(Kind::POOR, format!("the wallet holds {holds}")));
            }
        };
        let taken = Taken { withdrawal: withdrawal.id.to_string(), balance: balance.get() };
        tokio::spawn(pay(tenant, user, withdrawal.id));
        Ok(Done::new(StatusCode::CREATED, &taken))
    };
    once.run(&service, &member.caller, Some(&id), act).await
}

/// What the bank does. Should this process end before, the next one pays: see [`pay_rest`].
async fn pay(tenant: Tenant, user: UserId, id: WithdrawalId) {
    tokio::time::sleep(MOMENT).await;
    if let Err(error) = tenant.complete_withdrawal(&user, id).await {
        tracing::info!(code = error.code(), "the bank of the demo pays later: {error}");
    }
}

/// Pays what a process before this one left.
pub(super) async fn pay_rest(tenant: &Tenant) -> Result<(), Problem> {
    let mut after = None;
    loop {
        let held = tenant.held(after, AT_ONCE).await?;
        for withdrawal in &held {
            tenant.complete_withdrawal(&withdrawal.user, withdrawal.id).await?;
        }
        after = held.last().map(|last| last.id);
        if held.len() < AT_ONCE as usize {
            return Ok(());
        }
    }
}
