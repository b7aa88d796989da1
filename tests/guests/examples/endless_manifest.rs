//! Never says what it is.

use hongbao_hostile_guests::{Guest, PluginManifest, component};

struct EndlessManifest;

impl Guest for EndlessManifest {
    fn manifest() -> PluginManifest {
        loop {
            std::hint::spin_loop();
        }
    }
}

component!(EndlessManifest);
