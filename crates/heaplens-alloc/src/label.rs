//! Labels on heap samples: in whose name, or for what, memory is allocated.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::label_sets::{LabelSet, LabelSets, MAX_LABEL_SETS, OVERFLOW_LABEL, Pair, Pairs};
use crate::thread;

/// Most bytes of a label's key.
pub const MAX_LABEL_KEY: usize = 64;

/// Most bytes of a label's value.
pub const MAX_LABEL_VALUE: usize = 128;

static SETS: LabelSets<{ 2 * MAX_LABEL_SETS }> = LabelSets::new();

/// A set of one label: what is allocated while it is in force is told apart by it.
///
/// ```
/// use heaplens_alloc::label;
///
/// fn handle(tenant: &str) -> Vec<u8> {
///     let _scope = label("tenant", tenant).and("route", "/upload").enter();
///     vec![0; 1 << 20] // a sample of it is labelled tenant=…, route=/upload
/// }
/// # assert_eq!(handle("acme").len(), 1 << 20);
/// ```
///
/// See [`Labels`] for what is allowed and what it costs.
pub fn label(key: &str, value: &str) -> Labels {
    Labels::default().and(key, value)
}

/// A set of labels: pairs of key and value, made by [`label`].
///
/// Samples taken while a set is in force bear it in the
/// [`Snapshot`](crate::Snapshot), and in profiles, where `go tool pprof` shows it by
/// `-tags` and `-tagfocus=tenant=acme`. A set is applied over the one in force:
/// what both have the same key for has the inner one's value.
///
/// * [`Labels::enter`] puts it in force on this thread until its guard is dropped.
/// * [`LabelExt::labelled`] puts it in force whenever a future is polled, on
///   whatever thread.
/// * New threads and spawned tasks begin without labels: hand them
///   [`Labels::current`].
///
/// A block has the labels in force when it was allocated, for as long as it lives.
/// A `realloc` frees the old block and allocates the whole new one, with the labels
/// in force then.
///
/// # Bounds
///
/// [`MAX_LABEL_SETS`] different sets in the life of a process, those that only lead
/// to another one (`label(..)` before `.and(..)`) included; each stays for good and
/// takes what its text takes, and 50 bytes a label. So values must be few: tenants
/// and routes, not the ids of requests. Whatever goes beyond is the set
/// `heaplens=labels_overflow`; samples under it count as
/// [`LabelSetsFull`](crate::DropReason::LabelSetsFull).
///
/// A label is refused, which leaves the set as it is, if its key or value is empty,
/// longer than [`MAX_LABEL_KEY`] or [`MAX_LABEL_VALUE`] bytes, or one more than
/// [`MAX_LABELS`](crate::MAX_LABELS); or if its key is reserved: `map`, `bytes`,
/// `heaplens`, and what begins with `pprof::`. Samples that would have had it count
/// as [`LabelRefused`](crate::DropReason::LabelRefused).
///
/// # Cost
///
/// Nothing where allocations are not sampled, labelled or not. Making a set or
/// adding a label looks it up, in about 100 ns; entering one over another as well,
/// unless one of them is empty or they are equal: then it is two accesses to
/// thread-local state. The first time each set is seen it is copied to the heap.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Labels(LabelSet);

impl Labels {
    /// This set with one more label, or with another value of its key.
    #[must_use]
    pub fn and(self, key: &str, value: &str) -> Labels {
        if !is_allowed(key, value) {
            return Labels(self.0.incomplete());
        }
        Labels(with(self.0, [(key, value)]).as_incomplete_as(self.0))
    }

    /// Applies this set over the one in force on this thread until the guard is
    /// dropped. Guards nest.
    pub fn enter(self) -> LabelScope {
        LabelScope::begin(self.over(Labels::current()))
    }

    /// The set in force on this thread: empty outside of all scopes.
    pub fn current() -> Labels {
        Labels(thread::labels())
    }

    /// Key and value of each label, sorted by key.
    pub fn iter(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        SETS.pairs(self.0)
    }

    /// The value of this key.
    pub fn get(self, key: &str) -> Option<&'static str> {
        self.iter().find(|pair| pair.0 == key).map(|pair| pair.1)
    }

    /// Whether there is no label in it.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// This set applied over another one.
    fn over(self, outer: Labels) -> Labels {
        let (inner, outer) = (self.0, outer.0);
        let set = match () {
            () if inner.is_empty() || inner.number() == outer.number() => outer,
            () if outer.is_empty() => inner,
            () => with(outer, SETS.pairs(inner)),
        };
        Labels(set.as_incomplete_as(inner).as_incomplete_as(outer))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A set with these labels added or changed. What is added to the overflow set, or
/// taken from it, is the overflow set.
fn with<'a>(set: LabelSet, more: impl IntoIterator<Item = Pair<'a>>) -> LabelSet {
    if set.is_overflow() {
        return set;
    }
    let mut pairs = Pairs::new();
    for (key, value) in SETS.pairs(set) {
        pairs.set(key, value);
    }
    let mut all_fit = true;
    for (key, value) in more {
        if (key, value) == OVERFLOW_LABEL {
            return LabelSet::OVERFLOW;
        }
        all_fit &= pairs.set(key, value);
    }
    let set = SETS.intern(pairs.as_slice()).unwrap_or(LabelSet::OVERFLOW);
    if all_fit { set } else { set.incomplete() }
}

fn is_allowed(key: &str, value: &str) -> bool {
    let fits = |text: &str, most| !text.is_empty() && text.len() <= most;
    // `bytes` is the size of a sample's objects, `map` who holds them; what begins
    // with `pprof::` is the tool's own.
    let is_reserved =
        matches!(key, "map" | "bytes") || key == OVERFLOW_LABEL.0 || key.starts_with("pprof::");
    fits(key, MAX_LABEL_KEY) && fits(value, MAX_LABEL_VALUE) && !is_reserved
}

/// The pairs of a set that is in the table.
pub(crate) fn pairs(set: LabelSet) -> impl Iterator<Item = Pair<'static>> {
    SETS.pairs(set)
}

/// While it lives, [`Labels`] are in force on its thread. Guards must be dropped in
/// the reverse order of their making, as they are when each is a local variable.
///
/// It cannot be held across an `.await` of a future that moves between threads: use
/// [`LabelExt::labelled`] there.
///
/// ```compile_fail
/// let scope = heaplens_alloc::label("tenant", "acme").enter();
/// std::thread::spawn(move || drop(scope)); // not on another thread
/// ```
#[must_use = "the labels are in force until the guard is dropped"]
#[derive(Debug)]
pub struct LabelScope {
    outer: LabelSet,
    /// Its thread alone may drop it.
    not_send: PhantomData<*const ()>,
}

impl LabelScope {
    /// Puts exactly this set in force.
    fn begin(labels: Labels) -> Self {
        LabelScope {
            outer: thread::replace_labels(labels.0),
            not_send: PhantomData,
        }
    }
}

impl Drop for LabelScope {
    fn drop(&mut self) {
        thread::replace_labels(self.outer);
    }
}

/// Labels for futures.
pub trait LabelExt: Future + Sized {
    /// Puts `labels` in force while this future runs: each time it is polled, on
    /// whatever thread, and while it is dropped. Between polls, and after one that
    /// panicked, what was in force before is again. Labels are applied over those in
    /// force where the future is polled.
    ///
    /// A task spawned from inside begins without labels:
    ///
    /// ```
    /// use heaplens_alloc::{LabelExt, Labels, label};
    ///
    /// async fn request() {
    ///     let part = async { Labels::current().get("tenant") };
    ///     let task = part.labelled(Labels::current()); // hand this to `spawn`
    /// #   drop(task);
    /// }
    /// let _future = request().labelled(label("tenant", "acme"));
    /// ```
    ///
    /// A poll takes two accesses to thread-local state more, and a look-up of about
    /// 100 ns where the set in force is another than at the last poll and not empty.
    fn labelled(self, labels: Labels) -> Labelled<Self> {
        Labelled {
            labels,
            outer: Labels::default(),
            combined: labels,
            future: ManuallyDrop::new(self),
        }
    }
}

impl<F: Future> LabelExt for F {}

/// A future with labels: see [`LabelExt::labelled`].
#[must_use = "futures do nothing unless they are polled"]
#[derive(Debug)]
pub struct Labelled<F> {
    labels: Labels,
    /// What was in force at the last poll, and its combination with `labels`.
    outer: Labels,
    combined: Labels,
    /// Pinned whenever this is.
    future: ManuallyDrop<F>,
}

/// As the labels of a future are at this moment: see [`LabelExt::labelled`].
fn combined(labels: Labels, last_outer: &mut Labels, last: &mut Labels) -> Labels {
    let outer = Labels::current();
    if *last_outer != outer {
        (*last_outer, *last) = (outer, labels.over(outer));
    }
    *last
}

impl<F: Future> Future for Labelled<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is neither moved here nor anywhere else: it is dropped in
        // place. `Labelled` is `Unpin` only if it is, since both are so by themselves.
        let (this, future) = unsafe {
            let this = self.get_unchecked_mut();
            let future = Pin::new_unchecked(&mut *this.future);
            ((this.labels, &mut this.outer, &mut this.combined), future)
        };
        let _scope = LabelScope::begin(combined(this.0, this.1, this.2));
        future.poll(context)
    }
}

impl<F> Drop for Labelled<F> {
    fn drop(&mut self) {
        let labels = combined(self.labels, &mut self.outer, &mut self.combined);
        let _scope = LabelScope::begin(labels);
        // SAFETY: dropped here and nowhere else, in place, and not used again.
        unsafe { ManuallyDrop::drop(&mut self.future) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<String, String>;

    fn now() -> Model {
        let own = |pair: (&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        Labels::current().iter().map(own).collect()
    }

    fn labels_of(pairs: &[(String, String)]) -> Labels {
        let add = |labels: Labels, pair: &(String, String)| labels.and(&pair.0, &pair.1);
        pairs.iter().fold(Labels::default(), add)
    }

    /// A scope: the labels that it adds, and the scopes within it.
    #[derive(Clone, Debug)]
    struct Tree(Vec<(String, String)>, Vec<Tree>);

    /// Few keys and values, so that scopes share and override them, and the sets fit.
    fn tree() -> impl Strategy<Value = Tree> {
        let pairs = || prop::collection::vec(("[a-e]", "[xy]"), 0..4);
        let leaf = pairs().prop_map(|pairs| Tree(pairs, Vec::new()));
        leaf.prop_recursive(6, 40, 4, move |inner| {
            (pairs(), prop::collection::vec(inner, 0..4))
                .prop_map(|(own, within)| Tree(own, within))
        })
    }

    fn check(tree: &Tree, outer: &Model) {
        assert_eq!(now(), *outer);
        let mut model = outer.clone();
        model.extend(tree.0.iter().cloned());
        {
            let _scope = labels_of(&tree.0).enter();
            for inner in &tree.1 {
                check(inner, &model);
            }
            assert_eq!(now(), model);
            for (key, value) in &model {
                assert_eq!(Labels::current().get(key), Some(value.as_str()));
            }
        }
        assert_eq!(now(), *outer);
    }

    proptest! {
        /// Scopes nest as a stack of maps does, each a copy of the one below with
        /// its own pairs put over it.
        #[test]
        fn scopes_are_a_stack_of_maps(tree in tree()) {
            check(&tree, &Model::new());
        }

        /// The order in which labels are put together does not matter, but for the
        /// last value of each key.
        #[test]
        fn equal_sets_are_equal(pairs in prop::collection::vec(("[a-e]", "[xy]"), 0..6)) {
            let model: Model = pairs.iter().cloned().collect();
            let sorted: Vec<_> = model.into_iter().collect();
            prop_assert_eq!(labels_of(&pairs), labels_of(&sorted));
        }
    }

    #[test]
    fn what_is_refused_changes_nothing_but_is_remembered() {
        let base = label("tenant", "acme");
        let long = "k".repeat(MAX_LABEL_KEY + 1);
        let longer = "v".repeat(MAX_LABEL_VALUE + 1);
        for (key, value) in [
            ("map", "sessions"),
            ("bytes", "1"),
            ("heaplens", "x"),
            ("pprof::base", "true"),
            ("", "x"),
            ("empty", ""),
            (&long, "x"),
            ("long", &longer),
        ] {
            let refused = base.and(key, value);
            assert!(refused.iter().eq(base.iter()), "{key:?}");
            assert!(refused.0.is_incomplete(), "{key:?}");
            // It stays known whatever comes over it.
            let over = label("route", "/").over(refused);
            assert!(over.0.is_incomplete() && over.iter().count() == 2);
            assert!(refused.and("more", "x").0.is_incomplete());
        }
        let (key, value) = (&long[1..], &longer[1..]);
        assert_eq!(label(key, value).get(key), Some(value));
        assert!(!label("maps", "x").0.is_incomplete());
    }

    #[test]
    fn a_set_has_eight_labels_and_the_outer_ones_stay() {
        let mut all = Labels::default();
        for key in ["h", "g", "f", "e", "d", "c", "b", "a"] {
            all = all.and(key, "1");
        }
        assert!(all.iter().count() == 8 && !all.0.is_incomplete());
        let more = label("i", "1").and("a", "2").over(all);
        assert!(more.0.is_incomplete() && more.iter().count() == 8);
        assert_eq!((more.get("a"), more.get("i")), (Some("2"), None));
        assert_eq!(
            format!("{:?}", label("a", "1").and("b", "2")),
            r#"{"a": "1", "b": "2"}"#
        );
    }

    #[test]
    fn the_overflow_set_stays_what_it_is() {
        let (over, plain) = (Labels(LabelSet::OVERFLOW), label("tenant", "acme"));
        for labels in [over.and("a", "b"), over.over(plain), plain.over(over)] {
            assert_eq!(labels, over);
        }
        assert!(over.iter().eq([OVERFLOW_LABEL]));
    }

    #[test]
    fn threads_begin_without_labels() {
        let _scope = label("tenant", "acme").enter();
        let current = Labels::current();
        let seen = std::thread::spawn(move || {
            let before = Labels::current();
            let _scope = current.enter();
            (before.is_empty(), Labels::current())
        });
        assert_eq!(seen.join().expect("no panic"), (true, current));
    }
}
