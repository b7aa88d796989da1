//! Routes for withdrawals: money that leaves, in two phases.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::users::{Wallet, holds};
use crate::Service;
use crate::access::{Looker, Withdrawer};
use crate::input::{Page, Path, Query, withdrawal};
use crate::once::{Done, Once};
use crate::output::{Items, Told};
use crate::problem::{Kind, Problem};
use hongbao_domain::{Amount, Currency, Name, Reference, Withdrawal, WithdrawalState};
use hongbao_runtime::Tenant;
use hongbao_store::{End, Ended, Withdrawn};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list, withdraw))
        .routes(routes!(look))
        .routes(routes!(complete))
        .routes(routes!(cancel))
        .routes(routes!(held))
}

/// Money that is to leave a wallet.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount": 5000, "reference": "payout 2026-0417"}))]
struct NewWithdrawal {
    /// In minor units.
    #[schema(minimum = 1)]
    amount: u64,
    /// What the platform notes of it for itself, such as its bank's number: at most 256 bytes of UTF-8 without control
    /// characters. Shown again wherever the withdrawal is.
    #[schema(max_length = 256)]
    reference: Option<String>,
}

/// How a withdrawal stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = WithdrawalState)]
enum StateView {
    /// Out of the wallet, and not outside yet.
    Held,
    /// Outside.
    Completed,
    /// Back in the wallet.
    Cancelled,
}

/// Money that leaves, or was to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Withdrawal)]
struct WithdrawalView {
    #[schema(format = Uuid)]
    id: String,
    user: String,
    /// In minor units.
    amount: u64,
    /// What the platform noted of it.
    reference: String,
    state: StateView,
    /// Whether it is held for longer than the tenant's limit `withdrawal_ms`: somebody should ask what became of it.
    /// Nothing but a call ends it.
    hanging: bool,
    requested_at_ms: u64,
    /// When it was completed or cancelled; absent while it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at_ms: Option<u64>,
}

impl WithdrawalView {
    fn of(tenant: &Tenant, withdrawal: Withdrawal) -> Self {
        Self {
            hanging: tenant.is_hanging(&withdrawal),
            id: withdrawal.id.to_string(),
            user: withdrawal.user.into_string(),
            amount: withdrawal.amount.get(),
            reference: withdrawal.reference.as_str().to_owned(),
            state: match withdrawal.state {
                WithdrawalState::Held => StateView::Held,
                WithdrawalState::Completed => StateView::Completed,
                WithdrawalState::Cancelled => StateView::Cancelled,
            },
            requested_at_ms: withdrawal.requested_at_ms,
            ended_at_ms: withdrawal.ended_at_ms,
        }
    }
}

/// A withdrawal, and the wallet that it was taken from.
#[derive(Debug, Serialize, ToSchema)]
struct TakenOut {
    withdrawal: WithdrawalView,
    /// Without what was taken out.
    wallet: Wallet,
}

/// Take money out of a wallet
///
/// Needs the scope `withdraw`. The money is out of the wallet at once, and held until `complete` or `cancel` says what
/// became of it: have it paid out in between. The `Idempotency-Key` names the withdrawal for ever: sent again, it moves
/// nothing. For 24 hours the answer is the first one, and after that it tells how the withdrawal stands by then.
#[utoipa::path(post, path = "/v1/users/{user}/wallet/withdrawals", tag = "wallets", operation_id = "withdraw",
    params(("user" = String, Path),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = NewWithdrawal,
    responses((status = 201, description = "The withdrawal, and the wallet without it", body = TakenOut)))]
async fn withdraw(
    State(service): State<Service>,
    withdrawer: Withdrawer,
    Path(name): Path<String>,
    once: Once<NewWithdrawal>,
) -> Result<Response, Problem> {
    withdrawer.may_begin()?;
    let user = withdrawer.user(name)?;
    let tenant = withdrawer.tenant.clone();
    let act = move |new: NewWithdrawal, key: Name| async move {
        if new.amount == 0 {
            return Err(Problem::invalid("an amount must be at least 1"));
        }
        let amount = Amount::new(new.amount).map_err(|error| Problem::invalid(error.to_string()))?;
        let reference = Reference::new(new.reference.unwrap_or_default())
            .map_err(|error| Problem::invalid(format!("a reference {error}")))?;
        let (withdrawal, balance) = match tenant.withdraw(&user, amount, &key, reference).await? {
            Withdrawn::Held(withdrawal, balance) | Withdrawn::Replayed(withdrawal, balance) => {
                (withdrawal, balance)
            }
            Withdrawn::KeyReused => {
                let why = "this Idempotency-Key belongs to another withdrawal";
                return Err(Problem::new(Kind::KEY_REUSED, why));
            }
            Withdrawn::InsufficientFunds(balance) => {
                let holds = Currency::from(&tenant.policy()).show(balance.get());
                return Err(Problem::new(Kind::POOR, format!("the wallet holds {holds}")));
            }
        };
        let wallet = holds(&tenant, user, balance);
        let told = TakenOut { withdrawal: WithdrawalView::of(&tenant, withdrawal), wallet };
        Ok(Done::new(StatusCode::CREATED, &told))
    };
    once.run(&service, &withdrawer.caller, Some(withdrawer.tenant.id()), act).await
}

/// A user's withdrawals, the latest first
///
/// Needs the scope `member` or `withdraw`.
#[utoipa::path(get, path = "/v1/users/{user}/wallet/withdrawals", tag = "wallets", operation_id = "withdrawals",
    params(("user" = String, Path), Page),
    responses((status = 200, description = "A page of the user's withdrawals", body = Items<WithdrawalView>)))]
async fn list(
    State(service): State<Service>,
    Looker(member): Looker,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Told<Items<WithdrawalView>>, Problem> {
    let (user, limit) = (member.user(&service, name)?, page.limit()?);
    let before = page.before(|text| text.parse().ok())?;
    let found = member.tenant.withdrawals(&user, before, limit).await?;
    let view = |withdrawal| WithdrawalView::of(&member.tenant, withdrawal);
    Ok(Told(Items::page(found, limit, |withdrawal| withdrawal.id.to_string(), view)))
}

/// How a withdrawal stands
///
/// Needs the scope `member` or `withdraw`.
#[utoipa::path(get, path = "/v1/users/{user}/wallet/withdrawals/{withdrawal}", tag = "wallets",
    operation_id = "withdrawal", params(("user" = String, Path), ("withdrawal" = String, Path)),
    responses((status = 200, description = "The withdrawal", body = WithdrawalView)))]
async fn look(
    State(service): State<Service>,
    Looker(member): Looker,
    Path((name, id)): Path<(String, String)>,
) -> Result<Told<WithdrawalView>, Problem> {
    let (user, id) = (member.user(&service, name)?, withdrawal(&id)?);
    let found = member.tenant.withdrawal(&user, id).await?.ok_or_else(none)?;
    Ok(Told(WithdrawalView::of(&member.tenant, found)))
}

fn none() -> Problem {
    Problem::not_found("the user has no such withdrawal")
}

/// Say that a withdrawal was paid out
///
/// Needs the scope `withdraw`. It ends the withdrawal for ever: the money is outside. Asked again, the answer is the
/// same and nothing moves; where it was cancelled before, the answer is 409 `withdrawal-cancelled`. Taken also while
/// the tenant is suspended.
#[utoipa::path(post, path = "/v1/users/{user}/wallet/withdrawals/{withdrawal}/complete", tag = "wallets",
    operation_id = "complete_withdrawal", params(("user" = String, Path), ("withdrawal" = String, Path)),
    responses((status = 200, description = "The withdrawal, which is completed", body = WithdrawalView)))]
async fn complete(
    withdrawer: Withdrawer,
    Path((name, id)): Path<(String, String)>,
) -> Result<Told<WithdrawalView>, Problem> {
    end(&withdrawer, name, &id, End::Complete).await
}

/// Put what a withdrawal holds back into the wallet
///
/// Needs the scope `withdraw`. It ends the withdrawal for ever: only where the bank has not paid and never will. Asked
/// again, the answer is the same and nothing moves; where it was completed before, the answer is 409
/// `withdrawal-completed`. Where the wallet has no room for the money, the answer is 422 `refused` and the withdrawal
/// stays held. Taken also while the tenant is suspended.
#[utoipa::path(post, path = "/v1/users/{user}/wallet/withdrawals/{withdrawal}/cancel", tag = "wallets",
    operation_id = "cancel_withdrawal", params(("user" = String, Path), ("withdrawal" = String, Path)),
    responses((status = 200, description = "The withdrawal, which is cancelled", body = WithdrawalView)))]
async fn cancel(
    withdrawer: Withdrawer,
    Path((name, id)): Path<(String, String)>,
) -> Result<Told<WithdrawalView>, Problem> {
    end(&withdrawer, name, &id, End::Cancel).await
}

async fn end(
    withdrawer: &Withdrawer,
    name: String,
    id: &str,
    end: End,
) -> Result<Told<WithdrawalView>, Problem> {
    let (user, id, tenant) = (withdrawer.user(name)?, withdrawal(id)?, withdrawer.tenant.clone());
    // In a task of its own, so that a caller who hangs up changes nothing.
    let (acting, of) = (tenant.clone(), user);
    let ended = tokio::spawn(async move {
        match end {
            End::Complete => acting.complete_withdrawal(&of, id).await,
            End::Cancel => acting.cancel_withdrawal(&of, id).await,
        }
    });
    let lost = |_| Problem::new(Kind::INTERNAL, "the request was lost; ask again");
    match ended.await.map_err(lost)?? {
        Ended::Ended(found) | Ended::Already(found) => Ok(Told(WithdrawalView::of(&tenant, found))),
        Ended::Otherwise(_) => Err(match end {
            End::Complete => {
                Problem::new(Kind::CANCELLED, "it was cancelled; the money is in the wallet again")
            }
            End::Cancel => Problem::new(Kind::COMPLETED, "it was completed; the money is outside"),
        }),
        Ended::NotFound => Err(none()),
    }
}

/// Which withdrawals of a tenant are listed.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Listed {
    /// Those that have not ended.
    Held,
}

/// Which part of the list, the oldest first.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct HeldPage {
    /// How the withdrawals stand: `held`, also where it is left out. No other list is kept.
    #[param(inline)]
    state: Option<Listed>,
    /// How many at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u32>,
    /// The `next` of the page before.
    #[param(max_length = 128)]
    before: Option<String>,
}

/// Withdrawals of all users that are held, the oldest first
///
/// Needs the scope `withdraw`. What a platform goes through when it starts, and now and then: each of these waits for
/// `complete` or `cancel`.
#[utoipa::path(get, path = "/v1/withdrawals", tag = "wallets", operation_id = "held_withdrawals",
    params(HeldPage),
    responses((status = 200, description = "A page of withdrawals that are held", body = Items<WithdrawalView>)))]
async fn held(
    withdrawer: Withdrawer,
    Query(HeldPage { state, limit, before }): Query<HeldPage>,
) -> Result<Told<Items<WithdrawalView>>, Problem> {
    let Listed::Held = state.unwrap_or(Listed::Held);
    withdrawer.may_see_all()?;
    let page = Page::of(limit, before);
    let (limit, after) = (page.limit()?, page.before(|text| text.parse().ok())?);
    let found = withdrawer.tenant.held(after, limit).await?;
    let view = |withdrawal| WithdrawalView::of(&withdrawer.tenant, withdrawal);
    Ok(Told(Items::page(found, limit, |withdrawal| withdrawal.id.to_string(), view)))
}
