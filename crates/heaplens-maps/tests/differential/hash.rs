//! `HashMap` and `HashSet`, whose tables are followed by the high-water rule.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};

use heaplens_maps::{TrackedHashMap, TrackedHashSet};
use proptest::prelude::*;

use super::{Item, Key, Value, consistent, entries, key};

/// The same for both, so that they are alike down to the order of entries.
type Fixed = BuildHasherDefault<DefaultHasher>;
type StdMap = HashMap<Key, Value, Fixed>;
type Map = TrackedHashMap<Key, Value, Fixed>;
type StdSet = HashSet<Key, Fixed>;
type Set = TrackedHashSet<Key, Fixed>;

#[derive(Clone, Debug)]
enum Op {
    Insert(Key, Value),
    InsertWith(Key, Value),
    Remove(Key),
    RemoveEntry(Key),
    OrInsert(Key, Value),
    EntryInsert(Key, Value),
    EntryRemove(Key),
    GetMut(Key, Value),
    GetDisjointMut(Key, Key, Value),
    IterMut(Value),
    ValuesMut(Value),
    Retain(Key),
    ExtractIf(Key, usize),
    Drain(usize, bool),
    Clear,
    Extend(Vec<(Key, Value)>),
    ExtendRef(Vec<(Key, Value)>),
    Reserve(usize),
    TryReserve(usize),
    ShrinkToFit,
    ShrinkTo(usize),
    Clone,
    CloneFrom,
    CloneOver,
    TakeAll,
    Swap,
    Rename,
    Rebuild,
    IntoInner,
    Collect(Vec<(Key, Value)>),
    Behind(Key, Value),
    BehindAndRemove(Vec<(Key, Value)>, Key),
    ClearBehind,
    // Of sets.
    Replace(Key),
    Take(Key),
    Combine(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let room = prop_oneof![0..40usize, 0..2000usize];
    let other_room = room.clone();
    let third_room = 0..700usize;
    let divisor = 1..6u16;
    prop_oneof![
        6 => (key(), any::<Value>()).prop_map(|(k, v)| Op::Insert(k, v)),
        6 => key().prop_map(Op::Remove),
        3 => entries().prop_map(Op::Extend),
        1 => (key(), any::<Value>()).prop_map(|(k, v)| Op::InsertWith(k, v)),
        1 => key().prop_map(Op::RemoveEntry),
        2 => (key(), any::<Value>()).prop_map(|(k, v)| Op::OrInsert(k, v)),
        1 => (key(), any::<Value>()).prop_map(|(k, v)| Op::EntryInsert(k, v)),
        2 => key().prop_map(Op::EntryRemove),
        1 => (key(), any::<Value>()).prop_map(|(k, v)| Op::GetMut(k, v)),
        1 => (key(), key(), any::<Value>()).prop_map(|(k, l, v)| Op::GetDisjointMut(k, l, v)),
        1 => any::<Value>().prop_map(Op::IterMut),
        1 => any::<Value>().prop_map(Op::ValuesMut),
        3 => divisor.clone().prop_map(Op::Retain),
        3 => (divisor, 0..60usize).prop_map(|(d, n)| Op::ExtractIf(d, n)),
        2 => (0..60usize, any::<bool>()).prop_map(|(n, forget)| Op::Drain(n, forget)),
        1 => Just(Op::Clear),
        1 => entries().prop_map(Op::ExtendRef),
        1 => room.prop_map(Op::Reserve),
        1 => other_room.prop_map(Op::TryReserve),
        2 => Just(Op::ShrinkToFit),
        2 => third_room.prop_map(Op::ShrinkTo),
        1 => Just(Op::Clone),
        1 => Just(Op::CloneFrom),
        1 => Just(Op::CloneOver),
        1 => Just(Op::TakeAll),
        1 => Just(Op::Swap),
        1 => Just(Op::Rename),
        1 => Just(Op::Rebuild),
        1 => Just(Op::IntoInner),
        1 => entries().prop_map(Op::Collect),
        1 => (key(), any::<Value>()).prop_map(|(k, v)| Op::Behind(k, v)),
        1 => (entries(), key()).prop_map(|(all, k)| Op::BehindAndRemove(all, k)),
        1 => Just(Op::ClearBehind),
        1 => key().prop_map(Op::Replace),
        1 => key().prop_map(Op::Take),
        1 => (0..4usize).prop_map(Op::Combine),
    ]
}

/// What only one side has, as the other side would do it.
trait Subject: Sized + Default {
    type Inner;
    const NAME: &'static str;
    fn named() -> Self;
    fn take_all(&mut self) -> Self;
    fn rename(self) -> Self;
    fn into_inner(self) -> Self::Inner;
    fn from_inner(inner: Self::Inner) -> Self;
    fn inner_mut(&mut self) -> &mut Self::Inner;
}

macro_rules! subjects {
    ($($std:ty, $tracked:ty, $name:literal;)*) => {$(
        impl Subject for $std {
            type Inner = Self;
            const NAME: &'static str = "";
            fn named() -> Self {
                Self::default()
            }
            fn take_all(&mut self) -> Self {
                std::mem::take(self)
            }
            fn rename(self) -> Self {
                self
            }
            fn into_inner(self) -> Self {
                self
            }
            fn from_inner(inner: Self) -> Self {
                inner
            }
            fn inner_mut(&mut self) -> &mut Self {
                self
            }
        }

        impl Subject for $tracked {
            type Inner = $std;
            const NAME: &'static str = $name;
            fn named() -> Self {
                <$tracked>::named_with_hasher($name, Fixed::new())
            }
            fn take_all(&mut self) -> Self {
                <$tracked>::take_all(self)
            }
            fn rename(self) -> Self {
                <$tracked>::rename(self, concat!($name, "-away")).rename($name)
            }
            fn into_inner(self) -> $std {
                <$tracked>::into_inner(self)
            }
            fn from_inner(inner: $std) -> Self {
                <$tracked>::from_inner(inner).rename($name)
            }
            fn inner_mut(&mut self) -> &mut $std {
                self
            }
        }
    )*};
}

subjects! {
    StdMap, Map, "differential-hash-map";
    StdSet, Set, "differential-hash-set";
}

/// What both kinds do in the same way. Gives what was returned, as text.
macro_rules! common_op {
    ($subject:ident, $other:ident, $op:expr) => {
        match $op {
            Op::Clear => $subject.clear(),
            Op::Reserve(room) => $subject.reserve(*room),
            Op::TryReserve(room) => {
                assert!($subject.try_reserve(*room).is_ok());
                assert!($subject.try_reserve(usize::MAX).is_err());
            }
            Op::ShrinkToFit => $subject.shrink_to_fit(),
            Op::ShrinkTo(room) => $subject.shrink_to(*room),
            Op::Clone => *$other = $subject.clone(),
            Op::CloneFrom => $subject.clone_from($other),
            Op::CloneOver => $other.clone_from($subject),
            Op::TakeAll => *$other = Subject::take_all($subject),
            Op::Swap => std::mem::swap($subject, $other),
            Op::Rename => *$subject = Subject::rename(std::mem::take($subject)),
            Op::Rebuild => {
                let all = std::mem::take($subject);
                *$subject = Subject::named();
                $subject.extend(all);
            }
            Op::IntoInner => {
                let inner = Subject::into_inner(std::mem::take($subject));
                *$subject = Subject::from_inner(inner);
            }
            Op::ClearBehind => Subject::inner_mut($subject).clear(),
            _ => {}
        }
    };
}

macro_rules! map_op {
    ($map:ident, $other:ident, $op:expr) => {{
        common_op!($map, $other, $op);
        match $op {
            Op::Insert(key, value) => format!("{:?}", $map.insert(*key, *value)),
            Op::Remove(key) | Op::Take(key) => format!("{:?}", $map.remove(key)),
            Op::RemoveEntry(key) => format!("{:?}", $map.remove_entry(key)),
            Op::OrInsert(key, value) => {
                let entry = $map.entry(*key).and_modify(|value| *value += 1);
                format!("{:?}", entry.or_insert(*value))
            }
            Op::EntryInsert(key, value) => {
                format!("{:?}", $map.entry(*key).insert_entry(*value))
            }
            Op::EntryRemove(key) => match $map.entry(*key) {
                std::collections::hash_map::Entry::Occupied(entry) => {
                    format!("{:?}", entry.remove_entry())
                }
                std::collections::hash_map::Entry::Vacant(entry) => {
                    format!("{:?}", entry.into_key())
                }
            },
            Op::GetMut(key, value) => {
                format!(
                    "{:?}",
                    $map.get_mut(key)
                        .map(|place| std::mem::replace(place, *value))
                )
            }
            Op::GetDisjointMut(key, other, value) if key != other => {
                let found = $map.get_disjoint_mut([key, other]);
                let found = found.map(|place| place.map(|place| std::mem::replace(place, *value)));
                format!("{found:?}")
            }
            Op::IterMut(value) => {
                let seen = $map.iter_mut().map(|(key, place)| {
                    *place ^= *value;
                    *key
                });
                format!("{:?}", seen.collect::<Vec<_>>())
            }
            Op::ValuesMut(value) => {
                for place in $map.values_mut() {
                    *place ^= *value;
                }
                String::new()
            }
            Op::Retain(divisor) => {
                $map.retain(|key, value| {
                    *value += 1;
                    key % divisor != 0
                });
                String::new()
            }
            Op::ExtractIf(divisor, count) => {
                let taken = $map.extract_if(|key, _| key % divisor != 0);
                format!("{:?}", taken.take(*count).collect::<Vec<_>>())
            }
            Op::Drain(count, forget) => {
                let mut drain = $map.drain();
                let size = drain.size_hint();
                let seen: Vec<_> = drain.by_ref().take(*count).collect();
                if *forget {
                    std::mem::forget(drain);
                }
                format!("{size:?} {seen:?}")
            }
            Op::Extend(entries) => {
                $map.extend(entries.iter().copied());
                String::new()
            }
            Op::ExtendRef(entries) => {
                $map.extend(entries.iter().map(|(key, value)| (key, value)));
                String::new()
            }
            Op::Behind(key, value) | Op::InsertWith(key, value) => {
                format!("{:?}", Subject::inner_mut($map).insert(*key, *value))
            }
            Op::BehindAndRemove(entries, key) => {
                Subject::inner_mut($map).extend(entries.iter().copied());
                format!("{:?}", $map.remove(key))
            }
            _ => String::new(),
        }
    }};
}

macro_rules! set_op {
    ($set:ident, $other:ident, $op:expr) => {{
        common_op!($set, $other, $op);
        match $op {
            Op::Insert(key, _) | Op::OrInsert(key, _) => format!("{:?}", $set.insert(*key)),
            Op::Remove(key) => format!("{:?}", $set.remove(key)),
            Op::Take(key) | Op::RemoveEntry(key) => format!("{:?}", $set.take(key)),
            Op::Replace(key) | Op::EntryInsert(key, _) => format!("{:?}", $set.replace(*key)),
            Op::Retain(divisor) => {
                $set.retain(|key| key % divisor != 0);
                String::new()
            }
            Op::ExtractIf(divisor, count) => {
                let taken = $set.extract_if(|key| key % divisor != 0);
                format!("{:?}", taken.take(*count).collect::<Vec<_>>())
            }
            Op::Drain(count, forget) => {
                let mut drain = $set.drain();
                let size = drain.size_hint();
                let seen: Vec<_> = drain.by_ref().take(*count).collect();
                if *forget {
                    std::mem::forget(drain);
                }
                format!("{size:?} {seen:?}")
            }
            Op::Extend(entries) => {
                $set.extend(entries.iter().map(|(key, _)| *key));
                String::new()
            }
            Op::ExtendRef(entries) => {
                $set.extend(entries.iter().map(|(key, _)| key));
                String::new()
            }
            Op::Behind(key, _) => format!("{:?}", Subject::inner_mut($set).insert(*key)),
            Op::BehindAndRemove(entries, key) => {
                Subject::inner_mut($set).extend(entries.iter().map(|(key, _)| *key));
                format!("{:?}", $set.remove(key))
            }
            Op::Combine(which) => {
                let combined = match which {
                    0 => &*$set | &*$other,
                    1 => &*$set & &*$other,
                    2 => &*$set ^ &*$other,
                    _ => &*$set - &*$other,
                };
                let mut keys: Vec<_> = combined.into_iter().collect();
                keys.sort_unstable();
                format!("{keys:?}")
            }
            _ => String::new(),
        }
    }};
}

/// Whether an operation is published at once, or with the next call.
fn is_late(op: &Op) -> bool {
    matches!(
        op,
        Op::OrInsert(..)
            | Op::EntryInsert(..)
            | Op::EntryRemove(..)
            | Op::Behind(..)
            | Op::InsertWith(..)
            | Op::ClearBehind
    )
}

/// Buckets of a table for so many entries of `entry` bytes. With small entries
/// the least table has more of them: they fill a group of 16 bytes.
fn buckets(capacity: usize, entry: usize) -> usize {
    let least = match entry {
        0..2 => 16,
        2..4 => 8,
        _ => 4,
    };
    match capacity {
        0 => 0,
        1..4 => least,
        4..8 => least.max(8),
        8..15 => 16,
        _ => (capacity * 8 / 7).next_power_of_two(),
    }
}

fn full(buckets: usize) -> usize {
    if buckets <= 8 {
        buckets.saturating_sub(1)
    } else {
        buckets / 8 * 7
    }
}

/// What must be known of a table of entries of `ENTRY` bytes: the largest
/// capacity it has shown, and the bytes of one that was leaked before there is a
/// new one.
#[derive(Clone, Copy, Debug, Default)]
struct Table<const ENTRY: usize> {
    mark: usize,
    leaked: usize,
}

impl<const ENTRY: usize> Table<ENTRY> {
    fn shows(&mut self, capacity: usize) {
        self.mark = self.mark.max(capacity);
        if self.mark > 0 {
            self.leaked = 0;
        }
    }

    fn shrinks(&mut self, wanted: usize) {
        let wanted = buckets(wanted, ENTRY);
        if wanted < buckets(self.mark, ENTRY) {
            self.mark = full(wanted);
        }
    }

    /// Follows an operation on `[subject, other]`, given what std's now have.
    fn follow(tables: &mut [Self; 2], op: &Op, before: usize, len: usize, capacity: [usize; 2]) {
        let [subject, other] = tables;
        match op {
            Op::ShrinkToFit => subject.shrinks(len),
            Op::ShrinkTo(room) => subject.shrinks(len.max(*room)),
            Op::Clear if before > 0 => subject.mark = capacity[0],
            // One that was leaked before still counts.
            Op::Drain(_, true) if subject.mark > 0 => {
                *subject = Table {
                    mark: 0,
                    leaked: subject.mark,
                };
            }
            Op::CloneFrom => {
                *subject = Table {
                    mark: other.mark,
                    leaked: 0,
                }
            }
            Op::Clone | Op::CloneOver => {
                *other = Table {
                    mark: subject.mark,
                    leaked: 0,
                }
            }
            Op::TakeAll => *other = std::mem::take(subject),
            Op::Swap => std::mem::swap(subject, other),
            Op::Rename => subject.leaked = 0,
            Op::Rebuild | Op::IntoInner | Op::Collect(_) => *subject = Table::default(),
            _ => {}
        }
        subject.shows(capacity[0]);
        other.shows(capacity[1]);
    }

    /// As it is shown: 1 is a leaked table's.
    fn capacity(self) -> usize {
        self.mark.max(usize::from(self.leaked > 0))
    }

    fn bytes(self) -> usize {
        match buckets(self.mark, ENTRY) {
            0 if self.leaked > 0 => Self {
                mark: self.leaked,
                leaked: 0,
            }
            .bytes(),
            0 => 0,
            buckets => (buckets * ENTRY).next_multiple_of(16) + buckets + 16,
        }
    }
}

macro_rules! differential {
    ($test:ident, $std:ty, $tracked:ty, $entry:ty, $apply:ident) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(120))]

            #[test]
            fn $test(ops in prop::collection::vec(op(), 0..120)) {
                const NAME: &str = <$tracked as Subject>::NAME;
                let mut expected = [<$std>::default(), <$std>::default()];
                let mut tracked = [<$tracked>::named(), <$tracked>::named()];
                let mut tables = [Table::<{ size_of::<$entry>() }>::default(); 2];
                for (number, op) in ops.iter().enumerate() {
                    let step = format!("{number}: {op:?}");
                    let before = expected[0].len();
                    let returned = {
                        let [subject, other] = &mut expected;
                        $apply!(subject, other, op)
                    };
                    let got = {
                        let [subject, other] = &mut tracked;
                        $apply!(subject, other, op)
                    };
                    if let Op::Collect(entries) = op {
                        let items = || entries.iter().copied().map(<$entry>::item);
                        expected[0] = items().collect();
                        tracked[0] = items().collect::<$tracked>().rename(NAME);
                    }
                    let entries = expected[0].len() + expected[1].len();
                    if !is_late(op) {
                        consistent(NAME, entries, &step);
                    }
                    // Reads, which publish what is late.
                    prop_assert_eq!(&tracked[0], &expected[0], "{}", &step);
                    prop_assert_eq!(&tracked[1], &expected[1], "{}", &step);
                    prop_assert_eq!(got, returned, "returned by {}", &step);
                    let capacity = [expected[0].capacity(), expected[1].capacity()];
                    prop_assert_eq!(tracked[0].capacity(), capacity[0], "{}", &step);
                    prop_assert!(tracked[0].iter().eq(expected[0].iter()), "order of {}", &step);

                    Table::follow(&mut tables, op, before, expected[0].len(), capacity);
                    let shown = consistent(NAME, entries, &step);
                    let capacity = tables.iter().map(|table| table.capacity());
                    let capacity = capacity.sum::<usize>() as u64;
                    prop_assert_eq!(shown.capacity, capacity, "capacity after {}", &step);
                    let bytes = tables.iter().map(|table| table.bytes());
                    prop_assert_eq!(shown.table_bytes, bytes.sum::<usize>() as u64, "{}", &step);
                }
                drop(tracked);
                let shown = consistent(NAME, 0, "the end");
                prop_assert_eq!((shown.instances, shown.table_bytes), (0, 0));
            }
        }
    };
}

differential!(hash_map, StdMap, Map, (Key, Value), map_op);
differential!(hash_set, StdSet, Set, Key, set_op);
