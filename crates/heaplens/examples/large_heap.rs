//! A heap of ten thousand call sites in two hundred groups of maps that grow: by it is
//! measured what the page at `/debug/` and its polls cost in a large program.
//!
//! ```sh
//! cargo run --release -p heaplens --example large_heap -- 127.0.0.1:6062 60
//! ```
//!
//! The arguments are the agent's address (default `127.0.0.1:6062`) and after how many
//! seconds it ends (default: never). It says when all is there.

use std::error::Error;
use std::hint::black_box;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use heaplens::maps::Group;
use heaplens::{Agent, Alloc, TrackedHashMap};

/// Each block is sampled, however long that takes.
#[global_allocator]
static ALLOC: Alloc = Alloc::new().max_overhead_ppm(0);

const SITES: usize = 10_000;
const GROUPS: usize = 200;
/// Of each site, at the start.
const BLOCKS: usize = 10;
/// Functions that all sites have in common with others, and those of each alone.
const SHARED: usize = 30;
const ALONE: usize = 6;

type Block = Vec<u8>;
type Function = fn(&[usize]) -> Block;

/// A function that calls the next of a path, and the last one allocates.
macro_rules! functions {
    ($($name:ident)*) => {
        pub(super) const ALL: [super::Function; 10] = [$($name),*];
        $(
            #[inline(never)]
            fn $name(path: &[usize]) -> super::Block {
                let block = match path.split_first() {
                    Some((next, rest)) => super::function(*next)(rest),
                    None => vec![1; 64],
                };
                // After the call, so that it is no jump; its own, so that no two functions
                // are one.
                std::hint::black_box(concat!(module_path!(), stringify!($name)));
                block
            }
        )*
    };
}

/// Modules with ten functions each: a hundred names.
macro_rules! modules {
    ($($name:ident)*) => {
        $(mod $name {
            functions!(parse route decode load merge index render cache store reply);
        })*
        const FUNCTIONS: [[Function; 10]; 10] = [$($name::ALL),*];
    };
}
modules!(accounts billing catalog delivery events fraud graph health images jobs);

fn function(number: usize) -> Function {
    FUNCTIONS[number / 10 % 10][number % 10]
}

/// By which functions a site is reached: those of its kind of request, two that tell it from
/// all others, and some of its own.
fn path(site: usize) -> Vec<usize> {
    let kind = site % 8;
    let shared = (0..SHARED).map(|level| kind * 37 + level * 13);
    let own = [site / 100, site % 100];
    let alone = (0..ALONE).map(|level| site % 100 * 7 + level * 11);
    shared.chain(own).chain(alone).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:6062".to_owned());
    let seconds = arguments.next().map(|text| text.parse()).transpose()?;
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));

    let interval = heaplens::sample_interval();
    let mut maps: Vec<TrackedHashMap<usize, Block>> = (0..GROUPS)
        .map(|number| TrackedHashMap::in_group(Group::named(format!("group-{number:03}"))))
        .collect();
    heaplens::set_sample_interval(1);
    for block in 0..BLOCKS {
        for site in 0..SITES {
            insert(&mut maps, site, block);
        }
    }
    heaplens::set_sample_interval(interval);
    let agent = Agent::builder().listen(&address).start()?;
    let address = agent.local_addr().map_or(address, |at| at.to_string());
    let sampled = heaplens::counters().live_samples;
    println!("http://{address}/debug/ with {sampled} live samples in {GROUPS} groups of maps");
    std::io::stdout().flush()?;

    for round in BLOCKS.. {
        for site in 0..GROUPS {
            insert(&mut maps, site, round);
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn insert(maps: &mut [TrackedHashMap<usize, Block>], site: usize, round: usize) {
    let map = &mut maps[site % GROUPS];
    let path = path(site);
    map.insert(
        round * SITES + site,
        function(path[0])(black_box(&path[1..])),
    );
}
