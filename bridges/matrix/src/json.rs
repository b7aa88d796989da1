//! Values of JSON that others sent: any part may be missing, or of another kind.

use serde_json::Value;

/// The part of a value at a path of names; null where there is none.
pub(crate) fn at<'v>(value: &'v Value, path: &[&str]) -> &'v Value {
    path.iter().fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_that_is_not_there_is_null() {
        let value = json!({"a": {"b": 7}, "c": [1]});
        assert_eq!(at(&value, &["a", "b"]), 7);
        for path in [&["a", "x"][..], &["a", "b", "c"], &["c", "0"], &["x", "y"]] {
            assert_eq!(at(&value, path), &Value::Null);
        }
        assert_eq!(at(&value, &[]), &value);
    }
}
