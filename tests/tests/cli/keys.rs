//! API keys at the machine itself.

use tempfile::TempDir;

use crate::process::run;

#[test]
fn a_key_is_made_listed_and_revoked() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let made = run(&[
        "key", "create", "--label", "till", "--scope", "member", "--scope", "fund", "--tenant", "acme",
        "--data", data,
    ]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let key = made.out.trim();
    assert_eq!((key.len(), &key[..3]), (117, "hb_"));
    assert_eq!(made.err, "Keep it well: it is not shown again.\n");
    let operator = run(&["key", "create", "--label", "ops", "--operator", "--data", data]);
    assert_eq!(operator.code, Some(0), "{operator:?}");

    let listed = run(&["key", "list", "--tenant", "acme", "--data", data]).out;
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
