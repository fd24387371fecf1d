use proptest::prelude::*;

use super::*;

const TICK: Duration = Duration::from_secs(15);

fn point(entries: u64) -> Point {
    Point {
        entries,
        bytes: entries * 100,
        births: entries + 7,
        deaths: 7,
    }
}

fn filled(ticks: u32, entries: impl Fn(u32) -> u64) -> Series {
    let mut series = Series::new(&Windows::standard());
    for tick in 0..ticks {
        series.push(TICK * tick, point(entries(tick)));
    }
    series
}

#[test]
fn a_window_is_there_when_it_is_full() {
    let half_an_hour = Duration::from_secs(1800);
    // The last step is open until the next one begins.
    assert_eq!(filled(120, u64::from).window(half_an_hour), None);
    let blocks = filled(121, u64::from).window(half_an_hour).expect("full");
    assert_eq!(blocks.end(), half_an_hour);
    assert!((blocks.entries()[0] - 0.0).abs() < 1e-9);
    assert!((blocks.entries()[BLOCKS - 1] - 115.0).abs() < 1e-9);
    assert!((blocks.bytes()[1] - 500.0).abs() < 1e-9);
    // Before the first point nothing is known.
    assert!((blocks.births(0, BLOCKS) - 119.0).abs() < 1e-9);
    let later = filled(125, u64::from).window(half_an_hour).expect("full");
    assert!((later.births(0, BLOCKS) - 120.0).abs() < 1e-9);
    assert!(later.deaths(0, BLOCKS).abs() < 1e-9);
    assert_eq!(filled(500, u64::from).window(Duration::from_secs(60)), None);
}

#[test]
fn short_gaps_are_bridged_and_long_ones_are_not() {
    let half_an_hour = Duration::from_secs(1800);
    let with_gap = |gap: u32| {
        let mut series = filled(121, |_| 5);
        series.push(TICK * (121 + gap), point(9));
        series.push(TICK * (122 + gap), point(9));
        series.window(half_an_hour)
    };
    for gap in 0..=5 {
        assert!(with_gap(gap).is_some(), "{gap}");
    }
    assert_eq!(with_gap(6), None);
    // A clock that goes back tells nothing.
    let mut series = filled(121, |_| 5);
    series.push(TICK, point(0));
    assert_eq!(series.last(), Some((TICK * 120, point(5))));
}

#[test]
fn it_never_takes_more_than_documented() {
    let series = filled(4 * 5760, u64::from);
    assert!(series.heap_bytes() <= 9 * 1024, "{}", series.heap_bytes());
    assert!(Series::new(&Windows::standard()).heap_bytes() == 0);
    let longest = Windows::standard().longest();
    assert!(series.window(longest).is_some());
}

#[test]
fn points_come_once_each_and_in_order() {
    let series = filled(6000, u64::from);
    let points: Vec<_> = series.points().collect();
    assert!(points.is_sorted_by(|one, other| one.0 < other.0));
    // 24 hours by the quarter, the last two by the minute, the last half by the tick.
    assert!((300..=337).contains(&points.len()), "{}", points.len());
    assert_eq!(points.last().map(|last| last.1.entries), Some(5998));
    assert!(Series::new(&Windows::standard()).points().next().is_none());
}

/// Straight from what was pushed: the least of each block, by the clock.
fn naive(pushed: &[(Duration, Point)], span: Duration, step: Duration) -> Vec<f64> {
    let (last, _) = *pushed.last().expect("pushed");
    let end = step.as_secs() * (last.as_secs() / step.as_secs());
    let width = span.as_secs() / BLOCKS as u64;
    let start = end - span.as_secs();
    let block = |nth: usize| {
        let from = start + width * nth as u64;
        let within = pushed
            .iter()
            .filter(|(at, _)| (from..from + width).contains(&at.as_secs()));
        let smallest = within.map(|(_, point)| point.entries).min();
        smallest.map_or(f64::INFINITY, |entries| entries as f64)
    };
    (0..BLOCKS).map(block).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn blocks_are_the_least_of_what_was_pushed(
        seed in any::<u64>(),
        ticks in 500..2900_u32,
        per_tick in 1..4_u32,
    ) {
        let mut state = seed | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 44
        };
        let mut series = Series::new(&Windows::standard());
        let mut pushed = Vec::new();
        for nth in 0..ticks * per_tick {
            let at = TICK * nth / per_tick;
            let point = point(next());
            series.push(at, point);
            pushed.push((at, point));
        }
        let steps = [(1800, 15), (7200, 60), (21_600, 900), (43_200, 900)];
        for (span, step) in steps.map(|(span, step)| {
            (Duration::from_secs(span), Duration::from_secs(step))
        }) {
            let Some(blocks) = series.window(span) else {
                let last = pushed.last().expect("pushed").0;
                prop_assert!(last < span + step, "{span:?} is missing at {last:?}");
                continue;
            };
            let naive = naive(&pushed, span, step);
            for (seen, expected) in blocks.entries().iter().zip(&naive) {
                prop_assert!((seen - expected).abs() < 0.5, "{seen} for {expected}");
            }
            let [first, last] = series.ends(span).expect("a window has ends");
            prop_assert!((first.0 - naive[0]).abs() < 0.5);
            prop_assert!((last.0 - naive[BLOCKS - 1]).abs() < 0.5);
        }
    }
}
