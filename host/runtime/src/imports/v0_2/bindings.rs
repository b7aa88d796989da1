//! Bindings generated from `wit/`.

#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::restriction)]

wasmtime::component::bindgen!({
    path: "wit",
    world: "plugin",
    imports: {
        "hongbao:plugin/counter": async | trappable,
        "hongbao:plugin/ledger": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
