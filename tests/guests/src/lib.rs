//! What hostile guests have in common: they are the real plugin but for one misdeed.
//!
//! Each file in `examples/` is a guest. Natively they are only checked and linted; `tests/build.rs`
//! makes components of them.

use std::marker::PhantomData;

pub use hongbao_guest::bindings::exports::hongbao::plugin::chat::{
    Card, Message, PluginManifest, Press, Reply,
};
pub use hongbao_guest::bindings::exports::hongbao::plugin::packets::{
    Expired, Grabbed, Opened, OpenedShare, PacketDetails, Request, SendError, Sent,
};
pub use hongbao_guest::bindings::exports::hongbao::plugin::{allocation, chat, packets};
pub use hongbao_guest::bindings::hongbao::plugin::ledger::{Order, Priority, Recorded, Share};
pub use hongbao_guest::bindings::hongbao::plugin::types::{
    Audience, Error, PacketId, Status, Strategy, UserId,
};
pub use hongbao_guest::bindings::hongbao::plugin::{clock, counter, entropy, ledger, log};
pub use hongbao_guest::{Imports, bindings};

/// A guest: whatever it does not say itself is done as the real plugin does it.
#[expect(missing_docs, reason = "each function is documented in wit/")]
pub trait Guest: 'static {
    fn send(request: Request) -> Result<Sent, SendError> {
        hongbao_guest::send(&Imports, request)
    }
    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        hongbao_guest::grab(&Imports, packet, &users)
    }
    fn open(packet: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        hongbao_guest::open(&Imports, packet, &users)
    }
    fn expire(packet: PacketId) -> Result<Expired, Error> {
        hongbao_guest::expire(&Imports, packet)
    }
    fn details(packet: PacketId) -> Result<Option<PacketDetails>, Error> {
        hongbao_guest::details(&Imports, packet)
    }
    fn preview(strategy: Strategy, total: u64, shares: u32) -> Result<Vec<u64>, String> {
        hongbao_guest::preview(&Imports, strategy, total, shares)
    }
    fn manifest() -> PluginManifest {
        hongbao_guest::chat::manifest()
    }
    fn command(message: Message) -> Vec<Reply> {
        hongbao_guest::chat::command(&Imports, &message)
    }
    fn action(press: Press) -> Vec<Vec<Reply>> {
        hongbao_guest::chat::action(&Imports, &press)
    }
}

/// A guest as the contract sees it.
pub struct Plugin<G>(PhantomData<G>);

impl<G: Guest> packets::Guest for Plugin<G> {
    fn send(request: Request) -> Result<Sent, SendError> {
        G::send(request)
    }
    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        G::grab(packet, users)
    }
    fn open(packet: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        G::open(packet, users)
    }
    fn expire(packet: PacketId) -> Result<Expired, Error> {
        G::expire(packet)
    }
    fn details(packet: PacketId) -> Result<Option<PacketDetails>, Error> {
        G::details(packet)
    }
}

impl<G: Guest> allocation::Guest for Plugin<G> {
    fn preview(strategy: Strategy, total: u64, shares: u32) -> Result<Vec<u64>, String> {
        G::preview(strategy, total, shares)
    }
}

impl<G: Guest> chat::Guest for Plugin<G> {
    fn manifest() -> PluginManifest {
        G::manifest()
    }
    fn command(message: Message) -> Vec<Reply> {
        G::command(message)
    }
    fn action(press: Press) -> Vec<Vec<Reply>> {
        G::action(press)
    }
}

/// Makes a component of a [`Guest`].
#[macro_export]
macro_rules! component {
    ($guest:ident) => {
        fn main() {}

        /// The functions of the canonical ABI, which are unsafe by nature and mean something to
        /// WebAssembly alone.
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        mod exports {
            type Plugin = $crate::Plugin<super::$guest>;
            $crate::bindings::export!(Plugin with_types_in $crate::bindings);
        }

        #[cfg(not(target_arch = "wasm32"))]
        const _: $crate::Plugin<$guest> = $crate::Plugin::<$guest>::CHECKED;
    };
}

impl<G: Guest> Plugin<G> {
    /// That it is a guest, for builds which make no component of it.
    pub const CHECKED: Self = Self(PhantomData);
}

/// The name of the first user: it says which of its misdeeds a guest is to do.
#[must_use]
pub fn first(users: &[UserId]) -> &str {
    users.first().map_or("", String::as_str)
}

/// The order that a request asks for, unchecked.
#[must_use]
pub fn order(request: &Request) -> Order {
    Order {
        key: request.key.clone(),
        room: request.room.clone(),
        sender: request.sender.clone(),
        strategy: request.strategy.unwrap_or(Strategy::DoubleAverage),
        total: request.total,
        shares: request.shares,
        audience: if request.to.is_empty() { Audience::Everyone } else { Audience::Only(request.to.clone()) },
        greeting: request.greeting.clone(),
        expires_in_ms: request.expires_in_ms.unwrap_or(24 * 60 * 60 * 1000),
    }
}

/// Records an order and tells what the ledger says of it.
///
/// # Errors
/// What the ledger refuses.
pub fn record(order: &Order) -> Result<Sent, SendError> {
    match ledger::record(order) {
        Ok(Recorded::Recorded(receipt)) => Ok(Sent::Sent(receipt.id)),
        Ok(Recorded::Replayed(receipt)) => Ok(Sent::Replayed(receipt.id)),
        Ok(Recorded::KeyReused) => Err(SendError::KeyReused),
        Ok(Recorded::InsufficientFunds(held)) => Err(SendError::InsufficientFunds(held)),
        Err(Error::Busy) => Err(SendError::Busy),
        Err(Error::Unavailable) => Err(SendError::Unavailable),
        Err(Error::Other(why)) => Err(SendError::Other(why)),
    }
}

/// Claims these shares at the packet's version, and tells of them whatever the ledger says.
#[must_use]
pub fn claim(packet: PacketId, shares: &[(&str, u64)], priority: Priority) -> Vec<Opened> {
    let version = ledger::load(packet, &[]).ok().flatten().map_or(0, |loaded| loaded.packet.version);
    let share = |(user, amount): &(&str, u64)| Share { user: (*user).into(), amount: *amount, priority };
    let claimed = ledger::claim(packet, version, &shares.iter().map(share).collect::<Vec<_>>());
    let first = match claimed {
        Ok(ledger::Claimed::Committed(first)) => first,
        _ => 1,
    };
    let told = (first..).zip(shares);
    told.map(|(sequence, (_, amount))| Opened::Opened(OpenedShare { amount: *amount, sequence })).collect()
}
