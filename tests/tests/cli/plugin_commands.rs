//! `hongbao plugin`: what is shown of a file, how it is judged, and how one is made.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use hongbao_host::runtime::{Digest, Plugin};
use hongbao_tests::guests::module;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::process::{Ended, json as document, run};

const INTERFACES: [&str; 7] = ["clock", "counter", "entropy", "ledger", "log", "policy", "types"];

/// A directory to work in.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Puts a file there; gives its path.
    fn put(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn put_text(&self, name: &str, text: &str) -> String {
        self.put(name, &wat::parse_str(text).unwrap())
    }

    /// A plugin directory with the embedded plugin; gives its path.
    fn plugin(&self) -> String {
        let sha256 = Digest::of(Plugin::EMBEDDED);
        self.put("plugin.wasm", Plugin::EMBEDDED);
        let toml = format!("id = \"hongbao\"\nversion = \"0.1.0\"\nsha256 = \"{sha256}\"\n");
        self.put("plugin.toml", toml.as_bytes());
        self.0.path().to_str().unwrap().to_owned()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.0.path()).unwrap().count()
    }
}

fn names(interfaces: &[&str]) -> Vec<String> {
    interfaces.iter().map(|name| format!("hongbao:plugin/{name}@0.2.0")).collect()
}

#[track_caller]
fn fails(ended: &Ended, exit: i32, code: &str, sentence: &str) {
    let said = (ended.code, ended.out.as_str(), ended.err.as_str());
    assert_eq!(said, (Some(exit), "", format!("hongbao: {code}: {sentence}\n").as_str()));
}

fn succeeds(args: &[&str]) -> String {
    let ended = run(args);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    ended.out
}

#[test]
fn the_embedded_plugin_is_shown_to_people() {
    let desk = Desk::new();
    let file = desk.put("plugin.wasm", Plugin::EMBEDDED);
    let shown = succeeds(&["plugin", "inspect", &file]);
    // These two change with every build of the plugin.
    let size = format!("{:.1} KiB", Plugin::EMBEDDED.len() as f64 / 1024.0);
    let shown = shown.replace(&size, "SIZE").replace(&Digest::of(Plugin::EMBEDDED).to_string(), "SHA256");
    assert_snapshot!("plugin_inspect_fits", shown);
}

#[test]
fn a_core_module_and_a_directory_are_shown_to_people() {
    let desk = Desk::new();
    let text = r#"(module (import "env" "abort" (func)) (func (export "run")))"#;
    let file = desk.put_text("module.wasm", text);
    assert_snapshot!("plugin_inspect_module", succeeds(&["plugin", "inspect", &file]));
    let shown = succeeds(&["plugin", "inspect", &desk.plugin()]);
    let head: Vec<&str> = shown.lines().take(1).collect();
    assert_eq!(head, ["  plugin    hongbao 0.1.0"]);
    assert!(shown.ends_with("\n\n  It fits this host.\n"), "{shown}");
}

#[test]
fn a_plugin_is_shown_to_programs() {
    let desk = Desk::new();
    let plugin = desk.plugin();
    let needs = ["counter", "ledger", "entropy", "clock", "log", "policy"];
    let expected = |manifest: Value| {
        json!({
            "form": "component",
            "size": Plugin::EMBEDDED.len(),
            "sha256": Digest::of(Plugin::EMBEDDED).to_string(),
            "contract_versions": ["0.2.0"],
            "needs": needs,
            "imports": names(&INTERFACES),
            "exports": names(&["chat", "packets"]),
            "fits": true,
            "refusal": null,
            "manifest": manifest,
        })
    };
    let shown = document(&run(&["plugin", "inspect", &plugin, "--json"]));
    assert_eq!(shown, expected(json!({ "id": "hongbao", "version": "0.1.0" })));
    let file = desk.path("plugin.wasm");
    assert_eq!(document(&run(&["plugin", "inspect", &file, "--json"])), expected(Value::Null));
}

#[test]
fn what_does_not_fit_is_shown_and_is_no_failure() {
    let desk = Desk::new();
    let text = r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#;
    let file = desk.put_text("wasi.wasm", text);
    let ended = run(&["plugin", "inspect", &file, "--json"]);
    assert_eq!(ended.code, Some(0));
    let shown = document(&ended);
    let refusal = json!({
        "code": "foreign-import",
        "message": "the plugin imports wasi:cli/environment@0.2.0, which this host does not give; build it \
                    for wasm32-unknown-unknown, which needs no WASI",
    });
    assert_eq!((&shown["fits"], &shown["refusal"]), (&json!(false), &refusal));
    assert_eq!((&shown["needs"], &shown["contract_versions"]), (&json!([]), &json!([])));
    assert_eq!(shown["imports"], json!(["wasi:cli/environment@0.2.0"]));
    let said = succeeds(&["plugin", "inspect", &file]);
    assert!(
        said.ends_with(&format!("It does not fit this host: {}.\n", refusal["message"].as_str().unwrap()))
    );
}

#[test]
fn what_cannot_be_read_as_webassembly_is_not_shown() {
    let desk = Desk::new();
    let file = desk.put("plugin.wasm", b"plain text");
    let sentence = "this is no WebAssembly; name a component, as `hongbao plugin pack` makes one";
    for command in ["inspect", "validate"] {
        for json in [&[][..], &["--json"]] {
            let ended = run(&[&["plugin", command, &file], json].concat());
            fails(&ended, 65, "not-a-component", sentence);
        }
    }
    let missing = desk.path("none.wasm");
    for command in ["inspect", "validate"] {
        let sentence = format!("{missing} cannot be read: No such file or directory (os error 2)");
        fails(&run(&["plugin", command, &missing]), 66, "not-found", &sentence);
    }
}

#[test]
fn a_plugin_that_fits_is_said_so_in_one_line() {
    let desk = Desk::new();
    let directory = desk.plugin();
    let sha256 = Digest::of(Plugin::EMBEDDED).to_string();
    for path in [&directory, &desk.path("plugin.wasm")] {
        let said = succeeds(&["plugin", "validate", path]);
        assert!(said.starts_with(&format!("{path} fits this host: ")), "{said}");
        assert!(said.ends_with(&format!(" KiB, sha256 {sha256}\n")), "{said}");
    }
    let size = Plugin::EMBEDDED.len();
    let manifest = json!({ "id": "hongbao", "version": "0.1.0" });
    let expected = json!({ "fits": true, "size": size, "sha256": sha256, "manifest": manifest });
    assert_eq!(document(&run(&["plugin", "validate", &directory, "--json"])), expected);
}

#[test]
fn a_plugin_that_does_not_fit_is_judged_in_one_sentence() {
    let desk = Desk::new();
    let file = desk.put("module.wasm", module());
    let sentence = "this is a core module; make it a component with `hongbao plugin pack`";
    fails(&run(&["plugin", "validate", &file]), 65, "not-a-component", sentence);
    let file = desk.put_text("old.wasm", r#"(component (import "hongbao:plugin/counter@0.1.0" (instance)))"#);
    let sentence = "the plugin speaks hongbao:plugin/counter@0.1.0, and this host speaks hongbao:plugin@0.2.0; \
                    build the plugin for that version";
    fails(&run(&["plugin", "validate", &file, "--json"]), 65, "contract-version", sentence);
}

#[test]
fn a_directory_that_is_wrong_is_judged_by_its_key() {
    let desk = Desk::new();
    let directory = desk.plugin();
    let right = fs::read_to_string(desk.path("plugin.toml")).unwrap();
    desk.put("plugin.toml", right.replace("0.1.0", "0.1").as_bytes());
    let sentence = format!(
        "{directory}/plugin.toml: `version` must be three numbers with dots between them, such as \"1.0.0\""
    );
    for command in ["validate", "inspect"] {
        fails(&run(&["plugin", command, &directory]), 65, "invalid-manifest", &sentence);
    }
    desk.put("plugin.toml", right.as_bytes());
    desk.put("plugin.wasm", b"another");
    let ended = run(&["plugin", "validate", &directory]);
    assert_eq!(ended.code, Some(65));
    assert!(ended.err.starts_with("hongbao: digest-mismatch: "), "{ended:?}");
}

#[test]
fn a_module_is_packed_into_a_component_that_fits() {
    let desk = Desk::new();
    let (module, out) = (desk.put("module.wasm", module()), desk.path("plugin.wasm"));
    let said = succeeds(&["plugin", "pack", &module, "-o", &out]);
    let packed = fs::read(&out).unwrap();
    let size = packed.len() as f64 / 1024.0;
    assert_eq!(said, format!("{out} is a component: {size:.1} KiB, sha256 {}\n", Digest::of(&packed)));
    assert_eq!(document(&run(&["plugin", "inspect", &out, "--json"]))["fits"], true);
    // It fits, and traps as soon as it is asked what it is.
    let judged = run(&["plugin", "validate", &out]);
    assert_eq!(judged.code, Some(70), "{judged:?}");
    assert!(judged.err.contains("hongbao: no-manifest: the plugin does not say what it is: "), "{judged:?}");
    assert_eq!(desk.files(), 2, "nothing is left beside it");
    // As readable as any file that this user makes.
    let other = desk.put("other", b"");
    let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&out), mode(&other));
}

#[test]
fn a_file_that_is_there_is_not_written_over_unless_forced() {
    let desk = Desk::new();
    let (module, out) = (desk.put("module.wasm", module()), desk.put("plugin.wasm", b"mine"));
    let sentence = format!("{out} is there already; --force writes over it");
    fails(&run(&["plugin", "pack", &module, "-o", &out]), 73, "exists", &sentence);
    assert_eq!((fs::read(&out).unwrap(), desk.files()), (b"mine".to_vec(), 2));
    succeeds(&["plugin", "pack", &module, "-o", &out, "--force"]);
    assert_eq!(document(&run(&["plugin", "inspect", &out, "--json"]))["fits"], true);
    assert_eq!(desk.files(), 2);
}

#[test]
fn a_module_that_does_not_say_what_it_is_makes_no_directory() {
    let desk = Desk::new();
    let (module, out) = (desk.put("module.wasm", module()), desk.path("plugin/"));
    let ended = run(&["plugin", "pack", &module, "-o", &out]);
    assert_eq!((ended.code, desk.files()), (Some(70), 1), "{ended:?}");
    // Behind a line of the log, with the trap.
    let begin = "\nhongbao: no-manifest: the plugin does not say what it is: ";
    assert!(ended.err.contains(begin), "{ended:?}");
}

#[test]
fn what_cannot_be_written_is_named() {
    let desk = Desk::new();
    let module = desk.put("module.wasm", module());
    let out = desk.path("none/plugin.wasm");
    let ended = run(&["plugin", "pack", &module, "-o", &out]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(74), ""));
    let begin = format!("hongbao: input-output: {out} cannot be written: ");
    assert!(ended.err.starts_with(&begin), "{ended:?}");
    assert_eq!(ended.err.matches("(os error").count(), 1, "{ended:?}");
}

#[track_caller]
fn cannot_pack(desk: &Desk, module: &str, code: &str, sentence: &str) {
    let out = desk.path("plugin.wasm");
    fails(&run(&["plugin", "pack", module, "-o", &out]), 65, code, sentence);
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_module_that_wants_wasi_is_not_packed() {
    let desk = Desk::new();
    let file = desk.put_text("a.wasm", r#"(module (import "wasi_snapshot_preview1" "sched_yield" (func)))"#);
    let sentence = "the plugin imports wasi_snapshot_preview1, which this host does not give; build it for \
                    wasm32-unknown-unknown, which needs no WASI";
    cannot_pack(&desk, &file, "foreign-import", sentence);
    let file = desk.put_text("b.wasm", r#"(module (import "env" "abort" (func)))"#);
    let sentence = "the plugin imports env, which this host does not give; a plugin imports interfaces of \
                    hongbao:plugin@0.2.0 alone";
    cannot_pack(&desk, &file, "foreign-import", sentence);
}

#[test]
fn a_module_that_says_nothing_of_its_interfaces_is_not_packed() {
    let desk = Desk::new();
    let file = desk.put_text("a.wasm", "(module)");
    let sentence = "this module does not say what its interfaces are; build it with wit-bindgen, and keep its \
                    custom sections";
    cannot_pack(&desk, &file, "no-metadata", sentence);
}

#[test]
fn what_is_no_core_module_is_not_packed() {
    let desk = Desk::new();
    let file = desk.put("component.wasm", Plugin::EMBEDDED);
    let sentence = "this is a component already; `hongbao plugin validate` says whether it fits";
    cannot_pack(&desk, &file, "not-a-module", sentence);
    let file = desk.put("text", b"plain text");
    let sentence = "this is no WebAssembly; name what `cargo build --target wasm32-unknown-unknown` made";
    cannot_pack(&desk, &file, "not-a-module", sentence);
    let file = desk.put("half.wasm", &module()[..module().len() / 2]);
    let sentence = "this WebAssembly is cut short; copy or build the file again";
    cannot_pack(&desk, &file, "not-a-component", sentence);
}

#[test]
fn a_module_whose_description_lies_is_not_packed() {
    let desk = Desk::new();
    // The section that describes the interfaces, behind a module that exports none of them.
    let section = module().windows(14).position(|bytes| bytes == b"component-type").unwrap();
    // Its identifier is the last zero before its length and the length of its name.
    let start = module()[..section].iter().rposition(|byte| *byte == 0).unwrap();
    let bytes = [&wat::parse_str("(module)").unwrap(), &module()[start..]].concat();
    let file = desk.put("lies.wasm", &bytes);
    let ended = run(&["plugin", "pack", &file, "-o", &desk.path("plugin.wasm")]);
    assert_eq!((ended.code, desk.files()), (Some(65), 1), "{ended:?}");
    assert!(ended.err.starts_with("hongbao: cannot-pack: no component can be made of this module: "));
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
}
