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
