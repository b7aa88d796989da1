//! The direction of knowledge in the host, where cargo cannot keep it: inside a crate, and which crates somebody
//! compiles who embeds it.
//!
//! Simplifications. `super::` is taken for the crate's root wherever a module's name follows it. A
//! module that came in through a macro, an alias or a re-export is not seen.

use std::process::Command;

use crate::tokens::{Named, is, paths, tokens};
use crate::tree::{assert_none, file, files, root};

const DOMAIN: &str = "host/domain/src/";
const RUNTIME: &str = "host/runtime/src/";

/// What whoever embeds a host with the embedded ledger does not compile.
const NOT_EMBEDDED: &[&str] = &[
    "axum",
    "clap",
    "deadpool-postgres",
    "hyper",
    "redis",
    "rustls",
    "tokio-postgres",
    "tracing-subscriber",
    "utoipa",
    "utoipa-swagger-ui",
];

/// A tenant's settings and the values in them, which say by serde how they stand in a text.
const SETTINGS: &[&str] = &["amount.rs", "grant.rs", "limits.rs", "policy.rs", "settings.rs", "strategy.rs"];

/// Every breach of one file of the host.
fn breaches(path: &str, text: &str, dependencies: &[String]) -> Vec<String> {
    let tokens = tokens(text);
    let named = paths(&tokens);
    let mut found = Vec::new();
    for one in &named {
        let reasons = [plain(path, one, dependencies), upward(path, one), bindings(path, one, &named)];
        found.extend(reasons.into_iter().flatten().map(|reason| format!("{path}:{}: {reason}", one.line)));
    }
    found
}

/// The words of the field know the standard library alone, save those that settings are made of; beside them, `decode`
/// reads what comes from outside.
fn plain(path: &str, named: &Named, dependencies: &[String]) -> Option<String> {
    let inside = path.strip_prefix(DOMAIN)?;
    if inside.starts_with("decode/") {
        return None;
    }
    let derived: &[&str] = if SETTINGS.contains(&inside) { &["serde", "utoipa"] } else { &[] };
    let is_foreign = |segment: &&String| dependencies.contains(segment) || *segment == "decode";
    let mut foreign = named.segments.iter().filter(is_foreign);
    let name = foreign.find(|name| !derived.contains(&name.as_str()))?;
    (inside != "lib.rs").then(|| format!("the domain's types must not name `{name}`"))
}

/// Where the contract meets the host knows nothing of what calls plugins.
fn upward(path: &str, named: &Named) -> Option<String> {
    let inside = path.strip_prefix(RUNTIME)?;
    let [first, next, ..] = named.segments.as_slice() else { return None };
    let is_upward = inside.starts_with("imports/") && first == "crate" && next != "imports";
    is_upward.then(|| format!("`imports` must not name `{next}`, which is above it"))
}

/// Generated types stop at `imports`; the runtime may use what `imports` shows it.
fn bindings(path: &str, named: &Named, all: &[Named]) -> Option<String> {
    let at = named.segments.iter().position(|segment| segment == "bindings")?;
    let inside = path.strip_prefix(RUNTIME);
    if named.segments.len() == 1 || inside.is_some_and(|inside| inside.starts_with("imports/")) {
        return None;
    }
    let shown = |path: &Named| path.segments.starts_with(&["crate", "imports", "bindings"].map(String::from));
    let imported = at == 0 && all.iter().any(|path| shown(path) && path.segments.len() == 3);
    let allowed = inside.is_some() && (shown(named) || imported);
    (!allowed).then(|| "generated bindings are not named here; WIT types stop at `imports`".into())
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
        [(path, _)] if path.starts_with("host/runtime/src/imports/") => Vec::new(),
        [] => vec!["host: bind the contract once, under imports/".into()],
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

#[test]
fn a_module_of_the_host_names_only_what_it_may_know() {
    let dependencies = dependencies(&file("host/domain/Cargo.toml").text);
    assert!(dependencies.contains(&"serde".into()), "the manifest was not understood");
    let sources = files("host", &["rs"]);
    let found = sources.iter().flat_map(|source| breaches(&source.path, &source.text, &dependencies));
    assert_none(&found.collect::<Vec<_>>());
}

#[test]
fn the_contract_is_bound_once_under_imports() {
    let sources = files("host", &["rs"]);
    let sources: Vec<_> = sources.iter().map(|source| (source.path.as_str(), source.text.as_str())).collect();
    assert_none(&bindgen_breaches(&sources));
}

#[test]
fn only_the_command_line_may_forget_what_an_error_was() {
    let manifests = files("host", &["toml"]);
    let named = manifests.iter().filter(|manifest| dependencies(&manifest.text).contains(&"anyhow".into()));
    assert_eq!(named.map(|manifest| manifest.path.as_str()).collect::<Vec<_>>(), ["host/cli/Cargo.toml"]);
}

/// A bridge is to a platform what the platform's own program would be, so it stands on what that could use.
#[test]
fn a_bridge_knows_the_http_api_and_no_crate_of_ours() {
    for manifest in files("bridges", &["toml"]) {
        let sections = manifest.text.split("\n[").filter(|section| section.contains("dependencies"));
        let ours: Vec<_> =
            sections.flat_map(|section| section.lines().filter(|line| line.starts_with("hongbao"))).collect();
        assert!(ours.is_empty(), "{}: {ours:?}", manifest.path);
    }
}

#[test]
fn whoever_embeds_a_host_compiles_no_servers_and_no_command_line() {
    let embedded = tree(&["--features", "sqlite"]);
    assert!(embedded.contains(&"rusqlite".into()) && embedded.contains(&"wasmtime".into()), "{embedded:?}");
    let not: Vec<_> = NOT_EMBEDDED.iter().filter(|name| embedded.iter().any(|one| one == *name)).collect();
    assert!(not.is_empty(), "an embedder compiles {not:?}");
    let smallest = tree(&[]);
    assert!(!smallest.contains(&"rusqlite".into()), "a host with its stores in memory needs no database");
    let service = tree(&["--features", "server,redis,postgres"]);
    for name in ["axum", "redis", "tokio-postgres"] {
        assert!(service.contains(&name.into()), "this test would find no {name}");
    }
}

/// Which crates are compiled for the library, and linked to it.
fn tree(features: &[&str]) -> Vec<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--package", "hongbao-host", "--locked", "--offline", "--edges", "normal"]);
    cargo.args(["--prefix", "none", "--format", "{p}"]).args(features).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, expected: usize) {
        let found = breaches(&format!("host/{path}"), text, &["serde".into(), "serde_json".into()]);
        assert_eq!(found.len(), expected, "{found:?}");
    }

    #[test]
    fn the_words_of_the_field_know_the_standard_library_alone() {
        check("domain/src/amount.rs", "use std::fmt; use core::num::NonZero;", 0);
        check("domain/src/packet.rs", "#[derive(serde::Serialize)] struct A;", 1);
        check("domain/src/amount.rs", "#[derive(serde::Serialize)] struct A;", 0);
        check("domain/src/amount.rs", "fn a() { serde_json::to_string(&1); }", 1);
        check("domain/src/amount.rs", "use crate::decode::Strict;", 1);
        check("domain/src/decode/strict.rs", "use serde::Deserialize;", 0);
        check("store/src/memory.rs", "use serde::Deserialize;", 0);
    }

    #[test]
    fn imports_do_not_look_up() {
        check("runtime/src/imports/clock.rs", "fn a() { crate::engine::new(); }", 1);
        check("runtime/src/imports/clock.rs", "use crate::imports::Skew; // crate::nothing", 0);
        check("runtime/src/batcher.rs", "use crate::engine;", 0);
    }

    #[test]
    fn generated_bindings_stop_at_imports() {
        check("runtime/src/imports/mod.rs", "use bindings::hongbao::plugin::types;", 0);
        check("runtime/src/instance.rs", "use crate::imports::bindings::Plugin;", 0);
        check(
            "runtime/src/instance.rs",
            "use crate::imports::{View, bindings}; fn a(b: bindings::Plugin) {}",
            0,
        );
        check("runtime/src/instance.rs", "use super::bindings::Plugin;", 1);
        check("runtime/src/instance.rs", "fn a(b: bindings::Plugin) {}", 1);
        check("cli/src/demo.rs", "use hongbao_runtime::imports::bindings::Plugin;", 1);
        check("store-sqlite/src/lib.rs", "fn a(bindings: &[Value]) { bindings.len(); }", 0);
    }

    #[test]
    fn binding_twice_or_elsewhere_is_found() {
        let once = ("host/runtime/src/imports/mod.rs", "bindgen!({ path: \"../wit\" });");
        assert!(bindgen_breaches(&[once, ("host/cli/src/lib.rs", "// bindgen!")]).is_empty());
        assert_eq!(bindgen_breaches(&[once, once]).len(), 2);
        assert_eq!(
            bindgen_breaches(&[("host/runtime/src/a.rs", "wasmtime::component::bindgen!();")]).len(),
            1
        );
        assert_eq!(bindgen_breaches(&[("host/runtime/src/imports/mod.rs", "")]).len(), 1);
    }

    #[test]
    fn dependencies_are_read_from_a_manifest() {
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\n# why\nb.workspace = true\nc-d = \"1\"\n\n[dev-dependencies]\ne = \"1\"\n";
        assert_eq!(dependencies(manifest), ["b", "c_d"]);
    }
}
