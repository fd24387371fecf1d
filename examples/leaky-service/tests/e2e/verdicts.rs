//! The five leaks, each found by the agent itself, at the default rate and by short windows: five
//! services with one leak each, one with all of them and one with all of them repaired, at the
//! same time.
//!
//! `scripts/e2e-verdicts` runs this, and prints what it says of the times.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::curl;
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

static LEAKS: [Leak; 5] = [
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

/// A service, since when it runs, and what is still to be found of it.
struct Watched {
    service: Service,
    start: Instant,
    what: String,
    open: Vec<Wanted>,
}

/// That the map or the place of a leak has a state.
struct Wanted {
    leak: &'static Leak,
    kind: &'static str,
    state: State,
    limit: Duration,
}

impl Wanted {
    fn name(&self) -> &'static str {
        match self.kind {
            "map" => self.leak.case,
            _ => self.leak.function,
        }
    }

    fn is_in(&self, verdicts: &Verdicts) -> bool {
        let found = verdicts.find(self.kind, self.name());
        let state = found.and_then(|(_, found)| State::of(found));
        state.is_some_and(|state| state >= self.state)
    }
}

fn wanted(leak: &'static Leak, kind: &'static str) -> [Wanted; 2] {
    [(State::Suspect, SUSPECT), (State::Leak, LEAK)].map(|(state, limit)| Wanted {
        leak,
        kind,
        state,
        limit,
    })
}

impl Watched {
    fn start(case: Option<&'static str>, fixed: bool, open: Vec<Wanted>) -> Self {
        let form = if fixed { "repaired" } else { "leaking" };
        Self {
            start: Instant::now(),
            service: start(case, fixed),
            what: format!("{} {form}", case.unwrap_or("all")),
            open,
        }
    }

    fn verdicts(&self) -> Verdicts {
        Verdicts(curl::get_ok(&self.service.at("/debug/leaks"), &[]).json())
    }

    /// Takes note of what is found now, at a rank of no more than `most`, and says so.
    fn look(&mut self, most: usize) {
        let verdicts = self.verdicts();
        let passed = self.start.elapsed();
        for wanted in self.open.extract_if(.., |wanted| wanted.is_in(&verdicts)) {
            let Wanted {
                kind, state, leak, ..
            } = wanted;
            let (what, name) = (&self.what, wanted.name());
            println!(
                "{what}: the {kind} {name} is {state:?} after {:.0} s",
                passed.as_secs_f64()
            );
            let site = verdicts.has_map(leak, most);
            if kind == "site" {
                verdicts.has_place(leak, &site);
            }
        }
        let late = self.open.iter().find(|wanted| passed > wanted.limit);
        if let Some(wanted) = late {
            let (state, name) = (wanted.state, wanted.name());
            panic!(
                "{}: {name} is not {state:?} after {passed:?}: {:#}",
                self.what, verdicts.0
            );
        }
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
    fn find(&self, kind: &str, name: &str) -> Option<(usize, &Value)> {
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

    /// The map is among the first so many of its kind, and names the place that fills it.
    fn has_map(&self, leak: &Leak, most: usize) -> String {
        let Leak { case, function } = leak;
        let (rank, map) = self.find("map", case).expect("the map");
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
        println!("{}.", map["sentence"].as_str().unwrap_or_default());
        site.to_owned()
    }

    /// The place is the first of its kind, and names the map that keeps what it allocates.
    fn has_place(&self, leak: &Leak, site: &str) {
        let (rank, place) = self.find("site", leak.function).expect("the place");
        assert_eq!(rank, 0, "{:#}", self.0);
        assert_eq!(place["name"], site, "{place:#}");
        assert_eq!(place["explained_by"], leak.case, "{place:#}");
    }
}

#[test]
#[ignore = "takes minutes: run scripts/e2e-verdicts"]
fn each_leak_is_named_in_time_and_no_repaired_one() {
    let repaired = Watched::start(None, true, Vec::new());
    let of_maps = LEAKS.iter().flat_map(|leak| wanted(leak, "map"));
    let mut all = Watched::start(None, false, of_maps.collect());
    let mut single: Vec<Watched> = LEAKS
        .iter()
        .map(|leak| {
            let both = ["map", "site"]
                .into_iter()
                .flat_map(|kind| wanted(leak, kind));
            Watched::start(Some(leak.case), false, both.collect())
        })
        .collect();
    while !all.open.is_empty() || single.iter().any(|of| !of.open.is_empty()) {
        // Where all leak, the worst maps are these five; where one does, it is the worst.
        all.look(LEAKS.len());
        for watched in &mut single {
            watched.look(1);
        }
        is_well(&repaired);
        thread::sleep(Duration::from_secs(1));
    }
    drop((single, all));
    while repaired.start.elapsed() < patience() {
        is_well(&repaired);
        thread::sleep(Duration::from_secs(1));
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

fn is_well(repaired: &Watched) {
    let verdicts = repaired.verdicts();
    assert!(verdicts.flagged().is_empty(), "{:#}", verdicts.0);
}
