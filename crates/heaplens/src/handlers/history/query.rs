//! What is asked of the history; anything else is an error.

use std::time::SystemTime;

use crate::params::{self, BadParameter, When};

/// Most points of a series: more than are ever kept.
const MOST_POINTS: usize = 10_000;

/// Most call sites.
const MOST_SITES: usize = 1000;

/// Of which groups of maps the series are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Maps {
    None,
    All,
    One(String),
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) from: Option<SystemTime>,
    pub(super) to: Option<SystemTime>,
    pub(super) maps: Maps,
    /// So many call sites at the most, those that hold most.
    pub(super) sites: usize,
    /// Points of each series at the most.
    pub(super) points: usize,
}

impl Query {
    /// `now` is what `from=-10m` counts from.
    pub(super) fn strict(query: Option<&str>, now: SystemTime) -> Result<Self, BadParameter> {
        let mut asked = Query {
            from: None,
            to: None,
            maps: Maps::None,
            sites: 0,
            points: MOST_POINTS,
        };
        let known = ["from", "to", "map", "maps", "sites", "points"];
        for (name, value) in params::strict_pairs(query, &known)? {
            match name {
                "from" => asked.from = Some(moment("from", &value, now)?),
                "to" => asked.to = Some(moment("to", &value, now)?),
                "map" | "maps" if asked.maps != Maps::None => {
                    return Err(BadParameter::because("give map or maps, not both"));
                }
                "map" => asked.maps = Maps::One(value),
                "maps" => asked.maps = all("maps", &value)?,
                "sites" => asked.sites = count("sites", &value, MOST_SITES)?,
                _ => asked.points = count("points", &value, MOST_POINTS)?,
            }
        }
        if let (Some(from), Some(to)) = (asked.from, asked.to)
            && from > to
        {
            return Err(BadParameter::because("from is after to: exchange them"));
        }
        Ok(asked)
    }

    /// Whether this second since 1970 is within what is asked for.
    pub(super) fn has(&self, second: u64) -> bool {
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
        self.has_moment(at)
    }

    pub(super) fn has_moment(&self, at: SystemTime) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at <= to)
    }
}

fn moment(name: &str, value: &str, now: SystemTime) -> Result<SystemTime, BadParameter> {
    match params::moment(name, value)? {
        When::At(at) => Ok(at),
        When::Ago(ago) => Ok(now.checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)),
        When::Number(_) => Err(BadParameter::because(format!(
            "invalid value {} for \"{name}\" - must be a moment, not the number of a snapshot",
            params::quoted(value)
        ))),
    }
}

fn all(name: &str, value: &str) -> Result<Maps, BadParameter> {
    match value {
        "all" => Ok(Maps::All),
        _ => Err(BadParameter::because(format!(
            "invalid value {} for \"{name}\" - must be all; one of them is map=NAME",
            params::quoted(value)
        ))),
    }
}

fn count(name: &str, value: &str, most: usize) -> Result<usize, BadParameter> {
    match value.parse() {
        Ok(count) if count > 0 && count <= most => Ok(count),
        _ => Err(BadParameter::because(format!(
            "invalid value {} for \"{name}\" - must be a number from 1 to {most}",
            params::quoted(value)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn strictly() {
        let now = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let asked = |query| Query::strict(Some(query), now);
        let plain = asked("").unwrap();
        assert!(plain.has(0) && plain.has(4_000_000_000));
        let part = asked("from=-1h&to=2026-11-22T20:29:00Z");
        assert!(part.unwrap_err().to_string().contains("from is after to"));
        let part = asked("from=1795379340&to=-1h&points=7").unwrap();
        assert_eq!(part.points, 7);
        assert_eq!((plain.maps, plain.sites), (Maps::None, 0));
        let one = asked("map=a%2Fb&sites=7").unwrap();
        assert_eq!((one.maps, one.sites), (Maps::One("a/b".to_owned()), 7));
        assert_eq!(asked("maps=all").unwrap().maps, Maps::All);
        for (second, is_in) in [
            (1_795_379_339, false),
            (1_795_379_340, true),
            (1_999_996_400, true),
            (1_999_996_401, false),
        ] {
            assert_eq!(part.has(second), is_in, "{second}");
        }
        for (query, part) in [
            ("from=3", "must be a moment, not the number of a snapshot"),
            ("to=now", "invalid value \"now\" for \"to\""),
            ("points=0", "from 1 to 10000"),
            ("points=10001", "from 1 to 10000"),
            ("points=", "from 1 to 10000"),
            ("maps=some", "must be all"),
            ("maps=all&map=x", "give map or maps, not both"),
            ("sites=1001", "from 1 to 1000"),
            ("since=1", "unknown parameter \"since\""),
            ("to=-1m&to=-1m", "\"to\" is given twice"),
        ] {
            let fault = asked(query).unwrap_err().to_string();
            assert!(fault.contains(part), "{query}: {fault}");
        }
    }
}
