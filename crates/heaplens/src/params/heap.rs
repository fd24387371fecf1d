//! What is asked of `/debug/heap`.

use super::pairs::strict_pairs;
use super::seconds::seconds;
use super::{BadParameter, quoted};

/// What is asked of a heap profile on our own path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeapQuery {
    /// Text in place of protobuf.
    pub(crate) text: bool,
    /// What changed within this many seconds, in place of all since the start.
    pub(crate) seconds: Option<u64>,
    /// What this group of maps holds, in place of the whole heap.
    pub(crate) map: Option<String>,
}

impl HeapQuery {
    /// `format`, `debug`, `seconds` and `map`, each once and well formed.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, BadParameter> {
        const KNOWN: [&str; 4] = ["format", "debug", "seconds", "map"];
        let mut asked = HeapQuery::default();
        let (mut format, mut debug) = (None, None);
        for (name, value) in strict_pairs(query, &KNOWN)? {
            match name {
                "format" => format = Some(strict_format(&value)?),
                "debug" => debug = Some(strict_debug(&value)?),
                "map" => asked.map = Some(value),
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let asked = HeapQuery::read(Some(query)).unwrap();
            assert_eq!((asked.text, asked.seconds), expected, "{query}");
        }
        let of_map = HeapQuery::read(Some("map=src%2Fa.rs:1:2+x&format=text")).unwrap();
        assert_eq!(of_map.map.as_deref(), Some("src/a.rs:1:2 x"));
        let bad = [
            (
                "foo=1",
                "unknown parameter \"foo\"; known are format, debug, seconds, map",
            ),
            ("format=svg", "invalid value \"svg\" for \"format\""),
            ("debug=abc", "invalid value \"abc\""),
            ("debug=", "invalid value \"\""),
            ("debug=1&debug=1", "\"debug\" is given twice"),
            ("format=pprof&debug=1", "contradict"),
            ("format=text&seconds=1", "incompatible"),
            ("map=a&seconds=1", "seconds and map params are incompatible"),
            ("map=a&map=b", "\"map\" is given twice"),
            ("seconds=", "positive integer"),
            ("seconds=301", "at most 300"),
            ("debug=%zz", "bad escape"),
            ("debug=1;seconds=1", "invalid value \"1;seconds=1\""),
            ("%0Ax=1", "unknown parameter \"\\nx\""),
        ];
        for (query, part) in bad {
            let fault = HeapQuery::read(Some(query)).unwrap_err().to_string();
            assert!(fault.contains(part), "{query}: {fault}");
            assert!(!fault.contains('\n'), "{query}: {fault}");
        }
    }
}
