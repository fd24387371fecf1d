//! What an operator may want to know of a group in words, and why figures are
//! missing.

use serde_json::{Map, Value};

use crate::handlers::heap::NOT_INSTALLED;
use crate::map_group::MapGroup;
use crate::outlook::Limit;
use crate::survey::Survey;
use crate::units::{bytes, count, duration};
use crate::waste;

/// Facts that ask for something to be done, one sentence each. No verdict: a map
/// may grow because it should.
pub(super) fn advice(group: &MapGroup) -> Vec<String> {
    let all = [
        wasted(group),
        beyond_bound(group),
        beyond_ttl(group),
        never_removed(group),
        limit_ahead(group),
    ];
    all.into_iter().flatten().collect()
}

fn wasted(group: &MapGroup) -> Option<String> {
    let give_back = group.waste_bytes.filter(|&bytes| bytes > 0)?;
    let of = &group.report;
    let lasting = group.wasteful_for.unwrap_or_default();
    let head = format!(
        "The tables have room for {} entries and hold {}, for {} now",
        count(of.capacity),
        count(of.entries),
        duration(lasting),
    );
    Some(if lasting >= waste::LASTING {
        format!(
            "{head}: shrink_to(2 * len), or auto_shrink for good, gives back about {}.",
            bytes(give_back as f64)
        )
    } else {
        format!(
            "{head}. If it stays so, shrink_to(2 * len) gives back about {}.",
            bytes(give_back as f64)
        )
    })
}

fn beyond_bound(group: &MapGroup) -> Option<String> {
    let (most, largest) = (group.report.max_entries?, group.entries_max_instance()?);
    (largest > most).then(|| {
        format!(
            "The largest map holds {} entries; at most {} were declared (max_entries).",
            count(largest),
            count(most)
        )
    })
}

fn beyond_ttl(group: &MapGroup) -> Option<String> {
    let (ttl, age) = (group.report.expected_ttl?, group.oldest_age?);
    // Entries are looked at when they are due, not at that very moment.
    (age > ttl * 2).then(|| {
        format!(
            "The oldest sampled entry is {} old; {} was declared (expected_ttl): something does \
             not expire, or a value was kept on when its entry was renewed.",
            duration(age),
            duration(ttl)
        )
    })
}

fn never_removed(group: &MapGroup) -> Option<String> {
    let (inserts, removes) = (group.inserts()?, group.removes()?);
    let is_open = group.report.max_entries.is_none() && group.report.expected_ttl.is_none();
    (is_open && removes == 0 && inserts > 0 && group.growth_is_positive()).then(|| {
        format!(
            "It grows, none of its {} entries was ever removed, and no bound is declared: if it \
             is meant to be bounded, give it a capacity or a time to live; else declare what is \
             normal (max_entries, expected_ttl).",
            count(inserts)
        )
    })
}

fn limit_ahead(group: &MapGroup) -> Option<String> {
    let outlook = group.outlook?;
    let within = std::time::Duration::try_from_secs_f64(outlook.seconds).ok()?;
    Some(match outlook.limit {
        Limit::Memory => format!(
            "At this rate the group alone takes what is left of the process's memory limit \
             within {}.",
            duration(within)
        ),
        Limit::MaxEntries => format!(
            "At this rate its largest map reaches the declared {} entries within {}.",
            count(group.report.max_entries.unwrap_or_default()),
            duration(within)
        ),
    })
}

/// Why figures are missing in every group.
pub(super) fn missing_everywhere(survey: &Survey) -> Map<String, Value> {
    let mut missing = Map::new();
    if !survey.estimates {
        missing.insert("heap_bytes".to_owned(), NOT_INSTALLED.into());
    }
    if survey.memory.limit.is_none() {
        let reason = "the process has no memory limit, or none that can be read";
        missing.insert("memory_limit_bytes".to_owned(), reason.into());
    }
    missing
}

const NOT_TOLD: &str = "a probed container of the group does not tell it";

/// Why figures of this group are missing.
pub(super) fn missing(survey: &Survey, group: &MapGroup) -> Map<String, Value> {
    let mut missing = Map::new();
    let mut because = |name: &str, is_missing: bool, reason: &str| {
        if is_missing {
            missing.insert(name.to_owned(), reason.into());
        }
    };
    because("entries_count", group.entries().is_none(), NOT_TOLD);
    because("table_bytes", group.table_bytes().is_none(), NOT_TOLD);
    because(
        "capacity_entries_count",
        group.capacity().is_none(),
        NOT_TOLD,
    );
    because(
        "inserts_count",
        group.inserts().is_none(),
        "what probed containers do between two reports is not seen; their caches' own counts \
         are in cache",
    );
    because("heap_bytes", group.heap_bytes.is_none(), NOT_INSTALLED);
    because("ages", !survey.estimates, NOT_INSTALLED);
    because(
        "growth_entries_per_second",
        group.growth().is_none(),
        "a rate takes reports over at least ten seconds, and the number of entries",
    );
    because(
        "seconds_to_limit",
        group.outlook.is_none(),
        no_outlook(survey, group),
    );
    because(
        "oldest_entry_age_seconds",
        group.oldest_age.is_none(),
        "no sampled block is known to belong to an entry",
    );
    missing
}

fn no_outlook(survey: &Survey, group: &MapGroup) -> &'static str {
    let has_limit = survey.memory.headroom().is_some();
    if !group.growth_is_positive() {
        "the group does not grow, as far as is known yet"
    } else if !has_limit && group.report.max_entries.is_none() {
        "the process has no memory limit and the group no declared bound"
    } else {
        "what the group takes on the heap is not known"
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use heaplens_maps::GroupReport;

    use super::*;
    use crate::memory::Memory;

    fn growing() -> GroupReport {
        let mut group = GroupReport::default();
        group.name = "advice".to_owned();
        (group.instances, group.entries, group.capacity) = (1, 1200, 1792);
        (group.entries_max_instance, group.inserts) = (1200, 1200);
        group.table_bytes = 4 << 20;
        group.growth_per_second = Some(10.0);
        group
    }

    fn said(group: &GroupReport, lasting: Option<Duration>) -> Vec<String> {
        let group = MapGroup::of(group.clone(), SystemTime::now(), None, true);
        advice(&MapGroup {
            wasteful_for: lasting,
            ..group
        })
    }

    #[test]
    fn nothing_is_said_of_a_map_that_is_well() {
        let mut well = growing();
        (well.removes, well.growth_per_second) = (600, Some(0.0));
        assert_eq!(said(&well, None), [""; 0]);
    }

    #[test]
    fn what_only_grows() {
        let open = said(&growing(), None).join("\n");
        assert!(
            open.contains("none of its 1,200 entries was ever removed"),
            "{open}"
        );
        let mut bounded = growing();
        bounded.max_entries = Some(2400);
        let bounded = said(&bounded, None).join("\n");
        assert!(!bounded.contains("ever removed"), "{bounded}");
        assert!(
            bounded.contains("the declared 2,400 entries within 2m00s"),
            "{bounded}"
        );
    }

    #[test]
    fn what_breaks_its_declarations() {
        let mut broken = growing();
        broken.max_entries = Some(1000);
        broken.expected_ttl = Some(Duration::from_secs(60));
        broken.oldest = Some(SystemTime::now() - Duration::from_secs(3600));
        let said = said(&broken, None).join("\n");
        assert!(
            said.contains("holds 1,200 entries; at most 1,000"),
            "{said}"
        );
        assert!(said.contains("is 1h00m old; 1m00s was declared"), "{said}");
    }

    #[test]
    fn wasted_capacity_is_to_be_given_back_if_it_lasts() {
        let mut empty = growing();
        (empty.capacity, empty.growth_per_second) = (1200 * 64, None);
        let soon = said(&empty, Some(Duration::from_secs(60))).join("\n");
        assert!(soon.contains("for 1m00s now. If it stays so"), "{soon}");
        let lasting = said(&empty, Some(waste::LASTING)).join("\n");
        assert!(
            lasting.contains("for 15m00s now: shrink_to(2 * len)"),
            "{lasting}"
        );
        assert!(lasting.contains("about 3.9 MiB."), "{lasting}");
    }

    #[test]
    fn every_missing_figure_has_a_reason() {
        let mut probed = growing();
        (probed.probed, probed.entries_unknown, probed.tables_unknown) = (1, 1, 1);
        probed.capacity = 0;
        let survey = Survey::with(vec![probed], Memory::default());
        let missing = missing(&survey, &survey.groups[0]);
        for name in [
            "entries_count",
            "table_bytes",
            "capacity_entries_count",
            "inserts_count",
            "growth_entries_per_second",
            "seconds_to_limit",
            "oldest_entry_age_seconds",
        ] {
            assert!(missing.contains_key(name), "{name}: {missing:?}");
        }
        assert!(!missing.contains_key("heap_bytes"));
        assert!(missing_everywhere(&survey).contains_key("memory_limit_bytes"));
    }
}
