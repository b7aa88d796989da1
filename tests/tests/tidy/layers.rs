//! The direction of knowledge in the host: who may name whom.
//!
//! Simplifications. `super::` is taken for the crate's root wherever a layer's name follows it. A
//! layer that came in through a macro, an alias or a re-export is not seen.

use crate::tokens::{Named, is, paths, tokens};
use crate::tree::{Source, assert_none, file, files};

/// The rooms of the host, with their height. A room names rooms of its own height or below.
const LAYERS: &[(&str, u8)] = &[
    ("decode", 0),
    ("domain", 0),
    ("store", 1),
    ("imports", 2),
    ("runtime", 3),
    ("testkit", 4),
    ("http", 4),
    ("cli", 4),
];

/// `lib.rs` and `main.rs` put the rooms together, so they may name all of them.
const ROOTS: &[&str] = &["lib", "main"];

/// Names that these rooms never say.
struct Forbidden {
    rooms: &'static [&'static str],
    names: &'static [&'static str],
    because: &'static str,
}

const FORBIDDEN: &[Forbidden] = &[
    Forbidden {
        rooms: &["domain"],
        names: &["wasmtime", "serde", "tokio", "rusqlite", "anyhow", "redis", "tokio_postgres", "axum"],
        because: "the domain knows the standard library alone",
    },
    Forbidden { rooms: &["store"], names: &["wasmtime"], because: "a store serves whatever runs the plugin" },
    Forbidden {
        rooms: &["runtime"],
        names: &["axum", "redis", "rusqlite", "tokio_postgres"],
        because: "the runtime is given its stores and its callers",
    },
    Forbidden {
        rooms: &["lib", "domain", "store", "imports", "runtime", "http"],
        names: &["anyhow"],
        because: "only the command line may forget what an error was",
    },
];

/// The one check: every breach of one file, `path` counted from `host/src`. `dependencies` are the
/// host's, none of which the domain may name.
fn breaches(path: &str, text: &str, dependencies: &[String]) -> Vec<String> {
    let room = room(path);
    let tokens = tokens(text);
    let named = paths(&tokens);
    let mut found = Vec::new();
    if !ROOTS.contains(&room) && height(room).is_none() {
        found.push(format!("{path}:1: give the room `{room}` a height in the table of layers"));
    }
    for one in &named {
        let name = forbidden(room, one).or_else(|| dependency(room, one, dependencies));
        let reasons = [name, upward(room, one), bindings(room, one, &named)].into_iter().flatten();
        found.extend(reasons.map(|reason| format!("{path}:{}: {reason}", one.line)));
    }
    found
}

/// `store/redis.rs` is in the room `store`, `main.rs` in the room `main`.
fn room(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

fn height(room: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == room).map(|(_, height)| *height)
}

fn forbidden(room: &str, named: &Named) -> Option<String> {
    FORBIDDEN.iter().filter(|rule| rule.rooms.contains(&room)).find_map(|rule| {
        let name = named.segments.iter().find(|segment| rule.names.contains(&segment.as_str()))?;
        Some(format!("`{room}` must not name `{name}`: {}", rule.because))
    })
}

fn dependency(room: &str, named: &Named, dependencies: &[String]) -> Option<String> {
    let name = named.segments.iter().find(|segment| dependencies.contains(segment))?;
    (room == "domain").then(|| format!("`domain` must not name the crate `{name}`"))
}

fn upward(room: &str, named: &Named) -> Option<String> {
    let own = height(room)?;
    let root = named.segments.first()?;
    let next = named.segments.iter().find(|segment| *segment != root)?;
    let absolute = root == "crate" || root == "hongbao_host";
    match height(next) {
        Some(other) if other > own && (absolute || root == "super") => {
            Some(format!("`{room}` must not name `{next}`, which is above it"))
        }
        None if absolute => {
            Some(format!("`{room}` names `{next}` of the crate's root; name the room it is from"))
        }
        _ => None,
    }
}

/// Generated types stop at `imports`; the runtime may use what `imports` shows it.
fn bindings(room: &str, named: &Named, all: &[Named]) -> Option<String> {
    let at = named.segments.iter().position(|segment| segment == "bindings")?;
    if named.segments.len() == 1 || room == "imports" {
        return None;
    }
    let shown = |path: &Named| path.segments.starts_with(&["crate", "imports", "bindings"].map(String::from));
    let imported = at == 0 && all.iter().any(|path| shown(path) && path.segments.len() == 3);
    let allowed = room == "runtime" && (shown(named) || imported);
    (!allowed).then(|| format!("`{room}` must not name generated bindings; WIT types stop at `imports`"))
}

/// The contract is bound once, in `imports`.
fn bindgen_breaches(sources: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources {
        let tokens = tokens(text);
        let uses = (0..tokens.len()).filter(|at| is(&tokens, *at, "bindgen") && is(&tokens, at + 1, "!"));
        found.extend(uses.map(|at| (*path, tokens[at].line)));
    }
    match found.as_slice() {
        [(path, _)] if room(path) == "imports" => Vec::new(),
        [] => vec!["host/src: bind the contract once, under imports/".into()],
        _ => found.iter().map(|(path, line)| format!("{path}:{line}: bind once, under imports/")).collect(),
    }
}

/// Names under `[dependencies]`, as Rust writes them. The tests' own dependencies do not count.
fn dependencies(manifest: &str) -> Vec<String> {
    let sections = manifest.split("\n[").filter(|section| section.starts_with("dependencies]"));
    let names = sections
        .flat_map(|section| section.lines().skip(1))
        .filter_map(|line| line.split(['.', '=', ' ']).next());
    names
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(|name| name.replace('-', "_"))
        .collect()
}

fn host() -> Vec<Source> {
    let mut sources = files("host/src", &["rs"]);
    for source in &mut sources {
        source.path = source.path.trim_start_matches("host/src/").into();
    }
    sources
}

#[test]
fn a_room_of_the_host_names_only_what_it_may_know() {
    let dependencies = dependencies(&file("host/Cargo.toml").text);
    assert!(dependencies.contains(&"wasmtime".into()), "the manifest was not understood");
    let found = host()
        .iter()
        .flat_map(|source| breaches(&source.path, &source.text, &dependencies))
        .collect::<Vec<_>>();
    assert_none(&found);
}

#[test]
fn the_contract_is_bound_once_under_imports() {
    let sources = host();
    let sources: Vec<_> = sources.iter().map(|source| (source.path.as_str(), source.text.as_str())).collect();
    assert_none(&bindgen_breaches(&sources));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: usize) {
        let found = breaches(path, text, &["thiserror".into()]);
        assert_eq!(found.len(), expected, "{found:?}");
    }

    #[test]
    fn a_room_may_not_look_up() {
        check("domain/amount.rs", "use crate::store::Ledger;", 1);
        check("domain.rs", "use super::store::Ledger;", 1);
        check("store/mod.rs", "use crate::{domain::{Amount, UserId}, imports::View};", 1);
        check("imports/clock.rs", "fn a() { crate::runtime::engine::new(); }", 1);
        check("runtime/lane.rs", "use crate::cli;", 1);
        check("runtime/lane.rs", "use hongbao_host::http::Router;", 1);
        check(
            "runtime/lane.rs",
            "use crate::{runtime::engine, imports, store::Counter}; use super::tenant;",
            0,
        );
        check("cli/demo.rs", "use crate::{http, runtime}; // crate::nothing", 0);
    }

    #[test]
    fn the_roots_of_the_crate_hide_no_way_up() {
        check("domain/amount.rs", "use crate::Ledger;", 1);
        check("domain/amount.rs", "use crate::*;", 1);
        check("lib.rs", "pub use crate::runtime::Host;", 0);
        check("metrics.rs", "", 1);
    }

    #[test]
    fn forbidden_names_are_found_wherever_they_stand() {
        check("domain/amount.rs", "use std::fmt; use core::num::NonZero;", 0);
        check("domain/amount.rs", "#[derive(thiserror::Error)] struct A;", 1);
        check("store/memory.rs", "impl ::wasmtime::AsContext for A {}", 1);
        check("store/memory.rs", "/// Not `wasmtime`.\nconst A: &str = \"wasmtime\";", 0);
        check("runtime/tenant.rs", "use {std::fmt, crate::store::redis::RedisCounter};", 1);
        for rule in FORBIDDEN {
            for (room, name) in
                rule.rooms.iter().flat_map(|room| rule.names.iter().map(move |name| (room, name)))
            {
                assert!(
                    !breaches(&format!("{room}.rs"), &format!("use {name}::A;"), &[]).is_empty(),
                    "{room}, {name}"
                );
            }
        }
    }

    #[test]
    fn forgotten_errors_stay_in_the_command_line() {
        check("cli/demo.rs", "use anyhow::Context;", 0);
        check("main.rs", "fn main() -> anyhow::Result<()> {}", 0);
        check("http/routes.rs", "use anyhow::Context;", 1);
    }

    #[test]
    fn generated_bindings_stop_at_imports() {
        check("imports/mod.rs", "use bindings::hongbao::plugin::types;", 0);
        check("runtime/instance.rs", "use crate::imports::bindings::Plugin;", 0);
        check("runtime/instance.rs", "use crate::imports::{View, bindings}; fn a(b: bindings::Plugin) {}", 0);
        check("runtime/instance.rs", "use super::bindings::Plugin;", 1);
        check("runtime/instance.rs", "fn a(b: bindings::Plugin) {}", 1);
        check("cli/demo.rs", "use crate::imports::bindings::Plugin;", 1);
        check("store/sqlite.rs", "fn a(bindings: &[Value]) { bindings.len(); }", 0);
    }

    #[test]
    fn binding_twice_or_elsewhere_is_found() {
        let once = ("imports/mod.rs", "bindgen!({ path: \"../wit\" });");
        assert!(bindgen_breaches(&[once, ("lib.rs", "// bindgen!")]).is_empty());
        assert_eq!(bindgen_breaches(&[once, once]).len(), 2);
        assert_eq!(bindgen_breaches(&[("runtime/a.rs", "wasmtime::component::bindgen!();")]).len(), 1);
        assert_eq!(bindgen_breaches(&[("imports/mod.rs", "")]).len(), 1);
    }

    #[test]
    fn dependencies_are_read_from_a_manifest() {
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\n# why\nb.workspace = true\nc-d = \"1\"\n\n[dev-dependencies]\ne = \"1\"\n";
        assert_eq!(dependencies(manifest), ["b", "c_d"]);
    }
}
