//! A tenant's settings in TOML and in JSON.

use hongbao_domain::decode::{self, DecodeError};
use hongbao_domain::{Amount, Limits, Policy, TenantSettings};
use serde_json::{Value, json};

fn from_json(text: &str) -> Result<TenantSettings, DecodeError> {
    decode::json(text.as_bytes())
}

fn from_toml(text: &str) -> Result<TenantSettings, DecodeError> {
    decode::toml(text)
}

/// Another value of the same kind for every setting.
fn alter(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(alter),
        Value::Bool(is_so) => *is_so = !*is_so,
        Value::Number(number) => *value = json!(number.as_u64().map(|number| number ^ 1)),
        Value::String(text) => text.push('x'),
        // Only a rate has no value by default.
        Value::Null => *value = json!(5),
        Value::Array(_) => unreachable!("no list has a default: {value}"),
    }
}

#[test]
fn toml_and_json_give_the_same_settings_and_every_one_of_them_is_read() {
    let mut said = json!(TenantSettings::default());
    alter(&mut said);
    said["grants"] = json!(["ledger", "log"]);
    said["settings"] = json!({"theme": "spring"});
    let by_json = from_json(&said.to_string()).unwrap();
    assert_eq!(json!(by_json), said, "every setting is read, and written as it was");
    let by_toml = from_toml(&toml::to_string(&said).unwrap()).unwrap();
    assert_eq!(by_toml, by_json);
    assert_eq!(from_toml(&toml::to_string(&by_json).unwrap()).unwrap(), by_json);
}

#[test]
fn unset_settings_use_their_defaults() {
    assert_eq!(from_json("{}").unwrap(), TenantSettings::default());
    assert_eq!(from_toml("").unwrap(), TenantSettings::default());
    let policy = Policy { max_share: Amount::new(7).unwrap(), ..Policy::default() };
    let expected = TenantSettings { policy, ..TenantSettings::default() };
    assert_eq!(from_json(r#"{"policy":{"max_share":7},"limits":{}}"#).unwrap(), expected);
    assert_eq!(from_toml("[policy]\nmax_share = 7\n[limits]").unwrap(), expected);
    // The first has a meaning, and the last is told like the others.
    let by_default = json!(TenantSettings::default());
    assert_eq!((by_default.get("grants"), by_default.get("settings")), (None, None));
    assert_eq!(by_default["limits"]["requests_per_second"], Value::Null);
    assert_eq!(from_json(&by_default.to_string()).unwrap(), TenantSettings::default());
}

#[test]
fn what_is_no_setting_is_refused_by_its_way() {
    let cases = [
        (
            r#"{"polic":{}}"#,
            "unknown field `polic`, expected one of `grants`, `policy`, `limits`, `settings`",
        ),
        (r#"{"policy":{"max_sahre":1}}"#, "policy: unknown field `max_sahre`, expected one of `currency`"),
        (r#"{"limits":{"batch":1,"batch":2}}"#, "limits: duplicate field `batch`"),
        (r#"{"limits":[]}"#, "limits: invalid type: sequence, expected a JSON object"),
        (r#"{"limits":null}"#, "limits: invalid type: null, expected a JSON object"),
        (r#"{"limits":{"batch":null}}"#, "limits.batch: invalid type: null, expected a whole number from 0"),
        (r#"{"limits":{"batch":1.0}}"#, "limits.batch: invalid type: floating point `1.0`"),
        (
            r#"{"limits":{"requests_per_second":0}}"#,
            "limits.requests_per_second: it must be at least 1; left",
        ),
        (r#"{"limits":{"requests_per_second":4294967296}}"#, "limits.requests_per_second: invalid value"),
        (r#"{"policy":{"max_share":-1}}"#, "policy.max_share: invalid value: integer `-1`, expected a whole"),
        (r#"{"policy":{"max_share":"1"}}"#, "policy.max_share: invalid type: string \"1\", expected a whole"),
        (
            r#"{"policy":{"large_from":9223372036854775808}}"#,
            "policy.large_from: 9223372036854775808 is no amount",
        ),
        (
            r#"{"policy":{"default_strategy":"x y"}}"#,
            "policy.default_strategy: a strategy is a name of lower",
        ),
        (r#"{"grants":["net"]}"#, "grants: \"net\" is no grant; there are counter, ledger, users, entropy"),
        (r#"{"grants":"ledger"}"#, "grants: invalid type: string \"ledger\", expected a sequence"),
        (r#"{"settings":{"a":1}}"#, "settings.a: invalid type: integer `1`, expected a string"),
    ];
    for (text, expected) in cases {
        let said = from_json(text).unwrap_err().to_string();
        assert!(said.starts_with(expected), "{text}: {said}");
    }
}

#[test]
fn what_cannot_be_kept_is_refused_by_its_setting() {
    let cases = [
        (r#"{"policy":{"max_shares":0}}"#, "policy: max_shares must be 1 to 1000000"),
        (r#"{"limits":{"batch":0}}"#, "limits: batch must be 1 to 4096"),
        (r#"{"limits":{"memory_bytes":16777217}}"#, "limits: memory_bytes must be 1 to 16777216"),
        (r#"{"settings":{"":"x"}}"#, "settings: \"\" is no key: one is 1 to 64 letters"),
        (r#"{"settings":{"a b":"x"}}"#, "settings: \"a b\" is no key"),
    ];
    for (text, expected) in cases {
        let said = from_json(text).unwrap().validate().unwrap_err().to_string();
        assert!(said.starts_with(expected), "{text}: {said}");
    }
    let long = TenantSettings { settings: [("a".into(), "x".repeat(4097))].into(), ..Default::default() };
    assert_eq!(long.validate().unwrap_err().to_string(), "settings: a has at most 4096 bytes, not 4097");
    let limits = Limits { keys: 0, ..Limits::default() };
    assert_eq!(TenantSettings { limits, ..TenantSettings::default() }.validate(), Ok(()));
}
