//! What an agent does while nobody asks. Alone in its program, where all reports
//! are this agent's.

mod common;

use std::sync::{Arc, mpsc};

use common::{PATIENCE, get};
use heaplens::Agent;
use heaplens::maps::{self, Figures};

#[test]
fn an_agent_keeps_the_clock_and_the_rates_going() {
    // What records the history makes reports too.
    let builder = Agent::builder().listen("127.0.0.1:0").history_bytes(0);
    let agent = builder.start().unwrap();
    let address = agent.local_addr().unwrap();
    let mut map = heaplens::TrackedHashMap::named("clocked");
    map.insert(1, 1);
    let (asked, asking) = mpsc::channel();
    let probed = Arc::new(());
    maps::probe_with("asked", &probed, move |()| {
        // Whoever does not listen any more has seen enough.
        let _ = asked.send(());
        Some(Figures::of_entries(1))
    });
    // Two reports that nobody asked for; by the second there is a rate.
    for _ in 0..2 {
        asking.recv_timeout(PATIENCE).unwrap();
    }
    drop(asking);
    let answer = get(address, "/debug/maps/clocked");
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert!(
        document["last_insert_at_seconds"].is_number(),
        "{document:#}"
    );
    assert_eq!(document["growth_entries_per_second"], 0.0, "{document:#}");
    drop((map, probed, agent));
}
