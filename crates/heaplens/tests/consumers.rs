//! What Parca, Alloy and Pyroscope make of profiles of a live process, whose
//! threads allocate and free meanwhile.

mod common;
#[path = "../../heaplens-profile/tests/consumers/rules/mod.rs"]
mod rules;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use common::{Over, PATIENCE, Response, agent, get};
use heaplens::TrackedHashMap;
use rules::alloy::{self, Scraper};
use rules::parca::{self, Kind};
use rules::raw::Raw;
use rules::{Kept as _, format, pyroscope};

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

/// Long enough that every third one or so is sampled.
const BLOCK: usize = 200 << 10;

#[inline(never)]
fn short_lived(round: usize) -> usize {
    black_box(vec![1_u8; BLOCK + 4096 * (round % 8)]).len()
}

#[inline(never)]
fn kept(round: usize) -> Box<[u8]> {
    black_box(vec![2_u8; BLOCK + round % 100].into_boxed_slice())
}

/// Rounds in which some hundred blocks are sampled, for certain as it were.
const MANY: usize = 200;

/// Rounds that the thread of a test has behind it.
#[derive(Default)]
struct Rounds(AtomicUsize);

impl Rounds {
    /// Waits until many more are over, so that there is something new to see.
    fn pass(&self) {
        let (begun, from) = (Instant::now(), self.0.load(Ordering::Relaxed));
        while self.0.load(Ordering::Relaxed) < from + MANY {
            assert!(begun.elapsed() < PATIENCE, "the thread does not go on");
            thread::yield_now();
        }
    }
}

/// Allocates, fills maps and empties them until it is over.
fn churn(over: &AtomicBool, rounds: &Rounds) {
    let mut map: TrackedHashMap<usize, Box<[u8]>> = TrackedHashMap::named("churned");
    for round in 0_usize.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        map.insert(round % 64, kept(round));
        black_box(short_lived(round));
        if round % 1000 == 999 {
            map.clear();
        }
        rounds.0.store(round + 1, Ordering::Relaxed);
    }
}

/// Runs `look` while a thread allocates, and has allocated much.
fn under_churn(look: impl FnOnce(&Rounds)) {
    let (over, rounds) = (AtomicBool::new(false), Rounds::default());
    thread::scope(|scope| {
        scope.spawn(|| churn(&over, &rounds));
        let _over = Over(&over);
        rounds.pass();
        look(&rounds);
    });
}

fn checked(answer: &Response, kind: Kind, what: &str) -> Raw {
    assert_eq!(answer.status, 200, "{what}");
    alloy::check_answer(answer.header("content-type"), &answer.body).none(what);
    let raw = Raw::decode(&answer.body).unwrap_or_else(|fault| panic!("{what}: {fault:?}"));
    parca::check(&raw, kind).none(what);
    format::check(&raw).none(what);
    raw
}

#[test]
fn absolute_profiles_keep_all_rules_in_scrape_after_scrape() {
    let (agent, address) = agent();
    under_churn(|rounds| {
        for path in ["/debug/pprof/heap", "/debug/pprof/allocs", "/debug/heap"] {
            let mut scraper = Scraper::default();
            let mut allocated = 0;
            for round in 0..3 {
                let what = format!("{path}, scrape {round}");
                let raw = checked(&get(address, path), Kind::Absolute, &what);
                assert!(!raw.samples.is_empty(), "{what}");
                pyroscope::check(&raw).none(&what);
                let (delta, faults) = scraper.scrape(&raw);
                faults.none(&what);
                if round > 0 {
                    allocated += delta.values().map(|values| values[1]).sum::<i64>();
                }
                rounds.pass();
            }
            assert!(allocated > 0, "{path}: the thread allocated meanwhile");
        }
    });
    drop(agent);
}

#[test]
fn deltas_keep_the_rules_and_never_count_allocations_below_zero() {
    let (agent, address) = agent();
    under_churn(|_| {
        for _ in 0..2 {
            for path in ["heap", "allocs"] {
                let path = format!("/debug/pprof/{path}?seconds=1");
                let raw = checked(&get(address, &path), Kind::Delta, &path);
                assert!(raw.duration >= 1_000_000_000, "{path}");
                let falling = raw
                    .samples
                    .iter()
                    .find(|of| of.values[..2].iter().any(|&of| of < 0));
                assert_eq!(falling, None, "{path}");
                assert!(raw.totals()[1] > 0, "{path}");
                let faults = Scraper::default().scrape(&raw).1;
                faults.none(&path);
            }
        }
    });
    drop(agent);
}
