//! More than one agent, and agents within other runtimes.

mod common;

use common::{agent, get};
use heaplens::Agent;

#[test]
fn two_agents_on_two_ports() {
    let ((first, one), (second, two)) = (agent(), agent());
    assert_ne!(one, two);
    for address in [one, two] {
        assert_eq!(get(address, "/healthz").status, 200);
    }
    drop(first);
    assert_eq!(get(two, "/healthz").status, 200);
    drop(second);
}

#[test]
fn an_agent_may_be_started_and_dropped_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (agent, address) = agent();
        assert_eq!(get(address, "/healthz").status, 200);
        let taken = Agent::builder().listen(address.to_string()).start();
        assert!(taken.is_err());
        drop(agent);
    });
}

#[test]
fn the_address_is_free_again_after_the_drop() {
    let (first, address) = agent();
    drop(first);
    let again = Agent::builder().listen(address.to_string()).start();
    assert_eq!(again.unwrap().local_addr(), Some(address));
}
