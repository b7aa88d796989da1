//! A plugin directory, and every way in which its `plugin.toml` can be wrong.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use hongbao_host::runtime::{Digest, Engine, Host, Plugin, PluginError, PluginSource, Plugins};
use hongbao_tests::chat::everything;
use tempfile::{TempDir, tempdir};

/// A directory with the embedded plugin in it, and this `plugin.toml`.
fn directory(toml: &str) -> TempDir {
    let directory = tempdir().unwrap();
    fs::write(directory.path().join("plugin.wasm"), Plugin::EMBEDDED).unwrap();
    fs::write(directory.path().join("plugin.toml"), toml).unwrap();
    directory
}

fn right() -> String {
    let sha256 = Digest::of(Plugin::EMBEDDED);
    format!("id = \"hongbao\"\nversion = \"0.1.0\"\nsha256 = \"{sha256}\"\n")
}

fn load(directory: &Path) -> Result<Plugin, PluginError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let plugins = Plugins::new(Engine::new().unwrap());
    runtime.block_on(plugins.load(PluginSource::at(directory)))
}

/// The code of a refusal, and its sentence with HERE for the directory.
fn refusal(directory: &Path) -> (&'static str, String) {
    // Nothing is compiled for a refusal, so reading alone shows it.
    let error = PluginSource::at(directory).read().unwrap_err();
    (error.code(), error.to_string().replace(directory.to_str().unwrap(), "HERE"))
}

#[track_caller]
fn refuses(toml: &str, problem: &str) {
    let expected = ("invalid-manifest", format!("HERE/plugin.toml: {problem}"));
    assert_eq!(refusal(directory(toml).path()), expected, "{toml}");
}

#[test]
fn a_directory_is_loaded_with_what_it_says() {
    let plugin = load(directory(&right()).path()).unwrap();
    let manifest = plugin.manifest().unwrap();
    assert_eq!((manifest.id.as_str(), manifest.version.as_str()), ("hongbao", "0.1.0"));
    assert_eq!((manifest.sha256, plugin.digest()), (plugin.digest(), Digest::of(Plugin::EMBEDDED)));
}

#[test]
fn a_plugin_toml_may_begin_with_a_byte_order_mark() {
    let marked = format!("\u{feff}{}", right().replace('\n', "\r\n"));
    assert_eq!(load(directory(&marked).path()).unwrap().manifest().unwrap().id, "hongbao");
    let there = directory(&right());
    let utf_16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(there.path().join("plugin.toml"), utf_16).unwrap();
    assert_eq!(refusal(there.path()).1, "HERE/plugin.toml: the text is in UTF-16; save it as UTF-8");
}

#[test]
fn a_plugin_serves_only_as_what_its_plugin_toml_says() {
    let all = right();
    super::loading::works(load(directory(&all).path()).unwrap());
    let cases = [
        (all.replace("id = \"hongbao\"", "id = \"other\""), "its name is hongbao, not other"),
        (all.replace("0.1.0", "0.1.1"), "its version is 0.1.0, not 0.1.1"),
    ];
    for (written, expected) in cases {
        let plugin = load(directory(&written).path()).unwrap();
        let host = Host::builder().engine(plugin.engine().clone()).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let error = runtime.block_on(host.add(everything(), plugin)).err().unwrap();
        assert_eq!(error.to_string(), format!("the plugin is not what its plugin.toml says: {expected}"));
        assert_eq!(error.code(), "other-manifest");
    }
}

#[test]
fn the_same_component_is_shared_and_keeps_what_each_directory_says() {
    let (one, two) = (directory(&right()), directory(&right().replace("id = \"hongbao\"", "id = \"other\"")));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let plugins = Plugins::new(Engine::new().unwrap());
    let load = |source| runtime.block_on(plugins.load(source)).unwrap();
    let loaded = [
        load(PluginSource::at(one.path())),
        load(PluginSource::at(two.path())),
        load(PluginSource::Embedded),
    ];
    let ids = loaded.map(|plugin| plugin.manifest().map(|manifest| manifest.id.clone()));
    assert_eq!(ids, [Some("hongbao".to_owned()), Some("other".to_owned()), None]);
    assert_eq!(plugins.count(), 1);
}

#[test]
fn an_unknown_key_is_refused() {
    let problem = "the key `sha265` is unknown; there are id, version, file, sha256";
    refuses(&right().replace("sha256", "sha265"), problem);
    let problem = "the key `grants` is unknown; there are id, version, file, sha256";
    refuses(&format!("{}\n[grants]\nledger = true\n", right()), problem);
}

#[test]
fn every_key_is_checked() {
    const ID: &str = "1 to 64 lower-case letters, digits and hyphens";
    const VERSION: &str = "three numbers with dots between them, such as \"1.0.0\"";
    const SHA256: &str = "the component's sha256 in 64 hexadecimal digits";
    const FILE: &str = "the path of a file in this directory, such as \"plugin.wasm\"";
    let line = |key: &str| right().lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    for (key, must) in [("id", ID), ("version", VERSION), ("sha256", SHA256)] {
        refuses(&right().replace(&line(key), ""), &format!("`{key}` is missing; it must be {must}"));
    }
    let wrong: [(&str, &str, &[&str]); 3] = [
        ("id", ID, &["\"\"", "\"Hongbao\"", "\"红包\"", "\"a_b\"", "7", "[\"hongbao\"]"]),
        ("version", VERSION, &["\"1\"", "\"1.2\"", "\"1.2.3-rc.1\"", "\"v1.2.3\"", "1.2"]),
        ("sha256", SHA256, &["\"\"", "\"abcd\"", "\"zz\"", "0"]),
    ];
    for (key, must, values) in wrong {
        for value in values {
            let toml = right().replace(&line(key), &format!("{key} = {value}"));
            refuses(&toml, &format!("`{key}` must be {must}"));
        }
    }
    let long = format!("id = \"{}\"", "x".repeat(65));
    refuses(&right().replace(&line("id"), &long), &format!("`id` must be {ID}"));
    for file in ["../x", "a/../../x", "/etc/passwd", ".", "", "./../plugin.wasm"] {
        refuses(&format!("{}file = {file:?}\n", right()), &format!("`file` must be {FILE}"));
    }
}

#[test]
fn what_is_no_toml_is_refused_by_its_line() {
    let (code, said) = refusal(directory("id = \"hongbao\"\nversion = = 1\n").path());
    assert_eq!(code, "invalid-manifest");
    assert!(said.starts_with("HERE/plugin.toml: line 2 is no TOML: "), "{said}");
    assert!(!said.contains('\n'), "{said}");
    let (code, _) = refusal(directory(&format!("{}{}", right(), right())).path());
    assert_eq!(code, "invalid-manifest", "each key once");
    refuses(&" ".repeat(70_000), "a plugin.toml has at most 64 KiB");
    let directory = directory("");
    fs::write(directory.path().join("plugin.toml"), b"id = \"\xff\"").unwrap();
    let expected =
        ("invalid-manifest", "HERE/plugin.toml: the text is not in UTF-8, from byte 6 on".to_owned());
    assert_eq!(refusal(directory.path()), expected);
}

#[test]
fn another_component_is_refused_before_it_is_looked_at() {
    let directory = directory(&right());
    fs::write(directory.path().join("plugin.wasm"), b"no WebAssembly at all").unwrap();
    let (found, expected) = (Digest::of(b"no WebAssembly at all"), Digest::of(Plugin::EMBEDDED));
    let sentence = format!(
        "HERE/plugin.wasm has the sha256 {found}, and its plugin.toml says {expected}; put the right file \
         there, or its digest"
    );
    assert_eq!(refusal(directory.path()), ("digest-mismatch", sentence));
    assert_eq!(load(directory.path()).unwrap_err().code(), "digest-mismatch");
}

#[test]
fn a_link_may_stay_within_and_not_lead_out() {
    let elsewhere = tempdir().unwrap();
    let outside = elsewhere.path().join("plugin.wasm");
    fs::write(&outside, Plugin::EMBEDDED).unwrap();
    let directory = directory(&right());
    let file = directory.path().join("plugin.wasm");
    let real = directory.path().join("0.1.0.wasm");
    fs::rename(&file, &real).unwrap();
    symlink(&real, &file).unwrap();
    assert!(load(directory.path()).is_ok());
    let leads_out = |name: &str| {
        let problem = "this link leads out of the plugin's directory; put the file itself there";
        ("invalid-manifest", format!("HERE/{name}: {problem}"))
    };
    fs::remove_file(&file).unwrap();
    symlink(&outside, &file).unwrap();
    assert_eq!(refusal(directory.path()), leads_out("plugin.wasm"));
    // Nor by a directory on the way, nor for plugin.toml itself.
    symlink(elsewhere.path(), directory.path().join("build")).unwrap();
    let toml = directory.path().join("plugin.toml");
    fs::write(&toml, right() + "file = \"build/plugin.wasm\"\n").unwrap();
    assert_eq!(refusal(directory.path()), leads_out("build/plugin.wasm"));
    fs::rename(&toml, elsewhere.path().join("plugin.toml")).unwrap();
    symlink(elsewhere.path().join("plugin.toml"), &toml).unwrap();
    assert_eq!(refusal(directory.path()), leads_out("plugin.toml"));
}

#[test]
fn a_link_to_the_directory_itself_is_no_way_out() {
    let (real, elsewhere) = (directory(&right()), tempdir().unwrap());
    let link = elsewhere.path().join("current");
    symlink(real.path(), &link).unwrap();
    assert!(load(&link).is_ok());
}

#[test]
fn what_is_not_there_is_named() {
    let directory = directory(&right());
    fs::remove_file(directory.path().join("plugin.wasm")).unwrap();
    let (code, said) = refusal(directory.path());
    assert_eq!(code, "not-found");
    assert!(said.starts_with("HERE/plugin.wasm cannot be read: "), "{said}");
    fs::create_dir(directory.path().join("plugin.wasm")).unwrap();
    let sentence = "HERE/plugin.wasm cannot be read: it is not a regular file".to_owned();
    assert_eq!(refusal(directory.path()), ("not-found", sentence));
    fs::remove_file(directory.path().join("plugin.toml")).unwrap();
    let (code, said) = refusal(directory.path());
    assert_eq!(code, "not-found");
    assert!(said.starts_with("HERE/plugin.toml cannot be read: "), "{said}");
}
