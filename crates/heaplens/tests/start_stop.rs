//! Starting and stopping leaves nothing behind. Alone in its program, because
//! it counts the process's threads and file descriptors.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{agent, get};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Names of this process's threads, with their masks of blocked signals.
fn threads() -> BTreeMap<u32, (String, u64)> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/task").unwrap() {
        let entry = entry.unwrap();
        // A thread may end while we look.
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else {
            continue;
        };
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_once(':').unwrap().1.trim().to_owned()
        };
        let mask = u64::from_str_radix(&field("SigBlk"), 16).unwrap();
        let id = entry.file_name().to_str().unwrap().parse().unwrap();
        threads.insert(id, (field("Name"), mask));
    }
    threads
}

/// All signals but SIGKILL and SIGSTOP, which cannot be blocked, and the two
/// that glibc keeps for itself.
const ALL_SIGNALS: u64 = !(1 << (9 - 1) | 1 << (19 - 1) | 1 << (32 - 1) | 1 << (33 - 1));

#[test]
fn nothing_is_left_behind() {
    // The first round initialises what stays: lazy statics and the like.
    let (first, address) = agent();
    assert_eq!(get(address, "/debug/pprof/heap").status, 200);
    drop(first);
    let (files, before) = (descriptors(), threads().len());
    for round in 0..100 {
        let (agent, address) = agent();
        let target = if round % 20 == 0 {
            "/debug/pprof/heap"
        } else {
            "/metrics"
        };
        assert_eq!(get(address, target).status, 200, "round {round}");
        let ours: Vec<_> = threads()
            .into_values()
            .filter(|(name, _)| name.starts_with("heaplens"))
            .collect();
        assert!(ours.len() >= 2, "the agent and its worker: {ours:?}");
        for (name, mask) in ours {
            // glibc's own two are blocked as well while a thread starts.
            assert_eq!(mask & ALL_SIGNALS, ALL_SIGNALS, "signals blocked in {name}");
        }
        drop(agent);
        assert_eq!(descriptors(), files, "file descriptors, round {round}");
    }
    // A joined thread may still be listed for a moment.
    let begun = std::time::Instant::now();
    while threads().len() > before {
        assert!(begun.elapsed() < common::PATIENCE, "{:?}", threads());
        std::thread::yield_now();
    }
}
