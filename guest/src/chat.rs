//! Chat: what people type and press becomes cards and notices.

use crate::Host;
use crate::bindings::exports::hongbao::plugin::chat::{Message, PluginManifest, Press, Reply};

/// What this plugin is.
pub fn manifest() -> PluginManifest {
    let asks = ["counter", "ledger", "entropy", "clock", "log", "policy"];
    PluginManifest {
        name: "hongbao".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        commands: Vec::new(),
        languages: vec!["en".into(), "zh".into()],
        asks: asks.map(String::from).to_vec(),
    }
}

/// Answers a message.
pub fn command(_host: &impl Host, _message: &Message) -> Vec<Reply> {
    Vec::new()
}

/// Answers each of the users who pressed a button.
pub fn action(_host: &impl Host, press: &Press) -> Vec<Vec<Reply>> {
    vec![Vec::new(); press.by.len()]
}
