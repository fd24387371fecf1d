//! The watch over made-up maps and call sites, in a time that is made up too.

use std::time::{Duration, Instant};

use heaplens_alloc::holder::Holder;
use heaplens_maps::GroupReport;

use super::gather::{Row, Sums};
use super::*;
use crate::leaks::Kind;
use crate::survey::Survey;

/// One map, and one call site whose blocks it holds.
#[derive(Clone, Copy, Default)]
struct Now {
    entries: u64,
    inserts: u64,
    max_entries: Option<u64>,
    expected_ttl: Option<Duration>,
    oldest: Option<Duration>,
    /// Of the site; each of 1,000 bytes.
    blocks: u64,
    blocks_allocated: u64,
}

impl Now {
    /// A block of the site for each entry, and nothing ever removed.
    fn growing(beat: u64) -> Self {
        Now {
            entries: 100 * beat,
            inserts: 100 * beat,
            blocks: 100 * beat,
            blocks_allocated: 100 * beat,
            ..Now::default()
        }
    }

    fn survey(&self, name: &str) -> Survey {
        let mut group = GroupReport::default();
        group.name = name.to_owned();
        (group.instances, group.entries, group.capacity) = (1, self.entries, 2 * self.entries);
        (group.inserts, group.removes) = (self.inserts, self.inserts - self.entries);
        (group.max_entries, group.expected_ttl) = (self.max_entries, self.expected_ttl);
        group.oldest = self.oldest.map(|age| SystemTime::now() - age);
        group.sized_bytes = Some(1000 * self.blocks);
        let memory = Memory {
            resident: Some(1 << 29),
            limit: Some(1 << 30),
        };
        Survey::with(vec![group], memory)
    }

    fn sums(&self, holder: Holder) -> Sums {
        let mut sums = Sums::default();
        let row = Row {
            objects: self.blocks as f64,
            bytes: 1000.0 * self.blocks as f64,
            births: self.blocks_allocated as f64,
        };
        sums.rows.insert(ROW, row);
        sums.held.insert((ROW, holder), row.bytes);
        sums.bytes = row.bytes;
        sums
    }
}

/// Any number.
const ROW: u32 = 7;
const SITE: &str = "fill at src/a.rs:41";

/// A watch that has seen these, a second after the other, and what it told of them.
fn watched(name: &str, beats: u64, now: impl Fn(u64) -> Now) -> (Watch, Vec<(Kind, State)>) {
    let start = Instant::now();
    let room = Room::within(crate::DEFAULT_HISTORY_BYTES);
    let mut watch = Watch::new(&Windows::demo(), room, Clock::since(start));
    watch.sites.learn(vec![(
        ROW,
        Some(Place {
            function: "svc::fill".to_owned(),
            file: "/svc/src/a.rs".to_owned(),
            line: 41,
        }),
    )]);
    let holder = Holder::register("map", name).unwrap();
    let mut told = Vec::new();
    for beat in 0..beats {
        let now = now(beat);
        let at = start + Duration::from_secs(beat);
        let beat = watch.beat(at, &now.survey(name), &now.sums(holder));
        assert_eq!(beat.unknown, [0; 0]);
        told.extend(beat.changes.iter().map(|of| (of.kind, of.to)));
    }
    (watch, told)
}

fn states(watch: &Watch) -> (State, State) {
    let findings = watch.findings();
    let of = |kind| {
        let found = findings.iter().find(|of| of.kind == kind);
        found.map_or(State::Ok, |of| of.verdict.state)
    };
    (of(Kind::Map), of(Kind::Site))
}

#[test]
fn a_map_and_its_site_are_suspected_and_then_leak() {
    let (watch, told) = watched("watch/leaks", 300, Now::growing);
    let of_map: Vec<State> = told
        .iter()
        .filter(|of| of.0 == Kind::Map)
        .map(|of| of.1)
        .collect();
    let expected = [State::Growing, State::Suspect, State::Leak];
    assert!(
        of_map.ends_with(&expected) || of_map.ends_with(&expected[1..]),
        "{of_map:?}"
    );
    assert_eq!(states(&watch), (State::Leak, State::Leak));
    let findings = watch.findings();
    let map = findings.iter().find(|of| of.kind == Kind::Map).unwrap();
    assert_eq!(map.filled_from.len(), 1);
    assert_eq!(map.filled_from[0].place.name(), SITE);
    assert!(
        map.sentence.contains("filled from `fill` at src/a.rs:41"),
        "{}",
        map.sentence
    );
    let site = findings.iter().find(|of| of.kind == Kind::Site).unwrap();
    assert_eq!(
        (&*site.name, site.explained_by.as_deref()),
        (SITE, Some("watch/leaks"))
    );
    assert_eq!(watch.site_states(), [(SITE.to_owned(), State::Leak)]);
    assert_eq!(
        watch.map_states().collect::<Vec<_>>(),
        [("watch/leaks", State::Leak)]
    );
    // Half a GiB at 100 kB a second.
    let left = map.verdict.seconds_to_limit.unwrap();
    assert!((left - 5368.0).abs() < 60.0, "{left}");
    assert!((map.verdict.share_of_growth.unwrap() - 1.0).abs() < 0.02);
}

#[test]
fn a_bound_protects_the_map_and_what_fills_it() {
    let bounded = |beat| Now {
        max_entries: Some(50_000),
        ..Now::growing(beat)
    };
    let (watch, told) = watched("watch/bounded", 400, bounded);
    assert!(told.iter().all(|of| !of.1.is_flagged()), "{told:?}");
    assert_eq!(states(&watch).0, State::Filling);
    // One that is not kept protects nobody.
    let beyond = |beat| Now {
        max_entries: Some(5_000),
        ..Now::growing(beat)
    };
    let (watch, _) = watched("watch/beyond", 400, beyond);
    assert_eq!(states(&watch), (State::Leak, State::Leak));
}

#[test]
fn a_bound_on_entries_does_not_excuse_values_that_grow() {
    let full = |beat| Now {
        entries: 1000,
        inserts: 1000,
        max_entries: Some(1000),
        ..Now::growing(beat)
    };
    let (watch, _) = watched("watch/values", 400, full);
    assert_eq!(states(&watch).1, State::Leak, "of the site");
}

#[test]
fn a_time_to_live_protects_while_it_is_kept() {
    let ttl = Some(Duration::from_secs(600));
    let kept = |beat| Now {
        expected_ttl: ttl,
        oldest: Some(Duration::from_secs(beat)),
        ..Now::growing(beat)
    };
    let (_, told) = watched("watch/kept", 400, kept);
    assert!(told.iter().all(|of| !of.1.is_flagged()), "{told:?}");
    let overdue = |beat| Now {
        oldest: Some(Duration::from_secs(10_000 + beat)),
        ..kept(beat)
    };
    let (watch, _) = watched("watch/overdue", 400, overdue);
    assert_eq!(states(&watch), (State::Leak, State::Leak));
}

#[test]
fn what_comes_and_goes_is_left_in_peace() {
    let rolling = |beat: u64| Now {
        entries: 5000 + beat % 7 * 100,
        inserts: 100_000 + 100 * beat,
        blocks: 5000 + beat % 7 * 100,
        blocks_allocated: 100_000 + 100 * beat,
        ..Now::default()
    };
    let (watch, told) = watched("watch/rolls", 400, rolling);
    assert!(told.iter().all(|of| of.1 <= State::Growing), "{told:?}");
    assert_eq!(states(&watch), (State::Ok, State::Ok));
    assert_eq!(
        watch.findings().len(),
        1,
        "sites that are well are not shown"
    );
}

#[test]
fn changes_are_remembered_and_no_more_than_so_many() {
    // Suspected once for each time that it is cleared.
    let (watch, told) = watched("watch/again", 300, Now::growing);
    let remembered: Vec<State> = watch.changes().map(|of| of.to).collect();
    assert_eq!(remembered, told.iter().map(|of| of.1).collect::<Vec<_>>());
    let dates: Vec<SystemTime> = watch.changes().map(|of| of.at).collect();
    assert!(dates.is_sorted());
    assert!(
        watch.bytes() > 20_000 && watch.bytes() < 200_000,
        "{}",
        watch.bytes()
    );
}

#[test]
fn the_largest_have_a_series_where_there_is_little_room() {
    let start = Instant::now();
    let room = Room::within(64 << 10);
    let mut watch = Watch::new(&Windows::demo(), room, Clock::since(start));
    let survey = |beat: u64| {
        let groups = (1..=5).map(|number: u64| {
            let mut group = GroupReport::default();
            group.name = format!("little/{number}");
            (group.instances, group.entries) = (1, 10 + beat);
            group.sized_bytes = Some(1000 * number);
            group
        });
        Survey::with(groups.collect(), Memory::default())
    };
    for beat in 0..10 {
        let at = start + Duration::from_secs(beat);
        let beat = watch.beat(at, &survey(beat), &Sums::default());
        assert!(beat.bytes < 64 << 10, "{}", beat.bytes);
    }
    let names: Vec<&str> = watch.map_series().map(|(name, _)| name).collect();
    assert_eq!(names, ["little/5"], "{room:?}");
}
