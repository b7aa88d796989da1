//! Components that are not the real plugin; `build.rs` makes them.

/// What every export of a made-up plugin does.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// Traps.
    Trap,
    /// Computes for ever.
    Spin,
    /// Asks the host for the time for ever.
    Nag,
}

/// A component that fits the contract and whose every export does this.
#[must_use]
pub const fn misbehaving(deed: Deed) -> &'static [u8] {
    match deed {
        Deed::Trap => include_bytes!(concat!(env!("OUT_DIR"), "/trap.wasm")),
        Deed::Spin => include_bytes!(concat!(env!("OUT_DIR"), "/spin.wasm")),
        Deed::Nag => include_bytes!(concat!(env!("OUT_DIR"), "/nag.wasm")),
    }
}

/// A core module as a compiler makes it with wit-bindgen: a component of the contract once it is packed.
#[must_use]
pub const fn module() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/module.wasm"))
}

/// The component of this guest, by the name of its file in `guests/examples`: it is the real plugin
/// but for one misdeed.
///
/// # Panics
/// When there is no such guest.
#[must_use]
#[allow(clippy::panic, reason = "a test that names no guest stops there")]
pub fn hostile(name: &str) -> &'static [u8] {
    include!(concat!(env!("OUT_DIR"), "/guests.rs"))
}
