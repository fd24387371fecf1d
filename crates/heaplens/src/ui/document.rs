//! What is read of a JSON document: nothing is taken for granted of it.

use std::time::Duration;

use serde_json::Value;

use crate::units;

/// The number at a JSON pointer.
pub(super) fn number(document: &Value, pointer: &str) -> Option<f64> {
    document.pointer(pointer)?.as_f64()
}

/// The text at a JSON pointer.
pub(super) fn text<'a>(document: &'a Value, pointer: &str) -> Option<&'a str> {
    document.pointer(pointer)?.as_str()
}

/// Whether there is `true` at a JSON pointer.
pub(super) fn flag(document: &Value, pointer: &str) -> bool {
    document.pointer(pointer).and_then(Value::as_bool) == Some(true)
}

/// The list at a JSON pointer; nothing if there is none.
pub(super) fn list<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    let list = document.pointer(pointer).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// A number of bytes in words.
pub(super) fn bytes(document: &Value, pointer: &str) -> Option<String> {
    number(document, pointer).map(units::bytes)
}

/// A count in words.
pub(super) fn count(document: &Value, pointer: &str) -> Option<String> {
    number(document, pointer).map(|count| units::count(count.max(0.0).round() as u64))
}

/// Seconds in words.
pub(super) fn duration(document: &Value, pointer: &str) -> Option<String> {
    number(document, pointer).and_then(lasting)
}

/// Seconds in words; `None` for what is no time.
pub(super) fn lasting(seconds: f64) -> Option<String> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    Some(units::duration(duration))
}

/// A rate a minute of one a second, in words.
pub(super) fn a_minute(document: &Value, pointer: &str) -> Option<String> {
    number(document, pointer).map(|rate| self::rate(rate * 60.0))
}

/// A rate with its sign, its thousands apart.
pub(super) fn rate(rate: f64) -> String {
    let size = rate.abs().round();
    if size < 1000.0 {
        return units::rate(rate);
    }
    let sign = if rate < 0.0 { '-' } else { '+' };
    format!("{sign}{}", units::count(size as u64))
}

/// A moment as RFC 3339 has it, as people do: `09:41:07 UTC`.
pub(super) fn clock(moment: &str) -> Option<&str> {
    let (_, time) = moment.split_once('T')?;
    time.get(..8)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_there_and_what_is_not() {
        let document = json!({"a": {"b": 1536.0, "c": "x", "d": [1, 2], "e": true, "f": null}});
        assert_eq!(bytes(&document, "/a/b").as_deref(), Some("1.5 KiB"));
        assert_eq!(count(&document, "/a/b").as_deref(), Some("1,536"));
        assert_eq!(duration(&document, "/a/b").as_deref(), Some("25m36s"));
        assert_eq!(a_minute(&json!(0.5), "").as_deref(), Some("+30.0"));
        assert_eq!(a_minute(&json!(-100), "").as_deref(), Some("-6,000"));
        assert_eq!(text(&document, "/a/c"), Some("x"));
        assert_eq!(list(&document, "/a/d").len(), 2);
        assert!(flag(&document, "/a/e") && !flag(&document, "/a/c"));
        assert_eq!(number(&document, "/a/f"), None);
        assert!(list(&document, "/nothing").is_empty());
        assert_eq!(lasting(-1.0), None);
        assert_eq!(lasting(f64::NAN), None);
        assert_eq!(clock("2026-11-22T20:29:00.25Z"), Some("20:29:00"));
        assert_eq!(clock("20:29"), None);
    }
}
