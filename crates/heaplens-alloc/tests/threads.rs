//! Threads that come, go, end badly timed and have little room.

mod common;

use std::alloc::{GlobalAlloc, System};
use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use common::blocks::{Block, layout, obtain, release, release_all};
use common::estimate::{Meter, Scores, Truth};
use common::random::Random;
use common::{alone, assert_nothing_is_in_use, drops};
use heaplens_alloc::{Alloc, set_sample_interval};

static ALLOC: Alloc<System> = Alloc::with(System).max_overhead_ppm(0);

/// Allocates, resizes and frees some blocks of all kinds; counts what it asks for.
fn use_allocator(asked: &AtomicU64) {
    for size in [1, 8, 24, 700, 4096, 9000] {
        let block = obtain(&ALLOC, layout(size), size % 2 == 0);
        // SAFETY: a live block with its layout.
        let ptr = unsafe { ALLOC.realloc(block.ptr, block.layout, 2 * size) };
        assert!(!ptr.is_null());
        release(
            &ALLOC,
            Block {
                ptr,
                layout: layout(2 * size),
            },
        );
        asked.fetch_add(2, Ordering::Relaxed);
    }
}

static ASKED: AtomicU64 = AtomicU64::new(0);

/// A thread-local that allocates when it is torn down, and frees what the
/// thread allocated in its life.
struct Late(RefCell<Vec<Block>>);

impl Drop for Late {
    fn drop(&mut self) {
        use_allocator(&ASKED);
        release_all(&ALLOC, self.0.take());
    }
}

thread_local! {
    static FIRST: Late = const { Late(RefCell::new(Vec::new())) };
    static SECOND: Late = const { Late(RefCell::new(Vec::new())) };
}

#[test]
fn thread_locals_allocate_while_they_are_torn_down() {
    let _turn = alone();
    set_sample_interval(1);
    ASKED.store(0, Ordering::Relaxed);
    let meter = Meter::start();
    for _ in 0..50 {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(|| {
                    for late in [&FIRST, &SECOND] {
                        let block = obtain(&ALLOC, layout(100), false);
                        late.with(|late| late.0.borrow_mut().push(block));
                        ASKED.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("no panic");
        }
    }
    let samples = meter.stop().totals().alloc.samples;
    assert_eq!(samples, ASKED.load(Ordering::Relaxed));
    assert_nothing_is_in_use();
}

/// Runs in each of the rounds that glibc makes over the keys of a thread, long
/// after Rust's thread-locals are gone.
extern "C" fn key_destructor(value: *mut libc::c_void) {
    use_allocator(&ASKED);
    // A value that is not null asks for another round; glibc ends it after four.
    // SAFETY: the key exists for the whole test.
    unsafe { libc::pthread_setspecific(KEY.load(Ordering::Relaxed), value) };
}

static KEY: AtomicU32 = AtomicU32::new(0);

#[test]
fn key_destructors_allocate_in_all_rounds() {
    let _turn = alone();
    set_sample_interval(1);
    ASKED.store(0, Ordering::Relaxed);
    let meter = Meter::start();
    let mut key = 0;
    // SAFETY: a key of our own, whose destructor needs no value.
    let result = unsafe { libc::pthread_key_create(&raw mut key, Some(key_destructor)) };
    assert_eq!(result, 0);
    KEY.store(key, Ordering::Relaxed);
    for _ in 0..100 {
        std::thread::spawn(move || {
            // SAFETY: the key exists for the whole test.
            unsafe { libc::pthread_setspecific(key, std::ptr::without_provenance(1)) };
        })
        .join()
        .expect("no panic");
    }
    // SAFETY: no thread has a value of this key any more.
    unsafe { libc::pthread_key_delete(key) };
    let samples = meter.stop().totals().alloc.samples;
    assert_eq!(samples, ASKED.load(Ordering::Relaxed));
    assert!(samples >= 100 * 12 * 4, "glibc makes four rounds");
    assert_nothing_is_in_use();
}

/// Two thousand threads of a few allocations each: no free is lost, and no
/// thread's first allocation is any likelier to be sampled than the others.
#[test]
fn short_lived_threads() {
    const THREADS: u64 = 2000;
    const ROUNDS: u64 = 20;
    let _turn = alone();
    let mut scores = Scores::new("short-lived threads".to_owned());
    set_sample_interval(64);
    for round in 0..ROUNDS {
        let meter = Meter::start();
        let mut truth = Truth::default();
        let mut held = Vec::new();
        for thread in 0..THREADS / ROUNDS {
            let work = move || {
                let mut random = Random::new(round * THREADS + thread);
                let sizes = (0..50).map(|_| random.size(8));
                let blocks: Vec<_> = sizes
                    .map(|size| obtain(&ALLOC, layout(size), false))
                    .collect();
                let sizes: Vec<_> = blocks.iter().map(|block| block.layout.size()).collect();
                let (own, others): (Vec<_>, Vec<_>) =
                    blocks.into_iter().partition(|_| random.coin());
                release_all(&ALLOC, own);
                (sizes, others)
            };
            let (sizes, others) = std::thread::spawn(work).join().expect("no panic");
            for size in sizes {
                truth.add(1, size, 64);
            }
            held.extend(others);
        }
        let seen = meter.stop().totals().alloc;
        release_all(&ALLOC, held);
        assert_nothing_is_in_use();
        scores.add(["objects", "bytes"], &seen, &truth);
    }
    // Seeds differ from run to run here: 20 rounds of 5000 allocations, of
    // which some 2000 are sampled. Beyond 6 with probability 2·10⁻⁹.
    assert!(scores.largest_mean_deviation() <= 6.0);
}

/// From the least stack that a thread can have upwards: capture makes do with
/// what is left. The unwinder is set up before, its caches know none of these
/// stacks, and the smallest one that it dares to walk is the hardest.
#[test]
fn small_stacks() {
    let _turn = alone();
    set_sample_interval(1);
    for warm in [false, true] {
        if warm {
            release(&ALLOC, obtain(&ALLOC, layout(1), false));
        }
        for kib in (16..=96).step_by(2).chain([200, 260, 300, 400]) {
            let meter = Meter::start();
            let asked = AtomicU64::new(0);
            std::thread::scope(|scope| {
                std::thread::Builder::new()
                    .stack_size(kib << 10)
                    .spawn_scoped(scope, || use_allocator(&asked))
                    .expect("a thread")
                    .join()
                    .expect("no panic");
            });
            let samples = meter.stop().totals().alloc.samples;
            assert_eq!(samples, asked.load(Ordering::Relaxed), "{kib} KiB of stack");
            assert_nothing_is_in_use();
        }
    }
}

/// With all threads at work at once, stacks are cut short at worst: no sample
/// is lost, and what was lost of stacks is counted.
#[test]
fn more_threads_than_walkers() {
    const THREADS: u64 = 40;
    let _turn = alone();
    set_sample_interval(1);
    use_allocator(&AtomicU64::new(0));
    let asked = AtomicU64::new(0);
    let dropped = drops();
    let meter = Meter::start();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..200).for_each(|_| use_allocator(&asked)));
        }
    });
    let seen = meter.stop();
    assert_eq!(seen.totals().alloc.samples, asked.load(Ordering::Relaxed));
    let whole = |stack: usize| {
        let frames = &seen.stacks[stack].frames;
        common::symbols::passes_through(frames, "thread_start")
    };
    let cut = seen.sites.iter().filter(|site| !whole(site.stack));
    let cut: u64 = cut.map(|site| site.alloc.samples).sum();
    assert!(
        cut <= drops() - dropped,
        "{cut} stacks cut short in silence"
    );
    assert_nothing_is_in_use();
}
