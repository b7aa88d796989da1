//! Guests that say what they are not, or nothing at all, or are no plugin. They never serve anybody.

use hongbao_host::domain::{Grant, Grants, Limit};
use hongbao_host::runtime::{Engine, Plugin, PluginError, TenantError};
use hongbao_tests::chat::user;

use crate::stage::{Stage, evil, guest};

/// Why this guest does not come to serve a tenant; the former plugin goes on.
async fn refused(name: &str) -> TenantError {
    let stage = Stage::new("log_flood").await;
    let error = stage.evil.upgrade(guest(name)).await.expect_err("it is refused");
    assert!(stage.evil.grab(stage.packet, user("bob")).await.unwrap().may_open());
    stage.assert_unharmed().await;
    error
}

#[tokio::test]
async fn who_never_says_what_it_is_never_serves() {
    let TenantError::NoManifest(error) = refused("endless_manifest").await else { panic!() };
    assert_eq!(error.to_string(), "the plugin failed: the plugin computed for more than 100 ms");
    assert_eq!(error.limit(), Some(Limit::Cpu));
}

#[tokio::test]
async fn who_breaks_at_once_never_serves() {
    let error = refused("panics_at_once").await;
    assert_eq!(error.code(), "no-manifest");
    let said = "the plugin does not say what it is: the plugin failed: wasm trap: wasm `unreachable` \
                instruction executed";
    assert_eq!(error.to_string(), said);
}

#[tokio::test]
async fn who_has_no_proper_name_never_serves() {
    let error = refused("nameless").await;
    assert!(error.to_string().ends_with("a name with other than letters, digits and hyphens"), "{error}");
}

#[tokio::test]
async fn who_imports_more_than_is_granted_never_serves() {
    let stage = Stage::new("log_flood").await;
    let less = Grants::ALL.without([Grant::Ledger, Grant::Entropy].into_iter().collect());
    let error = stage.evil.configure(evil().grants(less)).await.unwrap_err();
    let said = "the plugin asks for ledger, entropy, which the tenant does not grant; \
                list it in the tenant's grants";
    assert_eq!((error.code(), error.to_string().as_str()), ("not-granted", said));
    assert!(stage.evil.grab(stage.packet, user("bob")).await.unwrap().may_open());
    stage.assert_unharmed().await;
}

fn unfit(text: &str) -> PluginError {
    Plugin::from_bytes(&Engine::new().unwrap(), &wat::parse_str(text).unwrap()).expect_err("it is unfit")
}

#[test]
fn what_wants_more_than_the_contract_gives_is_no_plugin() {
    let cases = [
        ("wasi:sockets/tcp@0.2.0", "foreign-import"),
        ("evil:money/printer@1.0.0", "foreign-import"),
        ("hongbao:plugin/network@0.2.0", "foreign-import"),
        ("hongbao:plugin/ledger@0.1.0", "contract-version"),
        ("hongbao:plugin/ledger@0.2.1", "contract-version"),
    ];
    for (name, code) in cases {
        let error = unfit(&format!("(component (import \"{name}\" (instance)))"));
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_is_made_for_another_world_is_no_plugin() {
    let error = unfit(
        "(component (component $c) (instance $i (instantiate $c)) (export \"wasi:cli/run@0.2.0\" (instance $i)))",
    );
    assert_eq!(error.code(), "missing-export");
}
