//! What rows of snapshots are of: stacks, size classes and labels, each kept once for
//! all snapshots. A row has the same number in all of them.

mod packed;

use std::collections::HashMap;

use heaplens_alloc::{Site, Snapshot, Stack, StackKind};

use super::index::{Index, hash};
use super::quantum::{self, Figures};

/// A set of labels: key and value.
type Labels = Vec<(String, String)>;

/// No caller: where stacks begin.
const ROOT: u32 = u32::MAX;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Rows {
    frames: Frames,
    list: Vec<Row>,
    index: Index,
    labels: Vec<Labels>,
    numbers: HashMap<Labels, u32>,
}

/// What tells a row from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The innermost frame.
    pub(super) leaf: u32,
    pub(super) kind: StackKind,
    pub(super) size_class: u64,
    pub(super) labels: u32,
}

impl Row {
    fn hash(&self) -> u64 {
        let kind = self.kind as u64;
        let place = u64::from(self.leaf) << 32 | u64::from(self.labels);
        hash(&[place, self.size_class, kind])
    }
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The figures of each row at this snapshot, by number; rows that are new get
    /// numbers.
    pub(super) fn figures(&mut self, snapshot: &Snapshot) -> Vec<Figures> {
        let labels: Vec<u32> = snapshot
            .labels
            .iter()
            .map(|labels| self.labels(labels))
            .collect();
        let leaves: Vec<u32> = snapshot
            .stacks
            .iter()
            .map(|stack| self.frames.leaf(&stack.frames))
            .collect();
        let mut figures = vec![Figures::default(); self.list.len()];
        for site in &snapshot.sites {
            let (Some(stack), Some(&leaf)) =
                (snapshot.stacks.get(site.stack), leaves.get(site.stack))
            else {
                continue;
            };
            let number = self.number(Row {
                leaf,
                kind: stack.kind,
                size_class: site.size_class,
                labels: labels.get(site.labels).copied().unwrap_or(0),
            });
            if number as usize >= figures.len() {
                figures.resize(number as usize + 1, Figures::default());
            }
            if let Some(place) = figures.get_mut(number as usize) {
                let new = quantum::pack(&site.alloc, &site.inuse);
                // Each row is there once; if not, none is lost.
                for (sum, figure) in place.iter_mut().zip(new) {
                    *sum = sum.saturating_add(figure);
                }
            }
        }
        figures
    }

    /// Stacks, sites and labels of rows with these figures, by number.
    pub(super) fn parts(&self, figures: &[Figures]) -> (Vec<Stack>, Vec<Site>, Vec<Labels>) {
        let (mut stacks, mut sites) = (Vec::new(), Vec::new());
        let mut known: HashMap<(u32, StackKind), usize> = HashMap::new();
        for (row, figures) in self.list.iter().zip(figures) {
            if *figures == Figures::default() {
                continue;
            }
            let stack = *known.entry((row.leaf, row.kind)).or_insert_with(|| {
                stacks.push(Stack::new(self.frames.stack(row.leaf), row.kind));
                stacks.len() - 1
            });
            let (alloc, inuse) = quantum::unpack(figures);
            let site = Site::new(stack, row.size_class, alloc, inuse);
            sites.push(site.labelled(row.labels as usize));
        }
        let mut labels = self.labels.clone();
        if labels.is_empty() {
            labels.push(Labels::new());
        }
        (stacks, sites, labels)
    }

    fn number(&mut self, row: Row) -> u32 {
        let found = self.index.find(row.hash(), |number| {
            self.list.get(number as usize) == Some(&row)
        });
        found.unwrap_or_else(|| {
            let number = self.list.len() as u32;
            push(&mut self.list, row);
            let rows = &self.list;
            let hash_of = |number: u32| rows.get(number as usize).map_or(0, Row::hash);
            self.index.insert(number, hash_of);
            number
        })
    }

    fn labels(&mut self, labels: &Labels) -> u32 {
        if self.labels.is_empty() {
            // Where no labels are is always number 0.
            self.labels.push(Labels::new());
            self.numbers.insert(Labels::new(), 0);
        }
        if let Some(number) = self.numbers.get(labels) {
            return *number;
        }
        let number = self.labels.len() as u32;
        self.labels.push(labels.clone());
        self.numbers.insert(labels.clone(), number);
        number
    }

    /// Bytes that it takes, text of labels included.
    pub(super) fn bytes(&self) -> usize {
        let text = |labels: &Labels| -> usize {
            let pairs = labels.iter();
            let pairs = pairs.map(|(key, value)| key.capacity() + value.capacity());
            pairs.sum::<usize>() + labels.capacity() * size_of::<(String, String)>()
        };
        let labels: usize = self.labels.iter().map(text).sum();
        // The copy that they are found by, a number, and what a hash map leaves free.
        let of_labels = 2 * labels + self.labels.len() * 3 * size_of::<(Labels, u32)>();
        self.frames.bytes()
            + self.list.capacity() * size_of::<Row>()
            + self.index.bytes()
            + of_labels
    }
}

/// Frames with their callers: what stacks have in common at their root is there once.
#[derive(Debug, Default)]
struct Frames {
    addresses: Vec<u64>,
    callers: Vec<u32>,
    index: Index,
}

impl Frames {
    /// The number of the innermost frame of a stack, leaf first.
    fn leaf(&mut self, stack: &[u64]) -> u32 {
        stack
            .iter()
            .rev()
            .fold(ROOT, |caller, address| self.frame(caller, *address))
    }

    fn frame(&mut self, caller: u32, address: u64) -> u32 {
        let key = hash(&[address, u64::from(caller)]);
        let found = self.index.find(key, |number| {
            let at = number as usize;
            self.addresses.get(at) == Some(&address) && self.callers.get(at) == Some(&caller)
        });
        found.unwrap_or_else(|| {
            let number = self.addresses.len() as u32;
            push(&mut self.addresses, address);
            push(&mut self.callers, caller);
            let (addresses, callers) = (&self.addresses, &self.callers);
            let hash_of = |number: u32| {
                let at = number as usize;
                let caller = callers.get(at).copied().unwrap_or(ROOT);
                hash(&[addresses.get(at).copied().unwrap_or(0), u64::from(caller)])
            };
            self.index.insert(number, hash_of);
            number
        })
    }

    /// The addresses from this frame to the root.
    fn stack(&self, leaf: u32) -> Vec<u64> {
        let mut frames = Vec::new();
        let mut at = leaf;
        while let (Some(address), Some(caller)) = (
            self.addresses.get(at as usize),
            self.callers.get(at as usize),
        ) {
            frames.push(*address);
            // A caller was there before: this ends.
            if *caller != ROOT && *caller >= at {
                break;
            }
            at = *caller;
        }
        frames
    }

    fn bytes(&self) -> usize {
        self.addresses.capacity() * size_of::<u64>()
            + self.callers.capacity() * size_of::<u32>()
            + self.index.bytes()
    }
}

/// Appends to a list that is to stay small: it grows by an eighth, not by all.
fn push<T>(list: &mut Vec<T>, value: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 8 + 16);
    }
    list.push(value);
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use heaplens_alloc::{Counters, Tally};
    use proptest::prelude::*;

    use super::*;

    /// A stack by a few small numbers, so that many have their roots in common.
    fn stack(frames: &[u8]) -> Stack {
        let frames: Vec<u64> = frames.iter().map(|of| 0x1000 + u64::from(*of)).collect();
        Stack::new(frames, StackKind::Captured)
    }

    fn tally(bytes: u64) -> Tally {
        let mut tally = Tally::default();
        if bytes > 0 {
            tally.record(bytes, 1);
        }
        tally
    }

    type Sites = Vec<(Vec<u8>, u64, u8, u64)>;

    fn snapshot(sites: &Sites) -> Snapshot {
        let now = SystemTime::now();
        let (mut stacks, mut rows): (Vec<Stack>, Vec<Site>) = (Vec::new(), Vec::new());
        for (frames, size_class, labels, bytes) in sites {
            stacks.push(stack(frames));
            let site = Site::new(stacks.len() - 1, *size_class, tally(*bytes), tally(*bytes));
            rows.push(site.labelled(usize::from(*labels)));
        }
        let labels = (0..4).map(|of: usize| vec![("map".to_owned(), of.to_string())]);
        Snapshot::from_parts(now, now, Counters::default(), stacks, rows)
            .with_labels(labels.collect())
    }

    /// By frames, size class and labels: bytes.
    type Sums = std::collections::BTreeMap<(Vec<u64>, u64, Labels), u64>;

    fn sums(stacks: &[Stack], sites: &[Site], labels: &[Labels]) -> Sums {
        let mut sums = Sums::new();
        for site in sites.iter().filter(|site| site.inuse.samples > 0) {
            let labels = labels[site.labels].clone();
            let key = (stacks[site.stack].frames.clone(), site.size_class, labels);
            *sums.entry(key).or_default() += site.inuse.bytes.round() as u64;
        }
        sums
    }

    proptest! {
        #[test]
        fn rows_give_back_what_they_took(
            snapshots in proptest::collection::vec(
                proptest::collection::vec(
                    (proptest::collection::vec(0u8..4, 0..6), 0u64..3, 0u8..4, 0u64..100),
                    0..30,
                ),
                1..5,
            ),
        ) {
            let mut rows = Rows::default();
            let mut before = 0;
            for sites in snapshots {
                let snapshot = snapshot(&sites);
                let figures = rows.figures(&snapshot);
                prop_assert!(figures.len() == rows.len() && rows.len() >= before);
                before = rows.len();
                let (stacks, sites, labels) = rows.parts(&figures);
                let expected = sums(&snapshot.stacks, &snapshot.sites, &snapshot.labels);
                prop_assert_eq!(sums(&stacks, &sites, &labels), expected);
                // The same again changes nothing.
                prop_assert_eq!(rows.figures(&snapshot), figures);
            }
        }
    }

    #[test]
    fn common_callers_are_kept_once() {
        let mut frames = Frames::default();
        let leaves: Vec<u32> = (0..100)
            .map(|leaf| frames.leaf(&[leaf, 7, 6, 5, 4, 3, 2, 1]))
            .collect();
        assert_eq!(frames.addresses.len(), 107);
        assert_eq!(frames.stack(leaves[42]), [42, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(frames.leaf(&[]), ROOT);
        assert_eq!(frames.stack(ROOT), [0; 0]);
    }
}
