//! Routes for packets: send, grab, open, details, buttons.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::access::Member;
use crate::input::{Json, Path, packet};
use crate::model::chat::Replies;
use crate::model::packet::DetailsView;
use crate::once::{Done, Once};
use crate::output::Told;
use crate::problem::{Kind, Problem};
use hongbao_domain::{Currency, Grabbed, Opened, Presser, Request, SendError, Sent, Strategy, UserId};
use hongbao_runtime::Tenant;
use hongbao_store::StoreError;

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(send))
        .routes(routes!(details))
        .routes(routes!(grab))
        .routes(routes!(open))
        .routes(routes!(grab_and_open))
        .routes(routes!(act))
}

/// A packet as its sender asks for it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPacket {
    /// Where it is sent.
    #[schema(min_length = 1, max_length = 256)]
    room: String,
    /// Who pays.
    #[schema(min_length = 1, max_length = 256)]
    sender: String,
    /// The tenant's default where it is absent.
    strategy: Option<Strategy>,
    /// The whole packet, in minor units.
    #[schema(minimum = 1)]
    total: u64,
    /// How many shares.
    #[schema(minimum = 1)]
    shares: u32,
    /// Who may take a share; everybody where it is absent or empty.
    to: Option<Vec<String>>,
    /// Shown on the card.
    greeting: Option<String>,
    /// The tenant's default where it is absent.
    #[schema(minimum = 1)]
    expires_in_ms: Option<u64>,
}

/// A packet that was sent.
#[derive(Debug, Serialize, ToSchema)]
struct SentPacket {
    /// Its id, a UUID that sorts by the time of sending.
    #[schema(format = Uuid)]
    packet: String,
}

/// Send a packet
///
/// The sender's wallet is debited at once. The `Idempotency-Key` names the packet for ever: sent again,
/// also days later, it is the same packet.
#[utoipa::path(post, path = "/v1/packets", tag = "packets", operation_id = "send",
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = NewPacket,
    responses((status = 201, description = "The packet that was sent", body = SentPacket)))]
async fn send(
    State(service): State<Service>,
    member: Member,
    once: Once<NewPacket>,
) -> Result<Response, Problem> {
    let sender = member.user(&service, once.body.sender.clone())?;
    let tenant = member.tenant.clone();
    let act = move |new: NewPacket, key: hongbao_domain::Name| async move {
        let request = Request {
            key: key.into_string(),
            room: new.room,
            sender,
            strategy: new.strategy,
            total: new.total,
            shares: new.shares,
            to: users(new.to.unwrap_or_default())?,
            greeting: new.greeting.unwrap_or_default(),
            expires_in_ms: new.expires_in_ms,
        };
        let (Sent::Sent(id) | Sent::Replayed(id)) =
            tenant.send(request).await?.map_err(|error| refused(error, &tenant))?;
        Ok(Done::new(StatusCode::CREATED, &SentPacket { packet: id.to_string() }))
    };
    once.run(&service, &member.caller, Some(member.tenant.id()), act).await
}

fn users(names: Vec<String>) -> Result<Vec<UserId>, Problem> {
    names.into_iter().map(crate::access::user).collect()
}

fn refused(error: SendError, tenant: &Tenant) -> Problem {
    match error {
        SendError::InvalidArgument(why) => Problem::invalid(why),
        SendError::KeyReused => {
            Problem::new(Kind::KEY_REUSED, "this Idempotency-Key belongs to another packet")
        }
        SendError::InsufficientFunds(balance) => {
            let balance = Currency::from(&tenant.policy()).show(balance.get());
            Problem::new(Kind::POOR, format!("the wallet holds {balance}"))
        }
        SendError::Busy => Problem::new(Kind::BUSY, "a store is overloaded; the packet was not sent"),
        SendError::Unavailable => {
            Problem::new(Kind::UNAVAILABLE, "whether it was sent is unknown; ask again")
        }
        SendError::Refused(why) => Problem::new(Kind::REFUSED, why),
        SendError::Damaged(what) => StoreError::Corrupt(what).into(),
        SendError::Other(why) => Problem::new(Kind::PLUGIN_FAILED, why),
    }
}

/// Look at a packet
#[utoipa::path(get, path = "/v1/packets/{packet}", tag = "packets", operation_id = "details",
    params(("packet" = String, Path)),
    responses((status = 200, description = "The packet and its claims", body = DetailsView)))]
async fn details(member: Member, Path(id): Path<String>) -> Result<Told<DetailsView>, Problem> {
    let id = packet(&id)?;
    let details = member.tenant.details(id).await?;
    let now_ms = member.tenant.now_ms();
    details.map(|details| Told(DetailsView::of(id, details, now_ms))).ok_or_else(no_packet)
}

fn no_packet() -> Problem {
    Problem::not_found("there is no such packet")
}

/// Who taps.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Tap {
    /// On whose behalf.
    #[schema(min_length = 1, max_length = 256)]
    user: String,
}

/// What came of a tap.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// Holds a seat now and may open.
    Admitted,
    /// Held a seat before and may open.
    AlreadyGrabbed,
    /// Lost the race too often, or the cache is away: may open, and the ledger decides.
    Contended,
    /// Claimed now, for good.
    Opened,
    /// Has opened it before.
    AlreadyOpened,
    /// Holds no seat, or its lease has ended: grab first.
    NotGrabbed,
    /// No share is left, or all that are left are taken by others for the moment.
    Exhausted,
    /// Past its time.
    Expired,
    /// Not meant for this user.
    NotEligible,
}

/// An answer to a tap.
#[derive(Debug, Serialize, ToSchema)]
struct Tapped {
    outcome: Outcome,
    /// Whether opening makes sense now.
    may_open: bool,
    /// The user's share, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<u64>,
    /// Place in the order of claiming, from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u32>,
}

impl Tapped {
    const fn only(outcome: Outcome) -> Self {
        Self { outcome, may_open: false, amount: None, sequence: None }
    }

    const fn may_open(outcome: Outcome) -> Self {
        Self { may_open: true, ..Self::only(outcome) }
    }
}

fn grabbed(answer: Grabbed) -> Result<Tapped, Problem> {
    Ok(match answer {
        Grabbed::NotFound => return Err(no_packet()),
        Grabbed::Busy => {
            return Err(Problem::new(Kind::BUSY, "a store is overloaded; no seat was taken"));
        }
        Grabbed::Unavailable => return Err(Problem::new(Kind::UNAVAILABLE, "a store does not answer")),
        Grabbed::NotEligible => Tapped::only(Outcome::NotEligible),
        Grabbed::AlreadyOpened(amount) => {
            Tapped { amount: Some(amount.get()), ..Tapped::only(Outcome::AlreadyOpened) }
        }
        Grabbed::Expired => Tapped::only(Outcome::Expired),
        Grabbed::Exhausted => Tapped::only(Outcome::Exhausted),
        Grabbed::AlreadyGrabbed => Tapped::may_open(Outcome::AlreadyGrabbed),
        Grabbed::Admitted => Tapped::may_open(Outcome::Admitted),
        Grabbed::Contended => Tapped::may_open(Outcome::Contended),
    })
}

fn opened(answer: Opened) -> Result<Tapped, Problem> {
    let with = |outcome, share: hongbao_domain::OpenedShare| Tapped {
        amount: Some(share.amount.get()),
        sequence: Some(share.sequence),
        ..Tapped::only(outcome)
    };
    Ok(match answer {
        Opened::NotFound => return Err(no_packet()),
        Opened::Busy => return Err(Problem::new(Kind::BUSY, "nothing was claimed and the seat stays")),
        Opened::Unavailable => {
            return Err(Problem::new(Kind::UNAVAILABLE, "the ledger does not answer; the seat stays"));
        }
        Opened::AlreadyOpened(share) => with(Outcome::AlreadyOpened, share),
        Opened::Opened(share) => with(Outcome::Opened, share),
        Opened::Expired => Tapped::only(Outcome::Expired),
        Opened::NotGrabbed => Tapped::only(Outcome::NotGrabbed),
        Opened::Exhausted => Tapped::only(Outcome::Exhausted),
    })
}

/// Grab: take a seat
///
/// Asks the cache alone. Sent again, it takes no second seat.
#[utoipa::path(post, path = "/v1/packets/{packet}/grab", tag = "packets", operation_id = "grab",
    params(("packet" = String, Path)), request_body = Tap,
    responses((status = 200, description = "What came of the tap", body = Tapped)))]
async fn grab(
    State(service): State<Service>,
    member: Member,
    Path(id): Path<String>,
    Json(tap): Json<Tap>,
) -> Result<Told<Tapped>, Problem> {
    let (id, user) = (packet(&id)?, member.user(&service, tap.user)?);
    grabbed(member.tenant.grab(id, user).await?).map(Told)
}

/// Open: claim a share
///
/// The amount is drawn at this moment. Sent again, it tells the same amount.
#[utoipa::path(post, path = "/v1/packets/{packet}/open", tag = "packets", operation_id = "open",
    params(("packet" = String, Path)), request_body = Tap,
    responses((status = 200, description = "What came of the tap", body = Tapped)))]
async fn open(
    State(service): State<Service>,
    member: Member,
    Path(id): Path<String>,
    Json(tap): Json<Tap>,
) -> Result<Told<Tapped>, Problem> {
    let (id, user) = (packet(&id)?, member.user(&service, tap.user)?);
    opened(member.tenant.open(id, user).await?).map(Told)
}

/// Grab and open in one call
///
/// Opens where the grab led to a seat; otherwise tells what the grab told.
#[utoipa::path(post, path = "/v1/packets/{packet}/grab-and-open", tag = "packets",
    operation_id = "grab_and_open",
    params(("packet" = String, Path)), request_body = Tap,
    responses((status = 200, description = "What came of the taps", body = Tapped)))]
async fn grab_and_open(
    State(service): State<Service>,
    member: Member,
    Path(id): Path<String>,
    Json(tap): Json<Tap>,
) -> Result<Told<Tapped>, Problem> {
    let (id, user) = (packet(&id)?, member.user(&service, tap.user)?);
    let seat = member.tenant.grab(id, user.clone()).await?;
    if !seat.may_open() {
        return grabbed(seat).map(Told);
    }
    opened(member.tenant.open(id, user).await?).map(Told)
}

/// Who presses a button.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Press {
    /// On whose behalf.
    #[schema(min_length = 1, max_length = 256)]
    user: String,
    /// The user's language, as a BCP 47 tag or however the platform has it, such as `zh_CN.UTF-8`.
    #[schema(max_length = 64)]
    language: Option<String>,
}

/// Press a button of a packet's card
///
/// The plugin answers. `show` is a button that every plugin knows: it gives the room's card about the
/// packet as it stands now.
#[utoipa::path(post, path = "/v1/packets/{packet}/actions/{action}", tag = "chat", operation_id = "press",
    params(("packet" = String, Path), ("action" = String, Path)), request_body = Press,
    responses((status = 200, description = "The plugin's replies", body = Replies)))]
async fn act(
    State(service): State<Service>,
    member: Member,
    path: Path<(String, String)>,
    Json(press): Json<Press>,
) -> Result<Told<Replies>, Problem> {
    let Path((id, action)) = path;
    let (id, user) = (packet(&id)?, member.user(&service, press.user)?);
    let by = Presser { user, language: press.language.unwrap_or_default() };
    Ok(Told(member.tenant.action(id, action, by).await?.into()))
}
