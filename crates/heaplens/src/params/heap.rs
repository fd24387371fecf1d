//! What is asked of `/debug/heap` and `/debug/flamegraph`.

use std::time::Duration;

use heaplens_profile::diff::Inuse;
use heaplens_profile::{LIFETIME_KINDS, RETAINED_KINDS};

use super::duration::duration;
use super::pairs::{Rules, pairs};
use super::seconds::seconds;
use super::selection::{Selection, label, site};
use super::when::{When, when};
use super::{BadParameter, quoted};

/// How a profile is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Format {
    #[default]
    Pprof,
    Text,
    Folded,
    Json,
    /// By source line.
    Sites,
    /// All stacks, compact.
    Tree,
    Svg,
}

/// What a profile is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Base {
    /// The beginning of the window.
    Window,
    /// A snapshot of the history.
    Before(When),
}

/// What is asked of a heap profile on our own paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeapQuery {
    pub(crate) format: Format,
    /// The type that is shown, sorted or stated as the default.
    pub(crate) kind: Option<&'static str>,
    /// What changed within this many seconds, in place of all since the start.
    pub(crate) seconds: Option<u64>,
    /// With `seconds`: what becomes of what is in use.
    pub(crate) inuse: Inuse,
    /// Only what was allocated so long ago and is still in use.
    pub(crate) older: Option<Duration>,
    /// What this group of maps holds, in place of the whole heap.
    pub(crate) map: Option<String>,
    pub(crate) selection: Selection,
    /// Addresses only, for symbols to be found elsewhere.
    pub(crate) unsymbolized: bool,
    /// Roots at the top.
    pub(crate) inverted: bool,
    /// The snapshot of the history that is shown, in place of one of now.
    pub(crate) at: Option<When>,
    pub(crate) base: Option<Base>,
}

/// What there is to say of any heap profile on our own paths.
const COMMON: &[&str] = &[
    "type",
    "focus",
    "ignore",
    "map",
    "label",
    "site",
    "older",
    "seconds",
    "inuse",
    "symbolize",
    "inverted",
    "at",
    "base",
];

/// Where it was zoomed to and what was searched for: a flame graph's own script
/// writes these into the address, and they are there at a reload.
const OF_THE_SCRIPT: &[&str] = &["x", "y", "s"];

const HEAP: Rules<'_> = Rules {
    known: &[&["format", "debug"], COMMON],
    repeatable: &["label"],
    silent: &[],
};

const FLAMEGRAPH: Rules<'_> = Rules {
    known: &[COMMON],
    silent: OF_THE_SCRIPT,
    ..HEAP
};

/// What is freed tells of churn; what is alive is in the heap profile.
const DEFAULT_LIFETIME: &str = "freed_space";

const DEFAULT_RETAINED: &str = "retained_space";

const KINDS: [&str; 4] = [
    "alloc_objects",
    "alloc_space",
    "inuse_objects",
    "inuse_space",
];

/// Of a profile of what a map retains, too.
const RETAINED: Rules<'_> = LIFETIMES;

/// Of a profile of lifetimes, which is of all that was allocated.
const LIFETIMES: Rules<'_> = Rules {
    known: &[&[
        "format",
        "type",
        "focus",
        "ignore",
        "label",
        "site",
        "symbolize",
        "inverted",
    ]],
    silent: OF_THE_SCRIPT,
    ..HEAP
};

impl HeapQuery {
    /// Of `/debug/heap/lifetimes`. Go's text has no place for ages.
    pub(crate) fn of_lifetimes(query: Option<&str>) -> Result<Self, BadParameter> {
        let mut asked = HeapQuery {
            kind: Some(DEFAULT_LIFETIME),
            ..HeapQuery::default()
        };
        for (name, value) in pairs(query, &LIFETIMES)? {
            match name {
                "format" if value == "text" => {
                    return Err(invalid(
                        &value,
                        "format",
                        "pprof, folded, json, sites, tree or svg",
                    ));
                }
                "format" => asked.format = written(&value)?,
                "type" => asked.kind = Some(one_of(&value, LIFETIME_KINDS)?),
                name => asked.take(name, value)?,
            }
        }
        asked.consistent(None)
    }

    /// Of `/debug/maps/{name}/retained`: figures unless a profile is asked for.
    pub(crate) fn of_retained(query: Option<&str>) -> Result<Self, BadParameter> {
        let mut asked = HeapQuery {
            format: Format::Json,
            ..HeapQuery::default()
        };
        let (mut is_profile, mut is_told) = (false, false);
        for (name, value) in pairs(query, &RETAINED)? {
            match name {
                "format" => {
                    asked.format = written(&value)?;
                    is_profile = !matches!(asked.format, Format::Json | Format::Text);
                    continue;
                }
                "type" => asked.kind = Some(one_of(&value, RETAINED_KINDS)?),
                name => asked.take(name, value)?,
            }
            is_told = true;
        }
        if is_told && !is_profile {
            return Err(BadParameter::because(
                "parameters other than format are of profiles: give format=pprof, folded or svg",
            ));
        }
        let mut asked = asked.consistent(None)?;
        asked.kind.get_or_insert(DEFAULT_RETAINED);
        Ok(asked)
    }

    /// Of `/debug/heap`: each once (`label` as often as wanted) and well formed.
    pub(crate) fn read(query: Option<&str>) -> Result<Self, BadParameter> {
        let mut asked = HeapQuery::default();
        let (mut format, mut text) = (None, None);
        let is_svg = query.is_some_and(|query| query.split('&').any(|of| of == "format=svg"));
        let rules = Rules {
            silent: if is_svg { OF_THE_SCRIPT } else { &[] },
            ..HEAP
        };
        let mut inuse = None;
        for (name, value) in pairs(query, &rules)? {
            match name {
                "format" => format = Some(written(&value)?),
                "debug" => text = Some(debug(&value)?),
                "inuse" => inuse = Some(in_use(&value)?),
                "base" => asked.base = Some(Base::Before(when("base", &value)?)),
                name => asked.take(name, value)?,
            }
        }
        if let (Some(format), Some(text)) = (format, text)
            && (format == Format::Text) != text
        {
            return Err(BadParameter::because(
                "format and debug contradict each other: give one of them",
            ));
        }
        asked.format = match (format, text) {
            (Some(format), _) => format,
            (None, Some(true)) => Format::Text,
            (None, _) => Format::Pprof,
        };
        asked.consistent(inuse)
    }

    /// Of `/debug/flamegraph`. With `is_upload` the base comes as the body.
    pub(crate) fn of_flamegraph(
        query: Option<&str>,
        is_upload: bool,
    ) -> Result<Self, BadParameter> {
        let mut asked = HeapQuery {
            format: Format::Svg,
            ..HeapQuery::default()
        };
        let mut inuse = None;
        for (name, value) in pairs(query, &FLAMEGRAPH)? {
            match name {
                "base" => asked.base = Some(base(&value)?),
                "inuse" => inuse = Some(in_use(&value)?),
                name => asked.take(name, value)?,
            }
        }
        if is_upload && (asked.base.is_some() || asked.seconds.is_some()) {
            return Err(BadParameter::because(
                "the body is the base already: leave out base and seconds, or use GET",
            ));
        }
        if asked.base == Some(Base::Window) && asked.seconds.is_none() {
            return Err(BadParameter::because(
                "base=window compares with the beginning of a window: give seconds=N too, or POST \
                 a pprof file as the base",
            ));
        }
        asked.consistent(inuse)
    }

    /// Takes one of the common parameters.
    fn take(&mut self, name: &str, value: String) -> Result<(), BadParameter> {
        match name {
            "type" => self.kind = Some(one_of(&value, KINDS)?),
            "focus" => self.selection.focus = Some(value),
            "ignore" => self.selection.ignore = Some(value),
            "map" => self.map = Some(value),
            "label" => self.selection.labels.push(label(&value)?),
            "site" => self.selection.site = Some(site(&value)?),
            "older" => self.older = Some(duration("older", &value)?),
            "symbolize" => self.unsymbolized = symbolize(&value)?,
            "inverted" => self.inverted = flag("inverted", &value)?,
            "at" => self.at = Some(when("at", &value)?),
            _ => self.seconds = Some(seconds(&value)?),
        }
        Ok(())
    }

    fn consistent(mut self, inuse: Option<Inuse>) -> Result<Self, BadParameter> {
        self.selection.filter()?;
        let is_compared = matches!(self.base, Some(Base::Before(_)));
        let is_of_history = self.at.is_some() || is_compared;
        let contradictions = [
            (
                self.format == Format::Text && self.seconds.is_some(),
                "seconds and debug params are incompatible",
            ),
            (
                self.older.is_some() && self.seconds.is_some(),
                "seconds and older params are incompatible",
            ),
            (
                self.format == Format::Text && self.kind.is_some(),
                "type and format=text are incompatible: the text has all types",
            ),
            (
                self.inverted && self.format != Format::Svg,
                "inverted is for format=svg only",
            ),
            (
                self.unsymbolized && self.selection.by_name(),
                "focus, ignore and site need names, which symbolize=none leaves out",
            ),
            (
                inuse.is_some() && self.seconds.is_none() && !is_compared,
                "inuse says what seconds=N or base does to what is in use: give both",
            ),
            (
                is_of_history && self.seconds.is_some(),
                "seconds is of what comes next, at and base of what was: give the one or the other",
            ),
            (
                is_of_history && self.older.is_some(),
                "older is not known of the snapshots that at and base name: leave it out",
            ),
            (
                is_compared && self.format == Format::Text,
                "format=text and base are incompatible: Go's text has no negative values",
            ),
        ];
        if let Some((_, reason)) = contradictions.iter().find(|(is_one, _)| *is_one) {
            return Err(BadParameter::because(*reason));
        }
        self.inuse = inuse.unwrap_or_default();
        Ok(self)
    }
}

fn invalid(value: &str, name: &str, expected: &str) -> BadParameter {
    BadParameter::because(format!(
        "invalid value {} for \"{name}\" - must be {expected}",
        quoted(value)
    ))
}

fn written(value: &str) -> Result<Format, BadParameter> {
    match value {
        "pprof" => Ok(Format::Pprof),
        "text" => Ok(Format::Text),
        "folded" => Ok(Format::Folded),
        "json" => Ok(Format::Json),
        "sites" => Ok(Format::Sites),
        "tree" => Ok(Format::Tree),
        "svg" => Ok(Format::Svg),
        other => Err(invalid(
            other,
            "format",
            "pprof, text, folded, json, sites, tree or svg",
        )),
    }
}

fn debug(value: &str) -> Result<bool, BadParameter> {
    match value {
        "0" => Ok(false),
        "1" | "2" => Ok(true),
        other => Err(invalid(other, "debug", "0, 1 or 2")),
    }
}

fn one_of<const N: usize>(
    value: &str,
    kinds: [&'static str; N],
) -> Result<&'static str, BadParameter> {
    let found = kinds.into_iter().find(|kind| *kind == value);
    found.ok_or_else(|| invalid(value, "type", &format!("one of {}", kinds.join(", "))))
}

fn in_use(value: &str) -> Result<Inuse, BadParameter> {
    match value {
        "delta" => Ok(Inuse::Change),
        "last" => Ok(Inuse::Last),
        other => Err(invalid(other, "inuse", "delta or last")),
    }
}

fn symbolize(value: &str) -> Result<bool, BadParameter> {
    match value {
        "none" => Ok(true),
        other => Err(invalid(other, "symbolize", "none")),
    }
}

fn base(value: &str) -> Result<Base, BadParameter> {
    match value {
        "window" => Ok(Base::Window),
        other => when("base", other).map(Base::Before),
    }
}

fn flag(name: &str, value: &str) -> Result<bool, BadParameter> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        other => Err(invalid(other, name, "0 or 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> HeapQuery {
        HeapQuery::read(Some(query)).unwrap_or_else(|fault| panic!("{query}: {fault}"))
    }

    fn fault(query: &str) -> String {
        let fault = HeapQuery::read(Some(query)).expect_err(query).to_string();
        assert!(!fault.contains('\n'), "{query}: {fault}");
        fault
    }

    #[test]
    fn formats() {
        for (query, format, seconds) in [
            ("", Format::Pprof, None),
            ("format=pprof", Format::Pprof, None),
            ("format=text", Format::Text, None),
            ("debug=0", Format::Pprof, None),
            ("debug=1", Format::Text, None),
            ("format=text&debug=2", Format::Text, None),
            ("format=json&debug=0", Format::Json, None),
            ("format=folded", Format::Folded, None),
            ("format=svg&x=1&y=2&s=a%2Fb", Format::Svg, None),
            ("seconds=5", Format::Pprof, Some(5)),
            ("format=json&seconds=300", Format::Json, Some(300)),
            ("format=sites", Format::Sites, None),
            ("format=tree", Format::Tree, None),
        ] {
            let asked = asked(query);
            assert_eq!((asked.format, asked.seconds), (format, seconds), "{query}");
        }
        assert_eq!(HeapQuery::read(None), Ok(HeapQuery::default()));
    }

    #[test]
    fn what_is_shown_of_it() {
        let all = asked(
            "map=src%2Fa.rs:1:2+x&type=alloc_space&focus=a%7Cb&ignore=%5Ec&label=tenant:a:b\
             &label=map:x&older=1h30m",
        );
        assert_eq!(all.map.as_deref(), Some("src/a.rs:1:2 x"));
        assert_eq!(all.kind, Some("alloc_space"));
        assert_eq!(all.older, Some(Duration::from_secs(5400)));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            all.selection,
            Selection {
                focus: Some("a|b".to_owned()),
                ignore: Some("^c".to_owned()),
                labels: vec![pair("tenant", "a:b"), pair("map", "x")],
                site: None,
            }
        );
        assert!(asked("symbolize=none").unsymbolized);
        assert!(asked("format=svg&inverted=1").inverted);
        assert_eq!(asked("seconds=1&inuse=last").inuse, Inuse::Last);
        assert_eq!(asked("seconds=1&inuse=delta").inuse, Inuse::Change);
        assert_eq!(asked("base=3&inuse=last").inuse, Inuse::Last);
        let both = asked("at=-5m&base=3&format=svg&inverted=1");
        let ago = When::Ago(Duration::from_secs(300));
        assert_eq!(both.at, Some(ago));
        assert_eq!(both.base, Some(Base::Before(When::Number(3))));
    }

    #[test]
    fn strictly() {
        let bad = [
            (
                "foo=1",
                "unknown parameter \"foo\"; known are format, debug, type, focus, ignore, map, \
                 label, site, older, seconds, inuse, symbolize, inverted, at, base",
            ),
            ("base=window", "invalid value \"window\" for \"base\""),
            ("at=10m", "invalid value \"10m\" for \"at\""),
            ("at=1&seconds=5", "give the one or the other"),
            ("base=1&seconds=5", "give the one or the other"),
            ("at=-5m&older=5m", "older is not known"),
            ("base=-5m&debug=1", "no negative values"),
            ("at=1&inuse=last", "give both"),
            ("x=1", "unknown parameter \"x\""),
            ("format=xml", "invalid value \"xml\" for \"format\""),
            ("debug=abc", "invalid value \"abc\""),
            ("debug=", "invalid value \"\""),
            ("debug=1&debug=1", "\"debug\" is given twice"),
            ("format=pprof&debug=1", "contradict"),
            ("format=svg&debug=1", "contradict"),
            ("format=text&debug=0", "contradict"),
            ("format=text&seconds=1", "incompatible"),
            ("format=text&type=inuse_space", "incompatible"),
            ("older=5m&seconds=1", "incompatible"),
            ("site=41", "must be 16 hexadecimal digits"),
            ("site=00000000000000aa&symbolize=none", "leaves out"),
            ("older=5", "must be a duration such as"),
            ("type=space", "must be one of alloc_objects, alloc_space"),
            ("type=", "must be one of"),
            ("focus=(", "invalid value \"(\" for \"focus\""),
            ("ignore=%5B", "invalid value \"[\" for \"ignore\""),
            ("label=tenant", "must be KEY:VALUE"),
            ("label=:x", "must be KEY:VALUE"),
            ("label=x:", "must be KEY:VALUE"),
            ("inverted=1", "format=svg only"),
            ("format=svg&inverted=yes", "must be 0 or 1"),
            ("symbolize=all", "must be none"),
            ("symbolize=none&focus=a", "symbolize=none leaves out"),
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
            let fault = fault(query);
            assert!(fault.contains(part), "{query}: {fault}");
        }
    }

    #[test]
    fn of_lifetimes() {
        let asked = |query| HeapQuery::of_lifetimes(Some(query));
        assert_eq!(asked("").map(|of| of.kind), Ok(Some("freed_space")));
        let drawn = asked("format=svg&type=alive_objects&label=age:%3C1ms&x=1").expect("known");
        assert_eq!(
            (drawn.kind, drawn.format),
            (Some("alive_objects"), Format::Svg)
        );
        for (query, part) in [
            (
                "format=text",
                "must be pprof, folded, json, sites, tree or svg",
            ),
            (
                "type=inuse_space",
                "must be one of freed_objects, freed_space",
            ),
            (
                "seconds=1",
                "unknown parameter \"seconds\"; known are format, type",
            ),
            ("map=a", "unknown parameter"),
        ] {
            let fault = asked(query).expect_err(query).to_string();
            assert!(fault.contains(part), "{query}: {fault}");
        }
    }

    #[test]
    fn of_flame_graphs() {
        let get = |query| HeapQuery::of_flamegraph(Some(query), false);
        let post = |query| HeapQuery::of_flamegraph(Some(query), true);
        let plain = get("type=inuse_objects&x=1&y=2&s=foo").expect("all known");
        assert_eq!((plain.format, plain.base), (Format::Svg, None));
        let window = get("seconds=5&base=window&inverted=1").expect("all known");
        assert_eq!(window.base, Some(Base::Window));
        let before = get("at=9&base=-1h").expect("all known");
        let hour = When::Ago(Duration::from_secs(3600));
        assert_eq!(before.base, Some(Base::Before(hour)));
        assert!(post("at=9").is_ok());
        assert!(post("focus=x").is_ok());
        for (result, part) in [
            (
                get("format=svg"),
                "unknown parameter \"format\"; known are type, ",
            ),
            (get("debug=1"), "unknown parameter"),
            (get("base=window"), "give seconds=N too"),
            (
                get("base=x"),
                "must be the number of a snapshot or a moment",
            ),
            (post("base=-10m"), "the body is the base"),
            (post("base=window&seconds=1"), "the body is the base"),
            (post("seconds=1"), "the body is the base"),
        ] {
            let fault = result.expect_err(part).to_string();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
