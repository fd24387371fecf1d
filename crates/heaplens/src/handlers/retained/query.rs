//! What is asked of a POST.

use std::time::Duration;

use crate::params::{self, BadParameter};

/// Unless another time is asked for: a map that is in use has long answered by then.
const PATIENCE: Duration = Duration::from_secs(10);

const LONGEST: Duration = Duration::from_secs(300);

/// How long to wait for the maps to be used.
pub(super) fn patience(query: Option<&str>) -> Result<Duration, BadParameter> {
    let pairs = params::strict_pairs(query, &["timeout"])?;
    let Some((_, value)) = pairs.first() else {
        return Ok(PATIENCE);
    };
    let asked = params::duration("timeout", value)?;
    if asked > LONGEST {
        return Err(BadParameter::because(format!(
            "timeout is {} s at the most",
            LONGEST.as_secs()
        )));
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_within_bounds() {
        assert_eq!(patience(None).unwrap(), PATIENCE);
        assert_eq!(patience(Some("timeout=90s")).unwrap().as_secs(), 90);
        assert_eq!(patience(Some("timeout=5m")).unwrap(), LONGEST);
        for bad in ["timeout=6m", "timeout=x", "timeout=", "seconds=3"] {
            assert!(patience(Some(bad)).is_err(), "{bad}");
        }
    }
}
