//! How the service ends.

use std::net::TcpListener;

use nix::sys::signal::Signal;

use crate::curl;
use crate::process::Process;
use crate::service::{Service, Setup, command};

#[test]
#[ignore = "needs the release build: run scripts/test"]
fn an_interrupt_ends_it_well_under_load() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut service = Service::start(&Setup::default());
        service.wait_for_bytes("sessions", 1 << 20);
        service.process.signal(signal);
        let status = service.process.wait();
        assert_eq!(
            status.code(),
            Some(0),
            "{signal}: {}",
            service.process.log()
        );
        let log = service.process.log();
        assert!(log.contains(" 0 failed"), "{signal}: {log}");
        assert!(
            curl::try_get(&service.at("/healthz"), &["--max-time", "5"]).is_err(),
            "{signal}: the agent still answers"
        );
    }
}

#[test]
#[ignore = "needs the release build: run scripts/test"]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for setup in [
        Setup {
            listen: address.clone(),
            ..Setup::default()
        },
        Setup {
            service: address.clone(),
            ..Setup::default()
        },
    ] {
        let log = refusal(&setup);
        assert!(log.contains(&address), "{address} is not named in {log:?}");
    }
}

/// An address that others reach is not opened without a token.
#[test]
#[ignore = "needs the release build: run scripts/test"]
fn an_open_address_is_refused() {
    let log = refusal(&Setup {
        listen: "0.0.0.0:0".to_owned(),
        ..Setup::default()
    });
    assert!(log.contains("0.0.0.0:0") && log.contains("token"), "{log}");
}

/// What it says when it does not start, which is not to be a panic.
fn refusal(setup: &Setup) -> String {
    let mut process = Process::start("leaky-service", &mut command(setup));
    let status = process.wait();
    let log = process.log();
    assert!(
        status.code().is_some_and(|code| code != 0),
        "{setup:?}: {status}: {log}"
    );
    assert!(!log.contains("panicked"), "{setup:?}: {log}");
    log
}
