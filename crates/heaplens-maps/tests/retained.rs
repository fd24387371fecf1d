//! What groups of maps retain, against what dropping them really frees: asked for by one
//! thread while others have the maps.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use heaplens_alloc::retained::{Limits, RetainedError};
use heaplens_alloc::{Alloc, allow_what_if};
use heaplens_maps::{
    AskError, GroupRetained, MAX_MEASURED, MapMetrics, Tracked, TrackedBTreeMap, TrackedHashMap,
    TrackedHashSet, probe, probe_owned, probe_static, probe_with, retained,
};
use support::counting;

/// Counts for each thread what passes to the allocator that is tested.
struct Counted(Alloc<System>);

// SAFETY: each call is passed on as it is.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        counting::add(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        counting::add(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { self.0.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        counting::add(new_size as isize - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { self.0.realloc(block, layout, new_size) }
    }
}

#[global_allocator]
static ALLOC: Counted = Counted(Alloc::with(System));

/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

fn limits() -> Limits {
    Limits::default().with_time(PATIENCE)
}

/// One inquiry at a time: tests of one process wait for each other.
fn ask_within(name: &str, patience: Duration) -> Result<GroupRetained, AskError> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    allow_what_if(true);
    retained(name, patience, limits())
}

fn ask(name: &str) -> GroupRetained {
    ask_within(name, PATIENCE).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Asks on another thread, and uses the map until there is an answer.
fn asked_while(name: &'static str, mut uses: impl FnMut()) -> GroupRetained {
    let asking = thread::spawn(move || ask(name));
    while !asking.is_finished() {
        uses();
        thread::yield_now();
    }
    asking.join().expect("an answer")
}

/// Bytes that this thread gives back by dropping a value.
fn freed<T>(value: T) -> u64 {
    let before = counting::bytes();
    drop(value);
    u64::try_from(before - counting::bytes()).expect("nothing was allocated")
}

fn text(number: u64) -> String {
    "x".repeat(number as usize % 300)
}

/// Fails unless the one map of a group retains what its drop frees.
fn check<T>(name: &'static str, mut map: T, mut uses: impl FnMut(&mut T)) {
    let answer = asked_while(name, || uses(&mut map));
    assert_eq!((answer.maps, answer.measured), (1, 1), "{name}");
    assert!(answer.failed.is_empty() && !answer.is_lower_bound());
    assert_eq!(answer.name, name);
    assert_eq!(answer.retained.bytes, freed(map), "{name}");
}

fn filled(name: &'static str) -> TrackedHashMap<u64, String> {
    let mut map = TrackedHashMap::named(name);
    map.extend((0..2000).map(|key| (key, text(key))));
    map
}

/// Whatever a map is used by, it answers, except by removals alone.
#[test]
fn each_kind_of_use_answers() {
    check("ask-get", filled("ask-get"), |map| {
        assert!(map.get(&7).is_some());
    });
    check("ask-read", filled("ask-read"), |map| {
        assert_eq!(map.len(), 2000);
    });
    check("ask-insert", filled("ask-insert"), |map| {
        map.insert(7, String::new());
    });
    check("ask-entry", filled("ask-entry"), |map| {
        map.entry(7).or_default();
    });
    check("ask-get-mut", filled("ask-get-mut"), |map| {
        assert!(map.get_mut(&7).is_some());
    });
    check("ask-iter-mut", filled("ask-iter-mut"), |map| {
        assert_eq!(map.iter_mut().count(), 2000);
    });
    check("ask-remove", filled("ask-remove"), |map| {
        // An empty string: it makes no difference whether it is there.
        let value = map.remove(&0);
        map.extend(value.map(|value| (0, value)));
    });
}

#[test]
fn all_kinds_of_maps_answer() {
    let mut tree = TrackedBTreeMap::named("ask-tree");
    tree.extend((0..2000).map(|key| (key, text(key))));
    check("ask-tree", tree, |tree| {
        tree.insert(7, String::new());
    });
    let mut tree = TrackedBTreeMap::named("ask-tree-read");
    tree.extend((0..2000).map(|key| (key, text(key))));
    check("ask-tree-read", tree, |tree| {
        assert!(tree.get(&7).is_some());
    });
    let mut set = TrackedHashSet::named("ask-set");
    set.extend((0..2000).map(text));
    check("ask-set", set, |set| assert!(set.contains("")));
    let list: Vec<String> = (0..2000).map(text).collect();
    check("ask-list", Tracked::named("ask-list", list), |list| {
        list.push(String::new());
        list.pop();
    });
    let queue: BTreeMap<u64, String> = (0..2000).map(|key| (key, text(key))).collect();
    check("ask-any", Tracked::named("ask-any", queue), |map| {
        assert_eq!(map.len(), 2000);
    });
}

/// What the figures say is not changed by the question: neither the capacity, which
/// carries it, nor the table that it tells of.
#[test]
fn figures_stay_as_they_are() {
    let name = "ask-figures";
    let mut map = filled(name);
    // Tombstones: the capacity that the map shows is less than that of its table.
    for key in 0..500 {
        map.remove(&key);
    }
    let before = support::group(name);
    let answer = asked_while(name, || {
        assert!(map.get(&700).is_some());
        let now = support::group(name);
        assert_eq!(
            (now.capacity, now.table_bytes),
            (before.capacity, before.table_bytes)
        );
        assert_eq!((now.entries, now.instances), (1500, 1));
    });
    let after = support::group(name);
    assert_eq!(
        (after.resizes, after.table_bytes),
        (before.resizes, before.table_bytes)
    );
    assert_eq!(
        (after.inserts, after.capacity),
        (before.inserts, before.capacity)
    );
    assert_eq!(answer.retained.bytes, freed(map));
}

/// The answer is of a map at rest, however busy its thread is with it: the sum over its
/// entries is right at one moment.
#[test]
fn a_map_is_never_caught_in_the_middle() {
    let name = "ask-busy";
    let stop = Arc::new(AtomicBool::new(false));
    let (begun, has_begun) = mpsc::channel();
    let owner = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut map: TrackedHashMap<u64, Vec<u8>> = TrackedHashMap::named(name);
            map.reserve(1000);
            let table = support::group(name).table_bytes;
            let mut number = 0u64;
            while !stop.load(Ordering::Relaxed) {
                // 100 bytes an entry, at all times between two operations.
                map.insert(number % 1000, vec![1; 100]);
                if number == 0 {
                    begun.send(table).expect("it is received");
                }
                number += 1;
            }
        }
    });
    let table = has_begun.recv().expect("a map");
    for _ in 0..20 {
        let answer = ask(name);
        let vectors = answer.retained.blocks - 1;
        assert!((1..=1000).contains(&vectors), "{vectors}");
        assert_eq!(answer.retained.bytes, table + 100 * vectors);
    }
    stop.store(true, Ordering::Relaxed);
    owner.join().expect("no panic");
}

/// Of several maps each answers on its own thread; one that is not used does not, and the
/// answer says so.
#[test]
fn several_maps_and_one_that_sleeps() {
    let name = "ask-several";
    let (ready, is_ready) = mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let owners: Vec<_> = (0..3)
        .map(|_| {
            let (ready, stop) = (ready.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                let map = filled(name);
                ready.send(()).expect("it is received");
                while !stop.load(Ordering::Relaxed) {
                    assert!(map.get(&7).is_some());
                    thread::yield_now();
                }
                freed(map)
            })
        })
        .collect();
    (0..3).for_each(|_| is_ready.recv().expect("a map"));
    let all = ask(name);
    assert_eq!((all.maps, all.measured, all.unmeasured()), (3, 3, 0));
    let asleep = filled(name);
    let some = loop {
        // The three have the time to answer, the fourth has no reason to.
        let answer = ask_within(name, Duration::from_secs(1)).expect("an answer");
        if answer.measured == 3 {
            break answer;
        }
    };
    assert_eq!((some.maps, some.unmeasured()), (4, 1));
    assert!(some.is_lower_bound() && !some.retained.is_lower_bound);
    drop(asleep);
    stop.store(true, Ordering::Relaxed);
    let freed: u64 = owners
        .into_iter()
        .map(|owner| owner.join().expect("no panic"))
        .sum();
    assert_eq!((all.retained.bytes, some.retained.bytes), (freed, freed));
    let classes: u64 = all.retained.classes.iter().map(|class| class.bytes).sum();
    assert_eq!(classes, freed);
}

/// The largest are measured, the rest is counted.
#[test]
fn of_many_maps_the_largest() {
    let name = "ask-many";
    let mut maps: Vec<TrackedHashMap<u64, u64>> = Vec::new();
    for number in 0..MAX_MEASURED + 10 {
        let mut map = TrackedHashMap::named(name);
        // Tables of twice the size for the last few.
        let entries = if number < 10 { 10 } else { 1000 };
        map.extend((0..entries).map(|key| (key, key)));
        maps.push(map);
    }
    let answer = asked_while(name, || {
        let used = maps.iter().filter(|map| map.get(&7).is_some()).count();
        assert_eq!(used, maps.len());
    });
    assert_eq!(answer.maps, (MAX_MEASURED + 10) as u64);
    assert_eq!(
        (answer.measured, answer.unmeasured()),
        (MAX_MEASURED as u64, 10)
    );
    let large = freed(maps.split_off(10));
    let list = MAX_MEASURED * size_of::<TrackedHashMap<u64, u64>>();
    assert_eq!(answer.retained.bytes, large - list as u64);
}

#[test]
fn nobody_answers() {
    let unknown = ask_within("ask-nobody", PATIENCE).expect_err("no such group");
    assert!(matches!(unknown, AskError::Unknown { .. }), "{unknown}");
    let map: TrackedHashMap<u64, u64> = TrackedHashMap::named("ask-empty");
    let group = map.group();
    assert_eq!(
        ask_within(group.name(), PATIENCE).expect_err("no table"),
        AskError::Empty
    );
    let idle = filled("ask-idle");
    let patience = Duration::from_millis(30);
    let unanswered = ask_within("ask-idle", patience).expect_err("it is not used");
    assert_eq!(unanswered, AskError::Unanswered { asked: 1, patience });
    // The question was taken back: nothing is forked now.
    assert!(idle.get(&7).is_some());
    for error in [
        unknown,
        AskError::Empty,
        unanswered,
        AskError::Busy,
        AskError::Handles,
    ] {
        assert!(error.to_string().len() > 20, "{error}");
    }
}

/// A map that goes while it is asked does not keep anybody waiting.
#[test]
fn a_map_that_goes_is_struck_off() {
    let name = "ask-gone";
    let map = filled(name);
    let asking = thread::spawn(move || ask_within(name, PATIENCE));
    // Whether it is asked already or not: it goes without an answer.
    drop(map);
    let error = asking.join().expect("no panic").expect_err("it is gone");
    assert!(
        matches!(error, AskError::Unanswered { .. } | AskError::Empty),
        "{error}"
    );
}

static STATIC: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Containers of others are measured by who asks, and held still.
#[test]
fn probed_containers() {
    let content = || -> HashMap<u64, String> { (0..2000).map(|key| (key, text(key))).collect() };
    let map = Arc::new(RwLock::new(content()));
    assert!(probe("ask-lock", &map));
    let answer = ask("ask-lock");
    assert_eq!((answer.maps, answer.measured), (1, 1));
    let truth = freed(std::mem::take(&mut *map.write().expect("not poisoned")));
    assert_eq!(answer.retained.bytes, truth);

    STATIC
        .lock()
        .expect("not poisoned")
        .extend((0..100).map(text));
    assert!(probe_static("ask-static", &STATIC));
    let answer = ask("ask-static");
    let truth = freed(std::mem::take(&mut *STATIC.lock().expect("not poisoned")));
    assert_eq!(answer.retained.bytes, truth);

    let list = Arc::new((0..100).map(text).collect::<Vec<_>>());
    let figures = |list: &Vec<String>| Some(heaplens_maps::Figures::of_entries(list.len() as u64));
    assert!(probe_with("ask-with", &list, figures));
    let answer = ask("ask-with");
    let content = Arc::into_inner(list).expect("the only one");
    assert_eq!(answer.retained.bytes, freed(content));
}

/// A writer has the lock: the answer comes once it is free, and nothing is measured
/// before.
#[test]
fn a_locked_container_is_waited_for() {
    let map = Arc::new(RwLock::new(vec![text(100); 50]));
    assert!(probe("ask-locked", &map));
    let mut writing = map.write().expect("not poisoned");
    let patience = Duration::from_millis(30);
    let locked = ask_within("ask-locked", patience).expect_err("it is locked");
    assert_eq!(locked, AskError::Unanswered { asked: 1, patience });
    let asking = thread::spawn(|| ask("ask-locked"));
    writing.push(text(77));
    drop(writing);
    let answer = asking.join().expect("an answer");
    let mut content = map.write().expect("not poisoned");
    assert_eq!(content.len(), 51);
    assert_eq!(answer.retained.bytes, freed(std::mem::take(&mut *content)));
}

/// A handle that shares what it holds.
#[derive(Clone)]
struct Handle(Arc<Vec<u8>>);

impl MapMetrics for Handle {
    fn entries(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }
}

#[test]
fn handles_are_told() {
    let handle = Handle(Arc::new(vec![1; 1000]));
    let _shown = probe_owned("ask-handle", handle.clone());
    let error = ask_within("ask-handle", PATIENCE).expect_err("a handle retains nothing");
    assert_eq!(error, AskError::Handles);
}

/// A value whose drop comes to no good end: why is said, and the map is as it was.
#[test]
fn what_fails_is_told() {
    struct Hostile(bool);
    impl Drop for Hostile {
        fn drop(&mut self) {
            if self.0 {
                std::process::exit(7);
            }
        }
    }
    let name = "ask-hostile";
    let mut map = TrackedHashMap::named(name);
    map.insert(1, Hostile(true));
    let asking = thread::spawn(move || ask_within(name, PATIENCE));
    while !asking.is_finished() {
        assert!(map.get(&1).is_some());
        thread::yield_now();
    }
    let error = asking.join().expect("no panic").expect_err("it exits");
    assert_eq!(error, AskError::Failed(RetainedError::Exited { status: 7 }));
    map.get_mut(&1).expect("it is there").0 = false;
}
