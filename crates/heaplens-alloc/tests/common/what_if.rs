//! What-if drops against the truth: the same cases for every allocator.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, LinkedList, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use bytes::Bytes;
use dashmap::DashMap;
use heaplens_alloc::holder::{Holder, Part};
use heaplens_alloc::retained::{Limits, Retained, start};
use heaplens_alloc::{allow_what_if, set_sample_interval, snapshot};
use moka::sync::Cache;

use super::alone;
use super::random::Random;
use super::truth::freed_by_drop;

/// The machine may be busy with other tests.
pub(crate) fn limits() -> Limits {
    Limits::default().with_time(std::time::Duration::from_secs(120))
}

/// What a value retains, which is expected to have an answer.
pub(crate) fn ask<T: ?Sized>(value: &T) -> Retained {
    allow_what_if(true);
    let measurement = start(value, limits()).unwrap_or_else(|error| panic!("{error}"));
    measurement
        .finish()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn assert_adds_up(retained: &Retained) {
    let blocks: u64 = retained.classes.iter().map(|class| class.blocks).sum();
    let bytes: u64 = retained.classes.iter().map(|class| class.bytes).sum();
    assert_eq!((bytes, blocks), (retained.bytes, retained.blocks));
    let mut below = 0;
    for class in &retained.classes {
        let each = class.bytes / class.blocks;
        assert!(class.blocks > 0 && each > 0, "{class:?}");
        assert!(
            each <= class.size_class && class.size_class > below,
            "{class:?}"
        );
        below = class.size_class;
    }
    assert!(!retained.is_lower_bound);
    assert!(retained.duration >= retained.pause);
}

/// Fails unless the answer is what the real drop frees. Returns it.
fn check<T>(what: &str, value: T) -> Retained {
    let answer = ask(&value);
    assert_adds_up(&answer);
    let again = ask(&value);
    assert_eq!((answer.bytes, answer.blocks), (again.bytes, again.blocks));
    let truth = freed_by_drop(value);
    assert_eq!((answer.bytes, answer.blocks), truth, "{what}");
    answer
}

/// A session such as services keep.
pub(crate) struct Session {
    name: String,
    tags: Vec<String>,
    scores: BTreeMap<u32, String>,
    nested: HashMap<String, Vec<u64>>,
    shared: Arc<Vec<u8>>,
    callback: Option<Box<dyn Fn() -> usize + Send + Sync>>,
    log: Mutex<Vec<u64>>,
}

impl Session {
    fn new(number: usize, shared: &Arc<Vec<u8>>) -> Self {
        let captured = vec![number as u8; number % 700];
        Session {
            name: "n".repeat(number % 90),
            tags: (0..number % 5).map(|tag| format!("tag {tag}")).collect(),
            scores: (0..number as u32 % 40)
                .map(|key| (key, key.to_string()))
                .collect(),
            nested: (0..number % 4)
                .map(|key| (format!("key {key}"), vec![7; key * 3]))
                .collect(),
            shared: Arc::clone(shared),
            callback: number.is_multiple_of(3).then(|| {
                let callback: Box<dyn Fn() -> usize + Send + Sync> =
                    Box::new(move || captured.len());
                callback
            }),
            log: Mutex::new(Vec::with_capacity(number % 30)),
        }
    }

    fn is_whole(&self, number: usize) -> bool {
        self.name.len() == number % 90
            && self.tags.len() == number % 5
            && self.scores.len() == number % 40
            && self.nested.len() == number % 4
            && self.shared.len() == 1 << 20
            && self
                .callback
                .as_ref()
                .is_none_or(|call| call() == number % 700)
            && self
                .log
                .lock()
                .is_ok_and(|log| log.capacity() >= number % 30)
    }
}

/// Sessions, of which some are large, all with the same Arc.
#[inline(never)]
pub(crate) fn sessions(count: usize, shared: &Arc<Vec<u8>>) -> HashMap<String, Session> {
    let entry = |number| (format!("session {number}"), Session::new(number, shared));
    (0..count).map(entry).collect()
}

pub(crate) fn containers() {
    let _turn = alone();
    let text = |count: usize| (0..count).map(|number| "x".repeat(number % 300));
    check("nothing", ());
    check("a number", 7u64);
    check("an empty map", HashMap::<u8, u8>::new());
    check("a string", String::from("hello"));
    check("spare capacity", Vec::<u64>::with_capacity(1000));
    check("large", vec![0u8; 50 << 20]);
    check(
        "flat map",
        text(5000).enumerate().collect::<HashMap<usize, String>>(),
    );
    check(
        "tree",
        text(5000).enumerate().collect::<BTreeMap<usize, String>>(),
    );
    check("tree of strings", text(3000).collect::<BTreeSet<String>>());
    check("queue", text(3000).collect::<VecDeque<_>>());
    check("list", text(3000).collect::<LinkedList<_>>());
    check("tombstones", {
        let mut map: HashMap<usize, String> = text(5000).enumerate().collect();
        map.retain(|key, _| key.is_multiple_of(7));
        map
    });
    check("of maps", {
        let inner = |n: usize| text(n % 50).enumerate().collect::<HashMap<usize, String>>();
        (0..500)
            .map(|n| (n, inner(n)))
            .collect::<BTreeMap<usize, _>>()
    });
    check("slice of a trait", {
        let list: Vec<Box<dyn std::fmt::Debug>> = vec![
            Box::new(1u8),
            Box::new(String::from("a")),
            Box::new(vec![1u64; 99]),
        ];
        list.into_boxed_slice()
    });
    for align in [1, 8, 16, 64, 512, 4096, 8192] {
        check("aligned", Aligned::new(align));
    }
}

/// Blocks of an alignment, of sizes below, at and above it.
struct Aligned(Vec<(*mut u8, std::alloc::Layout)>);

impl Aligned {
    fn new(align: usize) -> Self {
        let sizes = [1, 7, 8, 9, 100, 4095, 4096, 5000, 100_000];
        let block = |size| {
            let layout = std::alloc::Layout::from_size_align(size, align).expect("valid");
            // SAFETY: not of size zero.
            (unsafe { std::alloc::alloc(layout) }, layout)
        };
        Aligned(sizes.into_iter().map(block).collect())
    }
}

impl Drop for Aligned {
    fn drop(&mut self) {
        for (block, layout) in &self.0 {
            // SAFETY: allocated with this layout, and freed once.
            unsafe { std::alloc::dealloc(*block, *layout) };
        }
    }
}

pub(crate) fn trees_of_closures() {
    let _turn = alone();
    let tree: BTreeMap<u64, Box<dyn FnMut() -> u8>> = (0..1000u64)
        .map(|key| {
            let mut owned = vec![key as u8; 500];
            let closure: Box<dyn FnMut() -> u8> = Box::new(move || {
                owned[0] = owned[0].wrapping_add(1);
                owned[0]
            });
            (key, closure)
        })
        .collect();
    let answer = check("closures", tree);
    // The vectors and what the closures are; the nodes of the tree besides.
    let closure = answer.classes.iter().find(|class| class.size_class == 512);
    assert_eq!(
        closure.map(|class| (class.blocks, class.bytes)),
        Some((1000, 500_000))
    );
}

pub(crate) fn shared_values() {
    let _turn = alone();
    let arc = Arc::new(vec![1u8; 10_000]);
    let inside = [Arc::clone(&arc), Arc::clone(&arc), Arc::clone(&arc)];
    assert_eq!(ask(&inside).bytes, 0, "one reference is outside");
    drop(arc);
    assert_eq!(ask(&inside).bytes, 10_000 + 16 + 24, "counted once");
    check("only inside", inside);

    let content = Arc::new(RwLock::new(vec![String::from("abc"); 100]));
    let other = Arc::clone(&content);
    assert_eq!(ask(&content).blocks, 0);
    assert_eq!(ask(&*content).blocks, 101, "the content of an Arc");
    drop(other);
    check("no other Arc", content);

    let strong = Arc::new(vec![0u8; 5000]);
    let weak = Arc::downgrade(&strong);
    let answer = check("with a weak one", strong);
    assert_eq!(
        (answer.bytes, answer.blocks),
        (5000, 1),
        "not the control block"
    );
    assert!(weak.upgrade().is_none());
}

/// Containers of other crates, with reference counts and vtables of their own.
pub(crate) fn foreign_containers() {
    let _turn = alone();
    let whole = Bytes::from(vec![1u8; 10_000]);
    // Shared from here on: a part and the whole refer to one block.
    let part = whole.slice(100..200);
    assert_eq!(ask(&part).bytes, 0, "the whole keeps it");
    drop(whole);
    check("a part of bytes", part);
    check("bytes", {
        let bytes = |number| Bytes::from(vec![number as u8; number % 500]);
        (0..2000)
            .map(|number| (number, bytes(number)))
            .collect::<HashMap<usize, Bytes>>()
    });

    let map: Arc<DashMap<usize, String>> = Arc::new(DashMap::new());
    (0..2000).for_each(|number| drop(map.insert(number, "x".repeat(number % 300))));
    let other = Arc::clone(&map);
    assert_eq!(ask(&map).bytes, 0, "another Arc keeps it");
    assert!(ask(&*map).bytes > 100_000, "the content of the Arc");
    drop(other);
    check("dashmap", map);

    let cache: Arc<Cache<usize, Vec<u8>>> = Arc::new(Cache::new(5000));
    (0..2000).for_each(|number| cache.insert(number, vec![7; number % 300]));
    cache.run_pending_tasks();
    assert_eq!(cache.entry_count(), 2000);
    let handle = Cache::clone(&cache);
    assert_eq!(ask(&*cache).bytes, 0, "another handle keeps it");
    drop(handle);
    assert!(ask(&*cache).bytes > 250_000, "the content of the Arc");
    check("moka", cache);
}

/// As large as maps of services come.
pub(crate) fn ten_million_entries() {
    let _turn = alone();
    let entries = 0..10_000_000u64;
    let map: HashMap<u64, Box<[u8]>> = entries
        .map(|key| (key, vec![key as u8; 1 + key as usize % 50].into()))
        .collect();
    let answer = check("ten million entries", map);
    assert_eq!(answer.blocks, 10_000_001);
    println!(
        "{} bytes in {} blocks: pause {:?}, child {:?}, {} faults",
        answer.bytes, answer.blocks, answer.pause, answer.child_cpu, answer.child_faults
    );
}

pub(crate) fn cycles() {
    struct Node {
        next: RefCell<Option<Rc<Node>>>,
        _content: Vec<u8>,
    }
    let _turn = alone();
    let node = || {
        Rc::new(Node {
            next: RefCell::new(None),
            _content: vec![0; 1000],
        })
    };
    let (first, second) = (node(), node());
    *first.next.borrow_mut() = Some(Rc::clone(&second));
    *second.next.borrow_mut() = Some(Rc::clone(&first));
    let ring = (first, second, vec![1u8; 77]);
    let first = Rc::downgrade(&ring.0);
    let answer = check("a ring", ring);
    assert_eq!(
        (answer.bytes, answer.blocks),
        (77, 1),
        "a real drop leaks it too"
    );
    // Undone, so that nothing is left behind.
    let first = first.upgrade().expect("it leaked");
    first.next.borrow_mut().take();
}

/// Counted is what goes, whatever destructors allocate on their way.
pub(crate) fn busy_destructors() {
    struct Busy(Vec<u8>, Rc<RefCell<Vec<u64>>>);
    impl Drop for Busy {
        fn drop(&mut self) {
            let text = format!("{:?}", &self.0[..self.0.len().min(200)]);
            assert!(text.len() > 1);
            let zeroes = vec![0u64; text.len()];
            assert!(zeroes.iter().all(|zero| *zero == 0));
            // Grows what it owns, and what is not its own.
            self.0.extend_from_slice(&[9; 5000]);
            assert!(self.0.ends_with(&[9; 5000]));
            self.0.shrink_to(10);
            self.1.borrow_mut().extend([1; 100]);
        }
    }
    let _turn = alone();
    let log = Rc::new(RefCell::new(vec![5u64; 3]));
    let value: Vec<Busy> = (1..2000)
        .map(|number| Busy(vec![7u8; number], Rc::clone(&log)))
        .collect();
    let expected: usize = value.iter().map(|busy| busy.0.capacity()).sum();
    let table = value.capacity() * size_of::<Busy>();
    let answer = ask(&value);
    assert_eq!(
        (answer.bytes, answer.blocks),
        ((expected + table) as u64, 2000)
    );
    assert!(!answer.is_lower_bound);
    assert_eq!(*log.borrow(), [5; 3], "the parent's");
}

/// Fifty answers of fifty, while threads churn the allocator.
pub(crate) fn under_churn() {
    let _turn = alone();
    let shared = Arc::new(vec![0u8; 1 << 20]);
    let map = sessions(600, &shared);
    let stop = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        for seed in 0..8 {
            let stop = &stop;
            scope.spawn(move || churn(seed, stop));
        }
        let ask_all = || (0..50).map(|_| ask(&map)).collect::<Vec<_>>();
        let answers = std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask_all));
        stop.store(true, Ordering::Relaxed);
        answers.expect("an answer each time")
    });
    for (number, session) in (0..600).map(|number| (number, &map[&format!("session {number}")])) {
        assert!(session.is_whole(number), "{number}");
    }
    assert_eq!(Arc::strong_count(&shared), 601);
    let truth = freed_by_drop(map);
    assert!(truth.0 > 200_000 && truth.1 > 5000, "{truth:?}");
    for answer in &answers {
        assert_adds_up(answer);
        assert_eq!((answer.bytes, answer.blocks), truth);
    }
    assert_eq!(shared.len(), 1 << 20);
}

fn churn(seed: u64, stop: &AtomicBool) {
    let mut random = Random::new(seed);
    let mut held: VecDeque<Vec<u8>> = VecDeque::new();
    while !stop.load(Ordering::Relaxed) {
        held.push_back(vec![seed as u8; random.size(14)]);
        if held.len() > 200 {
            held.remove(random.below(200));
        }
    }
}

/// What was sampled of a value is known by site: all of it where everything is sampled,
/// an estimate with its error where not.
pub(crate) fn samples() {
    let _turn = alone();
    let live = || super::program::inuse_through(&snapshot(), "sessions");
    for interval in [1, 2000] {
        set_sample_interval(interval);
        let shared = Arc::new(vec![0u8; 1 << 20]);
        let map = sessions(400, &shared);
        set_sample_interval(0);
        let before = live();
        let answer = ask(&map);
        assert_eq!(live(), before, "the parent's own");
        let inuse = answer.sampled.totals().inuse;
        assert_eq!(answer.sampled.totals().alloc, inuse);
        if interval == 1 {
            assert_eq!(inuse.samples, answer.blocks);
            assert_eq!(inuse.bytes.to_bits(), (answer.bytes as f64).to_bits());
            for class in &answer.classes {
                let rows = answer.sampled.sites.iter();
                let same = rows.filter(|row| row.size_class == class.size_class);
                let sum: u64 = same.map(|row| row.inuse.samples).sum();
                assert_eq!(sum, class.blocks, "{class:?}");
            }
        } else {
            assert!(
                inuse.samples > 50 && inuse.samples < answer.blocks,
                "{inuse:?}"
            );
            let off = (inuse.bytes - answer.bytes as f64).abs();
            assert!(off <= 5.0 * inuse.bytes_error(), "{off} of {inuse:?}");
        }
        let sites = &answer.sampled.sites;
        let named = sites.iter().filter(|site| {
            super::symbols::passes_through(&answer.sampled.stacks[site.stack].frames, "sessions")
        });
        let named: u64 = named.map(|site| site.inuse.samples).sum();
        assert_eq!(named, inuse.samples, "all of it was allocated there");
        let truth = freed_by_drop(map);
        assert_eq!((answer.bytes, answer.blocks), truth);
        drop((shared, answer));
    }
    assert_eq!(live().samples, 0);
}

/// A value that knows its address is dropped where it is.
pub(crate) fn values_that_know_their_place() {
    struct Placed {
        own: Cell<*const Placed>,
        content: Option<String>,
    }
    impl Drop for Placed {
        fn drop(&mut self) {
            if self.own.get() != std::ptr::from_ref(self) {
                std::mem::forget(self.content.take());
            }
        }
    }
    let _turn = alone();
    let value = Placed {
        own: Cell::new(std::ptr::null()),
        content: Some(String::from("0123456789")),
    };
    value.own.set(&raw const value);
    assert_eq!(ask(&value).bytes, 10);
    assert_eq!(value.content.as_deref(), Some("0123456789"));
}

/// What is known of who holds a sampled block is known of it here too.
pub(crate) fn holders() {
    let _turn = alone();
    let holder = Holder::register("map", "what-if").expect("a free one");
    set_sample_interval(1);
    let held = {
        let _scope = holder.enter(Part::Contents);
        vec![vec![1u8; 700], vec![2u8; 800]]
    };
    let other = vec![3u8; 900];
    set_sample_interval(0);
    let answer = ask(&(held, other));
    let bytes_of = |labels: &[(String, String)]| -> f64 {
        let rows = answer.sampled.sites.iter();
        let same = rows.filter(|row| answer.sampled.labels[row.labels] == labels);
        same.map(|row| row.inuse.bytes).sum()
    };
    let label = [("map".to_owned(), "what-if".to_owned())];
    let table = 2 * size_of::<Vec<u8>>();
    assert!((bytes_of(&label) - (1500 + table) as f64).abs() < 1e-6);
    assert!((bytes_of(&[]) - 900.0).abs() < 1e-6);
}
