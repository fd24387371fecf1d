//! `%XX` in queries and paths.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Undoes `+` and `%XX` in a query; `None` for a `%` without two hexadecimal
/// digits.
pub(super) fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Some(Cow::Owned(unescape_path(&spaced)?.into_owned()));
    }
    unescape_path(text)
}

/// Undoes `%XX` in a path, where `+` stands for itself.
pub(crate) fn unescape_path(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            other => other,
        });
    }
    Some(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// One segment of a path, or a value of a query: all but letters, digits and
/// `-._~` as `%XX`. Slashes too, so that no client takes a name that begins with
/// `../` for a way up.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "%{other:02X}");
            }
        }
    }
    escaped
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths() {
        for name in [
            "sessions",
            "../src/a.rs:41:7",
            "a b+c%2F",
            "größe \"\n\\",
            "",
        ] {
            let escaped = escape(name);
            assert_eq!(unescape_path(&escaped).unwrap(), name);
            assert_eq!(unescape(&escaped).unwrap(), name);
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            assert!(escaped.bytes().all(is_plain), "{escaped}");
        }
        assert_eq!(unescape_path("a+b/c:1%2b").unwrap(), "a+b/c:1+");
        assert_eq!(unescape_path("%e4").unwrap(), "\u{fffd}");
        for bad in ["%", "%2", "%zz", "a%"] {
            assert_eq!(unescape_path(bad), None, "{bad}");
        }
    }
}
