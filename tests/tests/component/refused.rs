//! Which bytes are no plugin, and what is said of them.

use hongbao_host::runtime::{Digest, Engine, Form, Plugin, PluginError};
use hongbao_tests::guests::{Deed, misbehaving, module};

/// Every refusal is one sentence that ends with what to do.
#[track_caller]
fn refuses(bytes: &[u8], code: &str, sentence: &str) {
    let error = Plugin::from_bytes(&Engine::new().unwrap(), bytes).unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), (code, sentence));
}

fn refuses_text(text: &str, code: &str, sentence: &str) {
    refuses(&wat::parse_str(text).unwrap(), code, sentence);
}

#[test]
fn what_is_no_webassembly() {
    let sentence = "this is no WebAssembly; name a component, as `hongbao plugin pack` makes one";
    for bytes in [
        &b""[..],
        b"plain text",
        b"not wasm at all",
        b"\x7fELF\x02\x01\x01",
        b"\0bsm\x0d\0\x01\0",
        &[0xff; 64],
    ] {
        refuses(bytes, "not-a-component", sentence);
    }
}

#[test]
fn webassembly_as_text() {
    let sentence = "this is WebAssembly as text; make it binary with `wasm-tools parse`";
    for text in ["(component)", "(module)", "\n  ;; a plugin\n  (component)", "(; a plugin ;) (component)"] {
        refuses(text.as_bytes(), "not-a-component", sentence);
    }
}

#[test]
fn what_was_cut_short() {
    let sentence = "this WebAssembly is cut short; copy or build the file again";
    let plugin = Plugin::EMBEDDED;
    for end in [1, 3, 4, 7, 9, 1000, plugin.len() / 2, plugin.len() - 1] {
        refuses(&plugin[..end], "not-a-component", sentence);
    }
}

#[test]
fn a_core_module() {
    let sentence = "this is a core module; make it a component with `hongbao plugin pack`";
    refuses_text("(module)", "not-a-component", sentence);
    refuses_text(r#"(module (func (export "grab")))"#, "not-a-component", sentence);
    refuses(module(), "not-a-component", sentence);
}

#[test]
fn what_the_compiler_does_not_take() {
    let error = Plugin::from_bytes(&Engine::new().unwrap(), b"\0asm\x0d\0\x01\0\x63\0").unwrap_err();
    let said = error.to_string();
    assert_eq!(error.code(), "not-a-component");
    assert!(said.starts_with("this is no WebAssembly that this host can run: "), "{said}");
    assert!(said.ends_with("; build it again for wasm32-unknown-unknown"), "{said}");
    assert!(!said.contains('\n'), "{said}");
}

#[test]
fn more_memory_than_an_instance_may_have() {
    let greedy = "(component (core module $m (memory 300)) (core instance (instantiate $m)))";
    let error = Plugin::from_bytes(&Engine::new().unwrap(), &wat::parse_str(greedy).unwrap()).unwrap_err();
    assert_eq!(error.code(), "not-a-component", "{error}");
    assert!(error.to_string().contains("memory"), "{error}");
}

/// The embedded plugin with so many modules more, each with a memory and two tables where it has any.
fn with_modules(memories: usize, others: usize) -> Vec<u8> {
    let text = wasmprinter::print_bytes(Plugin::EMBEDDED).unwrap();
    let mut text = text.trim_end().strip_suffix(')').unwrap().to_owned();
    text += "(core module $large (memory 1) (table 1 funcref) (table 1 funcref)) (core module $small)";
    text += &"(core instance (instantiate $large))".repeat(memories);
    text += &"(core instance (instantiate $small))".repeat(others);
    wat::parse_str(text + ")").unwrap()
}

#[test]
fn several_modules_with_memories_of_their_own() {
    // As many as what a component of JavaScript has.
    super::loading::works(Plugin::from_bytes(&Engine::new().unwrap(), &with_modules(2, 8)).unwrap());
    let engine = Engine::with_room(2).unwrap();
    let few = Plugin::from_bytes(&engine, &with_modules(1, 0)).unwrap();
    super::loading::works(few);
    let sentence = |memories, tables, most| {
        let twice = 2 * most;
        format!(
            "the plugin has {memories} memories and {tables} tables, and may have {most} and {twice}; build it as \
             one module"
        )
    };
    refuses(&with_modules(4, 0), "too-many-memories", &sentence(5, 10, 4));
    let refused = Plugin::from_bytes(&engine, &with_modules(2, 0)).unwrap_err();
    assert_eq!((refused.code(), refused.to_string()), ("too-many-memories", sentence(3, 6, 2)));
    let seen = Plugin::inspect(&engine, &with_modules(2, 0)).unwrap();
    assert_eq!(seen.refusal.unwrap().code(), "too-many-memories");
}

#[test]
fn what_is_too_large() {
    let sentence = "this is larger than 16 MiB, the most that a plugin may be; build it optimised, without \
                    debug symbols";
    let mut large = Plugin::EMBEDDED.to_vec();
    large.resize(Plugin::MAX_BYTES as usize + 1, 0);
    refuses(&large, "too-large", sentence);
    large.pop();
    assert!(!matches!(Form::of(&large), Err(PluginError::TooLarge)));
}

#[test]
fn imports_that_this_host_does_not_give() {
    for import in ["wasi:cli/environment@0.2.0", "wasi:random/random@0.2.0"] {
        refuses_text(
            &format!(r#"(component (import "{import}" (instance)))"#),
            "foreign-import",
            &format!(
                "the plugin imports {import}, which this host does not give; build it for wasm32-unknown-unknown, \
                 which needs no WASI"
            ),
        );
    }
    for import in ["acme:wallets/transfer@1.0.0", "hongbao:plugin/wallets@0.2.0"] {
        refuses_text(
            &format!(r#"(component (import "{import}" (instance)))"#),
            "foreign-import",
            &format!(
                "the plugin imports {import}, which this host does not give; a plugin imports interfaces of \
                 hongbao:plugin@0.2.0 alone"
            ),
        );
    }
}

#[test]
fn another_version_of_the_contract() {
    for version in ["0.1.0", "0.2.1", "0.3.0", "9.0.0"] {
        let sentence = |name: &str| {
            format!(
                "the plugin speaks {name}, and this host speaks hongbao:plugin@0.2.0; build the plugin for that \
                 version"
            )
        };
        for import in ["counter", "ledger"] {
            let name = format!("hongbao:plugin/{import}@{version}");
            let text = format!(r#"(component (import "{name}" (instance)))"#);
            refuses_text(&text, "contract-version", &sentence(&name));
        }
        let name = format!("hongbao:plugin/packets@{version}");
        let text = format!(r#"(component (instance $i) (export "{name}" (instance $i)))"#);
        refuses_text(&text, "contract-version", &sentence(&name));
    }
}

#[test]
fn an_export_that_every_plugin_has() {
    let sentence = "the plugin does not export hongbao:plugin/packets@0.2.0; build it for the world `core` or `plugin` \
                    of hongbao:plugin@0.2.0";
    for text in ["(component)", "(component (instance $i))"] {
        refuses_text(text, "missing-export", sentence);
    }
    // A function of that name, without its package, is something else.
    let function = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "packets" (func $f)))"#;
    refuses_text(function, "missing-export", sentence);
    let chat = r#"(component (instance $i) (export "hongbao:plugin/chat@0.2.0" (instance $i)))"#;
    refuses_text(chat, "missing-export", sentence);
}

/// Refused since its interfaces are others; gives the sentence.
#[track_caller]
fn mismatches(text: &str) -> String {
    let error = Plugin::from_bytes(&Engine::new().unwrap(), &wat::parse_str(text).unwrap()).unwrap_err();
    let said = error.to_string();
    assert_eq!(error.code(), "contract-mismatch");
    assert!(said.starts_with("the plugin's interfaces are not those of hongbao:plugin@0.2.0: "), "{said}");
    assert!(said.ends_with("; build it from that contract's files"), "{said}");
    said
}

#[test]
fn interfaces_with_other_types() {
    let other = r#"(component
        (import "hongbao:plugin/clock@0.2.0" (instance $clock (export "now-ms" (func (result string)))))
        (component $c) (instance $i (instantiate $c))
        (export "hongbao:plugin/packets@0.2.0" (instance $i))
        (export "hongbao:plugin/chat@0.2.0" (instance $i)))"#;
    let said = mismatches(other);
    assert!(said.contains("hongbao:plugin/clock@0.2.0"), "{said}");
    mismatches(
        r#"(component
            (instance $empty)
            (export "hongbao:plugin/packets@0.2.0" (instance $empty))
            (export "hongbao:plugin/chat@0.2.0" (instance $empty)))"#,
    );
}

#[test]
fn an_inspection_reads_what_does_not_fit() {
    let engine = Engine::new().unwrap();
    let text = r#"(component
        (import "hongbao:plugin/types@0.1.0" (instance))
        (import "hongbao:plugin/counter@0.1.0" (instance))
        (import "wasi:random/random@0.2.0" (instance))
        (instance $i) (export "hongbao:plugin/chat@0.2.0" (instance $i)))"#;
    let seen = Plugin::inspect(&engine, &wat::parse_str(text).unwrap()).unwrap();
    assert_eq!(seen.form, Form::Component);
    assert_eq!(seen.imports.len(), 3);
    assert_eq!(seen.exports, ["hongbao:plugin/chat@0.2.0"]);
    assert_eq!(seen.contract_versions, ["0.1.0", "0.2.0"]);
    assert_eq!(seen.needs, ["counter"]);
    assert_eq!(seen.refusal.unwrap().code(), "contract-version");
}

#[test]
fn an_inspection_of_a_core_module_names_its_imports_without_their_control_characters() {
    let engine = Engine::new().unwrap();
    let text = r#"(module (import "a\1b[31m\0a" "f" (func)) (import "b" "f" (func)) (import "b" "g" (func))
        (memory (export "memory") 1))"#;
    let seen = Plugin::inspect(&engine, &wat::parse_str(text).unwrap()).unwrap();
    assert_eq!((seen.form, seen.imports), (Form::CoreModule, vec!["a [31m".to_owned(), "b".to_owned()]));
    assert_eq!(seen.exports, ["memory"]);
    assert_eq!(seen.refusal.unwrap().code(), "not-a-component");
    let seen = Plugin::inspect(&engine, module()).unwrap();
    assert_eq!(seen.needs, ["counter", "ledger", "users", "entropy", "clock", "log", "policy"]);
}

#[test]
fn a_plugin_that_fits_is_known_by_its_digest_and_size() {
    let engine = Engine::new().unwrap();
    for bytes in [Plugin::EMBEDDED, misbehaving(Deed::Trap)] {
        let plugin = Plugin::from_bytes(&engine, bytes).unwrap();
        assert_eq!(plugin.digest(), Digest::of(bytes));
        assert_eq!(plugin.size(), bytes.len() as u64);
        assert_eq!(plugin.manifest(), None);
        assert!(Plugin::inspect(&engine, bytes).unwrap().refusal.is_none());
    }
}
