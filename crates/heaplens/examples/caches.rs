//! Three caches with bounds of three kinds, and a map that was large once.
//!
//! ```sh
//! cargo run --release -p heaplens --features cache --example caches -- 127.0.0.1:6061 60
//! ```
//!
//! The arguments are the agent's address (default `127.0.0.1:6061`) and after how
//! many seconds it ends (default: never). What the caches hold, what leaves them
//! and why is at `/debug/maps?format=text` and `/metrics`.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher;
use std::thread;
use std::time::{Duration, Instant};

use heaplens::{Agent, Alloc, TrackedCache, TrackedHashMap};

#[global_allocator]
static ALLOC: Alloc = Alloc::new();

/// Between two rounds of requests.
const PAUSE: Duration = Duration::from_millis(20);
const REQUESTS: u64 = 40;

struct Caches {
    /// Bounded by entries: those that are used least leave.
    pages: TrackedCache<u64, String>,
    /// Bounded by age.
    tokens: TrackedCache<u64, String>,
    /// Bounded by bytes.
    thumbnails: TrackedCache<u64, Vec<u8>>,
}

impl Caches {
    fn new() -> Self {
        Self {
            pages: TrackedCache::named("pages", 5_000),
            tokens: TrackedCache::builder("tokens")
                .time_to_live(Duration::from_secs(5))
                .build(),
            thumbnails: TrackedCache::builder("thumbnails")
                .max_weight(8 << 20, |_, image: &Vec<u8>| {
                    u32::try_from(image.len()).unwrap_or(u32::MAX)
                })
                .build(),
        }
    }

    /// One request. Small keys are asked for more often than large ones.
    fn request(&self, random: u64) {
        let key = (random % 200) * (random >> 32 & 0xff);
        self.pages
            .get_with(key, || format!("page {key}").repeat(100));
        self.tokens.get_with(key, || format!("token {key}"));
        let length = 4096 + usize::try_from(key % 28_672).unwrap_or_default();
        self.thumbnails.get_with(key, || vec![0; length]);
        match random % 100 {
            // Signed out.
            0..10 => self.tokens.invalidate(&key),
            // Written anew.
            10..20 => self.pages.insert(key, format!("edited {key}").repeat(100)),
            _ => {}
        }
    }
}

/// Its table keeps the size that the rush needed.
fn after_the_rush() -> TrackedHashMap<u64, u64> {
    let mut orders = TrackedHashMap::named("orders");
    orders.extend((0..100_000).map(|order| (order, order)));
    orders.retain(|order, _| order % 100 == 0);
    orders
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or("127.0.0.1:6061".to_owned());
    let duration = match arguments.next() {
        Some(seconds) => Duration::from_secs(seconds.parse()?),
        None => Duration::MAX,
    };
    let agent = Agent::builder().listen(&listen).start()?;
    let address = agent.local_addr().ok_or("the agent has no address")?;
    println!("caches: http://{address}/debug/maps?format=text");

    let orders = after_the_rush();
    let caches = Caches::new();
    let (start, hasher) = (Instant::now(), RandomState::new());
    let mut round = 0;
    while start.elapsed() < duration {
        for request in 0..REQUESTS {
            caches.request(hasher.hash_one((round, request)));
        }
        round += 1;
        thread::sleep(PAUSE);
    }
    println!("caches: {} orders left", orders.len());
    Ok(())
}
