//! Types and functions generated from `wit/`. Also built natively, where only the types are used.

// Generated code: the canonical ABI passes pointers, and its items carry the WIT's own docs.
#![allow(unsafe_code, missing_docs, clippy::all, clippy::restriction)]

wit_bindgen::generate!({
    path: "../wit",
    world: "plugin",
    additional_derives: [Clone, PartialEq, Eq],
    pub_export_macro: true,
    default_bindings_module: "crate::bindings",
});
