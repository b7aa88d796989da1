//! The demo's packets and their results.

use serde::Serialize;

use crate::exit::InputError;
use crate::view::{DetailsView, RefundView};
use hongbao_domain::{Amount, PacketId, Priority, Request, SendError, Sent, Strategy, UserId};
use hongbao_runtime::{CallError, Host, Tenant};

/// A packet of the demo.
pub(super) struct SentPacket {
    pub(super) id: PacketId,
    pub(super) title: &'static str,
    pub(super) total: u64,
    pub(super) shares: u32,
    pub(super) strategy: Strategy,
    /// One user in so many taps it: 1 is everybody.
    pub(super) one_in: u32,
}

struct Plan {
    title: &'static str,
    sender: &'static str,
    greeting: &'static str,
    strategy: Strategy,
    total: u64,
    shares: u32,
    to: u32,
    one_in: u32,
}

fn plans() -> [Plan; 6] {
    let plan = |title, sender, greeting, strategy, total, shares| Plan {
        title,
        sender,
        greeting,
        strategy,
        total,
        shares,
        to: 0,
        one_in: 1,
    };
    let lucky = Strategy::DOUBLE_AVERAGE;
    let exclusive = plan("Exclusive", "auntie-zhang", "只给你们 · Just for you", lucky.clone(), 2_024, 3);
    let forgotten = plan("Forgotten", "cousin-wu", "早点睡 · Sleep early", lucky.clone(), 6_600, 50);
    [
        plan("Lucky", "grandma", "新年快乐 · Happy New Year", lucky, 100_000, 100),
        plan("Small", "little-chen", "心意到了 · It's the thought", Strategy::WECHAT_OBSERVED, 60, 15),
        plan("Equal", "boss-wang", "恭喜发财 · Prosperity", Strategy::EQUAL, 8_880, 10),
        plan("Large", "uncle-li", "大吉大利 · Great fortune", Strategy::LINE_CUT, 80_000, 5),
        Plan { to: 3, ..exclusive },
        // Tapped by few, and left to expire.
        Plan { one_in: 60, ..forgotten },
    ]
}

/// The name of the n-th of the crowd.
pub(super) fn user(number: u32) -> Result<UserId, InputError> {
    const NAMES: [&str; 16] = [
        "mei", "jun", "lan", "wei", "xiu", "tao", "ying", "bo", "hua", "ming", "jie", "fang", "hao", "yun",
        "ping", "ning",
    ];
    let name = NAMES.get(number as usize % NAMES.len()).copied().unwrap_or("user");
    UserId::new(format!("{name}-{number:03}")).map_err(|error| InputError::Invalid(error.to_string()))
}

/// Funds the senders and sends every packet.
pub(super) async fn send_all(tenant: &Tenant, users: u32) -> anyhow::Result<Vec<SentPacket>> {
    let mut sent = Vec::new();
    for plan in plans() {
        let sender = UserId::new(plan.sender)?;
        tenant.fund(&sender, Amount::new(plan.total)?).await?;
        let plan = Plan { strategy: known(tenant, plan.strategy), ..plan };
        let id = send(tenant, &plan, sender, users).await?;
        let Plan { title, total, shares, strategy, one_in, .. } = plan;
        sent.push(SentPacket { id, title, total, shares, strategy, one_in });
    }
    Ok(sent)
}

/// A strategy, or the plugin's own where it does not have this one.
fn known(tenant: &Tenant, strategy: Strategy) -> Strategy {
    tenant.manifest().strategies.default_of(&strategy)
}

async fn send(tenant: &Tenant, plan: &Plan, sender: UserId, users: u32) -> anyhow::Result<PacketId> {
    let named = (0..plan.to).map(|index| user(index * users / plan.to.max(1)));
    let request = Request {
        key: format!("demo-{}-{:016x}", plan.title, getrandom::u64()?),
        room: "family".into(),
        sender,
        strategy: Some(plan.strategy.clone()),
        total: plan.total,
        shares: plan.shares,
        to: named.collect::<Result<_, _>>()?,
        greeting: plan.greeting.into(),
        expires_in_ms: None,
    };
    match tenant.send(request).await? {
        Ok(Sent::Sent(id) | Sent::Replayed(id)) => Ok(id),
        Err(SendError::Busy) => Err(CallError::Overloaded.into()),
        Err(SendError::Unavailable) => Err(CallError::Unavailable.into()),
        Err(error) => Err(InputError::Invalid(format!("{} was not sent: {error:?}", plan.title)).into()),
    }
}

/// A packet and its claims.
#[derive(Serialize)]
pub(super) struct PacketView {
    pub(super) title: &'static str,
    pub(super) packet: String,
    #[serde(flatten)]
    pub(super) details: DetailsView,
}

pub(super) async fn look(tenant: &Tenant, packet: &SentPacket) -> anyhow::Result<PacketView> {
    let details = tenant.details(packet.id).await?;
    let details = details.ok_or_else(|| InputError::Invalid(format!("packet {} is gone", packet.id)))?;
    Ok(PacketView { title: packet.title, packet: packet.id.to_string(), details: details.into() })
}

/// What settlement did.
#[derive(Default, Serialize)]
pub(super) struct SettlementView {
    pub(super) settled: u64,
    pub(super) large: u64,
    pub(super) amount: u64,
    /// Whether every large claim came before every normal one.
    pub(super) large_first: bool,
}

pub(super) async fn settle(host: &Host) -> anyhow::Result<SettlementView> {
    let mut view = SettlementView { large_first: true, ..SettlementView::default() };
    loop {
        let settled = host.settle(256).await?;
        if settled.is_empty() {
            return Ok(view);
        }
        for claim in settled {
            let is_large = claim.priority == Priority::Large;
            view.large_first &= !is_large || view.large == view.settled;
            view.settled += 1;
            view.large += u64::from(is_large);
            view.amount += claim.amount.get();
        }
    }
}

pub(super) async fn refund(tenant: &Tenant) -> anyhow::Result<Vec<RefundView>> {
    let refunds = tenant.expire_due().await?;
    if let Some((_, error)) = refunds.failed.into_iter().next() {
        return Err(error.into());
    }
    Ok(refunds.refunded.into_iter().map(RefundView::from).collect())
}
