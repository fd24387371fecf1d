//! Snapshots to make profiles of.
#![allow(dead_code, reason = "each test binary uses some of it")]

pub(crate) mod library;
pub(crate) mod named;
pub(crate) mod tool;

use std::time::{Duration, SystemTime};

use heaplens_alloc::{Counters, Site, Snapshot, Stack, StackKind, Tally};

/// Go's default mean interval.
pub(crate) const INTERVAL: u64 = 512 * 1024;

/// 2026-11-22T20:29:00.25Z.
pub(crate) fn some_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_795_379_340, 250_000_000)
}

/// `count` samples of `size` bytes, drawn at [`INTERVAL`].
pub(crate) fn tally(size: u64, count: u64) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..count {
        tally.record(size, INTERVAL);
    }
    tally
}

pub(crate) fn captured(frames: &[u64]) -> Stack {
    Stack::new(frames.to_vec(), StackKind::Captured)
}

pub(crate) fn snapshot(stacks: Vec<Stack>, sites: Vec<Site>) -> Snapshot {
    let mut counters = Counters::default();
    counters.installed = true;
    counters.sample_interval = INTERVAL;
    counters.live_samples = sites.iter().map(|site| site.inuse.samples).sum();
    Snapshot::from_parts(some_time(), some_time(), counters, stacks, sites)
}

/// A program, a library and a library that lost its file.
pub(crate) const MAPS: &str = "\
55d0c0a00000-55d0c0a3f000 r--p 00000000 08:01 1311 /opt/svc/bin/svc
55d0c0a3f000-55d0c0b40000 r-xp 0003f000 08:01 1311 /opt/svc/bin/svc
55d0c0b40000-55d0c0b60000 rw-p 00140000 08:01 1311 /opt/svc/bin/svc
55d0c2000000-55d0c2021000 rw-p 00000000 00:00 0 [heap]
7f0010026000-7f001017c000 r-xp 00026000 08:01 77 /usr/lib/x86_64-linux-gnu/libc.so.6
7f0010300000-7f0010310000 r-xp 00001000 08:01 78 /opt/svc/lib/libfoo.so (deleted)
7ffd0a1d2000-7ffd0a1d4000 r-xp 00000000 00:00 0 [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
";

/// Places in the first executable mapping of [`MAPS`], its library, and none.
pub(crate) const IN_MAIN: u64 = 0x55d0_c0a4_0000;
pub(crate) const IN_LIBC: u64 = 0x7f00_1003_0000;
pub(crate) const NOWHERE: u64 = 0x1_0000;
