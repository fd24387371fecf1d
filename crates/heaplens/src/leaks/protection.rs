//! Is the growth declared to be within bounds?

use std::time::Duration;

use super::facts::Facts;
use super::rules::Rules;

/// What was declared, and whether it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Protection {
    /// Nothing was declared that would hold.
    None,
    /// So many entries at most.
    Bound(u64),
    /// None older than that.
    Ttl(Duration),
}

impl Protection {
    /// `entries` of so many bytes each, now. `is_estimate` if they are sampled.
    pub(super) fn of(
        facts: &Facts<'_>,
        entries: f64,
        unit_bytes: f64,
        is_estimate: bool,
        rules: &Rules,
    ) -> Self {
        let limit = facts
            .memory_limit
            .map_or(rules.assumed_limit, |bytes| bytes as f64);
        if let Some(bound) = facts.max_entries {
            let most = bound as f64;
            let noise = if is_estimate {
                noise(facts, most * unit_bytes)
            } else {
                0.0
            };
            let is_kept = entries <= most * (rules.bound_slack + noise);
            if is_kept && most * unit_bytes <= rules.bound * limit {
                return Protection::Bound(bound);
            }
        }
        match facts.expected_ttl {
            Some(ttl) if !is_overdue(facts, rules) => Protection::Ttl(ttl),
            _ => Protection::None,
        }
    }
}

/// Three deviations of an estimate of so many bytes, as a share of it.
fn noise(facts: &Facts<'_>, bytes: f64) -> f64 {
    let sample = facts.bytes_per_sample.unwrap_or(0.0);
    if bytes > 0.0 {
        3.0 * (sample / bytes).sqrt()
    } else {
        0.0
    }
}

/// Whether an entry is older by far than the declared time to live.
pub(super) fn is_overdue(facts: &Facts<'_>, rules: &Rules) -> bool {
    match (facts.expected_ttl, facts.oldest) {
        (Some(ttl), Some(oldest)) => oldest.as_secs_f64() > rules.overdue * ttl.as_secs_f64(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_protects_while_it_is_kept_and_affordable() {
        let rules = Rules::standard();
        let facts = Facts {
            max_entries: Some(1000),
            memory_limit: Some(1_000_000),
            ..Facts::default()
        };
        let of = |entries, bytes| Protection::of(&facts, entries, bytes, false, &rules);
        assert_eq!(of(10.0, 100.0), Protection::Bound(1000));
        assert_eq!(of(1099.0, 100.0), Protection::Bound(1000));
        assert_eq!(of(1101.0, 100.0), Protection::None, "not kept");
        assert_eq!(of(10.0, 501.0), Protection::None, "more than half of all");
    }

    #[test]
    fn an_estimate_may_exceed_it_by_chance() {
        let rules = Rules::standard();
        let facts = Facts {
            max_entries: Some(1000),
            bytes_per_sample: Some(1000.0),
            ..Facts::default()
        };
        // 100 samples: a deviation of a tenth.
        let of = |entries| Protection::of(&facts, entries, 100.0, true, &rules);
        assert_eq!(of(1399.0), Protection::Bound(1000));
        assert_eq!(of(1401.0), Protection::None);
    }

    #[test]
    fn a_time_to_live_protects_until_it_is_broken() {
        let rules = Rules::standard();
        let ttl = Duration::from_secs(60);
        let with = |oldest: Option<u64>| Facts {
            expected_ttl: Some(ttl),
            oldest: oldest.map(Duration::from_secs),
            ..Facts::default()
        };
        let of = |facts: &Facts<'_>| Protection::of(facts, 10.0, 1.0, false, &rules);
        assert_eq!(of(&with(None)), Protection::Ttl(ttl));
        assert_eq!(of(&with(Some(180))), Protection::Ttl(ttl));
        assert_eq!(of(&with(Some(181))), Protection::None);
        assert!(is_overdue(&with(Some(181)), &rules));
        assert_eq!(of(&Facts::default()), Protection::None);
    }
}
