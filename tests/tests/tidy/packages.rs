//! Crates below `host/` and `bridges/` can be published: cargo packages them, and a package holds all that it is compiled from.
//!
//! Simplifications. Whether a package compiles is for `cargo xtask package` to find out, which takes minutes. Files that
//! a macro of another crate reads (the contract in `wit/`) are named here.

use std::path::{Component, Path, PathBuf};
use std::process::Command;

use crate::tree::{assert_none, file, files, root};

/// Folders whose crates can be published.
const PUBLISHED: [&str; 2] = ["host", "bridges"];

/// What every package has beside its code.
const EVERYWHERE: &[&str] = &["LICENSE-APACHE", "LICENSE-MIT", "README.md", "Cargo.lock", "src/lib.rs"];

/// Files that come into a package over a link or a pattern, by the folder of their crate.
const BROUGHT_ALONG: &[(&str, &str)] =
    &[("host/facade", "examples/embed.rs"), ("host/runtime", "build.rs"), ("host/runtime", "wit/plugin.wit")];

/// What a registry shows of a crate; the licence and the rest come from the workspace.
const SHOWN: &[&str] = &["description", "keywords", "categories", "readme"];

fn manifest_breaches(path: &str, text: &str) -> Vec<String> {
    let package = text.split("\n[").next().unwrap();
    let has = |key: &str| package.lines().any(|line| line.split([' ', '.', '=']).next() == Some(key));
    let missing = SHOWN.iter().filter(|key| !has(key)).map(|key| format!("{path}: say `{key}`"));
    let kept = has("publish")
        .then(|| format!("{path}: a crate below {PUBLISHED:?} is published; leave out `publish`"));
    missing.chain(kept).collect()
}

/// Included files that are outside of the crate, which a package would lack.
fn include_breaches(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let included = ["include!(", "include_str!(", "include_bytes!("].iter().filter_map(|name| {
            let (_, rest) = line.split_once(name)?;
            rest.split('"').nth(1)
        });
        let outside = included.filter(|target| !is_inside(path, target));
        found.extend(
            outside.map(|target| format!("{path}:{number}: `{target}` would be missing in a package")),
        );
    }
    found
}

/// `path` is `host/CRATE/…` or the like, and the target relative to it.
fn is_inside(path: &str, target: &str) -> bool {
    let mut resolved = PathBuf::from(path);
    resolved.pop();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            part => resolved.push(part),
        }
    }
    let its_crate: PathBuf = Path::new(path).components().take(2).collect();
    resolved.starts_with(its_crate)
}

/// The folder of each crate that can be published, and the crate's name.
fn crates() -> Vec<(String, String)> {
    let manifests = PUBLISHED.iter().flat_map(|folder| files(folder, &["toml"]));
    manifests
        .filter_map(|manifest| {
            let folder = manifest.path.strip_suffix("/Cargo.toml")?.to_owned();
            let name = manifest.text.split("name = \"").nth(1).unwrap().split('"').next().unwrap();
            Some((folder, name.to_owned()))
        })
        .collect()
}

fn package(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    // What is not committed yet is packaged as well: this is about files, not about their state in git.
    cargo.args(["package", "--offline", "--allow-dirty"]).args(arguments).current_dir(root());
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn cargo_packages_every_crate() {
    let out = tempfile::tempdir().unwrap();
    let crates = crates();
    assert!(crates.len() >= 11, "{crates:?}");
    let mut arguments = vec!["--no-verify", "--target-dir", out.path().to_str().unwrap()];
    arguments.extend(crates.iter().flat_map(|(_, name)| ["--package", name]));
    package(&arguments);
    for (_, name) in &crates {
        let file = out.path().join(format!("package/{name}-{}.crate", env!("CARGO_PKG_VERSION")));
        assert!(file.is_file(), "{} was not made", file.display());
    }
}

#[test]
fn a_package_has_its_licences_and_all_that_it_is_compiled_from() {
    for (folder, name) in crates() {
        let list = package(&["--list", "--package", &name]);
        let list: Vec<_> = list.lines().collect();
        let brought = BROUGHT_ALONG.iter().filter(|(place, _)| *place == folder).map(|(_, file)| file);
        let missing: Vec<_> = EVERYWHERE.iter().chain(brought).filter(|file| !list.contains(file)).collect();
        assert!(missing.is_empty(), "{name} is packaged without {missing:?}");
    }
    let sources: Vec<_> = PUBLISHED.iter().flat_map(|folder| files(folder, &["rs"])).collect();
    let found = sources.iter().flat_map(|source| include_breaches(&source.path, &source.text));
    assert_none(&found.collect::<Vec<_>>());
}

/// It is made for a package alone, so no list of this repository shows whether it would be in one.
#[test]
fn the_runtime_brings_the_plugin_along() {
    let manifest = file("host/runtime/Cargo.toml").text;
    let include = manifest.lines().find(|line| line.starts_with("include = ")).unwrap();
    assert!(include.contains("\"/plugin/hongbao.wasm\""), "{include}");
    assert!(file("host/runtime/build.rs").text.contains("\"plugin/hongbao.wasm\""));
}

#[test]
fn a_registry_is_told_what_each_crate_is() {
    let found = crates().into_iter().flat_map(|(folder, _)| {
        let path = format!("{folder}/Cargo.toml");
        manifest_breaches(&path, &file(&path).text)
    });
    assert_none(&found.collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_says_too_little_is_found() {
        let manifest = |package: &str| format!("[package]\n{package}\n\n[dependencies]\nreadme = \"1\"\n");
        let all =
            "description = \"a\"\nkeywords = []\ncategories = []\nreadme = \"b\"\nlicense.workspace = true";
        assert!(manifest_breaches("a", &manifest(all)).is_empty());
        assert_eq!(
            manifest_breaches("a", &manifest("description = \"a\"\nkeywords = []\ncategories = []")).len(),
            1
        );
        assert_eq!(manifest_breaches("a", &manifest(&format!("{all}\npublish.workspace = true"))).len(), 1);
    }

    #[test]
    fn a_file_from_outside_of_the_crate_is_found() {
        let found = |text: &str| include_breaches("host/cli/src/a/b.rs", text).len();
        assert_eq!(found("let a = include_str!(\"../c.md\");"), 0);
        assert_eq!(found("include_bytes!(concat!(\"../../d/\", $name))"), 0);
        assert_eq!(found("include_str!(\"../../../domain/src/c.md\")"), 1);
        assert_eq!(found("decode(include_bytes!(\"../../../../tests/a.json\"))"), 1);
    }
}
