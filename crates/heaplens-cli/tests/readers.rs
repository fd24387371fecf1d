//! What the command writes is read by `go tool pprof`, and what others write is read
//! by the command: profiles of Go, of jemalloc's encoder, and of stripped programs.
//!
//! `HEAPLENS_PPROF` names pprof, `HEAPLENS_PROMETHEUS3` a program of Go that serves
//! its own heap: `scripts/test` installs and sets both.

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{folder, heaplens, heaplens_in};
use heaplens_alloc::Alloc;
use heaplens_profile::{DefaultType, Mappings, Profile, pprof};

#[global_allocator]
static ALLOC: Alloc<std::alloc::System> = Alloc::with(std::alloc::System);

fn pprof_program() -> PathBuf {
    let program = std::env::var_os("HEAPLENS_PPROF").expect(
        "HEAPLENS_PPROF is not set: run scripts/test, which builds pprof, or set \
         HEAPLENS_PPROF to a pprof program",
    );
    PathBuf::from(program)
}

/// A report of pprof, without symbols of its own.
fn report(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(pprof_program())
        .arg("-symbolize=none")
        .args(arguments)
        .current_dir(folder)
        .env("PPROF_TMPDIR", folder)
        .env("HOME", folder)
        .output()
        .expect("pprof runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Total of a value in bytes, as `-top` tells it.
fn total(folder: &Path, file: &str, index: &str) -> i64 {
    let index = format!("-sample_index={index}");
    let top = report(
        folder,
        &[
            "-top",
            "-unit=B",
            "-nodecount=100000",
            "-nodefraction=0",
            &index,
            file,
        ],
    );
    let (told, _) = top.split_once("B, ").unwrap_or_else(|| panic!("{top}"));
    let (_, number) = told.rsplit_once(' ').expect("a number");
    number
        .parse()
        .unwrap_or_else(|_| panic!("{number} in {top}"))
}

#[test]
fn pprof_reads_what_is_converted() {
    let folder = folder();
    let at = folder.path();
    let expected = [
        total(at, "a.pb.gz", "inuse_space"),
        total(at, "a.pb.gz", "alloc_space"),
    ];
    assert_eq!(expected, [53_584_793, 102_764_544]);
    // There and back again.
    heaplens_in(at, &["convert", "a.pb.gz", "-o", "a.speedscope.json"]).fine();
    heaplens_in(at, &["convert", "a.speedscope.json", "-o", "back.pb.gz"]).fine();
    heaplens_in(at, &["convert", "a.pb.gz", "-o", "a.folded"]).fine();
    heaplens_in(at, &["convert", "a.folded", "-o", "folded.pb.gz"]).fine();
    heaplens_in(at, &["convert", "a.pb.gz", "-o", "a.json"]).fine();
    heaplens_in(at, &["convert", "a.json", "-o", "json.pb.gz"]).fine();
    for file in ["back.pb.gz", "json.pb.gz"] {
        assert_eq!(
            [
                total(at, file, "inuse_space"),
                total(at, file, "alloc_space")
            ],
            expected,
            "{file}"
        );
    }
    assert_eq!(total(at, "folded.pb.gz", "inuse_space"), expected[0]);
    for file in ["back.pb.gz", "json.pb.gz", "folded.pb.gz"] {
        let traces = report(at, &["-traces", file]);
        assert!(
            traces.contains("svc::sessions::open") && traces.contains("alloc::vec::Vec<T>::push"),
            "{traces}"
        );
        let base = format!("-base={file}");
        let none = report(at, &["-top", &base, file]);
        assert!(
            none.contains("0% of 0") || none.contains("of 0 total"),
            "{none}"
        );
    }
    // Labels and objects survive where the format has them.
    assert!(report(at, &["-tags", "json.pb.gz"]).contains("sessions"));
    // A type that is asked for is the one that is shown first.
    heaplens_in(
        at,
        &[
            "convert",
            "a.pb.gz",
            "--type",
            "alloc_space",
            "-o",
            "allocs.pb.gz",
        ],
    )
    .fine();
    assert!(report(at, &["-top", "allocs.pb.gz"]).contains("Type: alloc_space"));
}

#[test]
fn pprof_reads_a_difference_as_it_makes_one() {
    let folder = folder();
    let at = folder.path();
    heaplens_in(at, &["diff", "a.pb.gz", "b.pb.gz", "-o", "d.pb.gz"]).fine();
    for index in ["inuse_space", "alloc_space"] {
        let grown = total(at, "b.pb.gz", index) - total(at, "a.pb.gz", index);
        assert_eq!(total(at, "d.pb.gz", index), grown, "{index}");
    }
    let top = report(at, &["-top", "-cum", "d.pb.gz"]);
    let theirs = report(at, &["-top", "-cum", "-base=a.pb.gz", "b.pb.gz"]);
    let rows = |text: &str| -> Vec<String> {
        let rows = text.lines().skip_while(|line| !line.contains("flat%"));
        rows.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert_eq!(rows(&top), rows(&theirs));
    assert!(top.contains("Duration: 60s"), "{top}");
}

#[test]
fn heaps_of_go_are_read() {
    let Some(prometheus) = std::env::var_os("HEAPLENS_PROMETHEUS3") else {
        eprintln!("not checked: HEAPLENS_PROMETHEUS3 is not set");
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let configuration = folder.path().join("prometheus.yml");
    std::fs::write(&configuration, "global: {}\n").expect("a file");
    let mut child = Command::new(prometheus)
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .args(["--web.listen-address=127.0.0.1:0", "--log.format=json"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("Prometheus runs");
    // Open as long as it runs: it would be ended by writing to nobody.
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let told = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let entry: serde_json::Value = serde_json::from_str(&line).ok()?;
        let is_it = entry["msg"].as_str()?.contains("Listening on");
        is_it.then(|| entry["address"].as_str().map(str::to_owned))?
    });
    let address = told.expect("its address");
    // Its own page, and the address alone: it has no /debug/heap.
    let saved = heaplens_in(folder.path(), &["convert", &address, "-o", "go.pb.gz"]);
    let top = heaplens(&[
        "top",
        &format!("http://{address}/debug/pprof/allocs"),
        "--json",
        "-t",
        "alloc_space",
    ]);
    child.kill().expect("killed");
    child.wait().expect("an end");
    saved.fine();
    assert!(
        top.json()["totals"]["alloc_space"].as_i64().expect("bytes") > 0,
        "{top:?}"
    );
    let rows = heaplens_in(
        folder.path(),
        &["top", "go.pb.gz", "--by", "function", "--cum", "-n", "0"],
    );
    assert!(
        rows.fine().contains("main.main") || rows.fine().contains("runtime.main"),
        "{rows:?}"
    );
    assert_eq!(
        total(folder.path(), "go.pb.gz", "inuse_space"),
        heaplens_in(folder.path(), &["top", "go.pb.gz", "--json"]).json()["totals"]["inuse_space"]
            .as_i64()
            .expect("bytes")
    );
    // As the encoder of Go writes them, which is the measure of all readers.
    let checked = heaplens_in(folder.path(), &["check", "go.pb.gz"]);
    assert!(checked.fine().starts_with("go.pb.gz: valid"), "{checked:?}");
}

/// A heap dump of jemalloc, made into pprof by the encoder of `jemalloc_pprof`.
#[test]
fn profiles_of_jemalloc_pprof_are_read() {
    let dump = "heap_v2/524288\n  t*: 30: 3000000 [0: 0]\n\
        @ 0x401100 0x401200 0x401300\n  t*: 10: 1000000 [0: 0]\n\
        @ 0x401150 0x401200 0x401300\n  t*: 20: 2000000 [0: 0]\n\nMAPPED_LIBRARIES:\n";
    let mapping = pprof_util::Mapping {
        memory_start: 0x40_0000,
        memory_end: 0x50_0000,
        memory_offset: 0x40_0000,
        file_offset: 0,
        pathname: "/opt/svc/bin/svc".into(),
        build_id: Some(pprof_util::BuildId(vec![0xab, 0xcd])),
    };
    let parsed = pprof_util::parse_jeheap(dump.as_bytes(), Some(&[mapping])).expect("a dump");
    let bytes = parsed.to_pprof(("inuse_space", "bytes"), ("space", "bytes"), None);
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("je.pb.gz"), bytes).expect("a file");
    let top = heaplens_in(folder.path(), &["top", "je.pb.gz", "--json"]).json();
    assert_eq!(
        top["totals"]["inuse_space"],
        total(folder.path(), "je.pb.gz", "inuse_space")
    );
    assert_eq!(top["rows"].as_array().map(Vec::len), Some(2), "{top}");
    let shown = heaplens_in(folder.path(), &["top", "je.pb.gz"]);
    assert!(shown.fine().contains("svc+0x"), "{shown:?}");
    assert!(
        heaplens_in(folder.path(), &["check", "je.pb.gz"])
            .fine()
            .contains("valid, with remarks")
    );
    heaplens_in(folder.path(), &["convert", "je.pb.gz", "-o", "je.folded"]).fine();
    heaplens_in(folder.path(), &["flamegraph", "je.pb.gz", "-o", "je.svg"]).fine();
    heaplens_in(folder.path(), &["symbolize", "je.pb.gz"]).assert_fault(4, "build id abcd");
}

const NAME: &str = "stripped_programs_get_their_names";
const OUTPUT: &str = "HEAPLENS_TEST_PROFILE";

struct Hoard<T> {
    kept: Vec<Vec<T>>,
}

impl<T: Clone> Hoard<T> {
    #[inline(never)]
    fn fill(&mut self, value: &T) {
        for _ in 0..50 {
            self.kept.push(vec![value.clone(); 1000]);
        }
    }
}

/// What the stripped program does: it holds memory, and says where, in numbers.
fn write_profile(output: &Path) {
    heaplens_alloc::set_sample_interval(1);
    let mut hoard = Hoard { kept: Vec::new() };
    hoard.fill(&7_u8);
    let snapshot = heaplens_alloc::untracked(heaplens_alloc::snapshot);
    heaplens_alloc::set_sample_interval(0);
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let profile = Profile::new(&snapshot, &mappings, None);
    std::fs::write(output, pprof::encode(&profile, DefaultType::InuseSpace)).expect("a file");
    assert_eq!(hoard.kept.len(), 50);
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

#[test]
fn stripped_programs_get_their_names() {
    if let Some(output) = std::env::var_os(OUTPUT) {
        return write_profile(Path::new(&output));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let stripped = at.join("svc");
    std::fs::copy(std::env::current_exe().expect("a path"), at.join("linked")).expect("a copy");
    std::fs::copy(at.join("linked"), &stripped).expect("a copy");
    run(Command::new("strip").arg("--strip-all").arg(&stripped));
    run(Command::new(&stripped)
        .args(["--exact", NAME])
        .env(OUTPUT, at.join("heap.pb.gz")));
    // Elsewhere there is no such program.
    std::fs::rename(&stripped, at.join("stripped")).expect("moved");

    // What the C library holds may be found on this machine; the program is not, and
    // another one is not taken for it.
    let other = env!("CARGO_BIN_EXE_heaplens");
    for arguments in [
        &["symbolize", "heap.pb.gz", "-o", "none.pb.gz"][..],
        &[
            "symbolize",
            "heap.pb.gz",
            "-o",
            "none.pb.gz",
            "--binary",
            other,
        ],
    ] {
        let done = heaplens_in(at, arguments);
        assert!(
            done.err
                .contains("no file of the same build was found for "),
            "{done:?}"
        );
        assert!(done.err.contains("svc (build id "), "{done:?}");
    }
    heaplens_in(at, &["symbolize", "heap.pb.gz", "--binary", "heap.pb.gz"])
        .assert_fault(4, "no ELF file");

    let done = heaplens_in(at, &["symbolize", "heap.pb.gz", "--binary", "linked"]);
    assert!(done.fine().contains("heap.symbolized.pb.gz"), "{done:?}");
    assert_named(at, "heap.symbolized.pb.gz");
    // From a tree by build id, of either form.
    let told = heaplens_in(
        at,
        &[
            "symbolize",
            "heap.pb.gz",
            "--binary",
            "linked",
            "--json",
            "-o",
            "x.pb.gz",
        ],
    )
    .json();
    let id = told["objects"][0]["build_id"]
        .as_str()
        .expect("a build id")
        .to_owned();
    for tree in ["tree", "other/.build-id"] {
        let place = at.join(tree).join(&id[..2]);
        std::fs::create_dir_all(&place).expect("a folder");
        std::fs::copy(at.join("linked"), place.join(format!("{}.debug", &id[2..])))
            .expect("a copy");
        let root = tree.split('/').next().expect("a folder");
        let output = format!("{root}.pb.gz");
        heaplens_in(
            at,
            &[
                "symbolize",
                "heap.pb.gz",
                "--debug-dir",
                root,
                "-o",
                &output,
            ],
        )
        .fine();
        assert_named(at, &output);
    }
    // The stripped program with what was taken out of it.
    let place = at.join("system/.build-id").join(&id[..2]);
    std::fs::create_dir_all(&place).expect("a folder");
    run(Command::new("objcopy")
        .arg("--only-keep-debug")
        .arg(at.join("linked"))
        .arg(place.join(format!("{}.debug", &id[2..]))));
    let arguments = [
        "symbolize",
        "heap.pb.gz",
        "--binary",
        "stripped",
        "--debug-dir",
        "system",
    ];
    heaplens_in(at, &[&arguments[..], &["-o", "both.pb.gz"]].concat()).fine();
    assert_named(at, "both.pb.gz");
    let again = heaplens_in(at, &["symbolize", "tree.pb.gz", "-o", "again.pb.gz"]);
    assert!(
        again.fine().contains("again.pb.gz") && again.err.contains("names already"),
        "{again:?}"
    );
}

/// That pprof finds the functions with their lines, and the bytes that they hold.
fn assert_named(folder: &Path, file: &str) {
    let top = report(
        folder,
        &[
            "-top",
            "-cum",
            "-lines",
            "-unit=B",
            "-nodecount=100000",
            "-nodefraction=0",
            file,
        ],
    );
    for function in ["readers::write_profile", "readers::Hoard<"] {
        let line = top.lines().find(|line| line.contains(function));
        let line = line.unwrap_or_else(|| panic!("no {function} in\n{top}"));
        let (_, number) = line.rsplit_once("readers.rs:").expect("a file");
        assert!(
            number.trim().parse::<u32>().is_ok_and(|of| of > 20),
            "{line}"
        );
    }
    // The allocator's own frames are left out, as they are where names are known at once.
    assert!(!top.contains("__rust_alloc"), "{top}");
    let shown = heaplens_in(folder, &["top", file, "--focus", "write_profile"]);
    assert!(
        shown.fine().contains("readers::Hoard<") && shown.fine().contains("readers.rs:"),
        "{shown:?}"
    );
    let checked = heaplens_in(folder, &["check", file, "--for", "pprof,parca"]);
    assert!(checked.fine().contains("valid"), "{checked:?}");
}
