//! A chat whose alice can pay for what she sends, and what happens in it.

use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use hongbao_host::domain::{
    Amount, Grabbed, Opened, OpenedShare, PacketId, PacketKey, Policy, Request, Sent, Strategy, TenantId,
    UserId,
};
use hongbao_host::runtime::{CallError, Refunds};
use hongbao_host::store::memory::MemoryCounter;
use hongbao_host::store::sqlite::SqliteLedger;
use hongbao_tests::chat::{Chat, amount, request, user};
use tempfile::TempDir;

pub const SECOND_MS: u64 = 1_000;
pub const MINUTE_MS: u64 = 60 * SECOND_MS;
pub const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// What alice holds before she sends.
pub const FUNDED: u64 = 1_000_000;

/// A chat in memory.
pub async fn chat() -> Chat {
    funded(Chat::default()).await
}

/// The same chat, in which alice holds [`FUNDED`].
pub async fn funded(chat: Chat) -> Chat {
    fund(&chat, "alice", FUNDED).await;
    chat
}

/// A chat on the books of this directory, with a cache of its own: a process beside others, or after them.
pub fn filed(directory: &Path) -> Chat {
    let ledger = Arc::new(SqliteLedger::open(directory).unwrap());
    Chat::new(Arc::new(MemoryCounter::new()), ledger, Policy::default())
}

/// A chat on either ledger: in memory, and in a file of this directory. Nobody holds anything.
pub fn both() -> (TempDir, [Chat; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let chats = [Chat::default(), filed(directory.path())];
    (directory, chats)
}

/// Credits a wallet; gives what it holds now.
pub async fn fund(chat: &Chat, name: &str, minor: u64) -> u64 {
    chat.tenant.fund(&user(name), amount(minor)).await.unwrap().get()
}

/// A request by alice for shares that are known beforehand.
pub fn equal(total: u64, shares: u32) -> Request {
    Request { strategy: Some(Strategy::EQUAL), ..request(total, shares) }
}

/// The same request for a packet that lives so long.
pub fn lasting(request: Request, expires_in_ms: u64) -> Request {
    Request { expires_in_ms: Some(expires_in_ms), ..request }
}

/// The same request for a packet that is for these alone.
pub fn only(request: Request, names: &[&str]) -> Request {
    Request { to: users(names), ..request }
}

/// The same request under this key.
pub fn keyed(request: Request, key: &str) -> Request {
    Request { key: key.into(), ..request }
}

/// The same request by somebody else.
pub fn by(request: Request, name: &str) -> Request {
    Request { sender: user(name), ..request }
}

pub fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| user(name)).collect()
}

/// Sends a packet from what its sender holds.
pub async fn sent(chat: &Chat, request: Request) -> PacketId {
    match chat.try_send(request).await {
        Ok(Sent::Sent(packet)) => packet,
        other => panic!("the packet was not sent: {other:?}"),
    }
}

/// A seat and a share, for one who must get both; gives the amount.
pub async fn take(chat: &Chat, packet: PacketId, name: &str) -> u64 {
    assert_eq!(chat.grab(packet, name).await, Grabbed::Admitted, "{name}");
    match chat.open(packet, name).await {
        Opened::Opened(share) => share.amount.get(),
        other => panic!("{name} gets a share, but: {other:?}"),
    }
}

pub fn share(minor: u64, sequence: u32) -> OpenedShare {
    OpenedShare { amount: amount(minor), sequence }
}

pub fn opened_before(minor: u64) -> Grabbed {
    Grabbed::AlreadyOpened(amount(minor))
}

/// Lets time pass; then the host does what it does by itself. Gives how many leases ended, and the refunds.
pub async fn later(chat: &Chat, ms: u64) -> (u64, Refunds) {
    chat.clock.advance(ms);
    (chat.host.end_leases().await.unwrap(), chat.tenant.expire_due().await.unwrap())
}

/// What went back to senders while time passed; nothing else may have failed.
pub async fn refunded(chat: &Chat, ms: u64) -> Vec<(PacketKey, Amount)> {
    let (_, refunds) = later(chat, ms).await;
    assert!(refunds.failed.is_empty(), "{refunds:?}");
    refunds.refunded
}

/// A packet's refund, as a sweep tells of it.
pub fn refund(packet: PacketId, minor: u64) -> (PacketKey, Amount) {
    (PacketKey { tenant: TenantId::default(), packet }, amount(minor))
}

/// Settles whatever waits; gives whose wallet was credited by how much, in that order.
pub async fn settle(chat: &Chat) -> Vec<(String, u64)> {
    const AT_ONCE: u32 = 256;
    let mut credits = Vec::new();
    loop {
        let settled = chat.host.settle(AT_ONCE).await.unwrap();
        if settled.is_empty() {
            return credits;
        }
        credits.extend(settled.into_iter().map(|claim| (claim.user.as_str().to_owned(), claim.amount.get())));
    }
}

pub fn credit(name: &str, minor: u64) -> (String, u64) {
    (name.into(), minor)
}

/// Everything at once, each in a task of its own; gives the answers in the order of the questions.
pub async fn at_once<T, A>(asked: impl IntoIterator<Item = A>) -> Vec<T>
where
    T: Send + 'static,
    A: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = asked.into_iter().map(tokio::spawn).collect();
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

/// A tap of each of these users, all at once.
pub async fn grabs(chat: &Chat, packet: PacketId, names: &[String]) -> Vec<Result<Grabbed, CallError>> {
    at_once(names.iter().map(|name| {
        let (tenant, user) = (chat.tenant.clone(), user(name));
        async move { tenant.grab(packet, user).await }
    }))
    .await
}

/// An open of each of these users, all at once.
pub async fn opens(chat: &Chat, packet: PacketId, names: &[String]) -> Vec<Result<Opened, CallError>> {
    at_once(names.iter().map(|name| {
        let (tenant, user) = (chat.tenant.clone(), user(name));
        async move { tenant.open(packet, user).await }
    }))
    .await
}

/// So many names, in their order.
pub fn people(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("user-{number:05}")).collect()
}
