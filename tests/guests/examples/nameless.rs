//! Is called what no plugin can be called.

use hongbao_hostile_guests::{Guest, PluginManifest, component};

struct Nameless;

impl Guest for Nameless {
    fn manifest() -> PluginManifest {
        PluginManifest { name: "Hong\nBao".into(), ..hongbao_guest::manifest() }
    }
}

component!(Nameless);
