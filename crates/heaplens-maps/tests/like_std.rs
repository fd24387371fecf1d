//! The tracked collections stand wherever std's do: the same auto traits,
//! variance, lifetimes and constants. Most of this is proved by compiling.

mod support;

use std::cell::{Cell, UnsafeCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, hash_map, hash_set};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash};
use std::marker::PhantomPinned;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard};

use heaplens_maps::{
    TrackedBTreeMap, TrackedBTreeSet, TrackedHashMap, TrackedHashSet, hash_map as tracked_map,
    hash_set as tracked_set,
};

type Odd = (Rc<u8>, Cell<u8>);

/// Whether a type implements a trait, as a constant.
macro_rules! implements {
    ($type:ty: $trait:path) => {{
        #[allow(dead_code, reason = "asked only where the type does not implement it")]
        trait Otherwise {
            const YES: bool = false;
        }
        impl<T: ?Sized> Otherwise for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "asked only where the type implements it")]
        impl<T: ?Sized + $trait> Probe<T> {
            const YES: bool = true;
        }
        <Probe<$type>>::YES
    }};
}

macro_rules! same_auto_traits {
    ($($tracked:ty, $std:ty;)*) => {
        $(const _: () = {
            assert!(implements!($tracked: Send) == implements!($std: Send));
            assert!(implements!($tracked: Sync) == implements!($std: Sync));
            assert!(implements!($tracked: Unpin) == implements!($std: Unpin));
            assert!(implements!($tracked: UnwindSafe) == implements!($std: UnwindSafe));
            assert!(implements!($tracked: RefUnwindSafe) == implements!($std: RefUnwindSafe));
        };)*
    };
}

macro_rules! same_for_contents {
    ($($content:ty),* $(,)?) => {
        $(same_auto_traits! {
            TrackedHashMap<$content, u8>, HashMap<$content, u8>;
            TrackedHashMap<u8, $content>, HashMap<u8, $content>;
            TrackedHashMap<u8, u8, $content>, HashMap<u8, u8, $content>;
            TrackedHashSet<$content>, HashSet<$content>;
            TrackedHashSet<u8, $content>, HashSet<u8, $content>;
            TrackedBTreeMap<$content, u8>, BTreeMap<$content, u8>;
            TrackedBTreeMap<u8, $content>, BTreeMap<u8, $content>;
            TrackedBTreeSet<$content>, BTreeSet<$content>;
            tracked_map::Drain<'static, u8, $content>, hash_map::Drain<'static, u8, $content>;
            tracked_set::Drain<'static, $content>, hash_set::Drain<'static, $content>;
        })*
    };
}

same_for_contents!(
    u8,
    String,
    Rc<u8>,
    Cell<u8>,
    Odd,
    UnsafeCell<u8>,
    *const u8,
    &'static mut u8,
    &'static Cell<u8>,
    MutexGuard<'static, u8>,
    PhantomPinned,
    Box<dyn Fn()>,
    Box<dyn Fn() + Send + Sync>,
);

// Of these std's explicit promises.
const _: () = {
    assert!(implements!(TrackedHashMap<(), UnsafeCell<()>>: UnwindSafe));
    assert!(implements!(TrackedHashMap<String, Vec<u8>>: Send));
    assert!(!implements!(TrackedHashMap<String, Rc<u8>>: Send));
};

// A longer lifetime stands for a shorter one.
macro_rules! covariant {
    ($($name:ident: $long:ty, $short:ty;)*) => {
        $(fn $name<'short>(long: $long) -> $short {
            long
        })*
    };
}

covariant! {
    _map: TrackedHashMap<&'static str, &'static str, &'static str>, TrackedHashMap<&'short str, &'short str, &'short str>;
    _set: TrackedHashSet<&'static str, &'static str>, TrackedHashSet<&'short str, &'short str>;
    _tree: TrackedBTreeMap<&'static str, &'static str>, TrackedBTreeMap<&'short str, &'short str>;
    _tree_set: TrackedBTreeSet<&'static str>, TrackedBTreeSet<&'short str>;
    _drain: tracked_map::Drain<'static, &'static str, &'static str>, tracked_map::Drain<'short, &'short str, &'short str>;
    _set_drain: tracked_set::Drain<'static, &'static str>, tracked_set::Drain<'short, &'short str>;
}

type Fixed = BuildHasherDefault<DefaultHasher>;

const MAP_LINE: u32 = line!() + 2;
static MAP: Mutex<TrackedHashMap<u8, u8, Fixed>> =
    Mutex::new(TrackedHashMap::with_hasher(Fixed::new()));
static NAMED: Mutex<TrackedHashMap<u8, u8, Fixed>> = Mutex::new(TrackedHashMap::named_with_hasher(
    "like-std-static",
    Fixed::new(),
));
static SET: Mutex<TrackedHashSet<u8, Fixed>> =
    Mutex::new(TrackedHashSet::with_hasher(Fixed::new()));
static TREE: Mutex<TrackedBTreeMap<u8, u8>> = Mutex::new(TrackedBTreeMap::new());
static TREE_SET: Mutex<TrackedBTreeSet<u8>> = Mutex::new(TrackedBTreeSet::named("like-std-tree"));

#[test]
fn statics_publish_under_their_name_or_place() {
    MAP.lock().expect("not poisoned").insert(1, 1);
    NAMED.lock().expect("not poisoned").extend([(1, 1), (2, 2)]);
    SET.lock().expect("not poisoned").insert(1);
    TREE.lock().expect("not poisoned").insert(1, 1);
    TREE_SET.lock().expect("not poisoned").insert(1);
    let names: Vec<String> = heaplens_maps::report()
        .groups
        .into_iter()
        .map(|group| group.name)
        .collect();
    assert_eq!(support::group_or_zero("like-std-static").entries, 2);
    assert_eq!(support::group_or_zero("like-std-tree").entries, 1);
    for line in [MAP_LINE, MAP_LINE + 6, MAP_LINE + 7] {
        let place = format!("{}:{line}:", file!());
        assert!(names.iter().any(|name| name.starts_with(&place)), "{place}");
    }
}

/// Contents may end before the container does, as long as its own destructor
/// does not use them.
#[test]
fn contents_may_end_first() {
    let mut map = TrackedHashMap::new();
    let mut set = TrackedHashSet::new();
    let mut tree = TrackedBTreeMap::new();
    let mut tree_set = TrackedBTreeSet::new();
    let text = String::from("ends before them");
    map.insert(1, &text);
    set.insert(&text);
    tree.insert(1, &text);
    tree_set.insert(&text);
}

/// A container can be taken apart and put back, in whole and in part.
#[test]
fn can_be_moved_out_of() {
    struct Owner {
        map: TrackedHashMap<u8, String>,
        tree: TrackedBTreeMap<u8, String>,
    }
    let mut owner = Owner {
        map: [(1, "a".to_owned())].into(),
        tree: [(1, "a".to_owned())].into(),
    };
    let map: HashMap<u8, String> = owner.map.into();
    owner.map = map.into();
    let tree: BTreeMap<u8, String> = owner.tree.into();
    owner.tree = tree.into();
    assert_eq!((owner.map.len(), owner.tree.len()), (1, 1));
}

/// Sites are those of the program, not of this crate.
#[test]
fn every_constructor_knows_its_caller() {
    fn site(group: heaplens_maps::Group) -> u32 {
        let name = group.name();
        let mut parts = name.rsplit(':').skip(1);
        let line = parts.next().and_then(|line| line.parse().ok());
        assert!(name.starts_with(file!()), "{name}");
        line.expect("a line")
    }
    let line = line!();
    let groups = [
        TrackedHashMap::<u8, u8>::new().group(),
        TrackedHashMap::<u8, u8>::with_capacity(1).group(),
        TrackedHashMap::<u8, u8, Fixed>::with_hasher(Fixed::new()).group(),
        TrackedHashMap::<u8, u8, Fixed>::with_capacity_and_hasher(1, Fixed::new()).group(),
        TrackedHashMap::<u8, u8>::default().group(),
        TrackedHashMap::from([(1, 1)]).group(),
        TrackedHashMap::<u8, u8>::from_iter([(1, 1)]).group(),
        TrackedHashMap::from(HashMap::from([(1, 1)])).group(),
        TrackedHashMap::from_inner(HashMap::from([(1, 1)])).group(),
        TrackedHashSet::<u8>::new().group(),
        TrackedHashSet::<u8>::with_capacity(1).group(),
        TrackedHashSet::<u8, Fixed>::with_hasher(Fixed::new()).group(),
        TrackedHashSet::<u8, Fixed>::with_capacity_and_hasher(1, Fixed::new()).group(),
        TrackedHashSet::<u8>::default().group(),
        TrackedHashSet::from([1]).group(),
        TrackedHashSet::<u8>::from_iter([1]).group(),
        TrackedHashSet::from(HashSet::from([1])).group(),
        TrackedBTreeMap::<u8, u8>::new().group(),
        TrackedBTreeMap::<u8, u8>::default().group(),
        TrackedBTreeMap::from([(1, 1)]).group(),
        TrackedBTreeMap::<u8, u8>::from_iter([(1, 1)]).group(),
        TrackedBTreeMap::from(BTreeMap::from([(1, 1)])).group(),
        TrackedBTreeSet::<u8>::new().group(),
        TrackedBTreeSet::<u8>::default().group(),
        TrackedBTreeSet::from([1]).group(),
        TrackedBTreeSet::<u8>::from_iter([1]).group(),
        TrackedBTreeSet::from(BTreeSet::from([1])).group(),
    ];
    for (index, group) in groups.into_iter().enumerate() {
        assert_eq!(site(group), line + 2 + index as u32);
    }
    let (left, right) = (TrackedHashSet::from([1, 2]), TrackedHashSet::from([2]));
    assert_eq!(site((&left | &right).group()), line!());
    assert_eq!(site((&left & &right).group()), line!());
    assert_eq!(site((&left ^ &right).group()), line!());
    assert_eq!(site((&left - &right).group()), line!());
    let (left, right) = (TrackedBTreeSet::from([1, 2]), TrackedBTreeSet::from([2]));
    assert_eq!(site((&left | &right).group()), line!());
    assert_eq!(site((&left & &right).group()), line!());
    assert_eq!(site((&left ^ &right).group()), line!());
    assert_eq!(site((&left - &right).group()), line!());
}

/// Everything that std's types compare, print, hash and convert to.
#[test]
fn operators_and_conversions() {
    let map: TrackedHashMap<_, _> = [(1, 'a'), (2, 'b')].into_iter().collect();
    assert_eq!(map, HashMap::from([(2, 'b'), (1, 'a')]));
    assert_eq!(map, TrackedHashMap::from([(1, 'a'), (2, 'b')]));
    assert_ne!(map, TrackedHashMap::from([(1, 'a')]));
    assert_eq!(map[&1], 'a');
    let mut copied = TrackedHashMap::new();
    copied.extend(&map);
    assert_eq!(copied, map);
    assert_eq!(format!("{:?}", TrackedHashMap::from([(1, 2)])), "{1: 2}");

    let left = TrackedHashSet::from([1, 2, 3]);
    let right = TrackedHashSet::from([2, 3, 4]);
    assert_eq!(&left | &right, HashSet::from([1, 2, 3, 4]));
    assert_eq!(&left & &right, HashSet::from([2, 3]));
    assert_eq!(&left ^ &right, HashSet::from([1, 4]));
    assert_eq!(&left - &right, HashSet::from([1]));
    assert_eq!(left.difference(&right).collect::<Vec<_>>(), [&1]);
    assert!(!left.is_subset(&right) && !left.is_disjoint(&right));
    let mut copied = TrackedHashSet::new();
    copied.extend(&left);
    assert_eq!(copied, left);
    assert_eq!(format!("{:?}", TrackedHashSet::from([1])), "{1}");

    let tree = TrackedBTreeMap::from([(2, 'b'), (1, 'a')]);
    assert_eq!(tree, BTreeMap::from([(1, 'a'), (2, 'b')]));
    assert!(tree < TrackedBTreeMap::from([(1, 'b')]));
    assert_eq!(tree[&2], 'b');
    assert_eq!(format!("{tree:?}"), "{1: 'a', 2: 'b'}");
    let hash = |value: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        value(&mut hasher);
        std::hash::Hasher::finish(&hasher)
    };
    assert_eq!(
        hash(&|state| tree.hash(state)),
        hash(&|state| BTreeMap::from([(1, 'a'), (2, 'b')]).hash(state)),
    );
    let mut copied = TrackedBTreeMap::new();
    copied.extend(&tree);
    assert_eq!(copied.cmp(&tree), std::cmp::Ordering::Equal);

    let left = TrackedBTreeSet::from([1, 2, 3]);
    let right = TrackedBTreeSet::from([2, 3, 4]);
    assert_eq!(&left | &right, BTreeSet::from([1, 2, 3, 4]));
    assert_eq!(&left & &right, BTreeSet::from([2, 3]));
    assert_eq!(&left ^ &right, BTreeSet::from([1, 4]));
    assert_eq!(&left - &right, BTreeSet::from([1]));
    assert_eq!(
        hash(&|state| left.hash(state)),
        hash(&|state| BTreeSet::from([1, 2, 3]).hash(state)),
    );
}
