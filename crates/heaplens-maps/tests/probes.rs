//! Containers that are asked: as long as they live, without waiting for them,
//! and whatever they do when they are asked.

mod support;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock, Weak};
use std::time::Duration;

use heaplens_maps::{
    CacheMetrics, Figures, Group, GroupReport, MapMetrics, ProbeGuard, TrackedHashMap, probe,
    probe_owned, probe_static, probe_with, report,
};
use support::{group, is_alive};

#[test]
fn shows_the_container_while_its_arc_lives() {
    let sessions = Arc::new(RwLock::new(HashMap::new()));
    assert!(probe("probe-lives", &sessions));
    assert_eq!(group("probe-lives").entries, 0);
    sessions
        .write()
        .unwrap()
        .extend((0..100).map(|id| (id, "Ada")));

    let shown = group("probe-lives");
    assert_eq!((shown.instances, shown.probed, shown.entries), (1, 1, 100));
    assert_eq!((shown.entries_unknown, shown.tables_unknown), (0, 0));
    assert!(shown.capacity >= 100 && shown.table_bytes > 100 * 16);
    assert_eq!((shown.inserts, shown.removes), (0, 0));
    assert!(!shown.flow_is_known(), "a probe does not see inserts");
    assert_eq!(shown.cache, None);

    let other = Arc::clone(&sessions);
    drop(sessions);
    assert!(is_alive("probe-lives"), "another owner is left");
    drop(other);
    assert!(!is_alive("probe-lives"));
}

#[test]
fn containers_of_a_group_add_up_with_its_tracked_maps() {
    let queues: Vec<_> = (1..=3)
        .map(|len| Arc::new((0..len).collect::<VecDeque<_>>()))
        .collect();
    for queue in &queues {
        assert!(probe("probe-adds-up", queue));
        assert!(probe("probe-adds-up", queue), "the same one twice is one");
    }
    let mut map = TrackedHashMap::named("probe-adds-up");
    map.extend((0..10).map(|id| (id, id)));
    let shown = group("probe-adds-up");
    assert_eq!((shown.instances, shown.probed), (4, 3));
    assert_eq!((shown.entries, shown.entries_max_instance), (16, 10));
    assert_eq!(shown.inserts, 10, "of the tracked map alone");
    assert!(!shown.flow_is_known());
    drop(queues);
    let shown = group("probe-adds-up");
    assert_eq!((shown.instances, shown.probed, shown.entries), (1, 0, 10));
    assert!(shown.flow_is_known());
}

#[test]
fn a_lock_that_is_held_shows_what_was_last_known() {
    let map = Arc::new(Mutex::new(HashMap::from([(1, 1), (2, 2)])));
    probe("probe-busy", &map);
    let held = map.lock().unwrap();
    assert_eq!(
        group("probe-busy").entries_unknown,
        1,
        "nothing was known yet"
    );
    drop(held);
    assert_eq!(group("probe-busy").entries, 2);
    let mut held = map.lock().unwrap();
    held.clear();
    let shown = group("probe-busy");
    assert_eq!((shown.instances, shown.entries), (1, 2));
    drop(held);
    assert_eq!(group("probe-busy").entries, 0);
}

#[test]
fn an_owned_handle_is_shown_until_its_guard_goes() {
    let guard: ProbeGuard = probe_owned("probe-owned", vec![1, 2, 3]);
    assert!(guard.is_shown());
    assert_eq!(guard.group(), Group::named("probe-owned"));
    let second = probe_owned("probe-owned", vec![4]);
    assert_eq!(group("probe-owned").entries, 4);
    drop(guard);
    assert_eq!(group("probe-owned").entries, 1);
    drop(second);
    assert!(!is_alive("probe-owned"));
}

#[test]
fn a_static_is_shown_for_ever() {
    static QUEUE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    assert!(probe_static("probe-static", &QUEUE));
    QUEUE.lock().unwrap().push(1);
    assert_eq!(group("probe-static").entries, 1);
}

/// Panics when asked, once it is told to.
struct Treacherous {
    panics: AtomicBool,
    payload_panics: bool,
}

/// A panic whose payload panics when it is dropped.
struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        panic!("and again");
    }
}

impl MapMetrics for Treacherous {
    fn entries(&self) -> Option<u64> {
        if self.panics.load(Ordering::Relaxed) {
            if self.payload_panics {
                std::panic::panic_any(Payload);
            }
            panic!("asked once too often");
        }
        Some(7)
    }
}

#[test]
fn a_panicking_probe_is_removed_and_counted() {
    for payload_panics in [false, true] {
        let before = report().probes_panicked;
        let bad = Arc::new(Treacherous {
            panics: AtomicBool::new(false),
            payload_panics,
        });
        let good = Arc::new(vec![1, 2]);
        probe("probe-panics", &bad);
        probe("probe-panics", &good);
        assert_eq!(group("probe-panics").entries, 9);
        bad.panics.store(true, Ordering::Relaxed);
        let shown = group("probe-panics");
        assert_eq!((shown.instances, shown.entries), (1, 2));
        assert!(report().probes_panicked > before);
        // It is not asked again, also if it got better.
        bad.panics.store(false, Ordering::Relaxed);
        assert_eq!(group("probe-panics").entries, 2);
        assert_eq!(Arc::weak_count(&bad), 0, "nothing of it is kept");
    }
}

#[test]
fn a_guard_knows_that_its_container_panicked() {
    let guard = probe_owned(
        "probe-owned-panics",
        Treacherous {
            panics: AtomicBool::new(true),
            payload_panics: false,
        },
    );
    assert!(guard.is_shown());
    assert!(!is_alive("probe-owned-panics"));
    assert!(!guard.is_shown());
}

/// Takes a report, and registers another probe, while it is asked.
struct Nested(AtomicU64);

impl MapMetrics for Nested {
    fn entries(&self) -> Option<u64> {
        let inner = report();
        probe("probe-nested-inner", &Arc::new(vec![0u8]));
        let own = inner
            .groups
            .iter()
            .find(|group| group.name == "probe-nested");
        let seen = own.map_or(0, |group| group.entries);
        self.0.store(seen, Ordering::Relaxed);
        Some(5)
    }
}

#[test]
fn a_container_may_take_a_report_while_it_is_asked() {
    let nested = Arc::new(Nested(AtomicU64::new(u64::MAX)));
    probe("probe-nested", &nested);
    assert_eq!(group("probe-nested").entries, 5);
    assert_eq!(
        nested.0.load(Ordering::Relaxed),
        0,
        "not asked while it is asked"
    );
    assert_eq!(group("probe-nested").entries, 5);
    assert_eq!(
        nested.0.load(Ordering::Relaxed),
        5,
        "what was known from before"
    );
}

/// Registers and takes reports when it is dropped, and panics then.
struct Parting;

impl Drop for Parting {
    fn drop(&mut self) {
        assert!(!is_alive("probe-parting-none"));
        probe("probe-parting-none", &Arc::new(vec![0u8]));
        panic!("a destructor that panics");
    }
}

#[test]
fn the_last_reference_may_be_the_reports_own() {
    // The container's only Arc is given up by the poll itself.
    let slot: Arc<Mutex<Option<Arc<Parting>>>> = Arc::default();
    let only = Arc::new(Parting);
    let inside = Arc::clone(&slot);
    probe_with("probe-parting", &only, move |_| {
        let mine = inside.lock().unwrap().take();
        drop(mine);
        Some(Figures::of_entries(1))
    });
    let before = report().probes_panicked;
    *slot.lock().unwrap() = Some(only);
    assert!(!is_alive("probe-parting"));
    assert!(report().probes_panicked > before);
}

#[test]
fn polls_run_on_several_threads_at_a_time() {
    // Were a lock held while a container is asked, these two would never meet.
    let meeting = Arc::new(std::sync::Barrier::new(2));
    let container = Arc::new(());
    let inside = Arc::clone(&meeting);
    let met = AtomicU64::new(0);
    let met: &'static AtomicU64 = Box::leak(Box::new(met));
    probe_with("probe-meets", &container, move |()| {
        // Other tests of this process take reports too: only two may wait.
        if met.fetch_add(1, Ordering::Relaxed) < 2 {
            inside.wait();
        }
        Some(Figures::of_entries(1))
    });
    let other = std::thread::spawn(|| group("probe-meets").entries);
    assert_eq!(group("probe-meets").entries, 1);
    assert_eq!(other.join().unwrap(), 1);
}

#[test]
fn bounds_count_only_if_all_containers_have_one() {
    #[derive(Clone, Copy)]
    struct Bounded(Option<u64>);
    impl MapMetrics for Bounded {
        fn entries(&self) -> Option<u64> {
            Some(1)
        }
        fn max_entries(&self) -> Option<u64> {
            self.0
        }
        fn expected_ttl(&self) -> Option<Duration> {
            self.0.map(Duration::from_secs)
        }
    }
    let bounds = |group: GroupReport| (group.max_entries, group.expected_ttl);
    let _ten = probe_owned("probe-bounds", Bounded(Some(10)));
    let _twenty = probe_owned("probe-bounds", Bounded(Some(20)));
    let both = (Some(20), Some(Duration::from_secs(20)));
    assert_eq!(bounds(group("probe-bounds")), both);
    let unbounded = probe_owned("probe-bounds", Bounded(None));
    assert_eq!(bounds(group("probe-bounds")), (None, None));
    let _ = Group::named("probe-bounds").max_entries(7);
    assert_eq!(
        bounds(group("probe-bounds")).0,
        Some(7),
        "what is declared counts"
    );
    drop(unbounded);
    assert_eq!(bounds(group("probe-bounds")).0, Some(7));
}

/// A cache that counts for itself.
struct Counting(u64);

impl MapMetrics for Counting {
    fn entries(&self) -> Option<u64> {
        Some(3)
    }

    fn cache(&self) -> Option<CacheMetrics> {
        let mut cache = CacheMetrics::default();
        cache.hits = Some(self.0);
        cache.evictions_uncaused = Some(self.0 * 2);
        cache.weight = Some(30);
        cache.max_weight = Some(50);
        Some(cache)
    }
}

#[test]
fn a_cache_that_goes_leaves_its_counters() {
    let first = probe_owned("probe-cache", Counting(5));
    let second = Arc::new(Counting(7));
    probe("probe-cache", &second);
    let cache = group("probe-cache").cache.expect("caches");
    assert_eq!(
        (cache.hits, cache.misses, cache.puts),
        (Some(12), None, None)
    );
    assert_eq!((cache.evicted(), cache.size), (Some(24), Some(6)));
    assert_eq!((cache.weight, cache.max_weight), (Some(60), Some(100)));
    assert_eq!(cache.evictions, [None; 4], "causes are not told");
    drop(first);
    let cache = group("probe-cache").cache.expect("caches");
    assert_eq!((cache.hits, cache.weight), (Some(12), Some(30)));
    Group::named("probe-cache").count_misses(4);
    drop(second);
    let left = group("probe-cache");
    let cache = left.cache.expect("its counters stay");
    assert_eq!(
        (left.instances, cache.hits, cache.misses),
        (0, Some(12), Some(4))
    );
    assert_eq!((cache.size, cache.weight), (None, None));
    let _third = probe_owned("probe-cache", Counting(1));
    let cache = group("probe-cache").cache.expect("caches");
    assert_eq!((cache.hits, cache.evicted()), (Some(13), Some(26)));
}

#[test]
fn unknown_is_not_zero() {
    struct Silent;
    impl MapMetrics for Silent {
        fn entries(&self) -> Option<u64> {
            None
        }
    }
    let _silent = probe_owned("probe-silent", Silent);
    let shown = group("probe-silent");
    assert_eq!(
        (shown.instances, shown.entries_unknown, shown.tables_unknown),
        (1, 1, 1)
    );
}

#[test]
fn absurd_figures_do_no_harm() {
    struct Absurd;
    impl MapMetrics for Absurd {
        fn entries(&self) -> Option<u64> {
            Some(u64::MAX)
        }
        fn capacity(&self) -> Option<u64> {
            Some(u64::MAX)
        }
        fn table_bytes(&self) -> Option<u64> {
            Some(u64::MAX)
        }
        fn expected_ttl(&self) -> Option<Duration> {
            Some(Duration::MAX)
        }
    }
    let _guards: Vec<_> = (0..3)
        .map(|_| probe_owned("probe-absurd", Absurd))
        .collect();
    let mut vecs = TrackedHashMap::named("probe-absurd");
    vecs.insert(1, 1);
    let tracked: Vec<_> = (0..3)
        .map(|_| heaplens_maps::Tracked::named("probe-absurd", Absurd))
        .collect();
    let shown = group("probe-absurd");
    assert_eq!((shown.entries, shown.capacity), (u64::MAX, u64::MAX));
    assert!(shown.instances >= 6);
    drop(tracked);
    let _ = group("probe-absurd");
}

#[test]
fn what_a_probe_watches_is_freed_with_its_last_arc() {
    static FREED: OnceLock<()> = OnceLock::new();
    struct Noticed(Vec<u8>);
    impl Drop for Noticed {
        fn drop(&mut self) {
            FREED.set(()).expect("dropped once");
        }
    }
    let container = Arc::new(Noticed(vec![1]));
    let weak: Weak<Noticed> = Arc::downgrade(&container);
    probe_with("probe-freed", &container, |noticed| {
        Some(Figures::of_entries(noticed.0.len() as u64))
    });
    assert_eq!(group("probe-freed").entries, 1);
    drop(container);
    assert!(FREED.get().is_some() && weak.upgrade().is_none());
}
