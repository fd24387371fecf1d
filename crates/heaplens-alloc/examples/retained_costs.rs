//! What a what-if drop costs: the pause of the caller, the child's time, and memory.
//!
//! Maps of sessions of several sizes, each asked a few times; the figures are those that
//! the answer publishes, the resident set and the caller's time are the kernel's. Run it
//! by `scripts/measure-retained`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use heaplens_alloc::retained::{Limits, RetainedError, start};
use heaplens_alloc::{Alloc, allow_what_if};

#[global_allocator]
static ALLOC: Alloc = Alloc::new();

const ROUNDS: usize = 7;

/// A session such as services keep: some thirteen blocks.
struct Session {
    _name: String,
    _tags: Vec<String>,
    _scores: BTreeMap<u32, String>,
    _nested: HashMap<u32, Vec<u8>>,
    _shared: Arc<[u8]>,
    _callback: Box<dyn Fn() -> usize>,
}

fn session(number: usize, shared: &Arc<[u8]>) -> Session {
    let captured = vec![number as u8; 100 + number % 700];
    Session {
        _name: "n".repeat(1 + number % 90),
        _tags: (0..3).map(|tag| format!("tag {tag}")).collect(),
        _scores: (0..3).map(|key| (key, key.to_string())).collect(),
        _nested: [(7, vec![7; 64])].into(),
        _shared: Arc::clone(shared),
        _callback: Box::new(move || captured.len()),
    }
}

fn resident_gib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kib: f64 = number.and_then(|number| number.parse().ok()).unwrap_or(0.0);
    kib / f64::from(1 << 20)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn measure(count: usize) -> Result<(), RetainedError> {
    let shared: Arc<[u8]> = vec![0u8; 1 << 20].into();
    let map: HashMap<usize, Session> = (0..count)
        .map(|number| (number, session(number, &shared)))
        .collect();
    let limits = Limits::default().with_time(Duration::from_secs(60));
    let (mut pauses, mut cpu, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let (mut faults, mut last) = (0, None);
    for _ in 0..ROUNDS {
        let answer = start(&map, limits)?.finish()?;
        pauses.push(answer.pause.as_secs_f64() * 1e3);
        cpu.push(answer.child_cpu.as_nanos() as f64 / count as f64);
        whole.push(answer.duration.as_secs_f64() * 1e3);
        faults = answer.child_faults.max(faults);
        last = Some(answer);
    }
    let Some(last) = last else { return Ok(()) };
    let gib = resident_gib();
    let shortest = pauses.iter().copied().fold(f64::INFINITY, f64::min);
    let (pause, cpu) = (median(pauses), median(cpu));
    row([
        count.to_string(),
        last.bytes.to_string(),
        last.blocks.to_string(),
        format!("{gib:.2}"),
        format!("{pause:.2}"),
        format!("{:.1}", pause / gib),
        format!("{:.1}", shortest / gib),
        format!("{cpu:.0}"),
        format!("{:.1}", cpu * count as f64 / last.blocks as f64),
        faults.to_string(),
        format!("{:.1}", median(whole)),
        last.sampled.totals().inuse.samples.to_string(),
    ]);
    Ok(())
}

fn row<T: std::fmt::Display>(cells: [T; 12]) {
    let cells = cells.map(|cell| format!("{cell:>10}"));
    println!("{}", cells.join(" "));
}

fn main() -> Result<(), RetainedError> {
    allow_what_if(true);
    println!(
        "medians of {ROUNDS} answers; \"shortest\" the shortest pause, faults the most of any"
    );
    row([
        "entries", "bytes", "blocks", "resident", "pause", "pause", "shortest", "child", "child",
        "faults", "answer", "samples",
    ]);
    row([
        "", "", "", "GiB", "ms", "ms/GiB", "ms/GiB", "ns/entry", "ns/block", "", "ms", "",
    ]);
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        measure(count)?;
    }
    Ok(())
}
