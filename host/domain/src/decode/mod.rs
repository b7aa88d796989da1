//! Texts from outside become values here: JSON and TOML, with everything that a careless reader lets
//! pass refused in a sentence.
//!
//! Serde's derived types take an array for a struct, its elements for the fields in their order, so that
//! `[100000]` would fund a wallet and `[]` reset all settings. [`Strict`] stands between a format and the
//! types at every level of nesting and refuses that. Nothing else in this crate may read JSON or TOML
//! that somebody else wrote; the test `tidy` holds it to that.

mod strict;
mod text;

use std::fmt;

use serde::de::DeserializeOwned;

pub use strict::Strict;
pub use text::{TextError, read_pem, read_text, text};

/// Why a text is not what it should be.
#[derive(Debug)]
pub enum DecodeError {
    /// It is no text.
    Text(TextError),
    /// It is no JSON, or JSON of another shape.
    Json(serde_json::Error),
    /// It is no TOML, or TOML of another shape: where, and what is wrong, in one line.
    Toml(String),
}

impl DecodeError {
    /// The library's own words take several lines, with a picture of the place.
    pub fn toml(text: &str, error: &toml::de::Error) -> Self {
        let place = error.span().and_then(|span| text.get(..span.start)).map(|before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("line {line}, column {column}: ")
        });
        Self::Toml(format!("{}{}", place.unwrap_or_default(), error.message().replace('\n', "; ")))
    }
}

impl fmt::Display for DecodeError {
    /// The reader's words name the field and the place, and repeat no more than a value of the wrong type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(error) => error.fmt(f),
            Self::Json(error) => error.fmt(f),
            Self::Toml(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A value in JSON, and nothing behind it.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let text = text(bytes).map_err(DecodeError::Text)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Strict::json(&mut reader)).map_err(DecodeError::Json)?;
    reader.end().map_err(DecodeError::Json)?;
    Ok(value)
}

/// A document in TOML.
pub fn toml<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    let wrong = |error| DecodeError::toml(text, &error);
    let document = toml::Deserializer::parse(text).map_err(wrong)?;
    T::deserialize(Strict::toml(document)).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        inner: Inner,
        list: Vec<Inner>,
        named: std::collections::BTreeMap<String, Inner>,
        maybe: Option<Inner>,
        small: u8,
        large: u64,
        signed: i64,
        flag: bool,
        text: Option<String>,
        word: Word,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        number: u64,
        text: String,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        #[default]
        One,
        TwoWords,
    }

    fn refused(json: &str) -> String {
        super::json::<Outer>(json.as_bytes()).expect_err(json).to_string()
    }

    #[test]
    fn what_has_the_right_shape_is_read() {
        let text = r#" {"inner":{"number":7,"text":"\u4e2d"},"list":[{}],"named":{"a":{"number":1}},"maybe":{},
            "small":255,"large":18446744073709551615,"signed":-9223372036854775808,"flag":true,"text":null,
            "word":"two-words"} "#;
        let read: Outer = json(text.as_bytes()).unwrap();
        assert_eq!(read.inner, Inner { number: 7, text: "中".into() });
        assert_eq!((read.list.len(), read.named["a"].number, read.maybe), (1, 1, Some(Inner::default())));
        assert_eq!((read.small, read.large, read.signed), (255, u64::MAX, i64::MIN));
        assert_eq!((read.flag, read.text, read.word), (true, None, Word::TwoWords));
        let text = "large = 5\nword = 'two-words'\nlist = [{ number = 1 }]\n[inner]\nnumber = 2\n[named.b]\n";
        let read: Outer = toml(text).unwrap();
        assert_eq!((read.large, read.word, read.list[0].number), (5, Word::TwoWords, 1));
        assert_eq!((read.inner.number, read.named.len()), (2, 1));
    }

    #[test]
    fn an_array_is_no_object_at_any_depth() {
        let cases = [
            "[]",
            "[[]]",
            r#"{"inner":[]}"#,
            r#"{"inner":[7,"a"]}"#,
            r#"{"list":[[7,"a"]]}"#,
            r#"{"list":[{},[]]}"#,
            r#"{"named":{"a":[7,"a"]}}"#,
            r#"{"maybe":[]}"#,
        ];
        for case in cases {
            let said = refused(case);
            assert!(said.starts_with("invalid type: sequence, expected a JSON object"), "{case}: {said}");
        }
        for case in ["inner = []", "list = [[1, 'a']]", "maybe = [1, 'a']", "[named]\na = []"] {
            let said = toml::<Outer>(case).unwrap_err().to_string();
            assert!(said.contains("invalid type: sequence, expected a table"), "{case}: {said}");
            assert!(said.contains("line "), "the place is told: {said}");
        }
    }

    #[test]
    fn whole_numbers_are_written_as_such() {
        let cases = [
            (
                r#"{"large":1.0}"#,
                "floating point `1.0`, expected a whole number from 0 to 18446744073709551615",
            ),
            (r#"{"large":1e3}"#, "without a fraction or an exponent"),
            (r#"{"large":18446744073709551616}"#, "expected a whole number from 0 to 18446744073709551615"),
            (r#"{"large":-1}"#, "integer `-1`, expected a whole number from 0 to 18446744073709551615"),
            (r#"{"large":"5"}"#, "string \"5\", expected a whole number"),
            (r#"{"large":null}"#, "null, expected a whole number"),
            (r#"{"small":256}"#, "integer `256`, expected a whole number from 0 to 255"),
            (r#"{"signed":9223372036854775808}"#, "to 9223372036854775807"),
            (r#"{"large":1e400}"#, "number out of range"),
        ];
        for (case, expected) in cases {
            let said = refused(case);
            assert!(said.contains(expected), "{case}: {said}");
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        let cases = [
            (r#"{"small":1,"small":2}"#, "duplicate field `small`"),
            (r#"{"inner":{"number":1,"number":1}}"#, "duplicate field `number`"),
            (r#"{"inner":null}"#, "null, expected a JSON object"),
            (r#"{"inner":"x"}"#, "expected a JSON object"),
            (r#"{"word":"three"}"#, "unknown variant `three`, expected `one` or `two-words`"),
            (r#"{"word":{"one":null}}"#, "map, expected one of: one, two-words"),
            (r#"{"word":["one"]}"#, "sequence, expected one of: one, two-words"),
            (r#"{"flag":1}"#, "expected a boolean"),
            (r#"{"flag":"true"}"#, "expected a boolean"),
            (r#"{"more":1}"#, "unknown field `more`"),
            (r#"{"text":"\ud800"}"#, "unexpected end of hex escape"),
            (r#"{} {}"#, "trailing characters"),
            (r#"{}x"#, "trailing characters"),
            ("", "EOF"),
        ];
        for (case, expected) in cases {
            let said = refused(case);
            assert!(said.contains(expected), "{case}: {said}");
        }
        let deep = json::<serde_json::Value>("[".repeat(100_000).as_bytes()).unwrap_err().to_string();
        assert!(deep.contains("recursion limit exceeded"), "{deep}");
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_other_encodings_are_named() {
        assert_eq!(json::<Outer>(b"\xef\xbb\xbf{\"small\":1}\r\n").unwrap().small, 1);
        let utf_16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let said = json::<Outer>(&utf_16).unwrap_err().to_string();
        assert_eq!(said, "the text is in UTF-16; save it as UTF-8");
        let said = json::<Outer>(b"{\"text\":\"\xff\"}").unwrap_err().to_string();
        assert_eq!(said, "the text is not in UTF-8, from byte 9 on");
    }
}
