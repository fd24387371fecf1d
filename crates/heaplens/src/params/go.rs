//! A query as Go's handlers read it.

use std::num::IntErrorKind;
use std::time::Duration;

use heaplens_profile::diff::Inuse;

use super::BadParameter;
use super::escape::unescape;
use super::seconds::seconds;

/// A CPU profile of no stated length, in seconds.
#[cfg(feature = "cpu-profile")]
const CPU_DEFAULT: u64 = 30;

/// What is asked of a profile under `/debug/pprof/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GoQuery {
    /// Text in place of protobuf.
    pub(crate) text: bool,
    /// What changed within this many seconds, in place of all since the start.
    pub(crate) seconds: Option<u64>,
    /// With `seconds`: what becomes of what is in use.
    pub(crate) inuse: Inuse,
}

impl GoQuery {
    /// What is not known or cannot be parsed is ignored, except for `seconds`,
    /// which is checked before `debug`. `gc` has nothing to do here: the figures
    /// are always up to date.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, BadParameter> {
        let query = query.unwrap_or_default();
        let text = debug(&first(query, "debug"));
        let seconds = match first(query, "seconds").as_str() {
            "" => None,
            value => Some(seconds(value)?),
        };
        if text && seconds.is_some() {
            return Err(BadParameter::because(
                "seconds and debug params are incompatible",
            ));
        }
        let inuse = match first(query, "inuse").as_str() {
            "last" => Inuse::Last,
            _ => Inuse::Change,
        };
        Ok(GoQuery {
            text,
            seconds,
            inuse,
        })
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

/// How long a request asks to wait; nothing if what it asks is refused.
pub(crate) fn seconds_asked(query: Option<&str>) -> Duration {
    let value = first(query.unwrap_or_default(), "seconds");
    Duration::from_secs(seconds(&value).unwrap_or(0))
}

/// Any number but 0 asks for text, one too large for 64 bits as well; what is
/// no number counts as 0.
fn debug(value: &str) -> bool {
    match value.parse::<i64>() {
        Ok(number) => number != 0,
        Err(error) => matches!(
            error.kind(),
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn go(query: &str) -> Result<(bool, Option<u64>), String> {
        GoQuery::read(Some(query))
            .map(|asked| (asked.text, asked.seconds))
            .map_err(|fault| fault.to_string())
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
        let inuse = |query| GoQuery::read(Some(query)).unwrap().inuse;
        for query in ["seconds=1&inuse=last", "inuse=last"] {
            assert_eq!(inuse(query), Inuse::Last, "{query}");
        }
        for query in [
            "seconds=1",
            "inuse=",
            "inuse=LAST",
            "inuse=delta&inuse=last",
        ] {
            assert_eq!(inuse(query), Inuse::Change, "{query}");
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
            let fault = without_seconds(Some(query)).unwrap_err().to_string();
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
        let fault = cpu_seconds(Some("seconds=301")).unwrap_err().to_string();
        assert!(fault.contains("at most 300"), "{fault}");
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
}
