//! From the leak to the person on call: leaky-service, Prometheus with the
//! shipped rules, Alertmanager with the shipped routes, a receiver. All their
//! durations are shortened by one factor, see [`Scale`].
//!
//! `scripts/e2e-alerts` runs this, and prints what it says of the times.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::alertmanager::{Alertmanager, Known};
use crate::process::{PATIENCE, wait_long_for};
use crate::prometheus::Prometheus;
use crate::receiver::{Alert, Receiver};
use crate::scale::{Scale, longest};
use crate::service::{Service, Setup, every};
use crate::shipped;

/// The map that leaks. The business goes on in it when it is repaired.
const LEAK: &str = "sessions";

/// Requests a second with the default scale: some 5 MB/s of sessions.
const LEAKING: f64 = 2000.0;
/// For five repaired cases, which have reached their plateaus within seconds.
const FIXED: f64 = 1000.0;

/// Servers of one age.
#[derive(Clone, Copy)]
struct Generation {
    prometheus: &'static str,
    alertmanager: &'static str,
}

const TWO: Generation = Generation {
    prometheus: "HEAPLENS_PROMETHEUS2",
    alertmanager: "HEAPLENS_ALERTMANAGER2",
};
const THREE: Generation = Generation {
    prometheus: "HEAPLENS_PROMETHEUS3",
    alertmanager: "HEAPLENS_ALERTMANAGER3",
};

#[test]
#[ignore = "needs Prometheus and Alertmanager: run scripts/test"]
fn a_leak_is_told_and_its_repair_with_prometheus_2() {
    from_leak_to_repair(TWO);
}

#[test]
#[ignore = "needs Prometheus and Alertmanager: run scripts/test"]
fn a_leak_is_told_and_its_repair_with_prometheus_3() {
    from_leak_to_repair(THREE);
}

fn from_leak_to_repair(generation: Generation) {
    let scale = Scale::from_environment();
    let fixed = at_its_plateau(scale);
    let start = Instant::now();
    let leaking = service(scale, Some(LEAK), LEAKING);
    let chain = Chain::start(generation, scale, &[&leaking, &fixed]);

    let first = chain.wait("alert of the leak", |chain| {
        chain
            .receiver
            .first(|alert| alert.fires() && alert.is_of(leaking.instance(), LEAK))
    });
    tell("alert", start, &first);
    is_of_use(&first, &leaking);

    chain.the_certain_silences_the_suspected(&leaking);
    chain.the_process_silences_no_map(&leaking);
    chain.was_silent_about(&fixed);

    let repair = Instant::now();
    leaking.repair(LEAK);
    let last = chain.wait("resolution", |chain| {
        chain.receiver.first(|alert| {
            alert.arrived > repair
                && alert.group_status == "resolved"
                && alert.is_of(leaking.instance(), LEAK)
        })
    });
    tell("resolution", repair, &last);
    chain.wait("end of all alerts on the map", |chain| {
        chain.known_of(&leaking, LEAK).is_empty().then_some(())
    });
    chain.was_silent_about(&fixed);
}

fn tell(what: &str, since: Instant, alert: &Alert) {
    println!(
        "{what} after {:.1} s: {} of map {} at {}: {}",
        alert.arrived.duration_since(since).as_secs_f64(),
        alert.label("alertname"),
        alert.label("map"),
        alert.label("instance"),
        alert.annotation("description")
    );
}

/// Requests a second become fewer as the windows become longer, so that windows
/// of any length see about as much.
fn service(scale: Scale, case: Option<&'static str>, rate: f64) -> Service {
    Service::start(&Setup {
        case,
        fixed: case.is_none(),
        rate: (rate / scale.slowness()).ceil() as u32,
        duration: (900.0 * scale.slowness()) as u64,
        // Fine samples: windows that are shortened have no time to level out
        // the error of coarse ones.
        environment: every(64 << 10),
        ..Setup::default()
    })
}

/// A repaired service that has filled its maps: when entries begin to go.
fn at_its_plateau(scale: Scale) -> Service {
    let service = service(scale, None, FIXED);
    let page = service.at(&format!("/debug/maps/{LEAK}"));
    wait_long_for("plateau", PATIENCE, || {
        let told = crate::curl::get_ok(&page, &[]).json();
        (told["removes_count"].as_u64()? > 0).then_some(())
    });
    service
}

/// The message says where, what and how much, and leads on.
fn is_of_use(alert: &Alert, leaking: &Service) {
    let description = alert.annotation("description");
    for part in [leaking.instance(), LEAK] {
        assert!(description.contains(part), "no {part} in {description:?}");
    }
    // Names and addresses have digits too.
    let figures = description.replace(leaking.instance(), "");
    let is_figure = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    assert!(
        figures.split_whitespace().any(is_figure),
        "no figure in {description:?}"
    );
    for (name, part) in [
        ("summary", LEAK.to_owned()),
        ("runbook_url", "docs/runbooks.md#".to_owned()),
        ("page_url", leaking.at(&format!("/debug/maps/{LEAK}"))),
    ] {
        let text = alert.annotation(name);
        assert!(text.contains(&part), "no {part} in {name}: {text:?}");
    }
    assert!(!alert.label("severity").is_empty(), "{alert:?}");
    // The link leads somewhere.
    let page = crate::curl::get_ok(alert.annotation("page_url"), &[]);
    assert!(page.text().contains(LEAK), "{}", page.text());
}

/// The servers between the services and the receiver.
struct Chain {
    prometheus: Prometheus,
    alertmanager: Alertmanager,
    receiver: Receiver,
    scale: Scale,
}

impl Chain {
    fn start(generation: Generation, scale: Scale, services: &[&Service]) -> Self {
        let receiver = Receiver::start();
        let alertmanager = Alertmanager::start(generation.alertmanager, &receiver, scale);
        let agents: Vec<&str> = services.iter().map(|service| service.instance()).collect();
        let prometheus = Prometheus::shipped(
            generation.prometheus,
            &agents,
            alertmanager.address(),
            scale,
        );
        Self {
            prometheus,
            alertmanager,
            receiver,
            scale,
        }
    }

    /// With a patience that is as long as the windows.
    fn wait<T>(&self, what: &str, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let patience = PATIENCE.mul_f64(self.scale.slowness());
        wait_long_for(what, patience, || ask(self))
    }

    /// What Alertmanager holds of a map.
    fn known_of(&self, service: &Service, map: &str) -> Vec<Known> {
        let mut known = self.alertmanager.alerts();
        known.retain(|alert| {
            alert.label("instance") == service.instance() && alert.label("map") == map
        });
        known
    }

    /// As soon as one alert on the map is certain, those that only suspect are
    /// held back.
    fn the_certain_silences_the_suspected(&self, leaking: &Service) {
        let (certain, held_back) = self.wait("suspicion that is held back", |chain| {
            let known = chain.known_of(leaking, LEAK);
            let certain = known.iter().find(|a| a.label("certainty") == "certain")?;
            let held_back = known.iter().find(|alert| {
                alert.label("certainty") == "suspected" && alert.is_inhibited_by(certain)
            })?;
            let name = |alert: &Known| alert.label("alertname").to_owned();
            Some((name(certain), name(held_back)))
        });
        println!("{certain} silences {held_back}");
    }

    /// An alert on the process, where there is one, silences none on a map.
    fn the_process_silences_no_map(&self, leaking: &Service) {
        let known = self.alertmanager.alerts();
        let of_process: Vec<&Known> = known
            .iter()
            .filter(|alert| alert.label("instance") == leaking.instance())
            .filter(|alert| alert.label("subject") != "map")
            .collect();
        for map in known.iter().filter(|alert| !alert.label("map").is_empty()) {
            for process in &of_process {
                assert!(!map.is_inhibited_by(process), "{process:?}: {map:?}");
            }
        }
    }

    /// Nothing came, although every rule has been evaluated for the instance
    /// over the longest of all windows, by the servers that did tell of the
    /// other instance.
    fn was_silent_about(&self, fixed: &Service) {
        let instance = fixed.instance();
        let window = longest_way_to_an_alert();
        let window = (self.scale.seconds(window) * 1000.0).ceil();
        let old = format!("map_entries{{instance='{instance}',map='{LEAK}'}} offset {window}ms");
        self.wait("series as long as the longest window", |chain| {
            (!chain.prometheus.query(&old).is_empty()).then_some(())
        });
        let troughs = format!("map:entries_low:1h{{instance='{instance}'}}");
        assert_eq!(
            self.prometheus.query(&troughs).len(),
            // The five and the one that holds them.
            6,
            "{troughs}"
        );
        for rule in self.prometheus.rules() {
            assert_eq!(rule["health"], "ok", "{rule:#}");
        }
        let is_its = |of: &str, name: &str| {
            let excused = self.scale.shortens() && RESTLESS.contains(&name);
            of == instance && !excused
        };
        let told = self
            .receiver
            .first(|alert| is_its(alert.label("instance"), alert.label("alertname")));
        assert!(told.is_none(), "{told:#?}");
        let known = self.alertmanager.alerts();
        let known = known
            .iter()
            .find(|alert| is_its(alert.label("instance"), alert.label("alertname")));
        assert!(known.is_none(), "{known:#?}");
    }
}

/// Alerts that shortened windows cannot keep silent. A few failed scrapes on a
/// busy machine are five minutes for the first. The second asks for a rate, of
/// 10 kB/s: that is 72 MB in two hours, and noise in some seconds.
const RESTLESS: [&str; 2] = ["HeaplensDown", "MapExplainsRssGrowth"];

/// The longest window of the rules on maps and the longest wait after it.
fn longest_way_to_an_alert() -> Duration {
    let rules =
        ["maps", "recording"].map(|name| shipped::read(&format!("prometheus/rules/{name}.yml")));
    let rules = rules.concat();
    let waits: String = rules
        .lines()
        .filter(|line| line.contains(" for: "))
        .collect();
    longest(&rules) + longest(&waits)
}

#[test]
#[ignore = "needs Alertmanager: run scripts/test"]
fn alerts_are_held_back_as_shipped_by_alertmanager_of_2() {
    hold_back(TWO);
}

#[test]
#[ignore = "needs Alertmanager: run scripts/test"]
fn alerts_are_held_back_as_shipped_by_alertmanager_of_3() {
    hold_back(THREE);
}

/// Alerts with the labels of the shipped rules, as if their time had come.
fn hold_back(generation: Generation) {
    let chain = Chain::start(generation, Scale::from_environment(), &[]);
    let rules = chain.wait("rules", |chain| {
        Some(chain.prometheus.rules()).filter(|rules| !rules.is_empty())
    });
    let with = |name: &str, value: &str, place: &[(&str, &str)]| -> Vec<Value> {
        let of_rule = |rule: &Value| (rule["labels"][name] == value).then(|| labels(rule, place));
        let all: Vec<Value> = rules.iter().filter_map(of_rule).collect();
        assert!(!all.is_empty(), "no alert has {name}={value}");
        all
    };
    let leak = [("instance", "a:1"), ("map", LEAK)];
    let process = [("instance", "a:1")];

    let certain = with("certainty", "certain", &leak);
    let of_process = with("subject", "process", &process);
    let of_profiler = with("subject", "profiler", &process);
    let site = |instance| [("instance", instance), ("site", "create at src/a.rs:1")];
    let of_site = with("subject", "site", &site("a:1"));
    for alerts in [&certain, &of_process, &of_profiler] {
        chain.alertmanager.post(alerts, LATER);
        chain.told_of(alerts);
    }

    let held_back = with("certainty", "suspected", &leak);
    chain.alertmanager.post(&held_back, LATER);
    // These come after them, and are told of nevertheless; the second are in
    // the same group.
    let other_map = [("instance", "a:1"), ("map", "field")];
    let other_instance = [("instance", "b:2"), ("map", LEAK)];
    for place in [other_map, other_instance] {
        let alerts = with("certainty", "suspected", &place);
        chain.alertmanager.post(&alerts, LATER);
        chain.told_of(&alerts);
    }
    chain.are_held_back(&held_back, &certain);
    // A site is held back by a map that leaks, of the same instance.
    chain.alertmanager.post(&of_site, LATER);
    let elsewhere = with("subject", "site", &site("b:2"));
    chain.alertmanager.post(&elsewhere, LATER);
    chain.told_of(&elsewhere);
    let leaks: Vec<Value> = certain
        .iter()
        .filter(|of| of["alertname"] == "MapLeaks")
        .cloned()
        .collect();
    assert_eq!(leaks.len(), 1, "{certain:#?}");
    chain.are_held_back(&of_site, &leaks);
    let untimely = chain.receiver.first(|alert| {
        let mut kept = held_back.iter().chain(&of_site);
        kept.any(|labels| alert.has(labels))
    });
    assert!(untimely.is_none(), "{untimely:#?}");

    // They were on their way all the time.
    chain.alertmanager.post(&certain, EARLIER);
    chain.told_of(&held_back);
    chain.told_of(&of_site);
}

/// Ends of alerts: some are over, some are not.
const EARLIER: &str = "2020-01-02T00:00:00Z";
const LATER: &str = "2100-01-01T00:00:00Z";

/// The labels with which an alert of a rule reaches Alertmanager.
fn labels(rule: &Value, place: &[(&str, &str)]) -> Value {
    let mut labels = rule["labels"].clone();
    labels["alertname"] = rule["name"].clone();
    labels["job"] = "heaplens".into();
    for (name, value) in place {
        labels[*name] = (*value).into();
    }
    labels
}

impl Chain {
    fn told_of(&self, alerts: &[Value]) {
        for labels in alerts {
            self.wait(&format!("notification of {labels}"), |chain| {
                let wanted = |alert: &Alert| alert.fires() && alert.has(labels);
                chain.receiver.first(wanted)
            });
        }
    }

    /// Alertmanager holds these back because of those, and of nothing else.
    fn are_held_back(&self, alerts: &[Value], because_of: &[Value]) {
        let known = self.alertmanager.alerts();
        for labels in alerts {
            let alert = known.iter().find(|alert| alert.labels == *labels);
            let alert = alert.unwrap_or_else(|| panic!("{labels} is not among {known:#?}"));
            assert!(!alert.inhibited_by.is_empty(), "{alert:#?}");
            for other in known.iter().filter(|other| alert.is_inhibited_by(other)) {
                assert!(because_of.contains(&other.labels), "{alert:#?} {other:#?}");
            }
        }
    }
}
