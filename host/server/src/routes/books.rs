//! Routes for audits, reconciliation and the administration log of a tenant.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::access::{Admin, Operator, may_change};
use crate::input::{Json, Page, Query};
use crate::notes::noted;
use crate::output::{Items, Told};
use crate::problem::Problem;
use crate::quota::AuditPlace;
use hongbao_domain::Withdrawal;
use hongbao_runtime::{CounterMismatch, Overdue, Reconciliation};
use hongbao_store::{AdminEntry, Audit, Discrepancy};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(audit))
        .routes(routes!(reconcile))
        .routes(routes!(notes))
        .routes(routes!(all_notes))
}

/// The sums of a tenant's books, in minor units. A sum that is larger than 2^63 - 1 is told as that.
#[derive(Debug, Serialize, ToSchema)]
struct AuditView {
    /// Whether no cent was made or lost.
    is_conserved: bool,
    /// What came in from outside.
    funded: i64,
    /// Totals of all packets.
    sent: i64,
    claimed: i64,
    refunded: i64,
    /// What is left in all packets.
    remaining: i64,
    /// All wallets.
    wallets: i64,
    /// All escrow accounts.
    escrow: i64,
    /// Withdrawals that are held.
    held: i64,
    /// What went outside: withdrawals that were completed.
    withdrawn: i64,
    /// Claims that are not settled yet.
    unsettled: i64,
    packets: u64,
    claims: u64,
    movements: u64,
    /// What does not agree. Empty when all is well.
    discrepancies: Vec<DiscrepancyView>,
}

/// Two numbers of the books that should be one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Discrepancy)]
struct DiscrepancyView {
    /// What the numbers are about.
    subject: String,
    /// Which rule is broken.
    rule: String,
    expected: i64,
    found: i64,
}

fn narrow(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

impl From<Discrepancy> for DiscrepancyView {
    fn from(found: Discrepancy) -> Self {
        Self {
            subject: found.subject,
            rule: found.rule.to_owned(),
            expected: narrow(found.expected),
            found: narrow(found.found),
        }
    }
}

impl AuditView {
    fn of(audit: &Audit, discrepancies: Vec<Discrepancy>) -> Self {
        Self {
            is_conserved: audit.is_conserved() && discrepancies.is_empty(),
            funded: narrow(audit.funded),
            sent: narrow(audit.sent),
            claimed: narrow(audit.claimed),
            refunded: narrow(audit.refunded),
            remaining: narrow(audit.remaining),
            wallets: narrow(audit.wallets),
            escrow: narrow(audit.escrow),
            held: narrow(audit.held),
            withdrawn: narrow(audit.withdrawn),
            unsettled: narrow(audit.unsettled),
            packets: audit.packets,
            claims: audit.claims,
            movements: audit.movements,
            discrepancies: discrepancies.into_iter().map(DiscrepancyView::from).collect(),
        }
    }
}

/// Add up a tenant's books
///
/// Needs the scope `admin`. It reads all of the tenant's books: not a call for every minute.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/audit", tag = "books", operation_id = "audit",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The sums of the books, and what does not agree",
        body = AuditView)))]
async fn audit(State(service): State<Service>, admin: Admin) -> Result<Told<AuditView>, Problem> {
    let _place = place(&service, &admin)?;
    let audit = service.host().audit(admin.tenant.id()).await?;
    let discrepancies = service.host().verify(admin.tenant.id()).await?;
    Ok(Told(AuditView::of(&audit, discrepancies)))
}

/// Of a tenant's administrators one at a time reads all of its books. They cannot keep the operator from it.
fn place(service: &Service, admin: &Admin) -> Result<Option<AuditPlace>, Problem> {
    let is_operator = admin.caller.is_operator();
    (!is_operator).then(|| service.quotas().audit(admin.tenant.id())).transpose()
}

/// What a reconciliation shall do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reconcile {
    /// Whether counters that do not agree are forgotten, so that the next grab builds them again, and
    /// packets refunded that are long past their time. Money is only ever reported.
    repair: Option<bool>,
}

/// What a reconciliation found.
#[derive(Debug, Serialize, ToSchema)]
struct ReconciliationView {
    /// Whether everything agreed.
    is_clean: bool,
    /// Open packets that were looked at.
    packets: u64,
    /// Counters among them that the cache holds.
    counters: u64,
    /// Counters that did not agree.
    mismatches: Vec<MismatchView>,
    /// Packets that are past their time by more than a minute and were not refunded.
    overdue: Vec<OverdueView>,
    /// Withdrawals that are held for longer than the tenant's limit `withdrawal_ms`, the oldest first. Nothing ends
    /// them here.
    hanging: Vec<HangingView>,
    /// Money that does not agree.
    discrepancies: Vec<DiscrepancyView>,
}

/// A counter that did not agree with the ledger.
#[derive(Debug, Serialize, ToSchema)]
struct MismatchView {
    packet: String,
    /// Shares that nobody has claimed, by the ledger.
    unclaimed: u32,
    /// Slots and unopened seats, by the counter.
    counted: u32,
    /// Opened seats that are no claims, or of another amount, and claims without an opened seat.
    seats: u32,
    /// What the cache holds is no counter, and nothing was counted.
    is_damaged: bool,
    repaired: bool,
}

impl From<CounterMismatch> for MismatchView {
    fn from(found: CounterMismatch) -> Self {
        let CounterMismatch { packet, unclaimed, counted, seats, is_damaged, repaired } = found;
        Self { packet: packet.to_string(), unclaimed, counted, seats, is_damaged, repaired }
    }
}

/// A packet that should have been refunded.
#[derive(Debug, Serialize, ToSchema)]
struct OverdueView {
    packet: String,
    expired_at_ms: u64,
    /// What went back to the sender now.
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded: Option<u64>,
}

impl From<Overdue> for OverdueView {
    fn from(found: Overdue) -> Self {
        let (packet, expired_at_ms) = (found.packet.to_string(), found.expired_at_ms);
        Self { packet, expired_at_ms, refunded: found.refunded.map(|amount| amount.get()) }
    }
}

/// A withdrawal of which nobody has said for long what became of it.
#[derive(Debug, Serialize, ToSchema)]
struct HangingView {
    withdrawal: String,
    user: String,
    amount: u64,
    reference: String,
    requested_at_ms: u64,
}

impl From<Withdrawal> for HangingView {
    fn from(found: Withdrawal) -> Self {
        Self {
            withdrawal: found.id.to_string(),
            user: found.user.into_string(),
            amount: found.amount.get(),
            reference: found.reference.as_str().to_owned(),
            requested_at_ms: found.requested_at_ms,
        }
    }
}

impl From<Reconciliation> for ReconciliationView {
    fn from(found: Reconciliation) -> Self {
        Self {
            is_clean: found.is_clean(),
            packets: found.packets,
            counters: found.counters,
            mismatches: found.mismatches.into_iter().map(MismatchView::from).collect(),
            overdue: found.overdue.into_iter().map(OverdueView::from).collect(),
            hanging: found.hanging.into_iter().map(HangingView::from).collect(),
            discrepancies: found.discrepancies.into_iter().map(DiscrepancyView::from).collect(),
        }
    }
}

/// Compare everything that should agree
///
/// Needs the scope `admin`. Counters with the ledger, packets with the time, the books with themselves.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/reconcile", tag = "books", operation_id = "reconcile",
    params(("tenant" = String, Path)), request_body = Reconcile,
    responses((status = 200, description = "What was compared, and what did not agree",
        body = ReconciliationView)))]
async fn reconcile(
    State(service): State<Service>,
    admin: Admin,
    Json(Reconcile { repair }): Json<Reconcile>,
) -> Result<Told<ReconciliationView>, Problem> {
    let repair = repair.unwrap_or_default();
    if repair {
        admin.may_change(&service)?;
    }
    let tenant = admin.tenant.served()?.clone();
    let (place, by_operator) = (place(&service, &admin)?, admin.caller.is_operator());
    let act = async move {
        let _place = place;
        // The operator may suspend it meanwhile: what is found then is told, and left as it is.
        let may_repair = || repair && may_change(tenant.suspension(), by_operator).is_ok();
        Ok(tenant.reconcile_while(&may_repair).await?)
    };
    let subject = if repair { "with repair" } else { "without repair" };
    let found =
        noted(&service, &admin.caller, Some(admin.tenant.id()), "books.reconcile", subject, act).await?;
    Ok(Told(found.into()))
}

/// What an administrator did.
#[derive(Debug, Serialize, ToSchema)]
struct NoteView {
    at_ms: u64,
    /// The id of the API key; absent for somebody at the machine itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// Whom it concerns; absent for the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// Such as `key.create`.
    action: String,
    /// To what.
    subject: String,
    /// `ok`, or the code of the problem.
    outcome: String,
}

impl From<(u64, AdminEntry)> for NoteView {
    fn from((_, entry): (u64, AdminEntry)) -> Self {
        Self {
            at_ms: entry.at_ms,
            key: entry.by.map(|key| key.to_string()),
            tenant: entry.tenant.map(|tenant| tenant.as_str().to_owned()),
            action: entry.action,
            subject: entry.subject,
            outcome: entry.outcome,
        }
    }
}

/// What administrators did to a tenant, the latest first
///
/// Needs the scope `admin`.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/log", tag = "books", operation_id = "log",
    params(("tenant" = String, Path), Page),
    responses((status = 200, description = "A page of what administrators did to the tenant",
        body = Items<NoteView>)))]
async fn notes(
    State(service): State<Service>,
    admin: Admin,
    Query(page): Query<Page>,
) -> Result<Told<Items<NoteView>>, Problem> {
    let (limit, before) = (page.limit()?, page.before(|text| text.parse().ok())?);
    let found = service.registry().notes(Some(admin.tenant.id()), before, limit).await?;
    Ok(Told(Items::page(found, limit, |(place, _)| place.to_string(), NoteView::from)))
}

/// What administrators did, the latest first
///
/// Needs the scope `operator`.
#[utoipa::path(get, path = "/v1/log", tag = "books", operation_id = "service_log",
    params(Page),
    responses((status = 200, description = "A page of what administrators did", body = Items<NoteView>)))]
async fn all_notes(
    State(service): State<Service>,
    _operator: Operator,
    Query(page): Query<Page>,
) -> Result<Told<Items<NoteView>>, Problem> {
    let (limit, before) = (page.limit()?, page.before(|text| text.parse().ok())?);
    let found = service.registry().notes(None, before, limit).await?;
    Ok(Told(Items::page(found, limit, |(place, _)| place.to_string(), NoteView::from)))
}
