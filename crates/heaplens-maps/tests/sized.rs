//! Maps that know what their entries own: the sum is that of the sizes, whatever
//! is done and whatever panics.

mod support;

use std::cell::Cell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use heaplens_maps::{SizedHashMap, TrackedHashMap};
use proptest::prelude::*;
use support::{find, group};

type Value = Vec<String>;
type Map = SizedHashMap<String, Value>;

/// Not a sum over key and value, and different for equal keys.
fn size(key: &String, value: &Value) -> usize {
    let texts: usize = value.iter().map(String::capacity).sum();
    key.capacity() * (value.len() + 1) + value.capacity() * size_of::<String>() + texts
}

fn map(name: &'static str) -> Map {
    TrackedHashMap::named(name).with_sizer(size as fn(&String, &Value) -> usize)
}

/// The sum over all entries, and what is shown of it.
fn check(name: &str, map: &Map) {
    let truth: usize = map.iter().map(|(key, value)| size(key, value)).sum();
    assert_eq!(map.sized_bytes(), truth as u64);
    match find(name).filter(|group| group.instances > 0) {
        Some(shown) => {
            assert_eq!(shown.sized_bytes, Some(truth as u64));
            let bytes = (shown.table_bytes + truth as u64) as f64;
            assert_eq!(shown.heap_bytes().to_bits(), bytes.to_bits());
            assert_eq!(shown.heap_bytes_error().to_bits(), 0);
        }
        None => assert_eq!((truth, map.len()), (0, 0)),
    }
}

/// Keys that are equal but own different amounts.
fn key(id: u8, spare: u8) -> String {
    let mut key = String::with_capacity(20 + usize::from(spare));
    key.push_str(&id.to_string());
    key
}

fn value(len: u8) -> Value {
    (0..len % 5)
        .map(|text| "x".repeat(usize::from(text) * 7))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn the_sum_is_that_of_the_sizes(steps in prop::collection::vec((0u8..14, 0u8..40, any::<u8>()), 1..80)) {
        let mut sized = map("sized-random");
        let mut plain: HashMap<String, Value> = HashMap::new();
        for (kind, id, amount) in steps {
            let look = id.to_string();
            match kind {
                0..4 => prop_assert_eq!(
                    sized.insert(key(id, amount), value(amount)),
                    plain.insert(key(id, amount), value(amount))
                ),
                4 => prop_assert_eq!(sized.remove(&look), plain.remove(&look)),
                5 => prop_assert_eq!(sized.remove_entry(&look), plain.remove_entry(&look)),
                6 => {
                    let change = |value: &mut Value| {
                        value.push("y".repeat(usize::from(amount)));
                        value.len()
                    };
                    prop_assert_eq!(sized.update(&look, change), plain.get_mut(&look).map(change));
                }
                7 => {
                    let mut there = sized.get_mut(look.as_str());
                    prop_assert_eq!(there.is_some(), plain.contains_key(&look));
                    if let (Some(value), Some(plain)) = (&mut there, plain.get_mut(&look)) {
                        value.extend(["z".repeat(99)]);
                        plain.extend(["z".repeat(99)]);
                    }
                }
                8 => {
                    sized.get_or_insert_with(key(id, amount), || value(amount)).push(String::new());
                    plain.entry(key(id, amount)).or_insert_with(|| value(amount)).push(String::new());
                }
                9 => {
                    let keep = |key: &String, value: &mut Value| {
                        value.truncate(2);
                        value.shrink_to_fit();
                        key.len() != usize::from(amount % 3)
                    };
                    sized.retain(keep);
                    plain.retain(keep);
                }
                10 => {
                    let more = || (0..amount % 30).map(|id| (key(id, id), value(amount)));
                    sized.extend(more());
                    plain.extend(more());
                }
                11 if amount % 4 == 0 => {
                    sized.clear();
                    plain.clear();
                }
                12 if amount % 4 == 0 => {
                    drop(sized.drain());
                    plain.clear();
                }
                13 => sized.shrink_to_fit(),
                _ => {}
            }
            prop_assert_eq!(&*sized, &plain);
            check("sized-random", &sized);
        }
        drop(sized);
        check("sized-random", &map("sized-random"));
    }
}

#[test]
fn maps_of_a_group_add_up_and_leave() {
    let name = "sized-group";
    let mut first = map(name);
    let mut second = map(name);
    first.insert(key(1, 0), value(4));
    second.insert(key(2, 0), value(3));
    let both = first.sized_bytes() + second.sized_bytes();
    assert_eq!(group(name).sized_bytes, Some(both));
    let clone = second.clone();
    assert_eq!(clone, second);
    assert_eq!(group(name).sized_bytes, Some(both + clone.sized_bytes()));
    let without = clone.into_inner();
    assert_eq!(
        group(name).sized_bytes,
        None,
        "one of the group has no sizer"
    );
    drop(without);
    let moved = second.rename("sized-elsewhere");
    assert_eq!(group(name).sized_bytes, Some(first.sized_bytes()));
    assert_eq!(
        group("sized-elsewhere").sized_bytes,
        Some(moved.sized_bytes())
    );
    drop(first);
    assert_eq!(group(name).sized_bytes, None);
    assert_eq!((&moved).into_iter().count() + moved.into_iter().count(), 2);
}

/// Runs what panics.
fn fails(sized: &mut Map, run: impl FnOnce(&mut Map)) {
    assert!(catch_unwind(AssertUnwindSafe(|| run(sized))).is_err());
}

#[test]
fn a_panic_leaves_the_sum_exact() {
    let name = "sized-panics";
    let mut sized = map(name);
    sized.extend((0..20).map(|id| (key(id, 0), value(id))));
    fails(&mut sized, |sized| {
        sized.update("3", |value| {
            value.push("changed before the panic".to_owned());
            panic!("in update");
        });
    });
    check(name, &sized);
    fails(&mut sized, |sized| {
        let seen = Cell::new(0);
        sized.retain(|_, value| {
            value.push("changed".to_owned());
            seen.set(seen.get() + 1);
            assert!(seen.get() < 10, "in retain");
            seen.get() % 2 == 0
        });
    });
    check(name, &sized);
    fails(&mut sized, |sized| {
        let any = sized.keys().next().expect("some are left").clone();
        let mut value = sized.get_mut(&any).expect("is there");
        value.push("changed".to_owned());
        panic!("with a guard");
    });
    check(name, &sized);
    fails(&mut sized, |sized| {
        sized.get_or_insert_with("new".to_owned(), || panic!("in make"));
    });
    check(name, &sized);
}

#[test]
fn a_sizer_that_panics_or_lies_does_no_harm() {
    thread_local! {
        static FAILS: Cell<bool> = const { Cell::new(false) };
    }
    let mut sized = TrackedHashMap::named("sized-lies").with_sizer(|_: &u8, value: &Vec<u8>| {
        assert!(!FAILS.get(), "the sizer");
        value.capacity()
    });
    sized.insert(1, vec![0; 10]);
    FAILS.set(true);
    assert!(catch_unwind(AssertUnwindSafe(|| sized.insert(2, vec![0; 10]))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| sized.remove(&1))).is_err());
    // A panic, and the sizer's own while the guard is dropped.
    FAILS.set(false);
    let _ = sized.insert(3, vec![]);
    assert!(
        catch_unwind(AssertUnwindSafe(|| {
            let _value = sized.get_mut(&3).expect("is there");
            FAILS.set(true);
            panic!("with a guard");
        }))
        .is_err()
    );
    FAILS.set(false);
    sized.recount();
    let truth: usize = sized.values().map(Vec::capacity).sum();
    assert_eq!(sized.sized_bytes(), truth as u64);

    let mut absurd = TrackedHashMap::named("sized-absurd").with_sizer(|_: &u8, (): &()| usize::MAX);
    absurd.extend((0..100).map(|id| (id, ())));
    absurd.clear();
    assert_eq!(absurd.sized_bytes(), 0);
    let _ = group("sized-absurd").heap_bytes();
}

#[cfg(feature = "mem_dbg")]
#[test]
fn mem_dbg_counts_what_an_entry_alone_owns() {
    use std::sync::Arc;

    let shared = Arc::new(vec![0u8; 1 << 20]);
    let mut map = TrackedHashMap::named("sized-mem-dbg").with_mem_dbg();
    let mut text = String::with_capacity(100);
    text.push('x');
    for id in 0..10u32 {
        map.insert(
            id,
            (
                text.clone(),
                vec![String::with_capacity(50)],
                Arc::clone(&shared),
            ),
        );
    }
    // Clones have no spare capacity.
    let each = 1 + size_of::<String>() as u64 + 50;
    assert_eq!(map.sized_bytes(), 10 * each);
    map.update(&3, |(text, ..)| text.reserve_exact(200))
        .expect("is there");
    assert_eq!(map.sized_bytes(), 10 * each + 200);
    assert_eq!(group("sized-mem-dbg").sized_bytes, Some(10 * each + 200));

    let mut own = TrackedHashMap::named("sized-mem-dbg-rc").with_mem_dbg_shared();
    own.insert(1u8, Arc::new(vec![0u8; 1000]));
    assert!(own.sized_bytes() >= 1000 + size_of::<Vec<u8>>() as u64);
}
