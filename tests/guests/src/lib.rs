//! What hostile guests have in common: they are the real plugin but for one misdeed.
//!
//! Each file in `examples/` is a guest. Natively they are only checked and linted; `tests/build.rs`
//! makes components of them.

use std::marker::PhantomData;

pub use hongbao_guest::bindings::exports::hongbao::plugin::chat::{
    Card, ChatManifest, Message, Presser, Reply,
};
pub use hongbao_guest::bindings::exports::hongbao::plugin::packets::{
    Grabbed, Opened, PluginManifest, Request, Task,
};
pub use hongbao_guest::bindings::exports::hongbao::plugin::{chat, packets};
pub use hongbao_guest::bindings::hongbao::plugin::ledger::{Audience, Claimed, Order, Recorded, Share};
pub use hongbao_guest::bindings::hongbao::plugin::types::{Failure, Status};
pub use hongbao_guest::bindings::hongbao::plugin::{clock, counter, entropy, ledger, log, users};
pub use hongbao_guest::{Imports, bindings};

/// A guest: whatever it does not say itself is done as the real plugin does it.
#[expect(missing_docs, reason = "each function is documented in wit/")]
pub trait Guest: 'static {
    fn manifest() -> PluginManifest {
        hongbao_guest::manifest()
    }
    fn send(request: Request) -> Result<(), String> {
        hongbao_guest::send(&Imports, &request)
    }
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        hongbao_guest::grab(&Imports, &tasks)
    }
    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        hongbao_guest::open(&Imports, &tasks)
    }
    fn preview(strategy: String, total: u64, shares: u32) -> Result<Vec<u64>, String> {
        hongbao_guest::preview(&Imports, &strategy, total, shares)
    }
    fn chat() -> ChatManifest {
        hongbao_guest::chat::manifest()
    }
    fn command(message: Message) -> Vec<Reply> {
        hongbao_guest::chat::command(&Imports, &message)
    }
    fn action(action: String, by: Vec<Presser>) -> Vec<Vec<Reply>> {
        hongbao_guest::chat::action(&Imports, &action, &by)
    }
}

/// A guest as the contract sees it.
pub struct Plugin<G>(PhantomData<G>);

impl<G: Guest> packets::Guest for Plugin<G> {
    fn manifest() -> PluginManifest {
        G::manifest()
    }
    fn send(request: Request) -> Result<(), String> {
        G::send(request)
    }
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        G::grab(tasks)
    }
    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        G::open(tasks)
    }
    fn preview(strategy: String, total: u64, shares: u32) -> Result<Vec<u64>, String> {
        G::preview(strategy, total, shares)
    }
}

impl<G: Guest> chat::Guest for Plugin<G> {
    fn manifest() -> ChatManifest {
        G::chat()
    }
    fn command(message: Message) -> Vec<Reply> {
        G::command(message)
    }
    fn action(action: String, by: Vec<Presser>) -> Vec<Vec<Reply>> {
        G::action(action, by)
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

/// How many users the tasks have.
#[must_use]
pub fn count(tasks: &[Task]) -> usize {
    tasks.iter().map(|task| task.users as usize).sum()
}

/// The name of the first user: it says which of its misdeeds a guest is to do.
#[must_use]
pub fn first() -> String {
    users::names(0).into_iter().next().unwrap_or_default()
}

/// The order that a request asks for, unchecked.
#[must_use]
pub fn order(request: &Request) -> Order {
    Order {
        strategy: request.strategy.clone().unwrap_or_else(|| "double-average".into()),
        total: request.total,
        shares: request.shares,
        max_share: 20_000,
        audience: match u32::try_from(request.to.len()) {
            Ok(to @ 1..) => Audience::Only((0..to).collect()),
            _ => Audience::Everyone,
        },
        greeting: request.greeting.clone(),
        expires_in_ms: request.expires_in_ms.unwrap_or(24 * 60 * 60 * 1000),
    }
}

/// Claims these shares of the call's first packet at its version, and says that they are opened whatever the ledger
/// says.
#[must_use]
pub fn claim(shares: &[Share]) -> Vec<Opened> {
    let version =
        ledger::load(&[0]).packets.into_iter().next().and_then(Result::ok).map_or(0, |state| state.version);
    let count = u32::try_from(shares.len()).unwrap_or(u32::MAX);
    let _ = ledger::claim(&[ledger::ClaimAttempt { packet: 0, version, shares: count }], shares);
    vec![Opened::Opened; shares.len()]
}

/// A share of the same amount for each of so many users.
#[must_use]
pub fn each(users: usize, amount: u64) -> Vec<Share> {
    (0..u32::try_from(users).unwrap_or(u32::MAX)).map(|user| Share { user, amount }).collect()
}
