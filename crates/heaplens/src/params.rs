//! Query parameters: as Go reads them, and strictly.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::num::IntErrorKind;
use std::time::Duration;

use hyper::StatusCode;

use crate::respond::{self, Reply};

/// The longest delta profile, in seconds.
const LONGEST: u64 = 300;
/// A CPU profile of no stated length, in seconds.
#[cfg(feature = "cpu-profile")]
const CPU_DEFAULT: u64 = 30;

/// Why a request is 400: one line for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadParameter(String);

impl BadParameter {
    pub(crate) fn reply(&self) -> Reply {
        respond::error(StatusCode::BAD_REQUEST, &self.0)
    }

    pub(crate) fn because(reason: impl Into<String>) -> Self {
        BadParameter(reason.into())
    }
}

impl fmt::Display for BadParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is asked of a heap profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProfileQuery {
    /// Text in place of protobuf.
    pub(crate) text: bool,
    /// What changed within this many seconds, in place of all since the start.
    pub(crate) seconds: Option<u64>,
    /// With `seconds`: what is in use as it is at the end, not what changed.
    pub(crate) inuse_last: bool,
    /// What this group of maps holds, in place of the whole heap. On our own
    /// path only.
    pub(crate) map: Option<String>,
}

impl ProfileQuery {
    /// As Go's handler reads a query: what it does not know or cannot parse it
    /// ignores, except for `seconds`, which it checks before `debug`. `gc` has
    /// nothing to do here: the figures are always up to date.
    pub(crate) fn as_go(query: Option<&str>) -> Result<Self, BadParameter> {
        let query = query.unwrap_or_default();
        let text = go_debug(&first(query, "debug"));
        let seconds = match first(query, "seconds").as_str() {
            "" => None,
            value => Some(seconds(value)?),
        };
        Self {
            text,
            seconds,
            inuse_last: first(query, "inuse") == "last",
            ..Self::default()
        }
        .consistent()
    }

    /// As our own paths read it: `format`, `debug`, `seconds`, `inuse` and `map`,
    /// each once and well formed.
    pub(crate) fn strict(query: Option<&str>) -> Result<Self, BadParameter> {
        const KNOWN: [&str; 5] = ["format", "debug", "seconds", "inuse", "map"];
        let mut asked = ProfileQuery::default();
        let (mut format, mut debug, mut inuse) = (None, None, None);
        for (name, value) in strict_pairs(query, &KNOWN)? {
            match name {
                "format" => format = Some(strict_format(&value)?),
                "debug" => debug = Some(strict_debug(&value)?),
                "map" => asked.map = Some(value),
                "inuse" => inuse = Some(strict_inuse(&value)?),
                _ => asked.seconds = Some(seconds(&value)?),
            }
        }
        if let (Some(format), Some(debug)) = (format, debug)
            && format != debug
        {
            return Err(BadParameter::because(
                "format and debug contradict each other: give one of them",
            ));
        }
        if inuse.is_some() && asked.seconds.is_none() {
            return Err(BadParameter::because(
                "inuse says what seconds=N does to what is in use: give both",
            ));
        }
        asked.inuse_last = inuse.unwrap_or(false);
        asked.text = format.or(debug).unwrap_or(false);
        asked.consistent()
    }

    fn consistent(self) -> Result<Self, BadParameter> {
        if self.text && self.seconds.is_some() {
            return Err(BadParameter::because(
                "seconds and debug params are incompatible",
            ));
        }
        if self.map.is_some() && self.seconds.is_some() {
            return Err(BadParameter::because(
                "seconds and map params are incompatible",
            ));
        }
        Ok(self)
    }
}

/// For `delta_heap`, whose window is the time since the last fetch: `seconds` is
/// refused as Go refuses it of profiles that have no delta. The rest is ignored.
pub(crate) fn without_seconds(query: Option<&str>) -> Result<(), BadParameter> {
    match first(query.unwrap_or_default(), "seconds").as_str() {
        "" => Ok(()),
        value => Err(seconds(value).err().unwrap_or_else(|| {
            BadParameter::because("\"seconds\" parameter is not supported for this profile type")
        })),
    }
}

/// How long a CPU profile takes. As Go has it, what is no positive number counts
/// as nothing.
#[cfg(feature = "cpu-profile")]
pub(crate) fn cpu_seconds(query: Option<&str>) -> Result<u64, BadParameter> {
    let value = first(query.unwrap_or_default(), "seconds");
    match value.parse::<i64>() {
        Ok(number) if number > 0 => seconds(&value),
        _ => Ok(CPU_DEFAULT),
    }
}

/// For routes that take no parameters.
pub(crate) fn none(query: Option<&str>) -> Result<(), BadParameter> {
    strict_pairs(query, &[]).map(|_| ())
}

/// How long a request asks to wait; nothing if what it asks is refused.
pub(crate) fn seconds_asked(query: Option<&str>) -> Duration {
    let value = first(query.unwrap_or_default(), "seconds");
    Duration::from_secs(seconds(&value).unwrap_or(0))
}

/// `seconds`: a positive 64-bit number, up to our limit.
fn seconds(value: &str) -> Result<u64, BadParameter> {
    match value.parse::<i64>() {
        Ok(number) if number > 0 => match number.unsigned_abs() {
            number if number <= LONGEST => Ok(number),
            _ => Err(BadParameter::because(format!(
                "invalid value for \"seconds\" - must be at most {LONGEST}"
            ))),
        },
        _ => Err(BadParameter::because(
            "invalid value for \"seconds\" - must be a positive integer",
        )),
    }
}

/// Any number but 0 asks for text, one too large for 64 bits as well; what is
/// no number counts as 0.
fn go_debug(value: &str) -> bool {
    match value.parse::<i64>() {
        Ok(number) => number != 0,
        Err(error) => matches!(
            error.kind(),
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow
        ),
    }
}

fn strict_format(value: &str) -> Result<bool, BadParameter> {
    match value {
        "pprof" => Ok(false),
        "text" => Ok(true),
        other => Err(BadParameter::because(format!(
            "invalid value {} for \"format\" - must be pprof or text",
            quoted(other)
        ))),
    }
}

fn strict_inuse(value: &str) -> Result<bool, BadParameter> {
    match value {
        "last" => Ok(true),
        "delta" => Ok(false),
        other => Err(BadParameter::because(format!(
            "invalid value {} for \"inuse\" - must be delta or last",
            quoted(other)
        ))),
    }
}

fn strict_debug(value: &str) -> Result<bool, BadParameter> {
    match value {
        "0" => Ok(false),
        "1" | "2" => Ok(true),
        other => Err(BadParameter::because(format!(
            "invalid value {} for \"debug\" - must be 0, 1 or 2",
            quoted(other)
        ))),
    }
}

/// The first value of a key, as `url.ParseQuery` and `FormValue` find it:
/// pieces between `&` that hold a `;` or a bad escape do not count. Empty if
/// there is none.
fn first(query: &str, key: &str) -> String {
    query
        .split('&')
        .filter(|piece| !piece.contains(';'))
        .filter_map(|piece| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            Some((unescape(name)?, unescape(value)?))
        })
        .find(|(name, _)| name == key)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// All pairs, if each is well formed, known, and there once.
pub(crate) fn strict_pairs(
    query: Option<&str>,
    known: &'static [&'static str],
) -> Result<Vec<(&'static str, String)>, BadParameter> {
    let mut pairs: Vec<(&'static str, String)> = Vec::new();
    for piece in query.unwrap_or_default().split('&') {
        if piece.is_empty() {
            continue;
        }
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        let (Some(name), Some(value)) = (unescape(name), unescape(value)) else {
            return Err(BadParameter::because(format!(
                "bad escape in parameter {}",
                quoted(piece)
            )));
        };
        let Some(name) = known.iter().find(|known| **known == name) else {
            return Err(unknown(&name, known));
        };
        if pairs.iter().any(|(before, _)| before == name) {
            return Err(BadParameter::because(format!(
                "parameter \"{name}\" is given twice"
            )));
        }
        pairs.push((name, value.into_owned()));
    }
    Ok(pairs)
}

fn unknown(name: &str, known: &[&str]) -> BadParameter {
    let name = quoted(name);
    BadParameter(if known.is_empty() {
        format!("unknown parameter {name}: this path takes none")
    } else {
        format!("unknown parameter {name}; known are {}", known.join(", "))
    })
}

/// What a client sent, harmless on one line and short.
pub(crate) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("{short:?}")
}

/// Undoes `+` and `%XX` in a query; `None` for a `%` without two hexadecimal
/// digits.
fn unescape(text: &str) -> Option<Cow<'_, str>> {
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

    fn go(query: &str) -> Result<(bool, Option<u64>), String> {
        ProfileQuery::as_go(Some(query))
            .map(|asked| (asked.text, asked.seconds))
            .map_err(|fault| fault.0)
    }

    #[test]
    fn as_go_reads_them() {
        let binary = (false, None);
        let text = (true, None);
        let cases = [
            ("", binary),
            ("debug=0", binary),
            ("debug=1", text),
            ("debug=2", text),
            ("debug=-1", text),
            ("debug=%2B1", text),
            ("debug=+1", binary),
            ("debug=99999999999999999999", text),
            ("debug=-99999999999999999999", text),
            ("debug=", binary),
            ("debug", binary),
            ("debug=abc", binary),
            ("debug=1.5", binary),
            ("debug=0x1", binary),
            ("debug=１", binary),
            ("debug=%EF%BC%91", binary),
            ("debug=0&debug=1", binary),
            ("debug=1&debug=0", text),
            ("de%62ug=1", text),
            ("foo=bar", binary),
            ("foo=%zz&debug=1", text),
            ("debug=%zz&debug=1", text),
            ("debug=%", binary),
            ("seconds=1;debug=1", binary),
            ("a;b&debug=1", text),
            ("seconds=", binary),
            ("gc=1", binary),
            ("seconds=1", (false, Some(1))),
            ("seconds=01", (false, Some(1))),
            ("seconds=%2B1", (false, Some(1))),
            ("seconds=300&gc=1&debug=0", (false, Some(300))),
        ];
        for (query, expected) in cases {
            assert_eq!(go(query), Ok(expected), "{query}");
        }
    }

    #[test]
    fn what_a_delta_has_in_use() {
        let last = |query| ProfileQuery::as_go(Some(query)).unwrap().inuse_last;
        assert!(last("seconds=1&inuse=last") && last("inuse=last"));
        for query in [
            "seconds=1",
            "inuse=",
            "inuse=LAST",
            "inuse=delta&inuse=last",
        ] {
            assert!(!last(query), "{query}");
        }
        for (query, expected) in [
            ("seconds=1&inuse=last", true),
            ("inuse=delta&seconds=1", false),
        ] {
            let asked = ProfileQuery::strict(Some(query)).unwrap();
            assert_eq!(asked.inuse_last, expected, "{query}");
        }
    }

    #[test]
    fn no_seconds_where_a_window_begins_with_the_last_fetch() {
        for query in ["", "seconds=", "debug=1", "foo", "seconds=1;x=1"] {
            assert_eq!(without_seconds(Some(query)), Ok(()), "{query}");
        }
        for (query, part) in [
            ("seconds=1", "not supported for this profile type"),
            ("seconds=300&debug=1", "not supported"),
            ("seconds=0", "must be a positive integer"),
            ("seconds=x", "must be a positive integer"),
        ] {
            let fault = without_seconds(Some(query)).unwrap_err().0;
            assert!(fault.contains(part), "{query}: {fault}");
        }
    }

    #[cfg(feature = "cpu-profile")]
    #[test]
    fn cpu_profiles_take_their_default_for_what_is_no_number() {
        for query in [
            "",
            "seconds=",
            "seconds=abc",
            "seconds=-1",
            "seconds=0",
            "seconds=1.5",
        ] {
            assert_eq!(cpu_seconds(Some(query)), Ok(30), "{query}");
        }
        assert_eq!(cpu_seconds(Some("seconds=7&debug=1")), Ok(7));
        assert_eq!(cpu_seconds(None), Ok(30));
        let fault = cpu_seconds(Some("seconds=301")).unwrap_err().0;
        assert!(fault.contains("at most 300"), "{fault}");
    }

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

    #[test]
    fn seconds_are_checked_first() {
        for value in [
            "0",
            "-5",
            "abc",
            "1.5",
            "9223372036854775808",
            "+1",
            "%00",
            "NaN",
        ] {
            for query in [
                format!("seconds={value}"),
                format!("seconds={value}&debug=1"),
            ] {
                assert_eq!(
                    go(&query),
                    Err("invalid value for \"seconds\" - must be a positive integer".to_owned()),
                    "{query}"
                );
            }
        }
        for value in ["301", "9223372036854775807"] {
            let fault = go(&format!("seconds={value}")).unwrap_err();
            assert!(fault.contains("at most 300"), "{fault}");
        }
        assert_eq!(
            go("seconds=1&debug=1"),
            Err("seconds and debug params are incompatible".to_owned())
        );
    }

    #[test]
    fn strictly() {
        let good = [
            ("", (false, None)),
            ("format=pprof", (false, None)),
            ("format=text", (true, None)),
            ("debug=1", (true, None)),
            ("format=text&debug=2", (true, None)),
            ("seconds=5", (false, Some(5))),
        ];
        for (query, expected) in good {
            let asked = ProfileQuery::strict(Some(query)).unwrap();
            assert_eq!((asked.text, asked.seconds), expected, "{query}");
        }
        let of_map = ProfileQuery::strict(Some("map=src%2Fa.rs:1:2+x&format=text")).unwrap();
        assert_eq!(of_map.map.as_deref(), Some("src/a.rs:1:2 x"));
        let as_go = ProfileQuery::as_go(Some("map=a")).unwrap();
        assert_eq!(as_go.map, None, "unknown there, so ignored");
        let bad = [
            (
                "foo=1",
                "unknown parameter \"foo\"; known are format, debug, seconds, inuse, map",
            ),
            ("format=svg", "invalid value \"svg\" for \"format\""),
            ("debug=abc", "invalid value \"abc\""),
            ("debug=", "invalid value \"\""),
            ("debug=1&debug=1", "\"debug\" is given twice"),
            ("format=pprof&debug=1", "contradict"),
            ("format=text&seconds=1", "incompatible"),
            ("map=a&seconds=1", "seconds and map params are incompatible"),
            ("map=a&map=b", "\"map\" is given twice"),
            ("inuse=last", "give both"),
            ("inuse=first&seconds=1", "must be delta or last"),
            ("seconds=", "positive integer"),
            ("seconds=301", "at most 300"),
            ("debug=%zz", "bad escape"),
            ("debug=1;seconds=1", "invalid value \"1;seconds=1\""),
            ("%0Ax=1", "unknown parameter \"\\nx\""),
        ];
        for (query, part) in bad {
            let fault = ProfileQuery::strict(Some(query)).unwrap_err().0;
            assert!(fault.contains(part), "{query}: {fault}");
            assert!(!fault.contains('\n'), "{query}: {fault}");
        }
        assert!(none(None).is_ok() && none(Some("")).is_ok());
        assert!(none(Some("a")).unwrap_err().0.contains("takes none"));
    }
}
