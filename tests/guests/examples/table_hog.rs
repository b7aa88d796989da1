//! Lets its table grow without end.

#![expect(clippy::panic, reason = "on purpose")]

use hongbao_hostile_guests::{Grabbed, Guest, PacketId, UserId, component};

struct TableHog;

impl Guest for TableHog {
    fn grab(_: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        if grow() == usize::MAX {
            panic!("no table is large enough")
        } else {
            vec![Grabbed::Contended; users.len()]
        }
    }
}

/// Rust knows of no tables. Where it lets memory grow by this much, `build.rs` puts a table.
#[cfg(target_arch = "wasm32")]
fn grow() -> usize {
    std::arch::wasm32::memory_grow::<0>(30_583)
}

#[cfg(not(target_arch = "wasm32"))]
fn grow() -> usize {
    usize::MAX
}

component!(TableHog);
