//! Strict parsing of JSON and TOML from outside, with errors that name the place and the reason.
//!
//! Serde's derived types take an array for a struct, its elements for the fields in their order, so that
//! `[100000]` would fund a wallet and `[]` reset all settings. [`Strict`] stands between a format and the
//! types at every level of nesting and refuses that. Nothing else in this crate may read JSON or TOML
//! that somebody else wrote; the test `tidy` holds it to that.

mod strict;
mod text;
mod way;

use std::fmt;

use serde::Deserializer;
use serde::de::DeserializeOwned;
use toml::de::DeTable;

pub use strict::Strict;
pub use text::{TextError, read_pem, read_text, text};
pub use way::{Misfit, Way};

/// Why a text is not what it should be.
#[derive(Debug)]
pub enum DecodeError {
    /// It is no text.
    Text(TextError),
    /// It is no JSON, or JSON of another shape.
    Json {
        /// The way to what is wrong.
        way: Way,
        /// What is wrong, and in which line.
        error: serde_json::Error,
    },
    /// It is no TOML, or TOML of another shape: where, and what is wrong, in one line.
    Toml(String),
}

impl DecodeError {
    /// The library's own words take several lines, with a picture of the place.
    fn toml(text: &str, way: &Way, error: &toml::de::Error) -> Self {
        let why = way.told(&error.message().replace('\n', "; "));
        Self::Toml(format!("{}{why}", place(text, error.span().map(|span| span.start))))
    }

    /// A document in TOML of the right shape has a value that cannot be kept.
    #[must_use]
    pub fn misfit(text: &str, misfit: &Misfit) -> Self {
        Self::Toml(format!("{}{misfit}", place(text, misfit.way.offset(text, &misfit.why))))
    }
}

/// `line 1, column 2: `, or nothing where nobody knows.
fn place(text: &str, offset: Option<usize>) -> String {
    let Some(before) = offset.and_then(|offset| text.get(..offset)) else { return String::new() };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: ")
}

impl fmt::Display for DecodeError {
    /// The reader's words name the field and the place, and repeat no more than a value of the wrong type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(error) => error.fmt(f),
            // Of what is no JSON at all the line says more than the way.
            Self::Json { error, .. } if !error.is_data() => error.fmt(f),
            Self::Json { way, error } => f.write_str(&way.told(&error.to_string())),
            Self::Toml(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Reads a value, and says the way to what is wrong with it: a reader's own words name a member that is
/// unknown, and not one whose value is wrong.
fn read<'de, T: DeserializeOwned, D: Deserializer<'de>>(reader: D) -> Result<T, (Way, D::Error)> {
    serde_path_to_error::deserialize(reader).map_err(|error| (Way::from(error.path()), error.into_inner()))
}

/// A value in JSON, and nothing behind it.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let text = text(bytes).map_err(DecodeError::Text)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = read(Strict::json(&mut reader)).map_err(|(way, error)| DecodeError::Json { way, error })?;
    reader.end().map_err(|error| DecodeError::Json { way: Way::default(), error })?;
    Ok(value)
}

/// A document in TOML.
pub fn toml<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    toml_beside(text, &[])
}

/// A document in TOML, of which these keys at the top are somebody else's. It is read as a whole, so that
/// errors have the lines of the whole.
pub fn toml_beside<T: DeserializeOwned>(text: &str, others: &[&str]) -> Result<T, DecodeError> {
    let mut document =
        DeTable::parse(text).map_err(|error| DecodeError::toml(text, &Way::default(), &error))?;
    for other in others {
        document.get_mut().remove(*other);
    }
    let reader = toml::Deserializer::from(document);
    read(Strict::toml(reader)).map_err(|(way, error)| DecodeError::toml(text, &way, &error))
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
            assert!(said.contains("invalid type: sequence, expected a JSON object"), "{case}: {said}");
        }
        for case in ["inner = []", "list = [[1, 'a']]", "maybe = [1, 'a']", "[named]\na = []"] {
            let said = toml::<Outer>(case).unwrap_err().to_string();
            assert!(said.contains("invalid type: sequence, expected a table"), "{case}: {said}");
            assert!(said.contains("line "), "the place is told: {said}");
        }
    }

    #[test]
    fn the_way_to_what_is_wrong_is_told() {
        let cases = [
            (r#"{"inner":{"number":-1}}"#, "inner.number: invalid value: integer `-1`, expected a whole"),
            (
                r#"{"list":[{},{"text":1}]}"#,
                "list[1].text: invalid type: integer `1`, expected a string at line",
            ),
            (r#"{"named":{"a b":{"number":true}}}"#, r#"named."a b".number: invalid type: boolean"#),
            (r#"{"named":{"a":{"numbre":1}}}"#, "named.a: unknown field `numbre`, expected `number`"),
            (r#"{"numbre":1}"#, "unknown field `numbre`"),
            (r#"{"inner":{"number":1"#, "EOF while parsing"),
        ];
        for (case, expected) in cases {
            assert!(refused(case).starts_with(expected), "{case}: {}", refused(case));
        }
        let text = "small = 1\n\n[named.a]\nnumber = 1\n[named.'b.c']\nnumber = -1\n";
        let said = |text: &str| toml::<Outer>(text).unwrap_err().to_string();
        let place = r#"line 6, column 10: named."b.c".number: invalid value: integer `-1`"#;
        assert!(said(text).starts_with(place), "{}", said(text));
        let text = "[inner]\nnumbre = 1";
        assert!(said(text).starts_with("line 2, column 1: inner: unknown field `numbre`"), "{}", said(text));
    }

    #[test]
    fn what_is_somebody_elses_keeps_its_lines() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Part {
            inner: Inner,
        }
        let text = "theirs = [1]\n[them]\nx = 1\n[inner]\nnumber = 7\n";
        assert_eq!(toml_beside::<Part>(text, &["theirs", "them"]).unwrap().inner.number, 7);
        let said = toml_beside::<Part>(text, &["them"]).unwrap_err().to_string();
        assert!(said.starts_with("line 1, column 1: unknown field `theirs`"), "{said}");
        let said =
            toml_beside::<Part>(&text.replace('7', "'7'"), &["theirs", "them"]).unwrap_err().to_string();
        assert!(said.starts_with("line 5, column 10: inner.number: invalid type"), "{said}");
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
