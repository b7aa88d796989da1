//! Values of metric labels, escaped for OpenMetrics.

use std::fmt::{Error, Write as _};
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// The value of a metric's label. The client library writes values as they are, so that a quotation mark
/// in a tenant's name would end the value and break the whole scrape. Every label has this type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label(Arc<str>);

impl<T: Into<Arc<str>>> From<T> for Label {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl EncodeLabelValue for Label {
    /// By `escaped-string` of OpenMetrics 1.0: a backslash stands in front of a backslash, a quotation
    /// mark and, as `\n`, for a line feed.
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), Error> {
        self.0.chars().try_for_each(|one| match one {
            '\n' => encoder.write_str("\\n"),
            '\\' => encoder.write_str("\\\\"),
            '"' => encoder.write_str("\\\""),
            one => encoder.write_char(one),
        })
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::metrics::family::Family;
    use prometheus_client::metrics::gauge::Gauge;
    use prometheus_client::registry::Registry;

    use super::*;

    fn written(value: &str) -> String {
        let family = Family::<[(&'static str, Label); 1], Gauge>::default();
        family.get_or_create(&[("tenant", value.into())]).set(1);
        let mut registry = Registry::default();
        registry.register("up", "Up", family);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let line = text.lines().find(|line| line.starts_with("up{")).unwrap();
        line.strip_prefix("up{tenant=\"").unwrap().strip_suffix("\"} 1").unwrap().to_owned()
    }

    #[test]
    fn what_would_end_a_value_is_escaped_and_nothing_else() {
        let cases = [
            ("", ""),
            ("acme", "acme"),
            ("微信 🧧\t'{}=,", "微信 🧧\t'{}=,"),
            ("Bob\"s shop", "Bob\\\"s shop"),
            ("a\\b", "a\\\\b"),
            ("a\nb\n", "a\\nb\\n"),
            ("\\n", "\\\\n"),
            ("\\\"\n\"", "\\\\\\\"\\n\\\""),
            ("x\",tenant=\"acme", "x\\\",tenant=\\\"acme"),
        ];
        for (value, expected) in cases {
            assert_eq!(written(value), expected, "{value:?}");
        }
    }
}
