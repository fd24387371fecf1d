//! The five leaks, each found by the agent itself, at the default rate and by short windows: five
//! services with one leak each, one with all of them and one with all of them repaired, at the
//! same time.
//!
//! `scripts/e2e-verdicts` runs this, and prints what it says of the times.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::curl;
use crate::process::wait_long_for;
use crate::service::{Service, Setup};

/// As a user gets it.
const RATE: u32 = 200;
const SUSPECT: Duration = Duration::from_secs(3 * 60);
const LEAK: Duration = Duration::from_secs(6 * 60);

/// A case, and where it goes wrong.
struct Leak {
    case: &'static str,
    function: &'static str,
}

const LEAKS: [Leak; 5] = [
    Leak {
        case: "sessions",
        function: "create_session",
    },
    Leak {
        case: "metrics",
        function: "count_request",
    },
    Leak {
        case: "closures",
        function: "schedule_retry",
    },
    Leak {
        case: "field",
        function: "render_report",
    },
    Leak {
        case: "callbacks",
        function: "register_tick",
    },
];

/// How long the repaired service is watched.
fn patience() -> Duration {
    let told = std::env::var("HEAPLENS_E2E_FIXED_MINUTES").ok();
    let minutes = told.map_or(6, |told| {
        let minutes = told
            .parse()
            .ok()
            .filter(|minutes| (1..=1440).contains(minutes));
        minutes.unwrap_or_else(|| panic!("HEAPLENS_E2E_FIXED_MINUTES={told} is not in 1..=1440"))
    });
    Duration::from_secs(60 * minutes)
}

fn start(case: Option<&'static str>, fixed: bool) -> Service {
    Service::start(&Setup {
        case,
        fixed,
        demo_windows: true,
        rate: RATE,
        duration: patience().max(LEAK).as_secs() + 300,
        ..Setup::default()
    })
}

/// What is known of one service's leaks, and since when it runs.
struct Watched {
    service: Service,
    start: Instant,
    what: String,
}

impl Watched {
    fn start(case: Option<&'static str>, fixed: bool) -> Self {
        let form = if fixed { "repaired" } else { "leaking" };
        Self {
            start: Instant::now(),
            service: start(case, fixed),
            what: format!("{} {form}", case.unwrap_or("all")),
        }
    }

    fn verdicts(&self) -> Verdicts {
        Verdicts(curl::get_ok(&self.service.at("/debug/leaks"), &[]).json())
    }

    /// Waits until the map of a case, and the place that fills it, have this state or a worse.
    fn wait(&self, leak: &Leak, state: State, limit: Duration) {
        let left = limit.saturating_sub(self.start.elapsed());
        let what = format!("{state:?} for {} in {}", leak.case, self.what);
        wait_long_for(&what, left, || {
            let verdicts = self.verdicts();
            let is_found = |name: &str, kind: &str| {
                let found = verdicts.find(name, kind).and_then(|(_, of)| State::of(of));
                found.is_some_and(|found| found >= state)
            };
            let is_known = is_found(leak.case, "map") && is_found(leak.function, "site");
            is_known.then_some(())
        });
        let seconds = self.start.elapsed().as_secs_f64();
        println!(
            "{}: {} is {state:?} after {seconds:.0} s",
            self.what, leak.case
        );
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Suspect,
    Leak,
}

impl State {
    fn of(verdict: &Value) -> Option<Self> {
        match verdict["state"].as_str()? {
            "suspect" => Some(Self::Suspect),
            "leak" => Some(Self::Leak),
            _ => None,
        }
    }
}

struct Verdicts(Value);

impl Verdicts {
    /// Those of maps, or of places, the worst first.
    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        let all = self.0["verdicts"].as_array().expect("a list");
        all.iter().filter(|of| of["kind"] == kind).collect()
    }

    /// The map of this name, or a place in the function of this name; with its rank.
    fn find(&self, name: &str, kind: &str) -> Option<(usize, &Value)> {
        let place = format!("{name} at ");
        let is_it = |of: &Value| match of["name"].as_str() {
            Some(found) if kind == "map" => found == name,
            Some(found) => found.starts_with(&place),
            None => false,
        };
        let ranked = self.of_kind(kind);
        let rank = ranked.iter().position(|of| is_it(of))?;
        Some((rank, ranked[rank]))
    }

    fn flagged(&self) -> Vec<&Value> {
        let all = ["map", "site"].map(|kind| self.of_kind(kind)).concat();
        all.into_iter()
            .filter(|of| State::of(of).is_some())
            .collect()
    }

    /// Both kinds are named, and each leads to the other.
    fn names(&self, leak: &Leak, most: usize) {
        let Leak { case, function } = leak;
        let (rank, map) = self.find(case, "map").expect("the map");
        assert!(
            rank < most,
            "{case} is number {rank} of the maps: {:#}",
            self.0
        );
        let site = map["filled_from"][0]["site"].as_str().unwrap_or_default();
        let place = format!("{function} at src/cases/{case}.rs:");
        let line = site
            .strip_prefix(&place)
            .and_then(|line| line.parse::<u32>().ok());
        assert!(line.is_some(), "{case} is filled from {site:?}: {map:#}");
        let (rank, at_site) = self.find(function, "site").expect("the place");
        assert!(
            rank < most,
            "{function} is number {rank} of the places: {:#}",
            self.0
        );
        assert_eq!(at_site["name"], site, "{at_site:#}");
        assert_eq!(at_site["explained_by"], *case, "{at_site:#}");
        println!("{}.", map["sentence"].as_str().unwrap_or_default());
    }
}

#[test]
#[ignore = "takes minutes: run scripts/e2e-verdicts"]
fn each_leak_is_named_in_time_and_no_repaired_one() {
    let repaired = Watched::start(None, true);
    let all = Watched::start(None, false);
    let single = LEAKS.map(|leak| (Watched::start(Some(leak.case), false), leak));
    for (state, limit) in [(State::Suspect, SUSPECT), (State::Leak, LEAK)] {
        for (watched, leak) in &single {
            watched.wait(leak, state, limit);
            // The worst of its kind.
            watched.verdicts().names(leak, 1);
        }
        for leak in &LEAKS {
            all.wait(leak, state, limit);
        }
    }
    let verdicts = all.verdicts();
    for leak in &LEAKS {
        // The worst of their kind are these five.
        verdicts.names(leak, LEAKS.len());
    }
    drop((single, all));
    stays_well(&repaired);
}

/// None of the repaired cases has been flagged, or is until the time is over.
fn stays_well(repaired: &Watched) {
    while repaired.start.elapsed() < patience() {
        std::thread::sleep(Duration::from_secs(1));
        let verdicts = repaired.verdicts();
        assert!(verdicts.flagged().is_empty(), "{:#}", verdicts.0);
    }
    let history = curl::get_ok(&repaired.service.at("/debug/history"), &[]).json();
    let changes = history["verdicts"].as_array().expect("a list");
    let flagged = changes
        .iter()
        .filter(|of| of["to"] == "suspect" || of["to"] == "leak");
    assert_eq!(flagged.count(), 0, "{changes:#?}");
    let minutes = repaired.start.elapsed().as_secs_f64() / 60.0;
    println!("{}: nothing flagged in {minutes:.0} min", repaired.what);
}
