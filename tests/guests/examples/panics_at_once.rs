//! Panics in `manifest`, before it has served anybody.

#![expect(clippy::panic, reason = "on purpose")]

use hongbao_hostile_guests::{Guest, PluginManifest, component};

struct PanicsAtOnce;

impl Guest for PanicsAtOnce {
    fn manifest() -> PluginManifest {
        panic!("on purpose")
    }
}

component!(PanicsAtOnce);
