//! The history beyond the life of a process: each run is a process of its own.

mod common;

use std::fs;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use common::pprof::{comments, decode, has_negative, under};
use common::{PATIENCE, get};
use heaplens::Agent;
use heaplens::profile::proto::Profile;
use nix::sys::resource::{Resource, setrlimit};
use serde_json::Value;

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

const HELD: usize = 32 << 20;
const BYTES: i64 = HELD as i64;

#[inline(never)]
fn hold_early() -> Vec<u8> {
    black_box(vec![1; HELD])
}

#[inline(never)]
fn hold_late() -> Vec<u8> {
    black_box(vec![2; 2 * HELD])
}

/// A run of the program: until its input ends.
#[test]
#[ignore = "run by the other tests"]
fn child() {
    if std::env::var_os("SHORT_FILES").is_some() {
        setrlimit(Resource::RLIMIT_FSIZE, 256, 256).unwrap();
    }
    let held = match std::env::var("HELD").as_deref() {
        Ok("late") => hold_late(),
        _ => hold_early(),
    };
    let beat = Duration::from_millis(20);
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .history_beat(beat, beat)
        .start()
        .unwrap();
    println!("listening on {}", agent.local_addr().unwrap());
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop((agent, held));
}

/// A run that is under way.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
    /// Open for what the child writes at its end.
    _output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Run {
    fn start(directory: &Path, held: &str) -> Self {
        let exe = std::env::current_exe().unwrap();
        Run::of(Command::new(exe), directory, held)
    }

    fn of(mut command: Command, directory: &Path, held: &str) -> Self {
        let mut child = command
            .args(["child", "--exact", "--ignored", "--nocapture"])
            .env("HEAPLENS_HISTORY_DIR", directory)
            .env("HELD", held)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let address = output.by_ref().lines().find_map(|line| {
            let line = line.unwrap();
            line.split_once("listening on ")?.1.parse().ok()
        });
        Run {
            input: child.stdin.take(),
            child,
            _output: output,
            address: address.expect("an agent"),
        }
    }

    fn document(&self) -> Value {
        let begun = Instant::now();
        loop {
            let answer = get(self.address, "/debug/history");
            if answer.status == 200 {
                return serde_json::from_slice(&answer.body).unwrap();
            }
            // Before the first tick.
            assert!(begun.elapsed() < PATIENCE, "{}", answer.text());
        }
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let document = self.document();
            if is_so(&document) {
                return document;
            }
            assert!(begun.elapsed() < PATIENCE, "no {what}: {document:#}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn profile(&self, target: &str) -> Profile {
        let answer = get(self.address, target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        decode(&answer.body)
    }

    /// With a snapshot of its own.
    fn after_a_snapshot(self) -> Self {
        self.wait("snapshot", |of| own_snapshots(of) > 0);
        self
    }

    /// The agent stops, and the process ends.
    fn end(mut self) {
        drop(self.input.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn snapshots(document: &Value) -> &Vec<Value> {
    document["snapshots"].as_array().unwrap()
}

fn own_snapshots(document: &Value) -> usize {
    let runs = document["runs"].as_array().unwrap();
    let own = runs.iter().position(|run| run["is_this"] == true);
    let is_own = |of: &&Value| own.is_some_and(|own| of["run"] == own);
    snapshots(document).iter().filter(is_own).count()
}

fn is_well(document: &Value) -> bool {
    let directory = &document["directory"];
    directory["trouble"].is_null() && directory["warning"].is_null()
}

fn file(directory: &Path) -> PathBuf {
    let entries = fs::read_dir(directory).unwrap();
    let mut files = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".heaplens-history"));
    let file = files.next().expect("a file");
    assert_eq!(files.next(), None);
    file
}

#[test]
fn a_run_is_compared_with_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    Run::start(directory.path(), "early")
        .after_a_snapshot()
        .end();
    let run = Run::start(directory.path(), "late").after_a_snapshot();
    let document = run.document();
    assert!(is_well(&document), "{document:#}");
    assert_eq!(document["runs"].as_array().unwrap().len(), 2);
    let first = &snapshots(&document)[0];
    assert_eq!((&first["id"], &first["run"]), (&1.into(), &0.into()));
    // Elsewhere in memory, and still by name.
    let before = run.profile("/debug/heap?at=1");
    assert_eq!(under(&before, "hold_early", 3), BYTES);
    assert_eq!(under(&before, "hold_late", 3), 0);
    assert!(comments(&before).contains("of an earlier run of the program"));
    let change = run.profile("/debug/heap?base=1");
    assert_eq!(under(&change, "hold_early", 3), -BYTES);
    assert_eq!(under(&change, "hold_late", 3), 2 * BYTES);
    // What was allocated is what this run allocated.
    assert_eq!(under(&change, "hold_early", 1), 0);
    assert_eq!(under(&change, "hold_late", 1), 2 * BYTES);
    assert!(comments(&change).contains("the base is of an earlier run"));
    assert!(!has_negative(&run.profile("/debug/heap?base=1&inuse=last")));
    let drawn = get(run.address, "/debug/flamegraph?base=1");
    assert!(drawn.text().contains("hold_late"));
    // Within the earlier run, and its figures.
    let last = snapshots(&document)
        .iter()
        .rfind(|of| of["run"] == 0)
        .unwrap();
    let within = run.profile(&format!("/debug/heap?base=1&at={}", last["id"]));
    assert_eq!(under(&within, "hold_early", 3), 0);
    let times = document["process"]["times"].as_array().unwrap();
    assert!(!times.is_empty() && times.is_sorted_by_key(Value::as_u64));
    assert!(document["since"].as_str() <= first["taken_at"].as_str());
    run.end();
    // A third one has both, and no number twice.
    let third = Run::start(directory.path(), "early").after_a_snapshot();
    let document = third.document();
    assert_eq!(document["runs"].as_array().unwrap().len(), 3);
    let ids: Vec<u64> = snapshots(&document)
        .iter()
        .map(|of| of["id"].as_u64().unwrap())
        .collect();
    assert!(
        ids.is_sorted() && ids.windows(2).all(|two| two[0] != two[1]),
        "{ids:?}"
    );
    third.end();
}

#[test]
fn what_a_killed_process_wrote_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    // Once for certain, then at any moment of its beginning.
    let mut run = Run::start(directory.path(), "early");
    run.wait("file", |of| !of["directory"]["written_at"].is_null());
    run.kill();
    for round in 0..12 {
        let mut run = Run::start(directory.path(), "early");
        std::thread::sleep(Duration::from_millis(round * 7));
        run.kill();
    }
    let run = Run::start(directory.path(), "late").after_a_snapshot();
    let document = run.document();
    assert!(is_well(&document), "{document:#}");
    assert_eq!(
        under(&run.profile("/debug/heap?at=1"), "hold_early", 3),
        BYTES
    );
    run.end();
    // The lock, and the one file.
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn of_two_processes_one_writes_and_the_other_takes_over() {
    let directory = tempfile::tempdir().unwrap();
    let first = Run::start(directory.path(), "early").after_a_snapshot();
    first.wait("file", |of| !of["directory"]["written_at"].is_null());
    let second = Run::start(directory.path(), "late").after_a_snapshot();
    let document = second.document();
    let trouble = document["directory"]["trouble"]
        .as_str()
        .unwrap_or_default();
    assert!(
        trouble.contains("another process keeps its history in"),
        "{document:#}"
    );
    assert_eq!(document["runs"].as_array().unwrap().len(), 1);
    assert!(is_well(&first.document()));
    first.end();
    let document = second.wait("history of the first", |of| {
        is_well(of) && of["runs"].as_array().unwrap().len() == 2
    });
    let early = &snapshots(&document)[0]["id"];
    let before = second.profile(&format!("/debug/heap?at={early}"));
    assert_eq!(under(&before, "hold_early", 3), BYTES);
    second.end();
}

#[test]
fn what_cannot_be_read_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    Run::start(directory.path(), "early")
        .after_a_snapshot()
        .end();
    let file = file(directory.path());
    let whole = fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let mut newer = whole.clone();
    newer[8] = 200;
    let cut = whole[..whole.len() - 1].to_vec();
    for (number, (content, reason)) in [
        (damaged, "it is damaged"),
        (cut, "it is damaged"),
        (newer, "its format is version 200"),
        (b"precious\n".to_vec(), "it is no history"),
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(&file, &content).unwrap();
        let run = Run::start(directory.path(), "late").after_a_snapshot();
        let document = run.document();
        let warning = document["directory"]["warning"]
            .as_str()
            .unwrap_or_default();
        let aside = format!("{}.set-aside-{}", file.display(), number + 1);
        assert!(
            warning.contains(reason) && warning.contains(&aside),
            "{document:#}"
        );
        assert_eq!(document["runs"].as_array().unwrap().len(), 1);
        run.end();
        assert_eq!(fs::read(aside).unwrap(), content);
    }
    // A fifth one stays where it is, and the history in memory.
    fs::write(&file, "precious too\n").unwrap();
    let run = Run::start(directory.path(), "late").after_a_snapshot();
    let document = run.document();
    let trouble = document["directory"]["trouble"]
        .as_str()
        .unwrap_or_default();
    assert!(
        trouble.contains("look at them and remove them"),
        "{document:#}"
    );
    run.end();
    assert_eq!(fs::read(&file).unwrap(), b"precious too\n");
}

/// A directory in which nothing can be written, in a way that holds for root too.
fn mounted(options: &str, directory: &Path) -> Option<Command> {
    let script = "mount -t tmpfs -o \"$0\" tmpfs \"$1\" || exit; \
                  { echo full >\"$1/filler\"; } 2>/dev/null; shift; exec \"$@\"";
    let command = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, options]);
        command.arg(directory).arg(program);
        command
    };
    let probe = command("true").output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("not checked: nothing can be mounted here");
        return None;
    }
    Some(command(std::env::current_exe().unwrap().to_str()?))
}

#[test]
fn a_full_disk_and_a_directory_that_is_read_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    for (options, part) in [
        ("size=4k", "No space left on device"),
        ("ro", "Read-only file system"),
    ] {
        let Some(command) = mounted(options, path) else {
            return;
        };
        let run = Run::of(command, path, "early").after_a_snapshot();
        let document = run.wait("trouble", |of| of["directory"]["trouble"].is_string());
        let trouble = document["directory"]["trouble"].as_str().unwrap();
        assert!(trouble.contains(part), "{trouble}");
        assert_eq!(
            under(&run.profile("/debug/heap?at=-0s"), "hold_early", 3),
            BYTES
        );
        run.end();
    }
}

#[test]
fn what_was_there_stays_where_there_is_no_room_for_more() {
    let directory = tempfile::tempdir().unwrap();
    Run::start(directory.path(), "early")
        .after_a_snapshot()
        .end();
    let file = file(directory.path());
    let before = fs::read(&file).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("SHORT_FILES", "1");
    let run = Run::of(command, directory.path(), "late").after_a_snapshot();
    let document = run.wait("trouble", |of| of["directory"]["trouble"].is_string());
    let trouble = document["directory"]["trouble"].as_str().unwrap();
    assert!(
        trouble.starts_with("cannot write ") && trouble.contains("File too large"),
        "{trouble}"
    );
    // In memory there is all of it.
    assert_eq!(
        under(&run.profile("/debug/heap?at=1"), "hold_early", 3),
        BYTES
    );
    run.end();
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

/// A copy of this program as another build: the same code under another id.
fn another_build(name: &Path) -> Option<(String, String)> {
    let run = Command::new("readelf")
        .arg("-n")
        .arg(std::env::current_exe().unwrap())
        .output();
    let told = String::from_utf8(run.ok()?.stdout).ok()?;
    let id = told
        .split("Build ID: ")
        .nth(1)?
        .split_whitespace()
        .next()?
        .to_owned();
    let bytes: Vec<u8> = (0..id.len() / 2)
        .map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let mut program = fs::read(std::env::current_exe().unwrap()).unwrap();
    let places = program.windows(bytes.len()).position(|of| of == bytes)?;
    program[places] ^= 0xff;
    let other = format!("{:02x}{}", bytes[0] ^ 0xff, &id[2..]);
    let mut file = fs::File::create(name).unwrap();
    file.write_all(&program).unwrap();
    drop(file);
    fs::set_permissions(name, fs::Permissions::from_mode(0o755)).unwrap();
    Some((id, other))
}

#[test]
fn another_build_is_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("kept");
    let [old, new] = ["1", "2"].map(|version| root.path().join(version).join("svc"));
    for program in [&old, &new] {
        fs::create_dir(program.parent().unwrap()).unwrap();
    }
    let exe = std::env::current_exe().unwrap();
    if fs::hard_link(&exe, &old).is_err() {
        fs::copy(&exe, &old).unwrap();
    }
    let Some((id, other)) = another_build(&new) else {
        eprintln!("not checked: there is no readelf, or no build id");
        return;
    };
    let start =
        |program: &Path, held| Run::of(Command::new(program), &directory, held).after_a_snapshot();
    start(&old, "early").end();
    let run = start(&new, "late");
    let document = run.document();
    let build = |run: usize| document["runs"][run]["build_id"].clone();
    assert_eq!(build(0), id.as_str(), "{document:#}");
    // Of the running one it is known when it is written; the profile tells.
    let now = run.profile("/debug/heap");
    let ids = |of: &Profile| -> Vec<String> {
        let ids = of.mapping.iter();
        ids.map(|of| of_table(&now, of.build_id)).collect()
    };
    assert!(ids(&now).contains(&other));
    // The old file is still there: names are of it.
    let before = run.profile("/debug/heap?at=1");
    assert_eq!(under(&before, "hold_early", 3), BYTES);
    assert!(comments(&before).contains(&format!("of another build, {id}")));
    let change = run.profile("/debug/heap?base=1");
    assert_eq!(under(&change, "hold_early", 3), -BYTES);
    assert_eq!(under(&change, "hold_late", 3), 2 * BYTES);
    run.end();
    // It is gone: no name, and never one of the new build; the id stays.
    fs::remove_file(&old).unwrap();
    let run = start(&new, "late");
    let before = run.profile("/debug/heap?at=1");
    assert_eq!(under(&before, "hold_early", 3), 0);
    assert_eq!(under(&before, "history_dir", 3), 0);
    let builds: Vec<String> = before
        .mapping
        .iter()
        .map(|of| of_table(&before, of.build_id))
        .collect();
    assert!(builds.contains(&id), "{builds:?}");
    let bytes: i64 = before.sample.iter().map(|of| of.value[3]).sum();
    assert!(bytes >= BYTES, "{bytes}");
    run.end();
}

fn of_table(profile: &Profile, at: i64) -> String {
    profile.string_table[usize::try_from(at).unwrap()].clone()
}
