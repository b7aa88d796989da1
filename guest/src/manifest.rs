//! The manifest of this plugin.

use crate::allocation::Strategy;
use crate::bindings::exports::hongbao::plugin::packets::{self, PluginManifest};

/// The name, the version and the strategies.
#[must_use]
pub fn manifest() -> PluginManifest {
    let strategy = |(_, name, description): (Strategy, &str, &str)| packets::Strategy {
        name: name.into(),
        description: description.into(),
        parameters: Vec::new(),
    };
    PluginManifest {
        name: "hongbao".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        strategies: Strategy::ALL.into_iter().map(strategy).collect(),
    }
}
