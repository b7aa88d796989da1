//! Routes for a user's wallet and lists.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::access::{Funder, Member, user};
use crate::input::{Page, Path, Query};
use crate::model::packet::PacketView;
use crate::once::{Done, Once};
use crate::output::{Items, Told};
use crate::problem::{Kind, Problem};
use hongbao_domain::{Amount, MovementKind, Name, PacketId, UserId};
use hongbao_runtime::Tenant;
use hongbao_store::{Entry, Funded, Place, Received};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(wallet))
        .routes(routes!(statement))
        .routes(routes!(fund))
        .routes(routes!(sent))
        .routes(routes!(received))
}

/// What a user has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Wallet {
    user: String,
    /// In minor units. A share reaches it within a second of its claim.
    balance: u64,
    /// ISO 4217 code.
    currency: String,
    /// Digits after the decimal point when amounts are written.
    currency_digits: u8,
}

pub(super) fn holds(tenant: &Tenant, user: UserId, balance: Amount) -> Wallet {
    let policy = tenant.policy();
    let (currency, currency_digits) = (policy.currency, policy.currency_digits);
    Wallet { user: user.into_string(), balance: balance.get(), currency, currency_digits }
}

/// What a wallet holds
#[utoipa::path(get, path = "/v1/users/{user}/wallet", tag = "wallets", operation_id = "wallet",
    params(("user" = String, Path)),
    responses((status = 200, description = "What the wallet holds", body = Wallet)))]
async fn wallet(
    State(service): State<Service>,
    member: Member,
    Path(name): Path<String>,
) -> Result<Told<Wallet>, Problem> {
    let user = member.user(&service, name)?;
    let balance = member.tenant.balance(&user).await?;
    Ok(Told(holds(&member.tenant, user, balance)))
}

/// What comes into a wallet from outside.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Funds {
    /// In minor units.
    #[schema(minimum = 1)]
    amount: u64,
}

/// Credit a wallet from outside
///
/// Needs the scope `fund`. The `Idempotency-Key` names the funding for ever: sent again, also days
/// later, it moves nothing.
#[utoipa::path(post, path = "/v1/users/{user}/wallet/funds", tag = "wallets", operation_id = "fund",
    params(("user" = String, Path),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = Funds,
    responses((status = 201, description = "The wallet, with the funding in it", body = Wallet)))]
async fn fund(
    State(service): State<Service>,
    funder: Funder,
    Path(name): Path<String>,
    once: Once<Funds>,
) -> Result<Response, Problem> {
    let user = user(name)?;
    let tenant = funder.tenant.clone();
    let act = move |funds: Funds, key: Name| async move {
        if funds.amount == 0 {
            return Err(Problem::invalid("an amount must be at least 1"));
        }
        let amount = Amount::new(funds.amount).map_err(|error| Problem::invalid(error.to_string()))?;
        let balance = match tenant.fund_once(&user, amount, &key).await? {
            Funded::Funded(balance) | Funded::Replayed(balance) => balance,
            Funded::KeyReused => {
                return Err(Problem::new(
                    Kind::KEY_REUSED,
                    "this Idempotency-Key belongs to another funding",
                ));
            }
        };
        Ok(Done::new(StatusCode::CREATED, &holds(&tenant, user, balance)))
    };
    once.run(&service, &funder.caller, Some(funder.tenant.id()), act).await
}

/// What a movement was for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum EntryKind {
    /// Came from outside.
    Funded,
    /// Went into a packet.
    Sent,
    /// A share.
    Received,
    /// What was left of a packet.
    Refunded,
    /// Was taken out, to go outside.
    Withdrawn,
    /// Came back, since a withdrawal was cancelled.
    Cancelled,
}

/// A movement of a wallet.
#[derive(Debug, Serialize, ToSchema)]
struct EntryView {
    /// Its place in the books.
    id: u64,
    kind: EntryKind,
    /// In minor units; what went out is negative.
    amount: i64,
    /// Which packet it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<String>,
    /// Which withdrawal it belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawal: Option<String>,
    at_ms: u64,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let kind = match entry.kind {
            MovementKind::Fund => EntryKind::Funded,
            MovementKind::Send => EntryKind::Sent,
            MovementKind::Settle => EntryKind::Received,
            MovementKind::Refund => EntryKind::Refunded,
            // A completion is on no statement, since it moves no wallet.
            MovementKind::Withdraw | MovementKind::Complete => EntryKind::Withdrawn,
            MovementKind::Cancel => EntryKind::Cancelled,
        };
        let packet = entry.packet.map(|packet| packet.to_string());
        let withdrawal = entry.withdrawal.map(|withdrawal| withdrawal.to_string());
        Self { id: entry.id, kind, amount: entry.amount, packet, withdrawal, at_ms: entry.at_ms }
    }
}

/// A wallet's movements, the latest first
#[utoipa::path(get, path = "/v1/users/{user}/wallet/statement", tag = "wallets", operation_id = "statement",
    params(("user" = String, Path), Page),
    responses((status = 200, description = "A page of the wallet's movements", body = Items<EntryView>)))]
async fn statement(
    State(service): State<Service>,
    member: Member,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Told<Items<EntryView>>, Problem> {
    let (user, limit) = (member.user(&service, name)?, page.limit()?);
    let before = page.before(|text| text.parse().ok())?;
    let found = member.tenant.statement(&user, before, limit).await?;
    Ok(Told(Items::page(found, limit, |entry| entry.id.to_string(), EntryView::from)))
}

/// Packets that a user sent, the latest first
#[utoipa::path(get, path = "/v1/users/{user}/sent", tag = "packets", operation_id = "sent",
    params(("user" = String, Path), Page),
    responses((status = 200, description = "A page of packets that the user sent",
        body = Items<PacketView>)))]
async fn sent(
    State(service): State<Service>,
    member: Member,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Told<Items<PacketView>>, Problem> {
    let (user, limit) = (member.user(&service, name)?, page.limit()?);
    let before = page.before(|text| text.parse().ok())?;
    let found = member.tenant.sent_by(&user, before, limit).await?;
    let now_ms = member.tenant.now_ms();
    let place = |(id, _): &(PacketId, _)| id.to_string();
    Ok(Told(Items::page(found, limit, place, |(id, packet)| PacketView::of(id, packet, now_ms))))
}

/// A share that a user has.
#[derive(Debug, Serialize, ToSchema)]
struct ReceivedView {
    /// Of this packet.
    #[schema(format = Uuid)]
    packet: String,
    /// Where it was sent.
    room: String,
    /// Who sent it.
    sender: String,
    greeting: String,
    amount: u64,
    /// Place in the order of claiming, from 1.
    sequence: u32,
    claimed_at_ms: u64,
}

impl From<Received> for ReceivedView {
    fn from(received: Received) -> Self {
        Self {
            packet: received.packet.to_string(),
            room: received.room.into_string(),
            sender: received.sender.into_string(),
            greeting: received.greeting,
            amount: received.claim.amount.get(),
            sequence: received.claim.sequence,
            claimed_at_ms: received.claim.claimed_at_ms,
        }
    }
}

/// Shares that a user has, the latest first
#[utoipa::path(get, path = "/v1/users/{user}/received", tag = "packets", operation_id = "received",
    params(("user" = String, Path), Page),
    responses((status = 200, description = "A page of shares that the user has",
        body = Items<ReceivedView>)))]
async fn received(
    State(service): State<Service>,
    member: Member,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Told<Items<ReceivedView>>, Problem> {
    let (user, limit) = (member.user(&service, name)?, page.limit()?);
    let before = page.before(read_place)?;
    let found = member.tenant.received_by(&user, before, limit).await?;
    let place = |received: &Received| format!("{}_{}", received.claim.claimed_at_ms, received.packet);
    Ok(Told(Items::page(found, limit, place, ReceivedView::from)))
}

fn read_place(text: &str) -> Option<Place> {
    let (claimed_at_ms, packet) = text.split_once('_')?;
    Some(Place { claimed_at_ms: claimed_at_ms.parse().ok()?, packet: packet.parse().ok()? })
}
