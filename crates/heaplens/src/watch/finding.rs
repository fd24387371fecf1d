//! What was found of a subject, with all that belongs to it, and in words.

use std::cmp::Ordering;
use std::time::{Duration, SystemTime};

use super::subject::Subject;
use super::{Place, Watch};
use crate::inquiries::{self, Brief};
use crate::leaks::cogrowth::Link;
use crate::leaks::words::{self, Suggestion};
use crate::leaks::{Kind, State, Verdict};

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// Of a call site.
    pub(crate) place: Option<Place>,
    pub(crate) verdict: Verdict,
    pub(crate) filled_from: Vec<Fill>,
    pub(crate) explained_by: Option<String>,
    /// What dropping its maps would have freed when that was last measured.
    pub(crate) retained: Option<Brief>,
    pub(crate) sentence: String,
    pub(crate) suggestion: Option<Suggestion>,
}

/// A call site that fills a map.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    pub(crate) place: Place,
    pub(crate) link: Link,
}

impl Finding {
    /// The worst first, then the fastest growth, then by size.
    fn by_concern(&self, other: &Finding) -> Ordering {
        let by_concern = self.verdict.by_concern(&other.verdict);
        by_concern.then_with(|| self.name.cmp(&other.name))
    }
}

impl Watch {
    /// All that there is to say, the worst first. Groups of maps, and those call sites that
    /// are not just well. Some milliseconds where many grow.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let maps = self.maps.iter();
        let maps = maps.map(|(name, subject)| self.of_map(name, subject));
        let sites = self.by_site.iter();
        let sites = sites.filter(|(_, subject)| subject.judge.verdict().state >= State::Growing);
        let sites = sites.filter_map(|(number, subject)| self.of_site(*number, subject));
        let mut findings: Vec<Finding> = maps.chain(sites).collect();
        findings.sort_by(Finding::by_concern);
        findings
    }

    pub(super) fn of_map(&self, name: &str, subject: &Subject) -> Finding {
        let verdict = subject.judge.verdict();
        let links = if verdict.state >= State::Growing {
            self.sites_of(name, subject)
        } else {
            Vec::new()
        };
        let filled_from: Vec<Fill> = links
            .into_iter()
            .filter_map(|(number, link)| {
                let place = self.sites.place(number)?.clone();
                Some(Fill { place, link })
            })
            .collect();
        self.finding(Kind::Map, name.to_owned(), subject, None, filled_from, None)
    }

    pub(super) fn of_site(&self, number: u32, subject: &Subject) -> Option<Finding> {
        let place = self.sites.place(number)?.clone();
        let explained_by = self
            .map_of(number, subject)
            .map(|(name, _)| name.to_owned());
        let name = place.name();
        let place = Some(place);
        Some(self.finding(Kind::Site, name, subject, place, Vec::new(), explained_by))
    }

    fn finding(
        &self,
        kind: Kind,
        name: String,
        subject: &Subject,
        place: Option<Place>,
        filled_from: Vec<Fill>,
        explained_by: Option<String>,
    ) -> Finding {
        let verdict = subject.judge.verdict().clone();
        let first = filled_from.first().map(|fill| fill.place.name());
        let retained = (kind == Kind::Map)
            .then(|| inquiries::brief(&name))
            .flatten();
        let about = words::Subject {
            kind,
            name: &name,
            filled_from: first.as_deref(),
            explained_by: explained_by.as_deref(),
            retained: retained
                .filter(|last| is_fresh(last, &verdict))
                .map(|last| last.bytes),
            memory_limit: self.memory.limit,
            wastes_capacity: subject.known.wastes_capacity,
            max_entries: subject.known.max_entries,
            expected_ttl: subject.known.expected_ttl,
        };
        Finding {
            sentence: words::sentence(&verdict, &about),
            suggestion: words::suggestion(&verdict, &about),
            kind,
            place,
            verdict,
            filled_from,
            explained_by,
            retained,
            name,
        }
    }
}

/// What was measured longer ago is no longer so,
const FRESH: Duration = Duration::from_secs(10 * 60);
/// nor if this part of it came in since.
const GREW: f64 = 0.1;

fn is_fresh(last: &Brief, verdict: &Verdict) -> bool {
    let Ok(age) = SystemTime::now().duration_since(last.taken_at) else {
        return false;
    };
    let a_second = verdict
        .growth
        .map_or(0.0, |growth| growth.bytes_per_second.slope);
    age <= FRESH && a_second * age.as_secs_f64() <= GREW * last.bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaks::Growth;

    #[test]
    fn what_was_measured_holds_until_more_came() {
        let brief = |age| Brief {
            bytes: 100 << 20,
            taken_at: SystemTime::now() - Duration::from_secs(age),
            blocks: 1,
        };
        let mut verdict = Verdict::default();
        assert!(is_fresh(&brief(60), &verdict) && !is_fresh(&brief(700), &verdict));
        let mut growth = Growth::default();
        growth.bytes_per_second.slope = f64::from(1 << 20);
        verdict.growth = Some(growth);
        assert!(is_fresh(&brief(5), &verdict));
        assert!(!is_fresh(&brief(60), &verdict), "60 MiB more");
    }
}
