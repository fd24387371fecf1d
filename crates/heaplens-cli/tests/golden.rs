//! What a user sees, word for word: `HEAPLENS_UPDATE_GOLDEN=1 cargo test -p
//! heaplens-cli --test golden` accepts what is there now.

mod common;

use common::{assert_golden, command, folder, heaplens, heaplens_in, recorded, served};

#[test]
fn profiles() {
    let folder = folder();
    for (name, arguments) in [
        ("top.txt", &["top", "a.pb.gz"][..]),
        (
            "top-function.txt",
            &["top", "a.pb.gz", "--by", "function", "--cum", "-n", "3"],
        ),
        (
            "top-label.txt",
            &[
                "top",
                "a.pb.gz",
                "--by",
                "label:map",
                "--type",
                "inuse_objects",
            ],
        ),
        ("top-map.txt", &["top", "a.pb.gz", "--map", "größe"]),
        ("top.json", &["top", "a.pb.gz", "--json", "-n", "2"]),
        ("diff.txt", &["diff", "a.pb.gz", "b.pb.gz"]),
        ("diff.json", &["diff", "a.pb.gz", "b.pb.gz", "--json"]),
        (
            "diff-nothing.txt",
            &["diff", "a.pb.gz", "a.pb.gz", "--by", "object"],
        ),
        ("folded.txt", &["convert", "a.pb.gz", "--to", "folded"]),
        ("convert.json", &["convert", "a.pb.gz", "--to", "json"]),
        ("check.txt", &["check", "a.pb.gz", "b.pb.gz", "--series"]),
        (
            "check.json",
            &["check", "a.pb.gz", "--json", "--for", "parca"],
        ),
    ] {
        let done = heaplens_in(folder.path(), arguments);
        assert_golden(name, done.fine());
        assert_eq!(done.err, "", "{name}");
    }
}

#[test]
fn services() {
    let json = "application/json";
    let address = served(vec![
        ("/debug/maps", (200, json, recorded("maps.json"))),
        ("/debug/maps/sessions", (200, json, recorded("map.json"))),
        ("/debug/leaks", (200, json, recorded("leaks.json"))),
        (
            "/fine/debug/leaks",
            (
                200,
                json,
                br#"{"state":"warming","verdicts":[{"kind":"map","name":"a","state":"warming"}]}"#
                    .to_vec(),
            ),
        ),
    ]);
    let address = address.to_string();
    let fine = format!("{address}/fine");
    for (name, code, arguments) in [
        ("maps.txt", 0, &["maps", &address][..]),
        (
            "maps-filter.txt",
            0,
            &["maps", &address, "--filter", "no such"],
        ),
        ("map.txt", 0, &["maps", &address, "sessions"]),
        ("leaks-none.txt", 0, &["leaks", &fine, "--strict"]),
        ("leaks.txt", 1, &["leaks", &address]),
        (
            "leaks-evidence.txt",
            1,
            &["leaks", &address, "--all", "--evidence"],
        ),
    ] {
        let done = heaplens(arguments);
        assert_eq!(done.code, Some(code), "{done:?}");
        assert_golden(name, &done.text().replace(&address, "HOST:PORT"));
    }
    // JSON is handed on as it came, with whatever later versions add.
    let told = heaplens(&["leaks", &address, "--json"]);
    assert_eq!((told.code, told.out), (Some(1), recorded("leaks.json")));
    let one = heaplens(&["maps", &address, "--json", "-n", "1"]).json();
    assert_eq!(one["maps"].as_array().map(Vec::len), Some(1));
}

#[test]
fn help() {
    let mut all = heaplens(&["--help"]).fine().to_owned();
    for name in [
        "top",
        "maps",
        "leaks",
        "watch",
        "flamegraph",
        "diff",
        "record",
        "symbolize",
        "convert",
        "check",
    ] {
        let done = heaplens(&[name, "--help"]);
        all += &["\n=== ", name, " ===\n", done.fine()].concat();
    }
    assert_golden("help.txt", &all);
    assert_eq!(
        heaplens(&["--version"]).fine(),
        concat!("heaplens ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn completions_and_manual() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = heaplens(&["completions", shell]);
        assert!(done.fine().contains("flamegraph"), "{shell}");
    }
    let page = heaplens(&["man"]);
    assert!(page.fine().contains(".TH heaplens 1"), "{page:?}");
    let folder = folder();
    let written = heaplens_in(folder.path(), &["man", "new/pages"]);
    assert_eq!(written.fine(), "");
    let top =
        std::fs::read_to_string(folder.path().join("new/pages/heaplens-top.1")).expect("a page");
    assert!(
        top.contains(".TH heaplens-top 1") && top.contains("inuse_space"),
        "{top}"
    );
    assert_eq!(
        std::fs::read_dir(folder.path().join("new/pages"))
            .expect("a folder")
            .count(),
        13
    );
}

/// Colours are for terminals; a pipe gets none, whatever the environment says.
#[test]
fn pipes_get_no_colours() {
    let folder = folder();
    let mut command = command(&["top", "a.pb.gz"]);
    command
        .env("TERM", "xterm-256color")
        .env("CLICOLOR_FORCE", "1");
    let output = command
        .current_dir(folder.path())
        .output()
        .expect("it runs");
    assert!(output.status.success() && !output.stdout.contains(&0x1b));
}
