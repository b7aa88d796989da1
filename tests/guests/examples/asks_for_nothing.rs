//! Asks for nothing, and goes on to ask the cache and the ledger all the same.

use hongbao_hostile_guests::{Guest, PluginManifest, component};

struct AsksForNothing;

impl Guest for AsksForNothing {
    fn manifest() -> PluginManifest {
        PluginManifest { asks: Vec::new(), ..hongbao_guest::chat::manifest() }
    }
}

component!(AsksForNothing);
