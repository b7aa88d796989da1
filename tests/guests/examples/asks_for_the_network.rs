//! Asks for what there is not.

use hongbao_hostile_guests::{Guest, PluginManifest, component};

struct AsksForTheNetwork;

impl Guest for AsksForTheNetwork {
    fn manifest() -> PluginManifest {
        PluginManifest { asks: vec!["ledger".into(), "network".into()], ..hongbao_guest::chat::manifest() }
    }
}

component!(AsksForTheNetwork);
