//! Who holds what, exactly, in a program with every allocation sampled.
#![allow(
    clippy::float_cmp,
    reason = "at interval 1 estimates are whole numbers"
)]

mod common;

use std::alloc::System;
use std::collections::{BTreeMap, HashMap};
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use common::alone;
use common::holders::{held_by, holder};
use common::random::Random;
use common::symbols::passes_through;
use heaplens_alloc::holder::{Holder, MAX_HOLDERS, Part, any_live, held, words};
use heaplens_alloc::{Alloc, Site, Snapshot, Tally, set_sample_interval, snapshot};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System).sample_interval(1);

fn contents(holder: Holder) -> (f64, f64) {
    let tally = held_by(holder).contents;
    (tally.objects, tally.bytes)
}

/// Inline bytes as awkward as they come: padding, niches, bytes of no type. All
/// whole words are written, though: one that is not may happen to be the address
/// of any block, and what is held would not be exact.
#[repr(C)]
struct Session {
    flag: u8,
    name: String,
    scratch: MaybeUninit<[u8; 100]>,
    state: State,
    next: Option<Box<[u64; 4]>>,
    last: u16,
}

#[allow(dead_code, reason = "some of it is there to be passed over")]
enum State {
    Fresh([usize; 2]),
    Active { since: u32, token: Arc<[u8]> },
}

type Callback = Box<dyn Fn() -> usize>;

fn session(number: usize) -> Session {
    Session {
        flag: 1,
        name: "n".repeat(10 + number),
        scratch: MaybeUninit::zeroed(),
        state: match number % 3 {
            0 => State::Fresh([0; 2]),
            _ => State::Active {
                since: 1,
                token: Arc::from(vec![7; number]),
            },
        },
        next: number.is_multiple_of(2).then(|| Box::new([1; 4])),
        last: 2,
    }
}

/// Requested bytes of the blocks that the words of a session point to.
fn bytes_of(session: &Session) -> usize {
    let token = match &session.state {
        State::Fresh(_) => 0,
        // Two counts before the value, in whole words.
        State::Active { token, since: 1 } => (16 + token.len()).next_multiple_of(8),
        State::Active { .. } => unreachable!("as it was made"),
    };
    assert_eq!((session.flag, session.last), (1, 2));
    assert_eq!(size_of_val(&session.scratch), 100);
    session.name.capacity() + token + session.next.as_ref().map_or(0, |_| 32)
}

/// Holds and releases a value that owns one block of this many bytes.
fn check_one<T>(value: T, bytes: usize) {
    let this = holder("one by one");
    assert_eq!(contents(this), (0.0, 0.0));
    this.hold_value(&value);
    let what = std::any::type_name::<T>();
    assert_eq!(contents(this), (1.0, bytes as f64), "{what}");
    this.release_value(&value);
    assert_eq!(contents(this), (0.0, 0.0), "{what}, released");
    this.hold_value(&value);
    drop(value);
    assert_eq!(contents(this), (0.0, 0.0), "{what}, freed");
}

#[test]
fn values_of_all_kinds() {
    let _turn = alone();
    check_one(Box::new(5u64), 8);
    check_one(Box::new(3u8), 1);
    check_one(Some(Box::new([0u32; 5])), 20);
    check_one(Vec::<u16>::with_capacity(100), 200);
    check_one(vec![0u8; 10_000], 10_000);
    check_one(String::from("eleven long"), 11);
    check_one((7u8, String::from("abc"), 9u16), 3);
    check_one(Arc::new(1u64), 24);
    check_one(Rc::<str>::from("12345678"), 24);
    check_one(Box::<str>::from("boxed"), 5);
    let text = String::from("captured");
    let callback: Callback = Box::new(move || text.len());
    // The string's own block lies behind the first pointer.
    check_one(callback, size_of::<String>());
    check_one(Some(Ok::<String, Box<[u8; 64]>>("ok".into())), 2);
    check_one(Some(Err::<String, Box<[u8; 64]>>(Box::new([0; 64]))), 64);
}

#[test]
fn what_owns_nothing_is_not_read() {
    let _turn = alone();
    let this = holder("borrowed");
    let text = String::from("owned elsewhere");
    let borrowed = (text.as_str(), std::ptr::from_ref(&text), 5usize);
    this.hold_value(&borrowed);
    assert_eq!(contents(this), (0.0, 0.0));
}

/// A map of awkward values under random insertions, replacements, removals and
/// growth: after each stretch what is held is the truth to the last byte.
#[test]
fn held_is_the_truth_for_a_map() {
    let _turn = alone();
    let this = holder("exact");
    let mut random = Random::new(7);
    let mut map: HashMap<String, Session> = HashMap::new();
    // What left the map lives on, held by nobody.
    let mut gone = Vec::new();
    for round in 0..60 {
        for _ in 0..50 {
            let key = format!("key {}", random.below(400));
            match random.below(4) {
                0 | 1 => {
                    let value = session(random.below(60));
                    this.hold_value(&key);
                    this.hold_value(&value);
                    let own = this.enter(Part::Table);
                    let old = map.insert(key, value);
                    drop(own);
                    this.release_value(&old);
                    gone.extend(old.map(|old| (String::new(), old)));
                }
                2 => {
                    let entry = map.remove_entry(&key);
                    this.release_value(&entry);
                    gone.extend(entry);
                }
                // Every block is sampled, so growth keeps the holder.
                _ => {
                    if let Some(value) = map.get_mut(&key) {
                        value.name.push_str("longer and longer");
                    }
                }
            }
        }
        let truth: usize = map
            .iter()
            .map(|(key, value)| key.capacity() + bytes_of(value))
            .sum();
        assert_eq!(contents(this).1, truth as f64, "round {round}");
    }
    assert!(gone.len() > 100 && map.len() > 100);
    let table = held_by(this).table;
    assert_eq!(table.objects, 1.0, "the present table, no former one");
    let entry = size_of::<(String, Session)>();
    assert!(table.bytes >= (map.len() * entry) as f64);
    drop((map, gone));
    let after = held_by(this);
    assert_eq!(
        (after.contents, after.table),
        (Tally::default(), Tally::default())
    );
    assert_eq!(after.oldest, None);
}

type Rows = BTreeMap<(Vec<u64>, u64), (Tally, Tally)>;

/// Figures of a snapshot without labels, a row per stack and class, of what
/// [`make_sessions`] made: the test harness may be allocating as well.
fn without_labels(of: &Snapshot) -> Rows {
    let mut rows = Rows::new();
    let ours = |site: &&Site| passes_through(&of.stacks[site.stack].frames, "make_sessions");
    for site in of.sites.iter().filter(ours) {
        let key = (of.stacks[site.stack].frames.clone(), site.size_class);
        let row = rows.entry(key).or_default();
        row.0.add(&site.alloc);
        row.1.add(&site.inuse);
    }
    rows
}

fn labelled(of: &Snapshot, value: &str) -> (Tally, Tally) {
    let label = vec![("map".to_owned(), value.to_owned())];
    let mut sums = (Tally::default(), Tally::default());
    for site in of
        .sites
        .iter()
        .filter(|site| of.labels[site.labels] == label)
    {
        sums.0.add(&site.alloc);
        sums.1.add(&site.inuse);
    }
    sums
}

#[inline(never)]
fn make_sessions() -> Vec<Session> {
    // Not a tail call, which would take this function off the stack.
    std::hint::black_box((0..200).map(session).collect())
}

/// Tagging moves what is in use to rows of its own and changes no sum; what was
/// allocated stays where it was.
#[test]
fn tagging_changes_no_sum() {
    let _turn = alone();
    let (this, that) = (holder("moved"), holder("moved on"));
    let values = make_sessions();
    let plain = snapshot();
    for value in &values {
        this.hold_value(value);
    }
    let tagged = snapshot();
    let before = without_labels(&plain);
    assert!(before.len() > 3 && before == without_labels(&tagged));
    assert_eq!(labelled(&plain, "moved").1, Tally::default());
    let truth: usize = values.iter().map(bytes_of).sum();
    let (alloc, inuse) = labelled(&tagged, "moved");
    assert_eq!((alloc, inuse.bytes), (Tally::default(), truth as f64));
    assert_eq!(tagged.labels[0], vec![]);

    // The last one wins; another holder's marks are not taken off.
    for value in &values {
        that.hold_value(value);
    }
    for value in &values {
        this.release_value(value);
    }
    let moved = snapshot();
    assert_eq!(labelled(&moved, "moved").1, Tally::default());
    assert_eq!(labelled(&moved, "moved on").1.bytes, truth as f64);
    drop(values);
    let freed = snapshot();
    assert_eq!(labelled(&freed, "moved on").1, Tally::default());
    // Cumulative figures never decrease, row by row.
    let last = without_labels(&freed);
    for (key, (alloc, _)) in without_labels(&moved) {
        let now = last[&key].0;
        assert!(now.samples >= alloc.samples && now.bytes >= alloc.bytes);
    }
}

#[test]
fn scopes_nest_and_are_of_their_thread() {
    let _turn = alone();
    let (outer, inner) = (holder("outer"), holder("inner"));
    let scope = outer.enter(Part::Contents);
    let first = vec![0u8; 100];
    let second = {
        let _scope = inner.enter(Part::Table);
        vec![0u8; 200]
    };
    let third = vec![0u8; 400];
    let elsewhere = std::thread::spawn(|| vec![0u8; 800])
        .join()
        .expect("no panic");
    let of_outer = held_by(outer).contents.bytes;
    drop(scope);
    let last = vec![0u8; 1600];
    assert_eq!(held_by(inner).table.bytes, 200.0);
    assert_eq!(held_by(inner).contents, Tally::default());
    // Starting a thread allocates on this one as well.
    assert!((500.0..800.0).contains(&of_outer), "{of_outer}");
    assert_eq!(held_by(outer).table, Tally::default());
    drop((first, second, third, elsewhere, last));
    assert_eq!(held_by(inner).table, Tally::default());
}

/// The block that a held block becomes is held, wherever it is.
#[test]
fn growth_keeps_the_holder() {
    let _turn = alone();
    let (this, other) = (holder("growing"), holder("in scope"));
    let mut list: Vec<u64> = Vec::with_capacity(1);
    list.push(0);
    this.hold_value(&list);
    // The sizes of all shapes: in a small block, in a large one, and back.
    for capacity in [2, 10, 100, 511, 512, 3000, 100_000, 600, 5] {
        let _scope = other.enter(Part::Table);
        if capacity > list.capacity() {
            list.reserve_exact(capacity - list.len());
        } else {
            list.shrink_to(capacity);
        }
        assert_eq!(list.capacity(), capacity);
        assert_eq!(contents(this), (1.0, (8 * capacity) as f64));
    }
    assert_eq!(held_by(other).table, Tally::default());
    this.release_value(&list);
    list.reserve_exact(1000);
    assert_eq!(contents(this), (0.0, 0.0), "what is free stays free");
}

#[test]
fn single_blocks_by_address_and_size() {
    let _turn = alone();
    let this = holder("by address");
    let block = vec![0u8; 5000];
    let address = block.as_ptr().addr();
    assert!(any_live());
    for miss in [
        0,
        8,
        address + 8,
        address - 16,
        address + 1,
        usize::MAX,
        1 << 47,
    ] {
        assert!(!this.hold(Part::Table, miss), "{miss:#x}");
    }
    assert!(!this.hold_sized(Part::Table, address, 4999));
    assert_eq!(held_by(this).table, Tally::default());
    assert!(this.hold_sized(Part::Table, address, 5000));
    assert_eq!(held_by(this).table.bytes, 5000.0);
    assert!(this.hold(Part::Contents, address));
    assert_eq!(
        (contents(this).1, held_by(this).table),
        (5000.0, Tally::default())
    );
    drop(block);
    assert!(!this.hold(Part::Contents, address));

    // A container finds its buffer among its own words.
    let list: Vec<u64> = Vec::with_capacity(33);
    let mut found = Vec::new();
    words(&list, |word| {
        found.push(this.hold_sized(Part::Table, word, 33 * 8));
    });
    assert_eq!(found, [true], "length and capacity are no addresses");
    assert_eq!(held_by(this).table.bytes, 264.0);
}

#[test]
fn the_oldest_of_the_contents() {
    let _turn = alone();
    let this = holder("ages");
    let early = vec![1u8; 50];
    this.hold_value(&early);
    let oldest = || held_by(this).oldest.expect("some are held");
    let of_early = oldest();
    let now = SystemTime::now();
    assert!(of_early <= now && now.duration_since(of_early).expect("just so") < HOUR);
    // Until the clock of births has moved on.
    let young = loop {
        let young = vec![1u8; 60];
        this.release_value(&early);
        this.hold_value(&young);
        if oldest() > of_early + TICK / 2 {
            break young;
        }
    };
    let of_young = oldest();
    this.hold_value(&early);
    assert!(oldest() < of_young);
    this.hold(Part::Table, early.as_ptr().addr());
    assert!(oldest() > of_early + TICK / 2, "tables have no say");
    drop(young);
    assert_eq!(held_by(this).oldest, None);
}

const HOUR: Duration = Duration::from_secs(3600);
/// The least step of the clock of births.
const TICK: Duration = Duration::from_millis(1);

#[test]
fn labels_are_as_registered() {
    let _turn = alone();
    let (map, queue) = (
        holder("label"),
        Holder::register("queue", "label").expect("few"),
    );
    assert_ne!(map, queue);
    assert_eq!(map.label(), ("map", "label"));
    assert_eq!(queue.label(), ("queue", "label"));
    assert_eq!(holder(&String::from("label")), map);
    let all = held();
    assert!(all.len() < MAX_HOLDERS && all.iter().filter(|of| of.holder == map).count() == 1);
}

/// With sampling off nothing is alive that a scan could find.
#[test]
fn unsampled_blocks_are_not_held() {
    let _turn = alone();
    let this = holder("unsampled");
    set_sample_interval(0);
    let value = vec![0u8; 100];
    this.hold_value(&value);
    assert!(!this.hold(Part::Contents, value.as_ptr().addr()));
    set_sample_interval(1);
    assert_eq!(contents(this), (0.0, 0.0));
}
