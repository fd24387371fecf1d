//! Pairs of name and value, strictly: what is not known, malformed or there
//! twice is an error.

use super::escape::unescape;
use super::{BadParameter, quoted};

/// For routes that take no parameters.
pub(crate) fn none(query: Option<&str>) -> Result<(), BadParameter> {
    strict_pairs(query, &[]).map(|_| ())
}

/// All pairs, if each is well formed, known, and there once.
pub(crate) fn strict_pairs(
    query: Option<&str>,
    known: &[&'static str],
) -> Result<Vec<(&'static str, String)>, BadParameter> {
    let rules = Rules {
        known: &[known],
        repeatable: &[],
        silent: &[],
    };
    pairs(query, &rules)
}

/// Which names may be there.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// Lists, so that several rules can have one in common.
    pub(super) known: &'a [&'a [&'static str]],
    /// Those of them that may be there more than once.
    pub(super) repeatable: &'static [&'static str],
    /// Others, which mean nothing to us.
    pub(super) silent: &'static [&'static str],
}

/// All pairs of known names, if each is well formed and by the rules.
pub(super) fn pairs(
    query: Option<&str>,
    rules: &Rules<'_>,
) -> Result<Vec<(&'static str, String)>, BadParameter> {
    let known = rules.known.concat();
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
        if rules.silent.contains(&&*name) {
            continue;
        }
        let Some(name) = known.iter().find(|known| **known == name) else {
            return Err(unknown(&name, &known));
        };
        let is_again = pairs.iter().any(|(before, _)| before == name);
        if is_again && !rules.repeatable.contains(name) {
            return Err(BadParameter::because(format!(
                "parameter \"{name}\" is given twice"
            )));
        }
        pairs.push((*name, value.into_owned()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_parameters() {
        assert!(none(None).is_ok() && none(Some("")).is_ok());
        assert!(
            none(Some("a"))
                .unwrap_err()
                .to_string()
                .contains("takes none")
        );
    }
}
