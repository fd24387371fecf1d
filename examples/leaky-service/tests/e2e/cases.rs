//! The five leaks: who holds the memory, and how much.

use crate::pprof::{Fetched, Row};
use crate::service::{Service, Setup, every};

const MIB: u64 = 1 << 20;

/// Estimates may be off by so many standard errors. Of a normal distribution
/// 0.006 % is beyond four.
const SIGMAS: f64 = 4.0;

/// One leak and how it is looked at.
struct Leak {
    case: &'static str,
    function: &'static str,
    file: &'static str,
    /// Mean bytes between samples.
    interval: u64,
    /// Ends the load after so many requests, so that the service holds exactly
    /// the same before and after the profile is fetched.
    requests: Option<u64>,
}

impl Leak {
    /// As the service is by default: under load all the time.
    const fn of(case: &'static str, function: &'static str, file: &'static str) -> Self {
        Self {
            case,
            function,
            file,
            interval: 512 * 1024,
            requests: None,
        }
    }
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn sessions_are_kept_by_create_session() {
    find(&Leak::of(
        "sessions",
        "sessions::create_session",
        "sessions.rs",
    ));
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn metrics_are_kept_by_count_request() {
    find(&Leak::of("metrics", "metrics::count_request", "metrics.rs"));
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn closures_are_kept_by_schedule_retry() {
    find(&Leak::of(
        "closures",
        "closures::schedule_retry",
        "closures.rs",
    ));
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn a_field_is_filled_by_render_report() {
    find(&Leak::of("field", "field::render_report", "field.rs"));
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn callbacks_are_kept_by_register_tick() {
    find(&Leak::of(
        "callbacks",
        "callbacks::register_tick",
        "callbacks.rs",
    ));
}

/// Some four thousand samples: a bias of a sixteenth would be seen.
#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn many_samples_agree_closely() {
    let error = find(&Leak {
        interval: 16 * 1024,
        requests: Some(30_000),
        ..Leak::of("sessions", "sessions::create_session", "sessions.rs")
    });
    assert!(
        error < 0.02,
        "published standard error: {error} of the total"
    );
}

/// Runs the service with one leak and looks for it. Returns the published
/// standard error as a share of what is held.
fn find(leak: &Leak) -> f64 {
    let service = Service::start(&Setup {
        case: Some(leak.case),
        requests: leak.requests,
        environment: every(leak.interval),
        ..Setup::default()
    });
    match leak.requests {
        None => service.wait_for_bytes(leak.case, 64 * MIB),
        Some(requests) => service.wait_for_requests(&[leak.case], requests),
    }
    // A service that goes on growing holds something between these two when
    // the profile is taken.
    let before = service.bytes(leak.case);
    let profile = Fetched::from(&service.at("/debug/heap"));
    let after = service.bytes(leak.case);

    let leader = heads_the_list(&profile, leak.function);
    has_a_line(&profile, leak);

    let published = profile.standard_error();
    plausible(published, before, leak.interval);
    let allowed = SIGMAS * published;
    let estimate = leader.cumulative as f64;
    println!(
        "{}: estimated {estimate} bytes, held {before} to {after}, standard error {published}",
        leak.case
    );
    assert!(
        estimate >= before as f64 - allowed && estimate <= after as f64 + allowed,
        "{}: estimated {estimate} bytes, held {before} to {after}, more than {SIGMAS} standard \
         errors of {published} away",
        leak.case
    );
    published / before as f64
}

/// The function is first among the service's own in `-top -cum`.
fn heads_the_list(profile: &Fetched, function: &str) -> Row {
    let rows = profile.top(&[]);
    let own: Vec<Row> = rows
        .into_iter()
        .filter(|row| row.name.starts_with("leaky_service::"))
        .collect();
    let names: Vec<String> = own.iter().map(|row| row.name.clone()).collect();
    let leader = own.into_iter().next();
    let leader = leader.unwrap_or_else(|| panic!("no function of the service in the profile"));
    assert!(
        is_function(&leader.name, function),
        "{function} does not head the service's functions: {names:#?}"
    );
    leader
}

/// `leaky_service::cases::<function>`, or the body of an `async fn` of that name.
fn is_function(name: &str, function: &str) -> bool {
    name.strip_suffix(" (inline)")
        .unwrap_or(name)
        .trim_end_matches("::{{closure}}")
        .ends_with(&format!("::{function}"))
}

/// With `-lines` the function has its file and a line in it.
fn has_a_line(profile: &Fetched, leak: &Leak) {
    let rows = profile.top(&["-lines"]);
    let found = rows.iter().find(|row| {
        let name = row.name.split(' ').next().unwrap_or_default();
        name.starts_with("leaky_service::") && is_function(name, leak.function)
    });
    let found = found.unwrap_or_else(|| panic!("no line of {}", leak.function));
    let line = found
        .name
        .split_whitespace()
        .find_map(|word| word.split_once(&format!("{}:", leak.file)))
        .and_then(|(_, line)| line.split(':').next())
        .and_then(|line| line.parse::<u32>().ok());
    assert!(
        line.is_some_and(|line| line > 0),
        "no line of {} in {found:?}",
        leak.file
    );
}

/// The published error is about that of independent samples a mean interval
/// apart. Large blocks (a map's table) have less, other memory of the process
/// adds a little.
fn plausible(published: f64, bytes: u64, interval: u64) {
    let expected = (bytes as f64 * interval as f64).sqrt();
    let ratio = published / expected;
    assert!(
        (0.4..1.6).contains(&ratio),
        "published standard error {published}, for {bytes} bytes one of {expected} is expected"
    );
}
