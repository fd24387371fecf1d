//! An agent in a program that has run out of file descriptors. Alone in its
//! program, because the limit is the process's.

mod common;

use std::fs::{self, File};
use std::io::Write as _;

use common::{Response, agent, connect};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn it_waits_until_there_are_some_again() {
    let (agent, address) = agent();
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let highest = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    setrlimit(Resource::RLIMIT_NOFILE, highest + 8, hard).unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    // One for the client, none for the agent's end.
    drop(taken.pop());
    let mut stream = connect(address);
    assert!(File::open("/dev/null").is_err(), "there is none left");
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    drop(taken);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
    assert_eq!(Response::read(stream).status, 200);
    drop(agent);
}
