//! The command against an agent that runs in this process.

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{command, heaplens, heaplens_in};
use heaplens::{Agent, TrackedHashMap};
use heaplens_profile::pprof;

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

/// Long enough to be sampled for certain.
const BLOCK: usize = 16 << 20;

#[inline(never)]
fn hoard() -> Vec<u8> {
    vec![7; BLOCK]
}

/// The same of another test, which may run at the same time.
#[inline(never)]
fn pile_up() -> Vec<u8> {
    vec![9; BLOCK]
}

fn agent() -> (Agent, String) {
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .start()
        .expect("an agent");
    let address = agent.local_addr().expect("an address").to_string();
    (agent, address)
}

#[test]
fn the_function_that_holds_memory_comes_first_with_its_error() {
    let (_agent, address) = agent();
    let kept = hoard();
    let top = heaplens(&["top", &address, "--json", "-n", "0"]).json();
    assert_eq!(top["type"], "inuse_space");
    let rows = top["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| {
        row["name"]
            .as_str()
            .is_some_and(|name| name.contains("hoard"))
    });
    let row = row.unwrap_or_else(|| panic!("no hoard in {top:#}"));
    assert!(
        row["values"]["inuse_space"].as_u64().expect("bytes") >= BLOCK as u64,
        "{row}"
    );
    assert!(row["standard_error"].is_number(), "{row}");
    assert!(
        row["place"]
            .as_str()
            .expect("a place")
            .contains("service.rs:"),
        "{row}"
    );

    // A page, a form of address, and the whole heap are all the same heap.
    for text in [
        format!("http://{address}"),
        format!("http://{address}/debug/"),
        format!("http://{address}/debug/pprof/heap"),
        format!("{address}/debug/heap?format=json"),
        format!("{address}/debug/heap?format=pprof"),
    ] {
        let top = heaplens(&["top", &text, "--focus", "hoard"]);
        assert!(top.fine().contains("service::hoard at "), "{text}: {top:?}");
    }
    // By the id that the JSON has, in any form.
    let document = heaplens(&["convert", &address, "--to", "json", "--focus", "hoard"]).json();
    let id = document["sites"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let by_id = heaplens(&["top", &address, "--site", &id]);
    assert!(by_id.fine().contains("service::hoard at "), "{by_id:?}");
    assert_eq!(by_id.fine().lines().count(), 5, "{by_id:?}");
    let none = heaplens(&["top", &address, "--focus", "no_such_function"]);
    assert!(none.fine().contains("nothing is left"), "{none:?}");
    drop(kept);
}

#[test]
fn maps_are_listed_and_one_is_told_of() {
    let (_agent, address) = agent();
    let mut map: TrackedHashMap<u64, u64> = TrackedHashMap::named("größe & co").max_entries(5000);
    map.extend((0..1000).map(|key| (key, key)));
    let list = heaplens(&["maps", &address, "--filter", "größe"]);
    let row = list
        .fine()
        .lines()
        .find(|line| line.ends_with("größe & co"));
    assert!(row.expect("a row").contains("1,000"), "{list:?}");
    let one = heaplens(&["maps", &address, "größe & co"]);
    assert!(one.fine().contains("declared bound    5,000"), "{one:?}");
    let told = heaplens(&["maps", &address, "größe & co", "--json"]).json();
    assert_eq!(told["entries_count"], 1000);
    heaplens(&["maps", &address, "nothing"]).assert_fault(3, "there is no map named \"nothing\"");
    heaplens(&["top", &address, "--map", "nothing"]).assert_fault(3, "there is no map named");
}

#[test]
fn tokens_are_shown_and_never_told() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .token(TOKEN)
        .start()
        .expect("an agent");
    let address = agent.local_addr().expect("an address").to_string();
    heaplens(&["maps", &address]).assert_fault(3, "not authorised (401)");
    let wrong = format!("http://me:{}@{address}", "f".repeat(32));
    let refused = heaplens(&["maps", &wrong]);
    refused.assert_fault(3, "not authorised (401)");
    assert!(!refused.err.contains("ffff"), "{refused:?}");
    for done in [
        heaplens(&["maps", &address, "--token", TOKEN]),
        heaplens(&["--token", TOKEN, "maps", &address]),
        heaplens(&["maps", &format!("http://me:{TOKEN}@{address}")]),
    ] {
        assert!(!done.fine().contains(TOKEN), "{done:?}");
    }
    let output = command(&["maps", &address])
        .env("HEAPLENS_TOKEN", TOKEN)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let help = command(&["maps", "--help"])
        .env("HEAPLENS_TOKEN", TOKEN)
        .output()
        .expect("it runs");
    assert!(!String::from_utf8_lossy(&help.stdout).contains(TOKEN));
}

#[test]
fn unix_sockets() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("agent.sock");
    let _agent = Agent::builder()
        .listen_unix(&path)
        .start()
        .expect("an agent");
    for text in [
        format!("unix:{}", path.display()),
        format!("unix://{}", path.display()),
    ] {
        assert!(
            heaplens(&["maps", &text]).fine().starts_with("unix:/"),
            "{text}"
        );
    }
}

#[test]
fn pictures_windows_and_other_formats() {
    let (_agent, address) = agent();
    let kept = pile_up();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let drawn = heaplens_in(at, &["flamegraph", &address, "-o", "heap.svg"]);
    assert!(
        drawn.fine().is_empty() && drawn.err.contains("wrote heap.svg"),
        "{drawn:?}"
    );
    let picture = std::fs::read_to_string(at.join("heap.svg")).expect("a picture");
    assert!(picture.contains("<svg") && picture.contains("service::pile_up"));
    heaplens_in(at, &["convert", &address, "-o", "base.pb.gz"]).fine();
    let more = pile_up();
    let grown = heaplens_in(
        at,
        &["flamegraph", &address, "--base", "base.pb.gz", "--inverted"],
    );
    assert!(grown.fine().contains("more than in the base"));
    let diff = heaplens_in(
        at,
        &[
            "diff",
            "base.pb.gz",
            &address,
            "--json",
            "--focus",
            "pile_up",
        ],
    )
    .json();
    assert!(
        diff["change"].as_i64().expect("bytes") >= BLOCK as i64,
        "{diff}"
    );
    let window = heaplens_in(
        at,
        &["top", &address, "--seconds", "1", "--type", "alloc_space"],
    );
    assert!(window.fine().contains(" until "), "{window:?}");
    let survivors = heaplens_in(at, &["top", &address, "--older", "1d"]);
    assert!(
        survivors.fine().contains("nothing is left"),
        "{survivors:?}"
    );
    drop((kept, more));
}

fn profiles(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|of| of == "gz"))
        .collect();
    paths.sort();
    paths
}

#[test]
fn recordings_are_bounded_whole_and_gone_on_with() {
    let (_agent, address) = agent();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("recorded");
    let name = dir.to_str().expect("UTF-8");
    let asked = [
        "record",
        &address,
        "--every",
        "1s",
        "--for",
        "3s",
        "--dir",
        name,
        "--max-files",
        "2",
        "--json",
    ];
    let told = heaplens(&asked);
    assert_eq!(told.code, Some(0), "{told:?}");
    let told = told.json();
    assert_eq!(
        (&told["finished"], &told["failed_count"]),
        (&true.into(), &0.into()),
        "{told}"
    );
    let files = profiles(&dir);
    assert!((1..=2).contains(&files.len()), "{files:?}");
    for file in &files {
        pprof::decode(&std::fs::read(file).expect("a file")).expect("a profile");
    }
    assert_eq!(
        std::fs::read_dir(&dir).expect("a folder").count(),
        files.len() + 1,
        "nothing unfinished"
    );
    // Over, once its time is; and never of another service.
    let ends = Instant::now() + Duration::from_secs(60);
    loop {
        let again = heaplens(&asked);
        if again.code == Some(2) {
            again.assert_fault(2, "was over at");
            break;
        }
        assert!(Instant::now() < ends, "{again:?}");
    }
    heaplens(&["record", "other:1", "--dir", name]).assert_fault(2, "holds a recording of");
}

#[test]
fn a_signal_ends_a_recording_which_can_be_gone_on_with() {
    let (_agent, address) = agent();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder.path().to_str().expect("UTF-8");
    let asked = ["record", &address, "--every", "1h", "--dir", name];
    for signal in [
        nix::sys::signal::Signal::SIGINT,
        nix::sys::signal::Signal::SIGTERM,
    ] {
        let child = command(&asked)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("it runs");
        // The second one waits for the next hour: it has begun when it can be killed.
        let begun = Instant::now();
        while profiles(folder.path()).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "no profile");
            std::thread::yield_now();
        }
        let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("an id"));
        // A signal before it listens would end it as it ends any program.
        while !listens(child.id()) {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "it does not listen"
            );
            std::thread::yield_now();
        }
        nix::sys::signal::kill(id, signal).expect("sent");
        let output = child.wait_with_output().expect("an end");
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("the same command goes on"), "{said}");
    }
    assert_eq!(profiles(folder.path()).len(), 1);
}

/// Whether a process catches SIGINT and SIGTERM.
fn listens(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let wanted = (1 << (2 - 1)) | (1 << (15 - 1));
    caught & wanted == wanted
}

#[test]
fn looks_as_lines_of_json() {
    use std::io::{BufRead, BufReader};
    let (_agent, address) = agent();
    let mut map: TrackedHashMap<u64, u64> = TrackedHashMap::named("watched");
    map.insert(1, 1);
    let mut child = command(&["watch", &address, "--json", "--every", "1s"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for line in lines.take(2) {
        let look: serde_json::Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let maps = look["maps"]["maps"].as_array().expect("maps");
        assert!(maps.iter().any(|of| of["name"] == "watched"), "{look}");
    }
    // Nobody reads any more: it ends by itself.
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    drop(map);
}

/// What is asked of a service, as the service sees it.
#[test]
fn parameters_are_handed_on() {
    let echo = common::serve(|stream| {
        let path = common::path_of(&stream);
        let head = "HTTP/1.1 400 Bad\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
        common::answer(stream, format!("{head}asked for {path}\n").as_bytes());
    });
    let address = format!("{echo}/internal");
    let page = format!("{echo}/x/debug/heap/peak?type=inuse_objects");
    let all = [
        "--map",
        "a b",
        "--older",
        "10m",
        "--at",
        "-1h",
        "--seconds",
        "5",
    ];
    let asked = "map=a%20b&older=600s&at=-1h&seconds=5";
    for (arguments, path) in [
        (
            [&["top", &address][..], &all].concat(),
            format!("/internal/debug/heap?format=json&{asked}"),
        ),
        (
            [&["flamegraph", &address][..], &all].concat(),
            format!("/internal/debug/heap?{asked}"),
        ),
        (
            vec!["top", &page, "--map", "m"],
            "/x/debug/heap/peak?type=inuse_objects&map=m".to_owned(),
        ),
        (
            vec!["maps", &address, "--sort", "growth"],
            "/internal/debug/maps?sort=growth".to_owned(),
        ),
        (
            vec!["maps", &address, "a/b ü"],
            "/internal/debug/maps/a%2Fb%20%C3%BC".to_owned(),
        ),
        (vec!["leaks", &address], "/internal/debug/leaks".to_owned()),
    ] {
        heaplens(&arguments).assert_fault(3, &format!("400 asked for {path}\n"));
    }
}
