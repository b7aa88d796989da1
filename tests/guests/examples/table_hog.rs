//! Lets its table grow without end.

#![expect(clippy::panic, reason = "on purpose")]

use hongbao_hostile_guests::{Grabbed, Guest, Task, component, count};

struct TableHog;

impl Guest for TableHog {
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        if grow() == usize::MAX {
            panic!("no table is large enough")
        } else {
            vec![Grabbed::Contended; count(&tasks)]
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
