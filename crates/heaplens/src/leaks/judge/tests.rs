use proptest::prelude::*;

use super::super::cohorts::Cohorts;
use super::*;

fn hours(hours: f64) -> u32 {
    (hours * 240.0) as u32
}

/// Entries by tick, of so many bytes, with no more births and deaths than they show.
struct Program<'a> {
    kind: Kind,
    windows: Windows,
    entries: &'a dyn Fn(u32) -> u64,
    bytes: u64,
}

impl Program<'_> {
    fn new(entries: &dyn Fn(u32) -> u64) -> Program<'_> {
        Program {
            kind: Kind::Map,
            windows: Windows::standard(),
            entries,
            bytes: 500,
        }
    }

    /// The states that it goes through, and when.
    fn run(&self, ticks: u32, facts: &Facts<'_>) -> (Judge, Vec<(Duration, State)>) {
        let mut series = Series::new(&self.windows);
        let mut judge = Judge::new(self.kind, &self.windows);
        let mut states: Vec<(Duration, State)> = Vec::new();
        let (mut births, mut deaths, mut before) = (0, 0, 0);
        for tick in 0..ticks {
            let entries = (self.entries)(tick);
            births += entries.saturating_sub(before);
            deaths += before.saturating_sub(entries);
            before = entries;
            let at = self.windows.tick() * tick;
            let point = Point {
                entries,
                bytes: entries * self.bytes,
                births,
                deaths,
            };
            series.push(at, point);
            let state = judge.look(&series, facts).state;
            if states.last().is_none_or(|(_, last)| *last != state) {
                states.push((at, state));
            }
        }
        (judge, states)
    }

    fn states(&self, ticks: u32) -> Vec<State> {
        let (_, states) = self.run(ticks, &Facts::default());
        states.into_iter().map(|(_, state)| state).collect()
    }
}

#[test]
fn a_fast_leak_is_named_within_hours_and_forgotten_when_it_is_gone() {
    let leaks = |tick: u32| {
        let leaking = u64::from(tick) * 600;
        if tick < hours(8.0) { leaking } else { 1000 }
    };
    let facts = Facts {
        memory_limit: Some(1 << 30),
        headroom: Some(500_000_000),
        process_growth: Some(25_000.0),
        ..Facts::default()
    };
    let program = Program::new(&leaks);
    let (judge, states) = program.run(hours(7.0), &facts);
    let named: Vec<State> = states.iter().map(|(_, state)| *state).collect();
    assert_eq!(
        named,
        [State::Warming, State::Growing, State::Suspect, State::Leak]
    );
    assert!(states[2].0 <= Duration::from_secs(50 * 60), "{states:?}");
    assert!(states[3].0 <= Duration::from_secs(11_400), "{states:?}");
    let verdict = judge.verdict();
    let growth = verdict.growth.expect("grows");
    assert!((growth.entries_per_second.slope - 40.0).abs() < 0.1);
    assert!((growth.bytes_per_second.slope - 20_000.0).abs() < 50.0);
    assert!(growth.entries_per_second.low <= 40.0 && 40.0 <= growth.entries_per_second.high);
    assert_eq!(verdict.removed_share, Some(0.0));
    assert!((verdict.share_of_growth.expect("known") - 0.8).abs() < 0.01);
    assert!((verdict.seconds_to_limit.expect("known") - 25_000.0).abs() < 100.0);
    assert!(verdict.since.expect("grows") < Duration::from_secs(3600));
    assert!(verdict.evidence.iter().any(|evidence| evidence.holds));
    let (judge, _) = program.run(hours(8.5), &facts);
    assert!(!judge.verdict().state.is_flagged(), "{:?}", judge.verdict());
}

#[test]
fn a_slow_one_waits_for_six_hours_of_evidence() {
    let leaks = |tick: u32| u64::from(tick) * 15;
    let (_, states) = Program::new(&leaks).run(hours(9.0), &Facts::default());
    let (at, last) = states.last().expect("judged");
    assert_eq!(*last, State::Leak);
    assert!((6.0..7.5).contains(&(at.as_secs_f64() / 3600.0)), "{at:?}");
}

#[test]
fn what_levels_off_is_warming_and_what_stands_still_is_ok() {
    let warm_up = |tick: u32| (100_000.0 * (1.0 - (-f64::from(tick) / 400.0).exp())) as u64;
    let states = Program::new(&warm_up).states(hours(12.0));
    // For the first minutes nobody can know.
    assert!(!states.contains(&State::Leak), "{states:?}");
    assert_eq!(&states[states.len() - 2..], [State::Warming, State::Ok]);
    let still = Program::new(&|_| 50_000).states(hours(7.0));
    assert_eq!(still, [State::Warming, State::Ok]);
    let empty = Program::new(&|_| 0).states(hours(7.0));
    assert_eq!(empty, [State::Warming, State::Ok]);
}

#[test]
fn values_that_grow_in_a_map_that_does_not() {
    let windows = Windows::standard();
    let mut series = Series::new(&windows);
    let mut judge = Judge::new(Kind::Map, &windows);
    for tick in 0..hours(9.0) {
        let point = Point {
            entries: 1000,
            bytes: 1_000_000 + 40_000 * u64::from(tick),
            births: 1000,
            deaths: 0,
        };
        series.push(windows.tick() * tick, point);
        judge.look(&series, &Facts::default());
    }
    let verdict = judge.verdict();
    assert_eq!(verdict.state, State::Leak, "{verdict:?}");
    let growth = verdict.growth.expect("grows");
    assert!(growth.entries_per_second.slope.abs() < 1e-9);
    assert!((growth.bytes_per_second.slope * 15.0 - 40_000.0).abs() < 1.0);
}

#[test]
fn in_a_demonstration_minutes_suffice() {
    // As leaky-service at its default rate: 30 to 40 entries a second of 2 to 3 KiB.
    for (per_second, bytes) in [(30, 2300), (40, 1300), (40, 2500)] {
        for kind in [Kind::Map, Kind::Site] {
            let entries = |tick: u32| u64::from(tick) * per_second;
            let program = Program {
                kind,
                windows: Windows::demo(),
                entries: &entries,
                bytes,
            };
            let sample = (kind == Kind::Site).then_some(524_288.0);
            let facts = Facts {
                bytes_per_sample: sample,
                memory_limit: Some(16 << 30),
                ..Facts::default()
            };
            let (_, states) = program.run(360, &facts);
            let at = |state| {
                states
                    .iter()
                    .find(|(_, seen)| *seen == state)
                    .map(|(at, _)| *at)
            };
            let suspect = at(State::Suspect).expect("a suspect");
            assert!(suspect <= Duration::from_secs(180), "{kind:?} {suspect:?}");
            assert!(at(State::Leak).is_some(), "{kind:?} {states:?}");
        }
    }
}

#[test]
fn cohorts_are_wanted_only_of_what_grows() {
    let windows = Windows::standard();
    for (grows, wanted) in [(0, false), (500, true)] {
        let mut series = Series::new(&windows);
        let judge = Judge::new(Kind::Map, &windows);
        for tick in 0..200_u64 {
            let entries = 10_000 + grows * tick;
            let point = Point {
                entries,
                bytes: entries * 500,
                births: entries + 1,
                deaths: 1,
            };
            series.push(windows.tick() * tick as u32, point);
        }
        assert_eq!(judge.wants_cohorts(&series), wanted);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_declared_bound_never_leaks(
        rate in 1..2000_u64,
        bound in 1000..200_000_u64,
        wave in 1..500_u32,
    ) {
        let entries = |tick: u32| {
            let way = u64::from(tick) * rate + u64::from(tick % wave) * rate / 2;
            way.min(bound)
        };
        let facts = Facts { max_entries: Some(bound), ..Facts::default() };
        let (_, states) = Program::new(&entries).run(hours(10.0), &facts);
        prop_assert!(states.iter().all(|(_, state)| *state <= State::Filling), "{states:?}");
    }

    #[test]
    fn what_returns_to_its_start_never_leaks(
        period in 40..600_u32,
        start in 0..50_000_u64,
        rise in 1..3000_u64,
        noise in 1..200_u32,
    ) {
        let entries = |tick: u32| {
            start + u64::from(tick % period) * rise + u64::from(tick * 7919 % noise)
        };
        let states = Program::new(&entries).states(hours(24.0));
        prop_assert!(!states.contains(&State::Leak), "{states:?}");
    }

    #[test]
    fn the_unit_of_entries_does_not_matter(
        rate in 10..200_u64,
        noise in 1..3000_u32,
        scale in 2..20_u64,
    ) {
        let entries = |tick: u32| u64::from(tick) * rate + u64::from(tick * 7919 % noise);
        let scaled = |tick: u32| scale * entries(tick);
        let one = Program { bytes: 500 * scale, ..Program::new(&entries) };
        let many = Program::new(&scaled);
        prop_assert_eq!(one.states(hours(8.0)), many.states(hours(8.0)));
    }
}

#[test]
fn samples_by_age_are_not_asked_of_a_map_that_never_lost_an_entry() {
    let windows = Windows::standard();
    let judge = Judge::new(Kind::Map, &windows);
    let by_site = Judge::new(Kind::Site, &windows);
    let mut series = Series::new(&windows);
    assert!(!judge.keeps_all(&series), "nobody knows yet");
    let point = |tick: u32, deaths| Point {
        entries: u64::from(tick) * 100 - deaths,
        bytes: u64::from(tick) * 50_000,
        births: u64::from(tick) * 100,
        deaths,
    };
    let ticks = hours(1.0);
    for tick in 1..ticks {
        series.push(windows.tick() * tick, point(tick, 0));
    }
    assert!(judge.keeps_all(&series) && !by_site.keeps_all(&series));
    assert!(!judge.wants_cohorts(&series) && by_site.wants_cohorts(&series));
    series.push(windows.tick() * ticks, point(ticks, 1));
    assert!(!judge.keeps_all(&series) && judge.wants_cohorts(&series));
    let mut probed = Series::new(&windows);
    let uncounted = Point {
        births: 0,
        ..point(1, 0)
    };
    probed.push(windows.tick(), uncounted);
    assert!(!judge.keeps_all(&probed), "nobody counts");
}

#[test]
fn what_samples_by_age_say_of_a_map_that_keeps_all_changes_nothing() {
    let program = Program::new(&|tick| u64::from(tick) * 100);
    let nothing_old = Cohorts::new(&program.windows);
    let told = Facts {
        cohorts: Some(&nothing_old),
        ..Facts::default()
    };
    let (_, with) = program.run(hours(12.0), &told);
    let (_, without) = program.run(hours(12.0), &Facts::default());
    assert_eq!(with, without);
    assert_eq!(with.last().map(|last| last.1), Some(State::Leak));
}
