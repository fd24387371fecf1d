//! The published bytes of tables against what an allocator was really asked for.
//!
//! One test in a program of its own: nothing else may allocate meanwhile.

mod support;

use std::alloc::System;
use std::collections::hash_map::RandomState;
use std::fmt::Debug;
use std::hash::Hash;

use heaplens_maps::{TrackedBTreeMap, TrackedBTreeSet, TrackedHashMap, TrackedHashSet};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOC: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NAME: &str = "table-bytes";

/// Bytes alive in the whole process, as requested.
fn live_bytes() -> i64 {
    let stats = ALLOC.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

#[derive(Clone, Debug)]
enum Op {
    Insert(u32, u32),
    Remove(u32, u32),
    RetainOneIn(u32),
    ExtractOneIn(u32, usize),
    Drain(usize),
    Clear,
    Reserve(usize),
    ShrinkToFit,
    ShrinkTo(usize),
    Clone,
    CloneFrom,
    CloneOver,
    TakeAll,
    Swap,
    Rename,
    WithCapacity(usize),
    Collect(u32, u32),
}

fn op() -> impl Strategy<Value = Op> {
    let range = || (0..3000u32, prop_oneof![0..20u32, 0..1500u32]);
    let room = || prop_oneof![0..40usize, 0..3000usize];
    prop_oneof![
        6 => range().prop_map(|(first, count)| Op::Insert(first, count)),
        6 => range().prop_map(|(first, count)| Op::Remove(first, count)),
        2 => (1..50u32).prop_map(Op::RetainOneIn),
        1 => (1..5u32, 0..100usize).prop_map(|(one_in, count)| Op::ExtractOneIn(one_in, count)),
        1 => (0..20usize).prop_map(Op::Drain),
        1 => Just(Op::Clear),
        1 => room().prop_map(Op::Reserve),
        3 => Just(Op::ShrinkToFit),
        3 => room().prop_map(Op::ShrinkTo),
        1 => Just(Op::Clone),
        1 => Just(Op::CloneFrom),
        1 => Just(Op::CloneOver),
        1 => Just(Op::TakeAll),
        1 => Just(Op::Swap),
        1 => Just(Op::Rename),
        1 => room().prop_map(Op::WithCapacity),
        1 => range().prop_map(|(first, count)| Op::Collect(first, count)),
    ]
}

/// A key or value made from a number.
trait Content: Clone + Eq + Hash + Ord + Debug + 'static {
    fn of(number: u32) -> Self;

    /// Bytes that it has on the heap.
    fn heap(&self) -> usize {
        0
    }
}

impl Content for () {
    fn of(_: u32) -> Self {}
}

impl Content for u8 {
    fn of(number: u32) -> Self {
        number as u8
    }
}

impl Content for u16 {
    fn of(number: u32) -> Self {
        number as u16
    }
}

impl Content for u64 {
    fn of(number: u32) -> Self {
        u64::from(number)
    }
}

impl Content for String {
    fn of(number: u32) -> Self {
        format!("key {number}")
    }

    fn heap(&self) -> usize {
        self.capacity()
    }
}

impl<const N: usize, T: Content> Content for [T; N] {
    fn of(number: u32) -> Self {
        std::array::from_fn(|_| T::of(number))
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(align(16))]
struct Align16(u64);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(align(32))]
struct Align32(u8);

impl Content for Align16 {
    fn of(number: u32) -> Self {
        Align16(u64::from(number))
    }
}

impl Content for Align32 {
    fn of(number: u32) -> Self {
        Align32(number as u8)
    }
}

/// A collection that can do all of [`Op`].
trait Subject: Sized + Clone {
    fn named() -> Self;
    fn with_capacity(capacity: usize) -> Self;
    fn collect(numbers: std::ops::Range<u32>) -> Self;
    fn change(&mut self, other: &mut Self, op: &Op);
    fn len(&self) -> usize;
    /// Bytes that keys and values have on the heap.
    fn contents(&self) -> usize;
}

fn numbers(first: u32, count: u32) -> std::ops::Range<u32> {
    first..first + count
}

macro_rules! common_op {
    ($subject:ident, $other:ident, $op:expr) => {
        match $op {
            Op::Clear => $subject.clear(),
            Op::Clone => *$other = $subject.clone(),
            Op::CloneFrom => $subject.clone_from($other),
            Op::CloneOver => $other.clone_from($subject),
            Op::TakeAll => *$other = $subject.take_all(),
            Op::Swap => std::mem::swap($subject, $other),
            Op::Rename => {
                let all = std::mem::replace($subject, <Self as Subject>::named());
                *$subject = all.rename("table-bytes-away").rename(NAME);
            }
            Op::WithCapacity(capacity) => *$subject = <Self as Subject>::with_capacity(*capacity),
            Op::Collect(first, count) => {
                *$subject = <Self as Subject>::collect(numbers(*first, *count))
            }
            _ => {}
        }
    };
}

/// Says at every call whether it is the turn of what comes: of so many the last.
fn turns(one_in: u32) -> impl FnMut() -> bool {
    let mut number = 0;
    move || {
        number += 1;
        number % one_in == 0
    }
}

/// What hashed and ordered maps do in the same way.
macro_rules! map_op {
    ($map:ident, $op:expr) => {
        match $op {
            Op::Insert(first, count) => {
                numbers(*first, *count).for_each(|n| drop($map.insert(K::of(n), V::of(n))));
            }
            Op::Remove(first, count) => {
                numbers(*first, *count).for_each(|n| drop($map.remove(&K::of(n))));
            }
            Op::RetainOneIn(one_in) => {
                let mut turn = turns(*one_in);
                $map.retain(|_, _| turn());
            }
            _ => {}
        }
    };
}

/// The same for sets.
macro_rules! set_op {
    ($set:ident, $op:expr) => {
        match $op {
            Op::Insert(first, count) => $set.extend(numbers(*first, *count).map(T::of)),
            Op::Remove(first, count) => {
                numbers(*first, *count).for_each(|n| drop($set.take(&T::of(n))));
            }
            Op::RetainOneIn(one_in) => {
                let mut turn = turns(*one_in);
                $set.retain(|_| turn());
            }
            _ => {}
        }
    };
}

/// What has tables.
macro_rules! hash_op {
    ($subject:ident, $op:expr) => {
        match $op {
            Op::Reserve(room) => $subject.reserve(*room),
            Op::ShrinkToFit => $subject.shrink_to_fit(),
            Op::ShrinkTo(room) => $subject.shrink_to(*room),
            Op::Drain(count) => drop($subject.drain().take(*count).count()),
            _ => {}
        }
    };
}

impl<K: Content, V: Content> Subject for TrackedHashMap<K, V> {
    fn named() -> Self {
        TrackedHashMap::named(NAME)
    }

    fn with_capacity(capacity: usize) -> Self {
        TrackedHashMap::with_capacity_and_hasher(capacity, RandomState::new()).rename(NAME)
    }

    fn collect(numbers: std::ops::Range<u32>) -> Self {
        let map: Self = numbers.map(|n| (K::of(n), V::of(n))).collect();
        map.rename(NAME)
    }

    fn change(&mut self, other: &mut Self, op: &Op) {
        let map = self;
        common_op!(map, other, op);
        map_op!(map, op);
        hash_op!(map, op);
        if let Op::ExtractOneIn(one_in, count) = op {
            let mut turn = turns(*one_in);
            let taken = map.extract_if(|_, _| turn());
            taken.take(*count).for_each(drop);
        }
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn contents(&self) -> usize {
        self.iter()
            .map(|(key, value)| key.heap() + value.heap())
            .sum()
    }
}

impl<T: Content> Subject for TrackedHashSet<T> {
    fn named() -> Self {
        TrackedHashSet::named(NAME)
    }

    fn with_capacity(capacity: usize) -> Self {
        TrackedHashSet::with_capacity_and_hasher(capacity, RandomState::new()).rename(NAME)
    }

    fn collect(numbers: std::ops::Range<u32>) -> Self {
        let set: Self = numbers.map(T::of).collect();
        set.rename(NAME)
    }

    fn change(&mut self, other: &mut Self, op: &Op) {
        let set = self;
        common_op!(set, other, op);
        set_op!(set, op);
        hash_op!(set, op);
        if let Op::ExtractOneIn(one_in, count) = op {
            let mut turn = turns(*one_in);
            let taken = set.extract_if(|_| turn());
            taken.take(*count).for_each(drop);
        }
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn contents(&self) -> usize {
        self.iter().map(Content::heap).sum()
    }
}

/// Spreads numbers over keys in an order that looks random.
fn scattered(number: u32) -> u32 {
    number.wrapping_mul(2_654_435_769) >> 7
}

/// What trees have instead of tables.
macro_rules! tree_op {
    ($subject:ident, $other:ident, $op:expr) => {
        match $op {
            Op::Drain(_) => $subject.append($other),
            Op::ShrinkTo(key) => *$other = $subject.split_off(&Content::of(*key as u32)),
            _ => {}
        }
    };
}

impl<K: Content, V: Content> Subject for TrackedBTreeMap<K, V> {
    fn named() -> Self {
        TrackedBTreeMap::named(NAME)
    }

    fn with_capacity(_: usize) -> Self {
        <Self as Subject>::named()
    }

    fn collect(numbers: std::ops::Range<u32>) -> Self {
        let map: Self = numbers.map(|n| (K::of(n), V::of(n))).collect();
        map.rename(NAME)
    }

    fn change(&mut self, other: &mut Self, op: &Op) {
        let map = self;
        common_op!(map, other, op);
        map_op!(map, op);
        tree_op!(map, other, op);
        if let Op::Reserve(count) = op {
            let scatter = |n| drop(map.insert(K::of(scattered(n)), V::of(n)));
            numbers(0, *count as u32).for_each(scatter);
        }
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn contents(&self) -> usize {
        self.iter()
            .map(|(key, value)| key.heap() + value.heap())
            .sum()
    }
}

impl<T: Content> Subject for TrackedBTreeSet<T> {
    fn named() -> Self {
        TrackedBTreeSet::named(NAME)
    }

    fn with_capacity(_: usize) -> Self {
        <Self as Subject>::named()
    }

    fn collect(numbers: std::ops::Range<u32>) -> Self {
        let set: Self = numbers.map(T::of).collect();
        set.rename(NAME)
    }

    fn change(&mut self, other: &mut Self, op: &Op) {
        let set = self;
        common_op!(set, other, op);
        set_op!(set, op);
        tree_op!(set, other, op);
        if let Op::Reserve(count) = op {
            set.extend(numbers(0, *count as u32).map(scattered).map(T::of));
        }
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn contents(&self) -> usize {
        self.iter().map(Content::heap).sum()
    }
}

/// Runs sequences on two collections of one group; `judge` gets the bytes that
/// were published, those that were allocated, and the lengths.
fn run<C: Subject>(cases: u32, judge: impl Fn(u64, i64, [usize; 2]) -> Result<(), TestCaseError>) {
    let what = std::any::type_name::<C>();
    let mut runner = TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    });
    let outcome = runner.run(&prop::collection::vec(op(), 0..30), |ops| {
        // What is made once and stays: groups, slots, what reports remember.
        let [mut warm, mut other] = [C::collect(0..3), C::with_capacity(1)];
        warm.change(&mut other, &Op::Rename);
        drop((warm, other));
        support::group_or_zero(NAME);

        let before = live_bytes();
        let mut subjects = [C::named(), C::named()];
        for op in ops {
            let [subject, other] = &mut subjects;
            subject.change(other, &op);
            let contents = subject.contents() + other.contents();
            let lens = [subject.len(), other.len()];
            let real = live_bytes() - before - contents as i64;
            let shown = support::group_or_zero(NAME);
            judge(shown.table_bytes, real, lens)?;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{what}: {error}");
    }
}

fn exact<C: Subject>() {
    run::<C>(60, |shown, real, lens| {
        prop_assert_eq!(shown as i64, real, "with {:?} entries", lens);
        Ok(())
    });
}

/// The error that is stated for trees of any history: a share of the truth, and
/// two nodes for each tree, which are of `node` bytes at most.
fn estimated<C: Subject>(node: u64) {
    run::<C>(60, |shown, real, lens| {
        let (shown, real, slack) = (shown as f64, real as f64, (4 * node) as f64);
        prop_assert!(
            shown >= 0.55 * real - slack,
            "{shown} for {real} with {lens:?} entries"
        );
        prop_assert!(
            shown <= 1.60 * real + slack,
            "{shown} for {real} with {lens:?} entries"
        );
        Ok(())
    });
}

/// What is published for a tree of some size, over what is true.
fn ratio<K: Content, V: Content>(make: impl Fn() -> TrackedBTreeMap<K, V>) -> f64 {
    drop(make());
    let before = live_bytes();
    let tree = make();
    let contents = tree.contents() as i64;
    let real = live_bytes() - before - contents;
    support::group_or_zero(NAME).table_bytes as f64 / (real as f64)
}

/// The error that is stated for trees of usual histories.
fn usual<K: Content, V: Content>() {
    let tree = || <TrackedBTreeMap<K, V> as Subject>::named();
    let random = ratio(|| {
        let mut tree = tree();
        (0..10_000).for_each(|n| drop(tree.insert(K::of(scattered(n)), V::of(n))));
        tree
    });
    assert!((random - 1.0).abs() < 0.05, "in random order {random}");
    let in_order = ratio(|| {
        let mut tree = tree();
        tree.extend((0..10_000).map(|n| (K::of(n), V::of(n))));
        tree
    });
    assert!((0.70..0.82).contains(&in_order), "in order {in_order}");
    let at_once = ratio(|| <TrackedBTreeMap<K, V> as Subject>::collect(0..10_000));
    assert!((1.40..1.60).contains(&at_once), "at once {at_once}");
}

#[test]
fn published_bytes_are_those_that_were_allocated() {
    exact::<TrackedHashMap<u8, ()>>();
    exact::<TrackedHashMap<u8, u8>>();
    exact::<TrackedHashMap<u16, u8>>();
    exact::<TrackedHashMap<u64, u64>>();
    exact::<TrackedHashMap<String, [u8; 40]>>();
    exact::<TrackedHashMap<u8, [u64; 5]>>();
    exact::<TrackedHashMap<u64, String>>();
    exact::<TrackedHashMap<Align16, u8>>();
    exact::<TrackedHashMap<u16, Align32>>();
    exact::<TrackedHashMap<(), u64>>();
    exact::<TrackedHashMap<(), ()>>();
    exact::<TrackedHashSet<u8>>();
    exact::<TrackedHashSet<u16>>();
    exact::<TrackedHashSet<[u8; 3]>>();
    exact::<TrackedHashSet<u64>>();
    exact::<TrackedHashSet<String>>();
    exact::<TrackedHashSet<Align32>>();
    exact::<TrackedHashSet<()>>();

    estimated::<TrackedBTreeMap<u8, ()>>(120);
    estimated::<TrackedBTreeMap<u16, u8>>(150);
    estimated::<TrackedBTreeMap<u64, u64>>(300);
    estimated::<TrackedBTreeMap<String, [u8; 40]>>(900);
    estimated::<TrackedBTreeMap<u16, Align32>>(700);
    estimated::<TrackedBTreeSet<u16>>(150);
    estimated::<TrackedBTreeSet<u64>>(250);
    estimated::<TrackedBTreeSet<String>>(400);
    estimated::<TrackedBTreeSet<()>>(120);
    usual::<u64, u64>();
    usual::<u16, u8>();
    usual::<u64, [u64; 5]>();
}
