//! Whatever goes wrong: one clear line on standard error, and the code that is
//! documented for it.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::Stdio;

use common::{
    answer, command, folder, heaplens, heaplens_in, heaplens_reading, message, path_of, serve,
    served,
};
use proptest::prelude::*;
use prost::Message;

#[test]
fn command_lines_that_make_no_sense() {
    for (arguments, part) in [
        (&["top", "ftp://user:hidden@svc"][..], "\"ftp\""),
        (&["top", "http://svc:99999"], "\"99999\""),
        (&["maps", "heap.pb.gz"], "no address of a service"),
        (&["check", "svc:6060"], "a file is wanted"),
        (&["watch", "svc:6060"], "watch draws on a terminal"),
        (&["flamegraph", "a.pb.gz", "--json"], "is a picture"),
        (&["convert", "a.pb.gz"], "which format"),
        (
            &["top", "a.pb.gz", "--type", "nonsense"],
            "it has alloc_objects, alloc_space, inuse_objects, inuse_space",
        ),
        (
            &["top", "a.pb.gz", "--focus", "("],
            "bad expression for --focus",
        ),
        (
            &["top", "a.pb.gz", "--older", "1m"],
            "--older asks a service",
        ),
        (&["top", "a.pb.gz", "--at", "-10m"], "--at asks a service"),
        (&["top", "svc:1", "--token", "a b"], "visible ASCII"),
        (&["top", "https://svc"], "no TLS"),
    ] {
        let folder = folder();
        let done = heaplens_in(folder.path(), arguments);
        done.assert_fault(2, part);
        assert!(!done.err.contains("hidden"), "{done:?}");
    }
    for arguments in [
        &[][..],
        &["nonsense"],
        &["top"],
        &["top", "x", "--limit", "-1"],
        &["record", "svc:1", "--dir", "x", "--every", "0"],
    ] {
        let done = heaplens(arguments);
        assert_eq!((done.code, done.out.len()), (Some(2), 0), "{done:?}");
        assert!(
            done.err.contains("Usage") || done.err.contains("error:"),
            "{done:?}"
        );
    }
}

#[test]
fn files_that_cannot_be_read() {
    let folder = folder();
    let whole = std::fs::read(folder.path().join("a.pb.gz")).expect("a file");
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    write("empty", b"");
    write("cut", &whole[..whole.len() / 2]);
    write("page.html", b"<!DOCTYPE html><html></html>");
    write("other.json", b"{\"a\": 1}");
    write("text", b"just some words\n");
    write("heap.txt", b"heap profile: 1: 8 [1: 8] @ heap/1048576\n");
    write("random", &[0x93, 0x11, 0x00, 0xff, 0x1f]);
    for (file, part) in [
        ("missing", "cannot read missing"),
        (".", "cannot read ."),
        ("empty", "it is empty"),
        ("cut", "cannot be unpacked"),
        ("page.html", "a page or a picture"),
        ("other.json", "no JSON of speedscope"),
        (
            "text",
            "folded stacks line 1 does not end in a whole number",
        ),
        ("heap.txt", "without debug=1"),
        ("random", "no profile.proto"),
    ] {
        for command in ["top", "flamegraph", "symbolize"] {
            heaplens_in(folder.path(), &[command, file]).assert_fault(4, part);
        }
        heaplens_in(folder.path(), &["diff", file, "a.pb.gz"]).assert_fault(4, part);
        heaplens_in(folder.path(), &["convert", file, "--to", "folded"]).assert_fault(4, part);
    }
    heaplens_reading(&whole[..100], &["top", "-"]).assert_fault(4, "standard input is no profile");
    assert!(
        heaplens_reading(&whole, &["top", "-"])
            .fine()
            .contains("svc::sessions::open")
    );
}

#[test]
fn results_that_cannot_be_written() {
    let folder = folder();
    let picture = ["flamegraph", "a.pb.gz", "-o", "missing/heap.svg"];
    heaplens_in(folder.path(), &picture).assert_fault(5, "cannot write missing/heap.svg");
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("the device");
    let output = command(&["convert", "a.pb.gz", "--to", "folded"])
        .current_dir(folder.path())
        .stdout(full)
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(5));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("No space left"),
        "{output:?}"
    );
}

/// As `heaplens convert … | head` ends it.
#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = folder();
    // More than a pipe holds.
    let lines = (0..200_000).fold(String::new(), |lines, at| {
        lines + "main;function_" + &at.to_string() + " 7\n"
    });
    std::fs::write(folder.path().join("many.folded"), lines).expect("a file");
    let mut child = command(&["convert", "many.folded", "--to", "folded"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("the beginning");
    drop(stdout);
    let output = child.wait_with_output().expect("an end");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn services_that_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = listener.local_addr().expect("an address").to_string();
    drop(listener);
    for arguments in [
        &["top", &closed][..],
        &["maps", &closed],
        &["leaks", &closed],
        &["watch", &closed, "--json"],
        &["flamegraph", &closed],
        &["convert", &closed, "--to", "folded"],
        &["diff", &closed, &closed],
    ] {
        heaplens(arguments).assert_fault(3, "Connection refused");
    }
    let folder = folder();
    heaplens_in(folder.path(), &["record", &closed, "--dir", "r"])
        .assert_fault(3, "Connection refused");
    heaplens(&["top", "unix:/no/such.sock"]).assert_fault(3, "No such file");
    heaplens(&["maps", "no-such-host.invalid:1"]).assert_fault(3, "cannot connect");
}

#[test]
fn answers_that_are_none() {
    let text = "text/plain; charset=utf-8";
    let pages = vec![
        (
            "/unauthorised/debug/maps",
            (401, text, b"a token is needed\n".to_vec()),
        ),
        (
            "/busy/debug/maps",
            (503, text, b"too many\x1b[2J connections\n".to_vec()),
        ),
        ("/page/debug/maps", (200, "text/html", b"<html>".to_vec())),
        ("/page/debug/heap", (200, "text/html", b"<html>".to_vec())),
        (
            "/page/debug/leaks",
            (200, "application/json", b"[1]".to_vec()),
        ),
        (
            "/cut/debug/heap",
            (200, "application/octet-stream", vec![0x1f, 0x8b, 8, 0]),
        ),
    ];
    let address = served(pages);
    let at = |prefix: &str| format!("{address}/{prefix}");
    for (arguments, code, part) in [
        (
            ["maps", &at("unauthorised")],
            3,
            "--token or HEAPLENS_TOKEN",
        ),
        (
            ["maps", &at("busy")],
            3,
            "/debug/maps: 503 too many\u{fffd}[2J connections",
        ),
        (["maps", &at("page")], 4, "did not answer as heaplens does"),
        (["leaks", &at("page")], 4, "did not answer as heaplens does"),
        (["top", &at("page")], 4, "(text/html) is no profile"),
        (["top", &at("cut")], 4, "cannot be unpacked"),
        (
            ["top", &at("missing")],
            3,
            "/debug/heap: 404 page not found",
        ),
        (
            ["leaks", &at("missing")],
            3,
            "verdicts come with newer versions",
        ),
    ] {
        heaplens(&arguments).assert_fault(code, part);
    }
}

#[test]
fn servers_that_misbehave() {
    let cut = serve(|stream| {
        path_of(&stream);
        answer(
            stream,
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this",
        );
    });
    heaplens(&["maps", &cut.to_string()]).assert_fault(3, "cut short");
    let other = serve(|stream| answer(stream, b"SSH-2.0-OpenSSH_9.2\r\n"));
    heaplens(&["maps", &other.to_string()]).assert_fault(3, "does not speak HTTP");
    let silent = serve(|mut stream| {
        // Until the client has had enough.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    heaplens(&["maps", &silent.to_string(), "--timeout", "1s"])
        .assert_fault(3, "no answer within 1 s");
    let closing = serve(|stream| {
        path_of(&stream);
        let _ = stream.shutdown(Shutdown::Both);
    });
    heaplens(&["maps", &closing.to_string()]).assert_fault(3, "does not speak HTTP");
    let endless = serve(|mut stream| {
        path_of(&stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let chunk = vec![b'x'; 1 << 20];
        while stream.write_all(&chunk).is_ok() {}
    });
    heaplens(&["maps", &endless.to_string()]).assert_fault(3, "more than 128 MiB");
}

/// Much of nothing: a small file that unpacks to more than may be taken.
#[test]
fn bombs_are_refused() {
    let bomb = heaplens_profile::pprof::compress(&vec![0; 80 << 20]);
    let page = (200, "application/octet-stream", bomb.clone());
    let address = served(vec![("/debug/heap", page)]).to_string();
    heaplens(&["top", &address]).assert_fault(4, "takes more than");
    heaplens_reading(&bomb, &["top", "-"]).assert_fault(4, "takes more than");
    let folder = folder();
    std::fs::write(folder.path().join("bomb"), bomb).expect("a file");
    let checked = heaplens_in(folder.path(), &["check", "bomb"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.text().contains("of bounded size"), "{checked:?}");
}

#[test]
fn files_that_break_a_rule() {
    let folder = folder();
    let broken = |change: fn(&mut heaplens_profile::proto::Profile)| {
        let mut message = message();
        change(&mut message);
        heaplens_profile::pprof::compress(&message.encode_to_vec())
    };
    for (name, bytes, rule) in [
        ("empty", Vec::new(), "not empty"),
        ("page", b"<html></html>".to_vec(), "wire types"),
        ("half", broken(|_| ())[..60].to_vec(), "whole gzip file"),
        (
            "id",
            broken(|of| of.location[0].id = 0),
            "a location has the id 0",
        ),
        (
            "values",
            broken(|of| of.sample[0].value.truncate(1)),
            "as many values as types",
        ),
        (
            "index",
            broken(|of| of.function[0].name = 9999),
            "string index in range",
        ),
        (
            "mapping",
            broken(|of| of.mapping[0].memory_limit = 0),
            "mappings are not empty",
        ),
    ] {
        std::fs::write(folder.path().join(name), bytes).expect("a file");
        let done = heaplens_in(folder.path(), &["check", name]);
        assert_eq!(done.code, Some(1), "{name}: {done:?}");
        assert!(
            done.text().contains("not valid") && done.text().contains(rule),
            "{name}: {done:?}"
        );
        let told = heaplens_in(folder.path(), &["check", name, "--json"]).json();
        assert_eq!(told["valid"], false, "{name}");
    }
    // Of one service, the other way round: values fall. By themselves both are fine.
    let series = heaplens_in(folder.path(), &["check", "--series", "b.pb.gz", "a.pb.gz"]);
    assert_eq!(series.code, Some(1), "{series:?}");
    assert!(
        series.text().contains("cumulative values never fall"),
        "{series:?}"
    );
    heaplens_in(folder.path(), &["check", "b.pb.gz", "a.pb.gz"]).fine();
    // What is lost only is a remark, unless one wants to hear of it.
    std::fs::write(folder.path().join("odd"), broken(|of| of.time_nanos = 0)).expect("a file");
    assert!(
        heaplens_in(folder.path(), &["check", "odd"])
            .fine()
            .contains("valid, with remarks")
    );
    assert_eq!(
        heaplens_in(folder.path(), &["check", "odd", "--strict"]).code,
        Some(1)
    );
    heaplens_in(folder.path(), &["check", "missing"]).assert_fault(4, "cannot read missing");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is read, there is an end, a documented code, and no panic.
    #[test]
    fn no_bytes_do_harm(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "[{\\[\"a-z:,0-9 ;\n}\\]]{0,200}".prop_map(String::into_bytes),
            (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| {
                let mut bytes = message().encode_to_vec();
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes
            }),
        ],
        command in prop::sample::select(vec![&["top", "-"][..], &["convert", "-", "--to", "speedscope"], &["check", "-"], &["top", "-", "--json", "--by", "file"]]),
    ) {
        let done = heaplens_reading(&bytes, command);
        prop_assert!(matches!(done.code, Some(0 | 1 | 4)), "{done:?}");
        prop_assert!(!done.err.contains("panicked"), "{done:?}");
    }
}
