use super::*;
use crate::leaks::growth::Growth;
use crate::leaks::trend::Interval;

const MIB: u64 = 1024 * 1024;

fn per_minute(rate: f64) -> Interval {
    Interval {
        slope: rate / 60.0,
        low: 0.98 * rate / 60.0,
        high: 1.02 * rate / 60.0,
    }
}

fn leak() -> Verdict {
    let mut verdict = Verdict {
        state: State::Leak,
        looked_at: Duration::from_secs(3600),
        since: Some(Duration::from_secs(18 * 60)),
        ..Verdict::default()
    };
    (verdict.entries, verdict.bytes) = (52_080, 780 * MIB);
    verdict.bytes_per_entry = Some(16_000.0);
    verdict.growth = Some(Growth {
        entries_per_second: per_minute(1240.0),
        bytes_per_second: per_minute(1240.0 * 16_000.0),
    });
    verdict.removed_share = Some(0.0);
    verdict.seconds_to_limit = Some(31.0 * 60.0);
    verdict.share_of_growth = Some(0.81);
    verdict
}

fn sessions() -> Subject<'static> {
    Subject {
        name: "sessions",
        filled_from: Some("create_session at src/cases/sessions.rs:41"),
        retained: Some(812 * MIB),
        memory_limit: Some(2048 * MIB),
        ..Subject::default()
    }
}

fn advice(verdict: &Verdict, subject: &Subject<'_>) -> Option<&'static str> {
    suggestion(verdict, subject).map(Suggestion::name)
}

#[test]
fn a_leak_with_all_that_is_known() {
    assert_eq!(
        sentence(&leak(), &sessions()),
        "`sessions` has grown by 1,240 entries/min for 42 min and none has been removed; it \
         retains 812 MiB (81 % of the heap's growth); filled from `create_session` at \
         src/cases/sessions.rs:41; at this rate the 2 GiB limit is reached in 31 min"
    );
    assert_eq!(advice(&leak(), &sessions()), Some("ttl"));
}

#[test]
fn a_leak_of_which_little_is_known() {
    let mut verdict = leak();
    (verdict.since, verdict.removed_share) = (None, None);
    (verdict.seconds_to_limit, verdict.share_of_growth) = (None, None);
    let subject = Subject {
        name: "src/a.rs:10:5",
        ..Subject::default()
    };
    assert_eq!(
        sentence(&verdict, &subject),
        "`src/a.rs:10:5` has grown by 1,240 entries/min; it holds about 780 MiB"
    );
    assert_eq!(advice(&verdict, &subject), Some("capacity"));
}

#[test]
fn a_wide_interval_is_a_range_and_a_far_limit_no_word() {
    let mut verdict = leak();
    verdict.state = State::Suspect;
    verdict.removed_share = Some(0.94);
    verdict.seconds_to_limit = Some(1e8);
    let growth = verdict.growth.as_mut().expect("grows");
    growth.entries_per_second = Interval {
        slope: 40.0 / 3600.0,
        low: 21.0 / 3600.0,
        high: 59.0 / 3600.0,
    };
    assert_eq!(
        sentence(&verdict, &sessions()),
        "`sessions` has grown by 21 to 59 entries/h for 42 min, with 94 % of what was inserted \
         removed again; it retains 812 MiB (81 % of the heap's growth); filled from \
         `create_session` at src/cases/sessions.rs:41"
    );
    assert_eq!(advice(&verdict, &sessions()), Some("remove_on_every_path"));
}

#[test]
fn a_site_and_its_map() {
    let mut verdict = leak();
    verdict.removed_share = Some(0.001);
    verdict.seconds_to_limit = Some(0.0);
    let subject = Subject {
        kind: Kind::Site,
        name: "create_session at src/cases/sessions.rs:41",
        explained_by: Some("sessions"),
        ..Subject::default()
    };
    assert_eq!(
        sentence(&verdict, &subject),
        "`create_session` at src/cases/sessions.rs:41 has grown by 18.9 MiB/min for 42 min and \
         hardly any has been freed; it holds about 780 MiB (81 % of the heap's growth); held by \
         `sessions`; the memory limit is reached"
    );
    assert_eq!(advice(&verdict, &subject), Some("see_map"));
}

#[test]
fn growth_that_proves_nothing_yet() {
    let mut verdict = leak();
    verdict.state = State::Growing;
    verdict.removed_share = None;
    verdict.seconds_to_limit = None;
    let text = sentence(&verdict, &sessions());
    assert!(
        text.ends_with("; nothing shows yet that what it holds stays for good"),
        "{text}"
    );
}

#[test]
fn what_comes_to_an_end() {
    let mut verdict = Verdict::default();
    (verdict.entries, verdict.bytes) = (1, 500);
    let subject = Subject {
        name: "routes",
        ..Subject::default()
    };
    assert_eq!(
        sentence(&verdict, &subject),
        "`routes` does not grow: 1 entry, 500 B"
    );
    assert_eq!(advice(&verdict, &subject), None);
    verdict.state = State::Warming;
    assert_eq!(
        sentence(&verdict, &subject),
        "`routes` is too young to be judged: 1 entry, 500 B"
    );
    assert_eq!(advice(&verdict, &subject), None);
    (verdict.entries, verdict.bytes) = (10_200, 5_222_400);
    (verdict.plateau, verdict.bytes_per_entry) = (Some(12_345.0), Some(512.0));
    assert_eq!(
        sentence(&verdict, &subject),
        "`routes` grows more and more slowly, towards about 12,000 entries (6 MiB): 10,200 \
         entries, 5 MiB now"
    );
    assert_eq!(advice(&verdict, &subject), Some("declare_bound"));
    verdict.state = State::Filling;
    verdict.bound = Some(20_000);
    assert_eq!(
        sentence(&verdict, &subject),
        "`routes` fills up to its declared bound of 20,000 entries: 10,200 entries, 5 MiB now"
    );
    (verdict.bound, verdict.expected_ttl) = (None, Some(Duration::from_secs(30)));
    assert_eq!(
        sentence(&verdict, &subject),
        "`routes` grows within its declared time to live of 30 s: 10,200 entries, 5 MiB now"
    );
}

#[test]
fn the_advice_fits_the_case() {
    let named = |name| Subject {
        name,
        ..Subject::default()
    };
    let cases = [
        ("price_callbacks", "weak_callback"),
        ("http_metrics", "bounded_key"),
        ("user_sessions", "ttl"),
        ("pending_acks", "remove_on_every_path"),
        ("report_cache", "capacity"),
        ("x", "capacity"),
    ];
    for (name, expected) in cases {
        assert_eq!(advice(&leak(), &named(name)), Some(expected), "{name}");
    }
    let mut broken = leak();
    broken.overdue = true;
    assert_eq!(advice(&broken, &named("x")), Some("enforce_ttl"));
    let mut bounded = named("x");
    bounded.max_entries = Some(100);
    assert_eq!(advice(&leak(), &bounded), Some("enforce_bound"));
    let mut values = leak();
    values.growth = values.growth.map(|growth| Growth {
        entries_per_second: Interval::default(),
        ..growth
    });
    assert_eq!(advice(&values, &named("x")), Some("bound_values"));
    let mut wasteful = named("x");
    wasteful.wastes_capacity = true;
    assert_eq!(advice(&Verdict::default(), &wasteful), Some("shrink"));
}
