//! One beat of the watch.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::gather::{self, Owner, Sums};
use super::subject::{self, Known, Process, Subject};
use super::{MOST_CHANGES, VerdictChange, Watch, kept};
use crate::leaks::{Kind, Point, Rules, State, theil_sen};
use crate::survey::Survey;

/// What came of a beat.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Beat {
    pub(crate) changes: Vec<VerdictChange>,
    /// Rows whose call sites are not known yet.
    pub(crate) unknown: Vec<u32>,
    /// Bytes that the watch takes.
    pub(crate) bytes: usize,
}

/// Notes what there is, and judges. Some 50 ns a live sample and row; 20 µs for each window
/// of each subject that grows, when it is looked at.
pub(crate) fn tick(survey: &Survey) -> Beat {
    let sums = Sums::now();
    let mut kept = kept();
    let watch = kept.as_mut();
    watch
        .map(|watch| watch.beat(Instant::now(), survey, &sums))
        .unwrap_or_default()
}

impl Watch {
    pub(super) fn beat(&mut self, now: Instant, survey: &Survey, sums: &Sums) -> Beat {
        let at = self.clock.time(now);
        self.last = Some(at);
        self.memory = survey.memory;
        self.note_maps(at, survey);
        let unknown = self.note_sites(at, sums);
        let whole = Point {
            bytes: sums.bytes.round() as u64,
            ..Point::default()
        };
        self.whole.push(at, whole);
        let process = Process {
            memory: survey.memory,
            bytes_per_sample: survey
                .estimates
                .then(|| heaplens_alloc::sample_interval() as f64),
            growth: self.growth(),
        };
        let changes = self.judge(now, &process);
        Beat {
            changes,
            unknown,
            bytes: self.bytes(),
        }
    }

    fn note_maps(&mut self, at: Duration, survey: &Survey) {
        for group in &survey.groups {
            let Some(point) = subject::point_of_map(group) else {
                continue;
            };
            if !self.maps.contains_key(group.name()) {
                let new = Subject::new(Kind::Map, &self.windows);
                self.maps.insert(group.name().to_owned(), new);
            }
            if let Some(subject) = self.maps.get_mut(group.name()) {
                subject.series.push(at, point);
                subject.known = subject::known_of_map(group);
            }
        }
        let bytes = |subject: &Subject| subject.series.last().map_or(0, |(_, point)| point.bytes);
        keep_largest(&mut self.maps, self.room.maps, |_, subject| bytes(subject));
    }

    /// Returns the rows whose sites are not known.
    fn note_sites(&mut self, at: Duration, sums: &Sums) -> Vec<u32> {
        let (sizes, unknown) = self.sites.sizes(sums);
        for holder in sums.held.keys().map(|of| of.1) {
            let (key, name) = holder.label();
            if let Some(subject) = self.maps.get_mut(name).filter(|_| key == "map") {
                subject.owner = Some(Owner::Holder(holder));
            }
        }
        self.sizes = sizes;
        self.choose_sites();
        for (number, subject) in &mut self.by_site {
            let size = self.sizes.get(number).cloned().unwrap_or_default();
            subject.series.push(at, subject::point_of_site(&size));
        }
        let known: Vec<Known> = self
            .by_site
            .iter()
            .map(|(number, subject)| self.inherited(*number, subject))
            .collect();
        for (subject, known) in self.by_site.values_mut().zip(known) {
            subject.known = known;
        }
        unknown
    }

    /// Gives series to sites that hold enough to matter, and takes them from those that hold
    /// least where there are too many.
    fn choose_sites(&mut self) {
        let least = Rules::standard().least_bytes / 4.0;
        let new: Vec<u32> = self
            .sizes
            .iter()
            .filter(|(number, size)| size.bytes >= least && !self.by_site.contains_key(number))
            .map(|(number, _)| *number)
            .collect();
        for number in new {
            let mut subject = Subject::new(Kind::Site, &self.windows);
            subject.owner = Some(Owner::Place(number));
            self.by_site.insert(number, subject);
        }
        let bytes = |number: &u32| self.sizes.get(number).map_or(0.0, |size| size.bytes);
        keep_largest(&mut self.by_site, self.room.sites, |number, _| {
            bytes(number).round() as u64
        });
    }

    /// How fast the live heap grows over the longest window that there is.
    fn growth(&self) -> Option<f64> {
        let spans: Vec<Duration> = self.windows.spans().collect();
        let mut windows = spans.into_iter().rev();
        let blocks = windows.find_map(|span| self.whole.window(span))?;
        Some(theil_sen(blocks.bytes())?.slope / blocks.step_seconds())
    }

    fn judge(&mut self, now: Instant, process: &Process) -> Vec<VerdictChange> {
        let subjects = self.maps.values().chain(self.by_site.values());
        let wanted: Vec<Owner> = subjects
            .filter(|subject| subject.judge.wants_cohorts(&subject.series))
            .filter_map(|subject| subject.owner)
            .collect();
        let (sites, clock) = (&self.sites, &self.clock);
        let place_of = |row| sites.of_row(row);
        let age_of = |age| clock.age(now, age);
        let ages = gather::ages(&self.windows, &wanted, place_of, age_of);
        let look = |subject: &mut Subject| {
            let before = subject.judge.verdict().state;
            let cohorts = subject.owner.and_then(|owner| ages.get(&owner));
            let facts = subject.facts(process, cohorts);
            let after = subject.judge.look(&subject.series, &facts).state;
            (before != after).then_some(before)
        };
        let maps = self.maps.iter_mut();
        let maps: Vec<(String, State)> = maps
            .filter_map(|(name, subject)| Some((name.clone(), look(subject)?)))
            .collect();
        let by_site = self.by_site.iter_mut();
        let by_site: Vec<(u32, State)> = by_site
            .filter_map(|(number, subject)| Some((*number, look(subject)?)))
            .collect();
        let changes = self.told(&maps, &by_site);
        for change in &changes {
            if self.changes.len() >= MOST_CHANGES {
                self.changes.pop_front();
            }
            self.changes.push_back(change.clone());
        }
        changes
    }

    /// Every change of a map, and of sites those from and to what people are told of.
    fn told(&self, maps: &[(String, State)], sites: &[(u32, State)]) -> Vec<VerdictChange> {
        let maps = maps.iter().filter_map(|(name, from)| {
            let subject = self.maps.get(name)?;
            Some((*from, self.of_map(name, subject)))
        });
        let sites = sites.iter().filter_map(|(number, from)| {
            let subject = self.by_site.get(number)?;
            let to = subject.judge.verdict().state;
            let concerns = from.is_flagged() || to.is_flagged();
            let finding = concerns.then(|| self.of_site(*number, subject))?;
            Some((*from, finding?))
        });
        let at = self.date(self.age());
        maps.chain(sites)
            .map(|(from, finding)| VerdictChange {
                at,
                kind: finding.kind,
                name: finding.name,
                from,
                to: finding.verdict.state,
                sentence: finding.sentence,
                suggestion: finding
                    .suggestion
                    .map(crate::leaks::words::Suggestion::text),
            })
            .collect()
    }
}

/// Takes series from those that hold least where there are too many, from what is suspected
/// or leaks last.
fn keep_largest<K: Ord + Clone>(
    subjects: &mut BTreeMap<K, Subject>,
    most: usize,
    bytes: impl Fn(&K, &Subject) -> u64,
) {
    let Some(surplus) = subjects
        .len()
        .checked_sub(most)
        .filter(|surplus| *surplus > 0)
    else {
        return;
    };
    let rank = |(key, subject): (&K, &Subject)| {
        let is_flagged = subject.judge.verdict().state.is_flagged();
        (is_flagged, bytes(key, subject), key.clone())
    };
    let mut order: Vec<(bool, u64, K)> = subjects.iter().map(rank).collect();
    order.sort_unstable();
    for (.., key) in order.iter().take(surplus) {
        subjects.remove(key);
    }
}
