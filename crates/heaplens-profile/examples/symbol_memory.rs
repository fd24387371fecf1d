//! What symbolizing takes: time, and memory at its peak and afterwards.
//!
//! `scripts/measure-symbols` makes a library with much debug information and
//! runs this with it preloaded: `symbol_memory LIBRARY ADDRESSES`.
//!
//! Memory is the anonymous resident memory of the process (`RssAnon`), looked
//! at every half millisecond. Pages of the mapped file itself do not count:
//! they are the kernel's page cache, which it takes back as it needs.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use heaplens_alloc::{Counters, Site, Snapshot, Stack, StackKind, Tally};
use heaplens_profile::{Mappings, Profile, Symbolizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(library), Some(count)) = (arguments.next(), arguments.next()) else {
        return Err("usage: symbol_memory LIBRARY ADDRESSES, with LIBRARY preloaded".into());
    };
    let count: u64 = count.parse()?;
    let mappings = Mappings::of_current_process()?;
    let mapping = mappings
        .iter()
        .find(|of| of.path == library)
        .ok_or_else(|| format!("{library} is not mapped: start this with LD_PRELOAD={library}"))?;
    // Evenly spread, so that every part of the library is asked of.
    let step = (mapping.limit - mapping.start) / count;
    let addresses = (0..count).map(|index| mapping.start + index * step + 1);
    let snapshot = snapshot(addresses.collect());

    let mut symbolizer = Symbolizer::new();
    let before = anonymous();
    let (cold, profile, peak) =
        watched(|| Profile::new(&snapshot, &mappings, Some(&mut symbolizer)));
    let named = profile.locations.iter().filter(|of| !of.lines.is_empty());
    let lined = named
        .clone()
        .filter(|of| of.lines.iter().all(|line| line.line > 0));
    let inlined = named.clone().filter(|of| of.lines.len() > 1);
    println!(
        "{count} addresses: {} named, {} with lines, {} with inlined functions, {} functions",
        named.clone().count(),
        lined.count(),
        inlined.count(),
        profile.functions.len()
    );
    let distinct: HashSet<&str> = profile
        .functions
        .iter()
        .map(|of| of.name.as_str())
        .collect();
    println!("distinct names: {}", distinct.len());
    drop(profile);
    symbolizer.close_files();
    let kept = anonymous();
    let (again, profile, _) = watched(|| Profile::new(&snapshot, &mappings, Some(&mut symbolizer)));
    drop((profile, symbolizer));
    println!("cold: {:.0} ms", cold.as_secs_f64() * 1e3);
    println!(
        "warm, with files closed between: {:.1} ms",
        again.as_secs_f64() * 1e3
    );
    println!("peak: {}", mebibytes(before, peak));
    println!("kept with files closed: {}", mebibytes(before, kept));
    println!("afterwards: {}", mebibytes(before, anonymous()));
    Ok(())
}

/// A block in use at each address.
fn snapshot(addresses: Vec<u64>) -> Snapshot {
    let mut tally = Tally::default();
    tally.record(64, 1);
    let stacks: Vec<Stack> = addresses
        .into_iter()
        .map(|address| Stack::new(vec![address], StackKind::Captured))
        .collect();
    let sites = (0..stacks.len()).map(|stack| Site::new(stack, 64, tally, tally));
    let (now, sites) = (SystemTime::now(), sites.collect());
    Snapshot::from_parts(now, now, Counters::default(), stacks, sites)
}

/// Runs `work` and tells its time, its result, and the peak of memory in bytes.
fn watched<T>(work: impl FnOnce() -> T) -> (Duration, T, u64) {
    let (over, peak) = (AtomicBool::new(false), AtomicU64::new(anonymous()));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(anonymous(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_micros(500));
            }
        });
        let begun = Instant::now();
        let result = work();
        let time = begun.elapsed();
        over.store(true, Ordering::Relaxed);
        (time, result, peak.load(Ordering::Relaxed))
    })
}

/// Resident anonymous bytes of this process.
fn anonymous() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn mebibytes(before: u64, after: u64) -> String {
    format!(
        "{:.1} MiB",
        after.saturating_sub(before) as f64 / f64::from(1 << 20)
    )
}
