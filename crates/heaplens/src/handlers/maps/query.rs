//! What is asked of these pages; anything else is an error.

use crate::params::{self, BadParameter};

use super::ranking::Sort;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Text,
}

/// What is asked of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListQuery {
    pub(super) sort: Sort,
    /// At most so many groups; all of them without it.
    pub(super) limit: Option<usize>,
    pub(super) format: Format,
}

impl ListQuery {
    pub(super) fn strict(query: Option<&str>) -> Result<Self, BadParameter> {
        let mut asked = ListQuery {
            sort: Sort::Bytes,
            limit: None,
            format: Format::Json,
        };
        for (name, value) in params::strict_pairs(query, &["sort", "limit", "format"])? {
            match name {
                "sort" => asked.sort = sort(&value)?,
                "limit" => asked.limit = Some(limit(&value)?),
                _ => asked.format = written(&value)?,
            }
        }
        Ok(asked)
    }
}

/// What is asked of a path that has no other parameter.
pub(crate) fn format(query: Option<&str>) -> Result<Format, BadParameter> {
    let pairs = params::strict_pairs(query, &["format"])?;
    pairs
        .first()
        .map_or(Ok(Format::Json), |(_, value)| written(value))
}

fn written(value: &str) -> Result<Format, BadParameter> {
    match value {
        "json" => Ok(Format::Json),
        "text" => Ok(Format::Text),
        other => Err(unusable(other, "format", "json or text")),
    }
}

fn sort(value: &str) -> Result<Sort, BadParameter> {
    Sort::ALL
        .into_iter()
        .find(|sort| sort.name() == value)
        .ok_or_else(|| {
            let known = Sort::ALL.map(Sort::name).join(", ");
            unusable(value, "sort", &format!("one of {known}"))
        })
}

fn limit(value: &str) -> Result<usize, BadParameter> {
    match value.parse() {
        Ok(limit) if limit > 0 => Ok(limit),
        _ => Err(unusable(value, "limit", "a positive integer")),
    }
}

fn unusable(value: &str, name: &str, expected: &str) -> BadParameter {
    BadParameter::because(format!(
        "invalid value {} for \"{name}\" - must be {expected}",
        params::quoted(value)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictly() {
        let asked = |query: &str| ListQuery::strict(Some(query)).unwrap();
        let default = ListQuery {
            sort: Sort::Bytes,
            limit: None,
            format: Format::Json,
        };
        assert_eq!(ListQuery::strict(None).unwrap(), default);
        assert_eq!(asked("sort=bytes&format=json"), default);
        assert_eq!(asked("limit=7").limit, Some(7));
        assert_eq!(asked("format=text").format, Format::Text);
        for sort in Sort::ALL {
            assert_eq!(asked(&format!("sort={}", sort.name())).sort, sort);
        }
        let bad = [
            (
                "x=1",
                "unknown parameter \"x\"; known are sort, limit, format",
            ),
            ("sort=", "must be one of bytes, "),
            ("sort=Bytes", "invalid value \"Bytes\" for \"sort\""),
            ("limit=0", "positive integer"),
            ("limit=-1", "positive integer"),
            ("limit=%2B1x", "positive integer"),
            ("limit=99999999999999999999", "positive integer"),
            ("format=html", "must be json or text"),
            ("sort=name&sort=name", "\"sort\" is given twice"),
            ("sort=%zz", "bad escape"),
        ];
        for (query, part) in bad {
            let fault = ListQuery::strict(Some(query)).unwrap_err().to_string();
            assert!(fault.contains(part), "{query}: {fault}");
        }
    }

    #[test]
    fn of_one_group_only_the_format() {
        assert_eq!(format(None).unwrap(), Format::Json);
        assert_eq!(format(Some("format=text")).unwrap(), Format::Text);
        let fault = format(Some("sort=name")).unwrap_err().to_string();
        assert!(fault.ends_with("known are format"), "{fault}");
    }
}
