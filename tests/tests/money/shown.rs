//! Amounts as the host shows them, by the table that the plugin and the page are tested with.

use hongbao_host::domain::Currency;
use serde_json::Value;

#[test]
fn amounts_are_shown_as_everywhere() {
    let table: Value = serde_json::from_str(include_str!("../../vectors/amounts.json")).unwrap();
    let cases = table["shown"].as_array().unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let digits = u8::try_from(case["digits"].as_u64().unwrap()).unwrap();
        let amount: u64 = case["amount"].as_str().unwrap().parse().unwrap();
        let currency = Currency { code: case["currency"].as_str().unwrap().into(), digits };
        assert_eq!(currency.show(amount), case["text"].as_str().unwrap());
    }
}
