//! `BTreeMap` and `BTreeSet`.

use std::collections::{BTreeMap, BTreeSet, btree_map};

use heaplens_maps::{TrackedBTreeMap, TrackedBTreeSet};
use proptest::prelude::*;

use super::{Item, Key, Value, consistent, entries, key};

type StdMap = BTreeMap<Key, Value>;
type Map = TrackedBTreeMap<Key, Value>;
type StdSet = BTreeSet<Key>;
type Set = TrackedBTreeSet<Key>;

#[derive(Clone, Debug)]
enum Op {
    Insert(Key, Value),
    Remove(Key),
    RemoveEntry(Key),
    PopFirst,
    PopLast,
    OrInsert(Key, Value),
    EntryRemove(Key),
    FirstEntry,
    LastEntry(bool),
    GetMut(Key, Value),
    IterMut(Value),
    ValuesMut(Value),
    RangeMut(Key, Key, Value),
    Retain(Key),
    ExtractIf(Key, usize),
    Clear,
    Extend(Vec<(Key, Value)>),
    ExtendRef(Vec<(Key, Value)>),
    Append,
    SplitOff(Key),
    Clone,
    CloneFrom,
    TakeAll,
    Swap,
    IntoInner,
    Collect(Vec<(Key, Value)>),
    Behind(Key, Value),
    Combine(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let divisor = 1..6u16;
    let pair = || (key(), any::<Value>());
    prop_oneof![
        6 => pair().prop_map(|(k, v)| Op::Insert(k, v)),
        6 => key().prop_map(Op::Remove),
        3 => entries().prop_map(Op::Extend),
        1 => key().prop_map(Op::RemoveEntry),
        1 => Just(Op::PopFirst),
        1 => Just(Op::PopLast),
        2 => pair().prop_map(|(k, v)| Op::OrInsert(k, v)),
        2 => key().prop_map(Op::EntryRemove),
        1 => Just(Op::FirstEntry),
        1 => any::<bool>().prop_map(Op::LastEntry),
        1 => pair().prop_map(|(k, v)| Op::GetMut(k, v)),
        1 => any::<Value>().prop_map(Op::IterMut),
        1 => any::<Value>().prop_map(Op::ValuesMut),
        1 => (key(), key(), any::<Value>()).prop_map(|(k, l, v)| Op::RangeMut(k, l, v)),
        2 => divisor.clone().prop_map(Op::Retain),
        2 => (divisor, 0..60usize).prop_map(|(d, n)| Op::ExtractIf(d, n)),
        1 => Just(Op::Clear),
        1 => entries().prop_map(Op::ExtendRef),
        2 => Just(Op::Append),
        2 => key().prop_map(Op::SplitOff),
        1 => Just(Op::Clone),
        1 => Just(Op::CloneFrom),
        1 => Just(Op::TakeAll),
        1 => Just(Op::Swap),
        1 => Just(Op::IntoInner),
        1 => entries().prop_map(Op::Collect),
        1 => pair().prop_map(|(k, v)| Op::Behind(k, v)),
        1 => (0..4usize).prop_map(Op::Combine),
    ]
}

/// What only one side has, as the other side would do it.
trait Subject: Sized {
    type Inner;
    const NAME: &'static str;
    fn take_all(&mut self) -> Self;
    fn rebuild(&mut self);
    fn inner_mut(&mut self) -> &mut Self::Inner;
}

macro_rules! subjects {
    ($($std:ty, $tracked:ty, $name:literal;)*) => {$(
        impl Subject for $std {
            type Inner = Self;
            const NAME: &'static str = "";
            fn take_all(&mut self) -> Self {
                std::mem::take(self)
            }
            fn rebuild(&mut self) {}
            fn inner_mut(&mut self) -> &mut Self {
                self
            }
        }

        impl Subject for $tracked {
            type Inner = $std;
            const NAME: &'static str = $name;
            fn take_all(&mut self) -> Self {
                <$tracked>::take_all(self)
            }
            fn rebuild(&mut self) {
                let inner = <$tracked>::take_all(self).into_inner();
                *self = <$tracked>::from_inner(inner).rename($name);
            }
            fn inner_mut(&mut self) -> &mut $std {
                self
            }
        }
    )*};
}

subjects! {
    StdMap, Map, "differential-tree-map";
    StdSet, Set, "differential-tree-set";
}

macro_rules! common_op {
    ($subject:ident, $other:ident, $op:expr) => {
        match $op {
            Op::Clear => $subject.clear(),
            Op::Append => $subject.append($other),
            Op::SplitOff(key) => *$other = $subject.split_off(key),
            Op::Clone => *$other = $subject.clone(),
            Op::CloneFrom => $subject.clone_from($other),
            Op::TakeAll => *$other = Subject::take_all($subject),
            Op::Swap => std::mem::swap($subject, $other),
            Op::IntoInner => Subject::rebuild($subject),
            _ => {}
        }
    };
}

macro_rules! map_op {
    ($map:ident, $other:ident, $op:expr) => {{
        common_op!($map, $other, $op);
        match $op {
            Op::Insert(key, value) => format!("{:?}", $map.insert(*key, *value)),
            Op::Remove(key) => format!("{:?}", $map.remove(key)),
            Op::RemoveEntry(key) => format!("{:?}", $map.remove_entry(key)),
            Op::PopFirst => format!("{:?}", $map.pop_first()),
            Op::PopLast => format!("{:?}", $map.pop_last()),
            Op::OrInsert(key, value) => {
                let entry = $map.entry(*key).and_modify(|value| *value ^= 1);
                format!("{:?}", entry.or_insert(*value))
            }
            Op::EntryRemove(key) => match $map.entry(*key) {
                btree_map::Entry::Occupied(entry) => format!("{:?}", entry.remove_entry()),
                btree_map::Entry::Vacant(entry) => format!("{:?}", entry.into_key()),
            },
            Op::FirstEntry => format!("{:?}", $map.first_entry().map(|entry| entry.remove())),
            Op::LastEntry(remove) => {
                let change = |mut entry: btree_map::OccupiedEntry<'_, Key, Value>| {
                    if *remove {
                        entry.remove()
                    } else {
                        entry.insert(7)
                    }
                };
                format!("{:?}", $map.last_entry().map(change))
            }
            Op::GetMut(key, value) => {
                format!(
                    "{:?}",
                    $map.get_mut(key)
                        .map(|place| std::mem::replace(place, *value))
                )
            }
            Op::IterMut(value) => {
                for (key, place) in $map.iter_mut() {
                    *place ^= *value ^ u32::from(*key);
                }
                String::new()
            }
            Op::ValuesMut(value) => {
                for place in $map.values_mut() {
                    *place ^= *value;
                }
                String::new()
            }
            Op::RangeMut(one, two, value) => {
                let range = *one.min(two)..=*one.max(two);
                let seen = $map.range_mut(range).map(|(key, place)| {
                    *place ^= *value;
                    *key
                });
                format!("{:?}", seen.collect::<Vec<_>>())
            }
            Op::Retain(divisor) => {
                $map.retain(|key, value| {
                    *value ^= 1;
                    key % divisor != 0
                });
                String::new()
            }
            Op::ExtractIf(divisor, count) => {
                let taken = $map.extract_if(5..1500, |key, _| key % divisor != 0);
                format!("{:?}", taken.take(*count).collect::<Vec<_>>())
            }
            Op::Extend(entries) => {
                $map.extend(entries.iter().copied());
                String::new()
            }
            Op::ExtendRef(entries) => {
                $map.extend(entries.iter().map(|(key, value)| (key, value)));
                String::new()
            }
            Op::Behind(key, value) => {
                format!("{:?}", Subject::inner_mut($map).insert(*key, *value))
            }
            _ => String::new(),
        }
    }};
}

macro_rules! set_op {
    ($set:ident, $other:ident, $op:expr) => {{
        common_op!($set, $other, $op);
        match $op {
            Op::Insert(key, _) => format!("{:?}", $set.insert(*key)),
            Op::OrInsert(key, _) => format!("{:?}", $set.replace(*key)),
            Op::Remove(key) => format!("{:?}", $set.remove(key)),
            Op::RemoveEntry(key) | Op::EntryRemove(key) => format!("{:?}", $set.take(key)),
            Op::PopFirst => format!("{:?}", $set.pop_first()),
            Op::PopLast => format!("{:?}", $set.pop_last()),
            Op::Retain(divisor) => {
                $set.retain(|key| key % divisor != 0);
                String::new()
            }
            Op::ExtractIf(divisor, count) => {
                let taken = $set.extract_if(5..1500, |key| key % divisor != 0);
                format!("{:?}", taken.take(*count).collect::<Vec<_>>())
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
            Op::Combine(which) => {
                let combined = match which {
                    0 => &*$set | &*$other,
                    1 => &*$set & &*$other,
                    2 => &*$set ^ &*$other,
                    _ => &*$set - &*$other,
                };
                format!("{combined:?}")
            }
            _ => String::new(),
        }
    }};
}

/// Whether an operation of a map is published at once, or with the next call.
fn is_late(op: &Op) -> bool {
    matches!(
        op,
        Op::OrInsert(..)
            | Op::EntryRemove(_)
            | Op::FirstEntry
            | Op::LastEntry(_)
            | Op::ExtractIf(..)
            | Op::Behind(..)
    )
}

macro_rules! differential {
    ($test:ident, $std:ty, $tracked:ty, $entry:ty, $apply:ident) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(120))]

            #[test]
            fn $test(ops in prop::collection::vec(op(), 0..120)) {
                const NAME: &str = <$tracked as Subject>::NAME;
                let mut expected = [<$std>::new(), <$std>::new()];
                let mut tracked = [<$tracked>::named(NAME), <$tracked>::named(NAME)];
                for (number, op) in ops.iter().enumerate() {
                    let step = format!("{number}: {op:?}");
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
                    let lens = [expected[0].len(), expected[1].len()];
                    let entries = lens[0] + lens[1];
                    if !is_late(op) {
                        consistent(NAME, entries, &step);
                    }
                    // Reads, which publish what is late.
                    prop_assert_eq!(&tracked[0], &expected[0], "{}", &step);
                    prop_assert_eq!(&tracked[1], &expected[1], "{}", &step);
                    prop_assert_eq!(got, returned, "returned by {}", &step);

                    let shown = consistent(NAME, entries, &step);
                    prop_assert_eq!(shown.capacity, entries as u64, "{}", &step);
                    let largest = lens[0].max(lens[1]);
                    prop_assert_eq!(shown.entries_max_instance, largest as u64, "{}", &step);
                    prop_assert_eq!(shown.table_bytes > 0, entries > 0, "{}", &step);
                    prop_assert_eq!(shown.resizes, 0);
                }
                drop(tracked);
                let shown = consistent(NAME, 0, "the end");
                prop_assert_eq!((shown.instances, shown.table_bytes), (0, 0));
            }
        }
    };
}

differential!(tree_map, StdMap, Map, (Key, Value), map_op);
differential!(tree_set, StdSet, Set, Key, set_op);
