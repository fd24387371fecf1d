//! What `go tool pprof` makes of the agent's profiles.

use std::fs;

use crate::curl;
use crate::pprof::{self, Fetched};
use crate::process::Directory;
use crate::service::{Service, Setup};

const MIB: u64 = 1 << 20;
/// 128 bits and more, as the agent asks for.
const TOKEN: &str = "e2e-4f0c9d1b7a6e5d3c2b1a0f9e8d7c6b5a";

/// A service in which `create_session` holds enough for some thirty samples.
fn service_with_sessions(environment: Vec<(&'static str, String)>) -> Service {
    let service = Service::start(&Setup {
        case: Some("sessions"),
        environment,
        ..Setup::default()
    });
    service.wait_for_bytes("sessions", 16 * MIB);
    service
}

/// What a user pastes.
#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn the_line_in_the_banner_names_the_leak() {
    let service = service_with_sessions(Vec::new());
    let banner = service.process.log();
    let (_, line) = banner.split_once("go tool pprof ").unwrap();
    let line = line.lines().next().unwrap_or_default();
    let arguments: Vec<&str> = line.split_whitespace().collect();
    let top = pprof::run(&arguments);
    assert!(top.contains("sessions::create_session"), "{line}\n{top}");
}

/// The lines of a section of `-raw`, up to the next section.
fn section<'a>(raw: &'a str, title: &str) -> Vec<&'a str> {
    raw.lines()
        .skip_while(|line| *line != title)
        .skip(1)
        .take_while(|line| line.starts_with(' ') || line.contains('/') || line.contains('@'))
        .collect()
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn the_raw_profile_has_the_shape_of_a_heap_profile() {
    let service = service_with_sessions(Vec::new());
    for path in ["/debug/heap", "/debug/pprof/heap", "/debug/pprof/allocs"] {
        let raw = Fetched::by_curl(&service.at(path)).report(&["-raw"]);
        assert!(
            raw.contains("\nPeriodType: space bytes\n")
                || raw.starts_with("PeriodType: space bytes\n"),
            "{path}: {raw}"
        );
        assert!(raw.contains("\nPeriod: 524288\n"), "{path}: {raw}");
        let samples = section(&raw, "Samples:");
        let types: Vec<&str> = samples[0]
            .split_whitespace()
            .map(|name| name.trim_end_matches("[dflt]"))
            .collect();
        assert_eq!(
            types,
            [
                "alloc_objects/count",
                "alloc_space/bytes",
                "inuse_objects/count",
                "inuse_space/bytes"
            ],
            "{path}"
        );
        assert!(raw.contains("bytes:["), "{path}: no size labels");
        has_this_program_mapped(&raw, path);
    }
}

/// The program is mapped, at addresses that hold its locations, with the build
/// id that its own file has, if it has one.
fn has_this_program_mapped(raw: &str, path: &str) {
    let mappings = section(raw, "Mappings");
    let program = env!("CARGO_BIN_EXE_leaky-service");
    let own: Vec<&str> = mappings
        .iter()
        .filter(|line| line.contains(program))
        .copied()
        .collect();
    assert!(
        !own.is_empty(),
        "{path}: {program} is not among {mappings:#?}"
    );
    for line in own {
        // `1: 0x55d0c0a00000/0x55d0c0f00000/0x0 /path/to/program <build id> [FN]…`
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers: Vec<u64> = words[1]
            .split('/')
            .map(|number| u64::from_str_radix(number.trim_start_matches("0x"), 16).unwrap())
            .collect();
        assert!(numbers[0] < numbers[1], "{path}: {line}");
        let build_id = words.get(3).copied().unwrap_or_default();
        assert!(
            build_id.len() >= 16 && build_id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{path}: no build id in {line:?}"
        );
        assert!(
            line.contains("[FN]"),
            "{path}: no function names by {line:?}"
        );
    }
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn source_lines_are_listed() {
    let service = service_with_sessions(Vec::new());
    let profile = Fetched::from(&service.at("/debug/heap"));
    let list = profile.report(&["-list=create_session", "-unit=B"]);
    assert!(list.contains("sessions.rs"), "{list}");
    // A line of the source with bytes before it.
    let shown = list.lines().any(|line| {
        line.contains("user_agent.to_owned()")
            || line.contains("csrf_token: format!")
            || line.contains("into_owned()")
    });
    assert!(shown, "{list}");
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn every_report_is_made() {
    let service = service_with_sessions(Vec::new());
    for path in ["/debug/heap", "/debug/pprof/heap", "/debug/pprof/allocs"] {
        let profile = Fetched::by_curl(&service.at(path));
        for report in [
            "-top",
            "-tree",
            "-tags",
            "-traces",
            "-comments",
            "-raw",
            "-peek=create_session",
            "-dot",
        ] {
            let text = profile.report(&[report]);
            assert!(!text.trim().is_empty(), "{path}: {report} is empty");
        }
        assert!(
            profile.report(&["-traces"]).contains("create_session"),
            "{path}"
        );
        assert!(profile.report(&["-tags"]).contains("bytes"), "{path}");
    }
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn allocs_shows_what_was_allocated_and_heap_what_is_held() {
    let service = service_with_sessions(Vec::new());
    for (path, default) in [("heap", "inuse_space"), ("allocs", "alloc_space")] {
        let top = pprof::run(&["-top", &service.at(&format!("/debug/pprof/{path}"))]);
        assert!(top.contains(&format!("Type: {default}\n")), "{path}: {top}");
    }
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn a_difference_of_two_profiles_shows_the_growth() {
    let service = service_with_sessions(Vec::new());
    let base = Fetched::by_curl(&service.at("/debug/pprof/heap"));
    service.wait_for_bytes("sessions", 64 * MIB);
    let now = Fetched::by_curl(&service.at("/debug/pprof/heap"));
    let option = format!("-base={}", base.file.display());
    let rows = now.top(&[&option]);
    let grown = rows
        .iter()
        .find(|row| row.name.contains("sessions::create_session"));
    // 48 MiB, some seven standard errors of what ninety samples give.
    assert!(
        grown.is_some_and(|row| row.cumulative > 12 << 20),
        "{rows:#?}"
    );
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn go_s_text_form_is_read() {
    let service = service_with_sessions(Vec::new());
    let text = curl::get_ok(&service.at("/debug/pprof/heap?debug=1"), &[]);
    assert!(text.content_type.starts_with("text/plain"), "{text:?}");
    assert!(text.text().starts_with("heap profile: "), "{}", text.text());
    let profile = Fetched::by_curl(&service.at("/debug/pprof/heap?debug=1"));
    let raw = profile.report(&["-raw", "-symbolize=none"]);
    assert!(raw.contains("inuse_space/bytes"), "{raw}");
    assert!(section(&raw, "Locations").len() > 10, "{raw}");
}

/// Names by POST from the agent: for the text form, which has none, and where
/// the tool is told to ask although it has names already.
#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn names_come_from_the_agent_on_request() {
    let service = service_with_sessions(Vec::new());
    let text = service.at("/debug/pprof/heap?debug=1");
    let bare = pprof::run(&["-raw", "-symbolize=none", &text]);
    assert!(
        !bare.contains("create_session"),
        "names without asking:\n{bare}"
    );
    let named = pprof::run(&["-raw", "-symbolize=remote", &text]);
    assert!(
        named.contains("create_session"),
        "no names by POST:\n{named}"
    );

    let binary = service.at("/debug/pprof/heap");
    let again = pprof::run(&["-raw", "-symbolize=remote:force", &binary]);
    assert!(
        again.contains("create_session"),
        "no names by POST:\n{again}"
    );
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn a_token_is_taken_as_the_password() {
    let service = service_with_sessions(vec![("HEAPLENS_TOKEN", TOKEN.to_owned())]);
    assert_eq!(curl::get(&service.at("/debug/heap"), &[]).status, 401);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    curl::get_ok(&service.at("/debug/heap"), &["--header", &bearer]);
    let with_password = service
        .at("/debug/heap")
        .replace("http://", &format!("http://pprof:{TOKEN}@"));
    let top = pprof::run(&["-top", "-cum", &with_password]);
    assert!(top.contains("create_session"), "{top}");
}

/// An error's reason reaches the person in front of the tool.
#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn the_tool_shows_why_a_request_was_refused() {
    let service = Service::start(&Setup {
        rate: 0,
        ..Setup::default()
    });
    let directory = Directory::new();
    for (path, reason) in [
        ("/debug/pprof/nosuch", "Unknown profile"),
        (
            "/debug/pprof/heap?seconds=0",
            "invalid value for \"seconds\"",
        ),
    ] {
        let output = pprof::command(&directory)
            .args(["-top", &service.at(path)])
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{path}: {shown}");
        assert!(shown.contains(reason), "{path}: {shown}");
    }
}

/// What is fetched is itself the gzip'ed profile, whoever fetches it.
#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn curl_and_pprof_get_the_same_kind_of_file() {
    let service = service_with_sessions(Vec::new());
    let fetched = Fetched::by_curl(&service.at("/debug/pprof/heap"));
    let bytes = fs::read(&fetched.file).unwrap();
    assert_eq!(bytes.get(..2), Some(&[0x1f, 0x8b][..]), "not gzip");
    let head = curl::get_ok(
        &service.at("/debug/pprof/heap"),
        &["--header", "Accept-Encoding: gzip", "--include"],
    );
    let head = String::from_utf8_lossy(&head.body).to_lowercase();
    let head = head.split("\r\n\r\n").next().unwrap_or_default();
    assert!(
        head.contains("content-type: application/octet-stream"),
        "{head}"
    );
    assert!(!head.contains("content-encoding"), "{head}");
}
