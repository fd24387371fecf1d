//! What verdicts cost: 200 groups of maps and 10,000 call stacks with 80,000 live samples, of
//! which nothing grows, or everything. Run it by `scripts/measure-verdicts`.
//!
//! The agent's beats come one after the other as fast as they can, in a time of their own, in
//! which each is a tick of the standard windows after the last: so a day is over in a minute.
//! What its threads take of a core meanwhile is what the kernel says; divided by the time that
//! would have passed it is the share of a core that verdicts take.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use heaplens::leaks::Windows;
use heaplens::{Agent, TrackedHashMap};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new()
    .sample_interval(INTERVAL)
    .max_overhead_ppm(0)
    .memory_budget(64 << 20);

/// Nearly each of the blocks is sampled, and hardly any entry of a map.
const INTERVAL: u64 = 64 << 10;
const BLOCK: usize = 256 << 10;
/// Of each stack, at the start.
const BLOCKS: usize = 16;
/// Stacks of each call site.
const STACKS: u32 = 26;
const MAPS: usize = 200;
const ENTRIES: u64 = 2000;

/// Never written to: they take address space, and no memory.
type Block = Vec<u8>;

macro_rules! sites {
    ($($outer:ident)+) => {
        $(mod $outer { inner!(a b c d e f g h i j k l m n); })+
        /// Functions that allocate.
        const SITES: &[fn(u32, usize) -> crate::Block] = &[$(
            $outer::a::keep, $outer::b::keep, $outer::c::keep, $outer::d::keep, $outer::e::keep,
            $outer::f::keep, $outer::g::keep, $outer::h::keep, $outer::i::keep, $outer::j::keep,
            $outer::k::keep, $outer::l::keep, $outer::m::keep, $outer::n::keep,
        )+];
    };
}

macro_rules! inner {
    ($($inner:ident)+) => {
        $(pub(crate) mod $inner {
            #[inline(never)]
            pub(crate) fn keep(path: u32, bytes: usize) -> crate::Block {
                if path > 1 {
                    let turn = if path % 2 == 0 { left } else { right };
                    std::hint::black_box(turn(path / 2, bytes))
                } else {
                    std::hint::black_box(Vec::with_capacity(bytes))
                }
            }

            #[inline(never)]
            fn left(path: u32, bytes: usize) -> crate::Block {
                std::hint::black_box(keep(path, bytes))
            }

            #[inline(never)]
            fn right(path: u32, bytes: usize) -> crate::Block {
                // Or the compiler makes one function of both.
                std::hint::black_box(1);
                std::hint::black_box(keep(path, bytes))
            }
        })+
    };
}

sites!(a b c d e f g h i j k l m n);

/// The agent's time: the number of its beats so far.
struct Beats {
    begun: SyncSender<()>,
    go_on: Receiver<()>,
    seen: Vec<Instant>,
}

impl Beats {
    fn time(&mut self, moment: Instant) -> u32 {
        let is_new = self.seen.last().is_none_or(|last| moment > *last);
        if is_new && self.begun.send(()).is_ok() && self.go_on.recv().is_ok() {
            self.seen.push(moment);
        }
        self.seen.partition_point(|beat| *beat <= moment) as u32
    }
}

/// What is held.
struct Heap {
    blocks: Vec<Block>,
    maps: Vec<TrackedHashMap<u64, [u8; 256]>>,
    next: u64,
    beat: usize,
}

impl Heap {
    fn new() -> Self {
        let paths = STACKS..2 * STACKS;
        let blocks = SITES.iter().flat_map(|keep| {
            let paths = paths.clone();
            paths.flat_map(move |path| (0..BLOCKS).map(move |_| keep(path, BLOCK)))
        });
        // Names are there for good, as they are in programs.
        let name = |number| &*Box::leak(format!("group {number}").into_boxed_str());
        let maps = (0..MAPS).map(|number| TrackedHashMap::named(name(number)));
        let mut heap = Heap {
            blocks: blocks.collect(),
            maps: maps.collect(),
            next: 0,
            beat: 0,
        };
        heap.grow_maps(ENTRIES);
        heap
    }

    /// Of the blocks as they are after so many rounds of growth.
    fn one_of_each(step: usize) -> Vec<Block> {
        let paths = || STACKS..2 * STACKS;
        let keep = SITES
            .iter()
            .flat_map(|keep| paths().map(move |path| (keep, path)));
        keep.map(|(keep, path)| keep(path, larger(step))).collect()
    }

    fn grow_maps(&mut self, entries: u64) {
        for map in &mut self.maps {
            map.extend((self.next..self.next + entries).map(|key| (key, [0; 256])));
        }
        self.next += entries;
    }

    /// By so much that it matters within half an hour. Of each site one block becomes larger,
    /// so that there are no more samples than before.
    fn grow(&mut self) {
        self.grow_maps(40);
        let of_site = STACKS as usize * BLOCKS;
        let place = self.beat % of_site;
        let bytes = larger(self.beat / of_site + 1);
        self.beat += 1;
        let sites = self.blocks.chunks_mut(of_site).zip(SITES);
        for (blocks, keep) in sites {
            if let Some(block) = blocks.get_mut(place) {
                *block = keep(STACKS + (place / BLOCKS) as u32, bytes);
            }
        }
    }
}

/// Bytes of a block after so many rounds of growth.
fn larger(step: usize) -> usize {
    BLOCK + step * (64 << 10)
}

/// Processor time that the agent's threads have taken.
fn agent_time() -> Duration {
    let Ok(threads) = fs::read_dir("/proc/self/task") else {
        return Duration::ZERO;
    };
    let times = threads.flatten().filter_map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        let statistics = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanos = statistics.split(' ').next()?.parse().ok()?;
        name.starts_with("heaplens")
            .then(|| Duration::from_nanos(nanos))
    });
    times.sum()
}

/// So many beats; returns the processor time of one.
fn run(
    beats: u32,
    begun: &Receiver<()>,
    go_on: &SyncSender<()>,
    mut work: impl FnMut(),
) -> Duration {
    let mut before = Duration::ZERO;
    for beat in 0..=beats {
        // The agent waits here, and takes nothing.
        if begun.recv().is_err() {
            break;
        }
        if beat == 0 {
            before = agent_time();
        }
        if beat == beats {
            let taken = agent_time().saturating_sub(before);
            let _ = go_on.send(());
            return taken / beats;
        }
        work();
        let _ = go_on.send(());
    }
    Duration::ZERO
}

/// What the series take, by `/debug/history`.
fn series_bytes(address: SocketAddr) -> Result<u64, Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(address)?;
    let head = "GET /debug/history HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let document: serde_json::Value = serde_json::from_str(body)?;
    let bytes = document["memory"]["series_bytes"].as_u64();
    Ok(bytes.ok_or("no series_bytes in /debug/history")?)
}

fn say(what: &str, of_beat: Duration, tick: Duration) {
    let share = of_beat.as_secs_f64() / tick.as_secs_f64();
    println!(
        "{what:<34} {:>8.2} ms each {} s: {:.3} % of a core",
        of_beat.as_secs_f64() * 1e3,
        tick.as_secs(),
        100.0 * share
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut heap = Heap::new();
    let (begun_there, begun) = sync_channel(0);
    let (go_on, go_on_there) = sync_channel(0);
    let beats = Mutex::new(Beats {
        begun: begun_there,
        go_on: go_on_there,
        seen: Vec::new(),
    });
    let tick = Windows::standard().tick();
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .history_beat(Duration::from_millis(1), Duration::from_secs(86_400))
        .verdict_clock(move |moment| {
            let mut beats = beats
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            tick * beats.time(moment)
        })
        .start()?;
    let counters = heaplens::counters();
    println!(
        "{} call stacks, {} live samples, {} groups of maps",
        counters.sites,
        counters.live_samples,
        heap.maps.len()
    );
    // Names are found once, and are no part of this: nor are those of the sizes that come.
    let larger: Vec<Block> = (1..=2).flat_map(Heap::one_of_each).collect();
    run(400, &begun, &go_on, || {});
    drop(larger);
    say("nothing grows", run(400, &begun, &go_on, || {}), tick);
    run(400, &begun, &go_on, || heap.grow());
    let of_beat = run(400, &begun, &go_on, || heap.grow());
    say("all maps and call sites grow", of_beat, tick);
    drop((begun, go_on));
    if let Some(address) = agent.local_addr() {
        println!(
            "series take {:.2} MiB",
            series_bytes(address)? as f64 / 1_048_576.0
        );
    }
    drop(agent);
    drop(heap);
    Ok(())
}
