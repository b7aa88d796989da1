//! API keys at the machine itself.

use tempfile::TempDir;

use crate::process::run;

#[test]
fn a_key_is_made_listed_and_revoked() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let config = folder.path().join("hongbao.toml");
    std::fs::write(&config, "[tenants.acme]").unwrap();
    let made = run(&[
        "key",
        "create",
        "--label",
        "till",
        "--scope",
        "member",
        "--scope",
        "fund",
        "--tenant",
        "acme",
        "--data",
        data,
        "--config",
        config.to_str().unwrap(),
    ]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = made.out.trim();
    assert_eq!((key.len(), &key[..3]), (117, "hb_"));
    assert_eq!(made.err, "A key of tenant acme. Keep it well: it is not shown again.\n");
    let operator = run(&["key", "create", "--label", "ops", "--operator", "--data", data]);
    assert_eq!(operator.code, Some(0), "{operator:?}");

    let listed = run(&["key", "list", "--tenant", "acme", "--data", data]).out;
    assert!(listed.starts_with("Keys of tenant acme:\n"), "{listed}");
    assert!(
        listed.contains(&key[3..19]) && listed.contains("till") && listed.contains("member, fund"),
        "{listed}"
    );
    assert!(!listed.contains(&key[20..]) && !listed.contains("ops"), "{listed}");
    let id = &key[3..19];
    let elsewhere = run(&["key", "revoke", id, "--tenant", "other", "--data", data]);
    assert_eq!(
        (elsewhere.code, elsewhere.err.contains("there is no API key")),
        (Some(65), true),
        "{elsewhere:?}"
    );
    let revoked = run(&["key", "revoke", id, "--tenant", "acme", "--data", data]);
    assert_eq!((revoked.code, revoked.out.as_str()), (Some(0), &*format!("{id} (till) is revoked.\n")));
    assert!(run(&["key", "list", "--tenant", "acme", "--data", data]).out.contains("revoked"));
}

#[test]
fn there_are_no_keys_of_a_tenant_that_nobody_knows() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let create = ["key", "create", "--label", "x", "--scope", "member", "--data", data];
    let list = ["key", "list", "--data", data];
    for args in [&create[..], &list] {
        let said = run(&[args, &["--tenant", "nosuch"]].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(64), ""), "{said:?}");
        assert!(
            said.err.starts_with("hongbao: unknown-tenant: --tenant: \"nosuch\": the service has no"),
            "{said:?}"
        );
    }
    // A key of nobody's tenant opens nothing, whatever the tenant is called.
    assert_eq!(run(&create).code, Some(64));
    let said = run(&list);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "There is no key of tenant default.\n"), "{said:?}");
    let said = run(&["key", "list", "--operator", "--data", data]);
    assert_eq!(said.out, "There is no key of the operator.\n", "{said:?}");
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let cases: &[(&[&str], i32)] = &[
        (&["key", "create", "--label", "x", "--data", data], 64),
        (&["key", "create", "--label", "x", "--scope", "root", "--data", data], 65),
        (&["key", "create", "--label", "x", "--scope", "operator", "--data", data], 64),
        (&["key", "create", "--label", "", "--scope", "member", "--data", data], 65),
        (&["key", "create", "--label", "x", "--scope", "member"], 64),
        (&["key", "revoke", "nothing", "--data", data], 65),
    ];
    for (args, code) in cases {
        let said = run(args);
        assert_eq!(said.code, Some(*code), "{args:?}: {said:?}");
    }
}
