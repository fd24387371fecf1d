//! What the tests share: the program itself, run as a person runs it, and a server
//! that gives recorded answers.
#![allow(dead_code, reason = "each test program uses a part of it")]

#[path = "../../../heaplens-profile/tests/common/named.rs"]
pub(crate) mod named;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use heaplens_profile::proto;
use prost::Message;

/// How a call ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Done {
    fn of(output: Output) -> Self {
        Done {
            code: output.status.code(),
            out: output.stdout,
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// What it printed, if it went well.
    #[track_caller]
    pub(crate) fn fine(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.text()
    }

    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("UTF-8")
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it ended by this code, with one clear line that has this part in it.
    #[track_caller]
    pub(crate) fn assert_fault(&self, code: i32, part: &str) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(
            self.err.starts_with("heaplens: ") && self.err.contains(part),
            "no {part:?} in {self:?}"
        );
        assert_eq!(self.err.lines().count(), 1, "{self:?}");
    }
}

/// The command, with nothing of our own environment in it.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heaplens"));
    for name in ["HEAPLENS_TOKEN", "NO_COLOR", "TERM"] {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

pub(crate) fn heaplens(arguments: &[&str]) -> Done {
    Done::of(command(arguments).output().expect("the program runs"))
}

/// The same in a folder, so that file names are short and always the same.
pub(crate) fn heaplens_in(folder: &Path, arguments: &[&str]) -> Done {
    Done::of(
        command(arguments)
            .current_dir(folder)
            .output()
            .expect("the program runs"),
    )
}

/// The same with something to read.
pub(crate) fn heaplens_reading(input: &[u8], arguments: &[&str]) -> Done {
    let mut child = command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may end before it has read all.
    let _ = stdin.write_all(input);
    drop(stdin);
    Done::of(child.wait_with_output().expect("an end"))
}

/// A profile of a service that is no other than this text: two maps, a leak.
pub(crate) fn message() -> proto::Profile {
    named::message(&[
        (
            &[
                "main",
                "svc::serve",
                "svc::sessions::open",
                "alloc::vec::Vec<T>::push",
            ],
            Some(("map", "sessions")),
            [0, 0, 5000, 52_428_800],
        ),
        (
            &[
                "main",
                "svc::serve",
                "svc::sessions::open",
                "alloc::vec::Vec<T>::push",
            ],
            None,
            [9000, 94_371_840, 10, 104_857],
        ),
        (
            &[
                "main",
                "svc::serve",
                "svc::report::render::{{closure}}",
                "alloc::fmt::format",
            ],
            None,
            [70_000, 7_340_032, 2, 2048],
        ),
        (
            &["main", "svc::cache::fill"],
            Some(("map", "größe")),
            [100, 1_048_576, 100, 1_048_576],
        ),
        (&["[truncated]"], None, [3, 4096, 1, 512]),
    ])
}

/// The same somewhat later.
pub(crate) fn later() -> proto::Profile {
    let mut message = message();
    message.sample[0].value = vec![0, 0, 9000, 94_371_840];
    message.sample[1].value = vec![13_000, 136_314_880, 10, 104_857];
    message.sample[3].value = vec![100, 1_048_576, 0, 0];
    message.time_nanos += 60_000_000_000;
    message
}

/// A folder with `a.pb.gz` and, a minute later, `b.pb.gz`.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, message) in [("a.pb.gz", message()), ("b.pb.gz", later())] {
        let bytes = heaplens_profile::pprof::compress(&message.encode_to_vec());
        std::fs::write(folder.path().join(name), bytes).expect("a file");
    }
    folder
}

/// What a page answers: status, content type, body.
pub(crate) type Recorded = (u16, &'static str, Vec<u8>);

/// Serves recorded answers by path, and 404 for anything else, for as long as the
/// tests run.
pub(crate) fn served(pages: Vec<(&'static str, Recorded)>) -> SocketAddr {
    serve(move |stream| {
        let path = path_of(&stream);
        let page = pages
            .iter()
            .find(|(known, _)| path.split('?').next() == Some(known));
        let missing = (
            404,
            "text/plain; charset=utf-8",
            b"404 page not found\n".to_vec(),
        );
        let (status, kind, body) = page.map_or(&missing, |(_, page)| page);
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        answer(stream, &[head.as_bytes(), body].concat());
    })
}

/// Has each connection dealt with by `handle`.
pub(crate) fn serve(handle: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || listener.incoming().flatten().for_each(handle));
    address
}

/// Reads the head of a request; its path.
pub(crate) fn path_of(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    first.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// Sends all of an answer; the client may have gone.
pub(crate) fn answer(mut stream: TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

pub(crate) fn recorded(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/recorded")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares with a file of `tests/golden`, or writes it where
/// `HEAPLENS_UPDATE_GOLDEN` is set.
#[track_caller]
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("HEAPLENS_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("a golden file");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{name} is not as expected; HEAPLENS_UPDATE_GOLDEN=1 accepts it. Expected:\n{expected}\nFound:\n{text}"
    );
}
