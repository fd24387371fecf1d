//! What an allocation and its release cost through Heaplens, beside plain jemalloc: both in one
//! process, in turn, a few milliseconds each.
//!
//! Programs of one allocator each differ by more than a profiler costs, for what else the processor
//! does meanwhile. Here both have the same jemalloc, the same thread and the same caches, and what
//! slows one down slows the other down. What remains is where the linker put the code: several
//! percent for so few instructions. `scripts/bench` runs it in several orders.
//!
//! `cargo bench -p heaplens-alloc --bench pairs` prints, for each kind of pair, the median of the
//! ratios of neighbouring stretches with its 95 % confidence interval: with sampling off, and at
//! the default interval and bound. `-- pair64 fifo`: only these; `-- --json`: a line of JSON for
//! each.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::time::{Duration, Instant};

use heaplens_alloc::{Alloc, DEFAULT_SAMPLE_INTERVAL, set_sample_interval};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOC: Alloc = Alloc::new();
static PLAIN: Jemalloc = Jemalloc;

const STRETCH: Duration = Duration::from_millis(5);
const STRETCHES: usize = 100;

/// What the compiler makes of a global allocator: functions out of line, of which their callers
/// know nothing.
#[derive(Clone, Copy)]
struct Shims {
    alloc: unsafe fn(usize, usize) -> *mut u8,
    alloc_zeroed: unsafe fn(usize, usize) -> *mut u8,
    dealloc: unsafe fn(*mut u8, usize, usize),
    realloc: unsafe fn(*mut u8, usize, usize, usize) -> *mut u8,
    /// Called before each allocation.
    is_there: fn(),
}

macro_rules! shims {
    ($allocator:ident) => {{
        #[inline(never)]
        unsafe fn alloc(size: usize, align: usize) -> *mut u8 {
            // SAFETY: by the caller's promise that they are a layout.
            unsafe { $allocator.alloc(layout(size, align)) }
        }

        #[inline(never)]
        unsafe fn alloc_zeroed(size: usize, align: usize) -> *mut u8 {
            // SAFETY: by the caller's promise that they are a layout.
            unsafe { $allocator.alloc_zeroed(layout(size, align)) }
        }

        #[inline(never)]
        unsafe fn dealloc(block: *mut u8, size: usize, align: usize) {
            // SAFETY: by the caller's promise that it is a block of that layout.
            unsafe { $allocator.dealloc(block, layout(size, align)) }
        }

        #[inline(never)]
        unsafe fn realloc(block: *mut u8, size: usize, align: usize, new: usize) -> *mut u8 {
            // SAFETY: by the caller's promise that it is a block of that layout.
            unsafe { $allocator.realloc(block, layout(size, align), new) }
        }

        #[inline(never)]
        fn is_there() {}

        Shims {
            alloc,
            alloc_zeroed,
            dealloc,
            realloc,
            is_there,
        }
    }};
}

impl Shims {
    /// # Safety
    /// They must be a valid layout; what comes back must be freed as that.
    unsafe fn obtain(&self, size: usize, align: usize) -> *mut u8 {
        (self.is_there)();
        // SAFETY: by the caller's promise.
        obtained(unsafe { (self.alloc)(size, align) })
    }
}

fn obtained(block: *mut u8) -> *mut u8 {
    assert!(!block.is_null(), "out of memory");
    black_box(block)
}

/// # Safety
/// They must be a valid layout.
unsafe fn layout(size: usize, align: usize) -> Layout {
    // SAFETY: by the caller's promise.
    unsafe { Layout::from_size_align_unchecked(size, align) }
}

#[inline(never)]
fn pairs<const SIZE: usize, const ALIGN: usize>(of: Shims, count: usize) {
    for _ in 0..count {
        // SAFETY: a valid layout, and the block is freed once, as what it is.
        unsafe {
            let block = of.obtain(SIZE, ALIGN);
            (of.dealloc)(block, SIZE, ALIGN);
        }
    }
}

#[inline(never)]
fn zeroed(of: Shims, count: usize) {
    for _ in 0..count {
        (of.is_there)();
        // SAFETY: as above.
        unsafe {
            let block = obtained((of.alloc_zeroed)(64, 8));
            (of.dealloc)(block, 64, 8);
        }
    }
}

#[inline(never)]
fn grown(of: Shims, count: usize) {
    for _ in 0..count {
        // SAFETY: as above; the new size is a layout too.
        unsafe {
            let block = of.obtain(64, 8);
            let block = obtained((of.realloc)(block, 64, 8, 128));
            (of.dealloc)(block, 128, 8);
        }
    }
}

const BATCH: usize = 256;

/// Batches of blocks of 16 to 1024 bytes, freed in this order.
fn batches(of: Shims, count: usize, order: fn(usize) -> usize) {
    let size = |at: usize| 16 << (at % 7);
    let mut blocks = [std::ptr::null_mut(); BATCH];
    for _ in 0..count.div_ceil(BATCH) {
        for (at, block) in blocks.iter_mut().enumerate() {
            // SAFETY: a valid layout; freed below.
            *block = unsafe { of.obtain(size(at), 8) };
        }
        for at in (0..BATCH).map(order) {
            // SAFETY: it was allocated so above, and is freed once: an order has each once.
            unsafe { (of.dealloc)(blocks[at], size(at), 8) };
        }
    }
}

/// Last in, first out.
#[inline(never)]
fn lifo(of: Shims, count: usize) {
    batches(of, count, |at| BATCH - 1 - at);
}

/// First in, first out.
#[inline(never)]
fn fifo(of: Shims, count: usize) {
    batches(of, count, |at| at);
}

/// Batches of blocks of 1 to 8 bytes, freed in no order: half of them lie where sampled blocks of
/// other sizes would.
#[inline(never)]
fn tiny(of: Shims, count: usize) {
    let size = |at: usize| 1 + at % 8;
    let mut blocks = [std::ptr::null_mut(); BATCH];
    let mut random = 1u32;
    for _ in 0..count.div_ceil(BATCH) {
        for (at, block) in blocks.iter_mut().enumerate() {
            // SAFETY: a valid layout; freed below.
            *block = unsafe { of.obtain(size(at), 1) };
        }
        // Each place once: an odd factor permutes them.
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (factor, start) = ((random >> 8) as usize | 1, (random >> 16) as usize);
        for at in (0..BATCH).map(|at| (at * factor + start) % BATCH) {
            // SAFETY: it was allocated so above, and is freed once.
            unsafe { (of.dealloc)(blocks[at], size(at), 1) };
        }
    }
}

type Work = fn(Shims, usize);

const WORK: [(&str, Work); 9] = [
    ("tiny", tiny),
    ("pair8", pairs::<8, 8>),
    ("pair64", pairs::<64, 8>),
    ("aligned64", pairs::<64, 16>),
    ("zeroed64", zeroed),
    ("grown64", grown),
    ("pair8k", pairs::<8192, 8>),
    ("lifo", lifo),
    ("fifo", fifo),
];

/// Nanoseconds for one of so many.
fn time(work: Work, of: Shims, count: usize) -> f64 {
    let begun = Instant::now();
    work(black_box(of), count);
    begun.elapsed().as_nanos() as f64 / count as f64
}

/// How many take about as long as a stretch.
fn count_of(work: Work, of: Shims) -> usize {
    let probe = 100_000;
    time(work, of, probe);
    let one = time(work, of, probe).max(0.1);
    ((STRETCH.as_nanos() as f64 / one) as usize).max(1)
}

struct Measured {
    /// Of one pair under the plain allocator.
    nanos: f64,
    ratio: f64,
    low: f64,
    high: f64,
}

fn measure(work: Work) -> Measured {
    let (of_plain, of_profiled) = (shims!(PLAIN), shims!(ALLOC));
    let count = count_of(work, of_plain);
    // The profiler finds its pace, and what it reads first.
    for _ in 0..4 {
        time(work, of_profiled, count);
    }
    let (mut plain, mut ratios) = (Vec::new(), Vec::new());
    for stretch in 0..STRETCHES {
        // Each is first as often as the other.
        let (first, second) = if stretch % 2 == 0 {
            (of_plain, of_profiled)
        } else {
            (of_profiled, of_plain)
        };
        let mut times = [time(work, first, count), time(work, second, count)];
        if stretch % 2 == 1 {
            times.reverse();
        }
        plain.push(times[0]);
        ratios.push(times[1] / times[0]);
    }
    plain.sort_by(f64::total_cmp);
    ratios.sort_by(f64::total_cmp);
    let at = |list: &[f64], at: usize| list.get(at).copied().unwrap_or(f64::NAN);
    // The order statistics that hold the median with 95 %: n/2 ± 0.98 √n.
    let off = (0.98 * (STRETCHES as f64).sqrt()).ceil() as usize;
    Measured {
        nanos: at(&plain, STRETCHES / 2),
        ratio: at(&ratios, STRETCHES / 2),
        low: at(&ratios, (STRETCHES / 2).saturating_sub(off + 1)),
        high: at(&ratios, STRETCHES / 2 + off),
    }
}

impl Measured {
    fn text(&self) -> String {
        format!("{:.3} ({:.3}–{:.3})", self.ratio, self.low, self.high)
    }
}

fn main() {
    // As cargo passes them on: its own `--bench`, and what follows `--`.
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_json = words.iter().any(|word| word == "--json");
    let named: Vec<&String> = words
        .iter()
        .filter(|word| !word.starts_with("--"))
        .collect();
    if let Some(unknown) = named
        .iter()
        .find(|name| !WORK.iter().any(|of| of.0 == **name))
    {
        let known = WORK.map(|of| of.0).join(" ");
        eprintln!("no pair {unknown:?}; there are {known}");
        std::process::exit(2);
    }
    if !is_json {
        println!(
            "ratio of the time of a pair to that under plain jemalloc, in one process in turn\n"
        );
        println!(
            "{:<12}{:>10}{:>24}{:>24}",
            "pair", "plain", "sampling off", "sampling on"
        );
    }
    for (name, work) in WORK {
        if !named.is_empty() && !named.iter().any(|word| *word == name) {
            continue;
        }
        let [off, on] = [0, DEFAULT_SAMPLE_INTERVAL].map(|interval| {
            set_sample_interval(interval);
            measure(work)
        });
        if is_json {
            println!(
                "{{\"pair\":\"{name}\",\"nanos\":{:.3},\"off\":{:.4},\"on\":{:.4}}}",
                off.nanos, off.ratio, on.ratio
            );
        } else {
            println!(
                "{name:<12}{:>7.2} ns{:>24}{:>24}",
                off.nanos,
                off.text(),
                on.text()
            );
        }
    }
}
