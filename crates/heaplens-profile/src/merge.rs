//! Rows of a snapshot that have become equal make one sample, and estimates
//! become whole numbers that add up.
//!
//! Rows of one stack and size class that differ in their labels are a group.
//! What was allocated may stand in one row of it and what is in use in others,
//! so it is the sums over a group that must agree.
//!
//! What was allocated is rounded row by row, so that no value ever falls. What is in
//! use is shared out: rounded sums of estimates, no more in a row than was allocated
//! there, unless it is a row of what is held, in which nothing ever is.

use std::collections::HashMap;

use heaplens_alloc::{Site, Tally};

use crate::intern::IntMap;
use crate::model::{Labels, SampledCounts, Variances};

/// A sample without its locations.
pub(crate) struct Merged {
    /// As given to [`Groups::add`].
    pub(crate) list: usize,
    pub(crate) size_class: u64,
    pub(crate) labels: Labels,
    /// In the order of [`crate::model::HEAP_TYPES`].
    pub(crate) values: Vec<i64>,
    pub(crate) sampled: SampledCounts,
    pub(crate) variances: Variances,
}

/// Groups in the order in which they came.
pub(crate) struct Groups {
    /// Distinct sets of labels, the empty one first.
    labels: Vec<Labels>,
    /// Number in `labels` of each set of the snapshot.
    numbers: Vec<usize>,
    known: IntMap<(usize, u64), usize>,
    list: Vec<Group>,
    /// Whether what was allocated is that of a window only: more may be in use.
    is_window: bool,
}

struct Group {
    list: usize,
    size_class: u64,
    rows: Vec<Row>,
}

struct Row {
    labels: usize,
    alloc: Tally,
    inuse: Tally,
}

impl Groups {
    /// No groups yet, of sites that refer to these sets of labels.
    pub(crate) fn new(sets: &[Vec<(String, String)>]) -> Self {
        let mut groups = Groups {
            labels: vec![Labels::default()],
            numbers: Vec::with_capacity(sets.len()),
            known: IntMap::default(),
            list: Vec::new(),
            is_window: false,
        };
        let mut known = HashMap::from([(Labels::default(), 0)]);
        for set in sets {
            let labels = normal(set);
            let number = *known.entry(Labels::clone(&labels)).or_insert_with(|| {
                groups.labels.push(labels);
                groups.labels.len() - 1
            });
            groups.numbers.push(number);
        }
        groups
    }

    /// These groups, where `alloc` is what was allocated within a window.
    pub(crate) fn of_window(self, is_window: bool) -> Self {
        Groups { is_window, ..self }
    }

    /// Adds a site whose stack has the list of locations of this number.
    pub(crate) fn add(&mut self, list: usize, site: &Site) {
        let size_class = site.size_class;
        let next = self.list.len();
        let number = *self.known.entry((list, size_class)).or_insert(next);
        if number == next {
            self.list.push(Group {
                list,
                size_class,
                rows: Vec::with_capacity(1),
            });
        }
        let labels = self.numbers.get(site.labels).copied().unwrap_or(0);
        if let Some(group) = self.list.get_mut(number) {
            group.add(labels, site);
        }
    }

    /// The samples, those of a group next to each other.
    pub(crate) fn merged(self) -> Vec<Merged> {
        let mut merged = Vec::with_capacity(self.list.len());
        for group in self.list {
            group.merge_into(&mut merged, &self.labels, self.is_window);
        }
        merged
    }
}

/// Sorted by key. Readers take an empty text for no label at all.
fn normal(set: &[(String, String)]) -> Labels {
    let mut pairs: Vec<_> = set
        .iter()
        .filter(|(key, value)| !key.is_empty() && !value.is_empty())
        .cloned()
        .collect();
    pairs.sort();
    pairs.dedup();
    pairs.into()
}

impl Group {
    fn add(&mut self, labels: usize, site: &Site) {
        match self.rows.iter_mut().find(|row| row.labels == labels) {
            Some(row) => {
                row.alloc.add(&site.alloc);
                row.inuse.add(&site.inuse);
            }
            None => self.rows.push(Row {
                labels,
                alloc: site.alloc,
                inuse: site.inuse,
            }),
        }
    }

    fn merge_into(mut self, merged: &mut Vec<Merged>, labels: &[Labels], is_window: bool) {
        // The row without labels comes last: what rounding leaves is taken from
        // it, and what is held is stated as estimated.
        self.rows
            .sort_by_key(|row| (row.allocates(), row.labels == 0, row.labels));
        let limit = |allocated| if is_window { u64::MAX } else { allocated };
        let objects = self.shares(is_window, |of| of.objects);
        let bytes = self.shares(is_window, |of| of.bytes);
        let mut samples = Left(limit(self.allocated(|alloc| alloc.samples)));
        let mut sampled_bytes = Left(limit(self.allocated(|alloc| alloc.sampled_bytes)));
        let shares = objects.into_iter().zip(bytes);
        merged.extend(self.rows.iter().zip(shares).map(|(row, (objects, bytes))| {
            let Row { alloc, inuse, .. } = row;
            Merged {
                list: self.list,
                size_class: self.size_class,
                labels: labels.get(row.labels).cloned().unwrap_or_default(),
                values: vec![
                    signed(integer(alloc.objects)),
                    signed(integer(alloc.bytes)),
                    signed(objects),
                    signed(bytes),
                ],
                sampled: SampledCounts {
                    alloc_objects: alloc.samples,
                    alloc_bytes: alloc.sampled_bytes,
                    inuse_objects: samples.take(inuse.samples),
                    inuse_bytes: sampled_bytes.take(inuse.sampled_bytes),
                },
                variances: Variances {
                    alloc_objects: alloc.objects_variance,
                    alloc_space: alloc.bytes_variance,
                    inuse_objects: inuse.objects_variance,
                    inuse_space: inuse.bytes_variance,
                },
            }
        }));
    }

    /// Shares out what is in use among the rows: no more in sum than was allocated,
    /// and each sum from the first row on is the rounded sum of the estimates, but
    /// for what a row has no room for, which later ones make up for, or earlier ones.
    /// Of a window there is no such limit.
    fn shares(&self, is_window: bool, figure: impl Fn(&Tally) -> f64) -> Vec<u64> {
        let limit = if is_window {
            u64::MAX
        } else {
            self.allocated(|alloc| integer(figure(alloc)))
        };
        let room = |row: &Row| {
            if row.allocates() && !is_window {
                integer(figure(&row.alloc))
            } else {
                u64::MAX
            }
        };
        let (mut estimate, mut given) = (0.0, 0);
        let mut shares = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            // Sums of the same terms in another order may differ in the last bit,
            // hence the limit.
            estimate += figure(&row.inuse);
            let wanted = integer(estimate).min(limit).saturating_sub(given);
            let share = wanted.min(room(row));
            given += share;
            shares.push(share);
        }
        let mut left = integer(estimate).min(limit).saturating_sub(given);
        for (share, row) in shares.iter_mut().zip(&self.rows).rev() {
            let more = left.min(room(row).saturating_sub(*share));
            *share += more;
            left -= more;
        }
        shares
    }

    /// The sum of a figure over what was allocated in all rows.
    fn allocated(&self, figure: impl Fn(&Tally) -> u64) -> u64 {
        let figures = self.rows.iter().map(|row| figure(&row.alloc));
        figures.fold(0, u64::saturating_add)
    }
}

impl Row {
    /// Whether anything was allocated with these labels.
    fn allocates(&self) -> bool {
        self.alloc.samples > 0
    }
}

/// What is left of a count that cannot be exceeded.
struct Left(u64);

impl Left {
    fn take(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.0);
        self.0 -= taken;
        taken
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An estimate as an integer: rounded half up, within 0 and `i64::MAX`.
fn integer(estimate: f64) -> u64 {
    // The casts saturate, and make 0 of what is no number.
    ((estimate + 0.5).floor() as i64).max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn label(key: &str, value: &str) -> Vec<(String, String)> {
        vec![(key.to_owned(), value.to_owned())]
    }

    fn tally(samples: &[(u64, u64)]) -> Tally {
        let mut tally = Tally::default();
        for &(size, interval) in samples {
            tally.record(size, interval);
        }
        tally
    }

    #[test]
    fn equal_sets_are_one_and_empty_texts_are_none() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let sets = [
            vec![],
            vec![pair("a", "1"), pair("b", "2")],
            vec![pair("b", "2"), pair("a", "1"), pair("a", "1")],
            vec![pair("map", "")],
            vec![pair("", "x"), pair("b", "2"), pair("a", "1")],
        ];
        let mut groups = Groups::new(&sets);
        let one = tally(&[(64, 1)]);
        for labels in [0, 1, 2, 3, 4, 99] {
            groups.add(0, &Site::new(0, 64, one, one).labelled(labels));
        }
        let merged = groups.merged();
        let seen: Vec<_> = merged
            .iter()
            .map(|of| (of.labels.len(), of.values[0], of.sampled.inuse_objects))
            .collect();
        assert_eq!(seen, [(2, 3, 3), (0, 3, 3)]);
    }

    /// Samples (size, interval) that are in use with these labels, or freed.
    fn samples() -> impl Strategy<Value = Vec<(u64, u64, Option<usize>)>> {
        let interval = prop_oneof![Just(1u64), 1..2_000_000u64];
        let owner = prop_oneof![Just(None), (0..4usize).prop_map(Some)];
        prop::collection::vec((1..200_000u64, interval, owner), 0..40)
    }

    proptest! {
        /// Whatever is held by whom: sums are those of the same samples without
        /// labels, nothing is negative, and nothing is more than a unit off.
        #[test]
        fn labels_change_no_sum(samples in samples()) {
            let of = |owner: Option<Option<usize>>| -> Tally {
                let chosen: Vec<_> = samples
                    .iter()
                    .filter(|of| owner.is_none_or(|owner| of.2 == owner))
                    .map(|&(size, interval, _)| (size, interval))
                    .collect();
                tally(&chosen)
            };
            let (alloc, freed) = (of(None), of(Some(None)));
            let sets: Vec<_> = (0..4).map(|n| if n == 0 { vec![] } else { label("map", &n.to_string()) }).collect();
            let mut groups = Groups::new(&sets);
            for owner in 0..4 {
                let alloc = if owner == 0 { alloc } else { Tally::default() };
                groups.add(7, &Site::new(0, 64, alloc, of(Some(Some(owner)))).labelled(owner));
            }
            let merged = groups.merged();
            let mut sums = [0i64; 4];
            for of_label in &merged {
                prop_assert!(of_label.values.iter().all(|&value| value >= 0));
                for (sum, value) in sums.iter_mut().zip(&of_label.values) {
                    *sum += value;
                }
            }
            prop_assert_eq!(&sums[..2], &[integer(alloc.objects) as i64, integer(alloc.bytes) as i64]);
            let inuse = [alloc.objects - freed.objects, alloc.bytes - freed.bytes];
            for (sum, exact) in sums[2..].iter().zip(inuse) {
                prop_assert!((*sum as f64 - exact).abs() <= 0.5 + 1e-6 * exact.max(1.0), "{} of {}", sum, exact);
            }
            prop_assert!(sums[2] <= sums[0] && sums[3] <= sums[1]);
            for of_label in &merged {
                let owner = of_label.labels.first().map_or(0, |pair| pair.1.parse().expect("a number"));
                let exact = of(Some(Some(owner)));
                prop_assert!((of_label.values[3] as f64 - exact.bytes).abs() <= 1.0 + 1e-6 * exact.bytes);
                prop_assert_eq!(of_label.sampled.inuse_objects, exact.samples);
                prop_assert_eq!(of_label.sampled.inuse_bytes, exact.sampled_bytes);
            }
        }
    }

    /// Of a window it is no contradiction that more is in use than was allocated.
    #[test]
    fn more_in_use_than_allocated_in_a_window_stands() {
        let mut groups = Groups::new(&[vec![], label("map", "a")]).of_window(true);
        let (none, two, three) = (Tally::default(), tally(&[(10, 1); 2]), tally(&[(10, 1); 3]));
        groups.add(0, &Site::new(0, 16, two, three));
        groups.add(0, &Site::new(0, 16, none, two).labelled(1));
        groups.add(1, &Site::new(0, 16, none, three));
        let merged = groups.merged();
        let values: Vec<_> = merged.iter().map(|of| of.values.clone()).collect();
        assert_eq!(values, [[0, 0, 2, 20], [2, 20, 3, 30], [0, 0, 3, 30]]);
        let samples: Vec<_> = merged.iter().map(|of| of.sampled.inuse_objects).collect();
        assert_eq!(samples, [2, 3, 3]);
    }

    /// Samples (size, interval), and under which label each was allocated, and
    /// whether it is alive, and if so whether a map holds it.
    type Labelled = (u64, u64, usize, Option<bool>);

    fn labelled() -> impl Strategy<Value = Vec<Labelled>> {
        let interval = prop_oneof![Just(1u64), 1..2_000_000u64];
        let alive = prop_oneof![Just(None), any::<bool>().prop_map(Some)];
        prop::collection::vec((1..2_000_000u64, interval, 0..6usize, alive), 0..60)
    }

    /// Rows as a snapshot has them: labels 0 to 5 were in force, and a map holds
    /// what has the label's number plus six.
    fn merged(samples: &[Labelled]) -> Vec<Merged> {
        let pair = |key: &str, value: String| (key.to_owned(), value);
        let set = |number: usize| match number % 6 {
            0 => vec![],
            tenant => vec![pair("tenant", tenant.to_string())],
        };
        let sets: Vec<_> = (0..12)
            .map(|number| {
                let mut set = set(number);
                set.extend((number >= 6).then(|| pair("map", "m".to_owned())));
                set
            })
            .collect();
        let of = |keep: &dyn Fn(&Labelled) -> bool| {
            let kept: Vec<_> = samples.iter().filter(|of| keep(of)).collect();
            tally(&kept.iter().map(|of| (of.0, of.1)).collect::<Vec<_>>())
        };
        let mut groups = Groups::new(&sets);
        for number in 0..6 {
            let alloc = of(&|sample| sample.2 == number);
            for (held, row) in [(false, number), (true, number + 6)] {
                let inuse = of(&|sample| sample.2 == number && sample.3 == Some(held));
                let alloc = if held { Tally::default() } else { alloc };
                groups.add(0, &Site::new(0, 64, alloc, inuse).labelled(row));
            }
        }
        groups.merged()
    }

    fn allocated(merged: &[Merged]) -> Vec<(Labels, [i64; 2])> {
        let row = |of: &Merged| (Labels::clone(&of.labels), [of.values[0], of.values[1]]);
        merged.iter().map(row).collect()
    }

    proptest! {
        /// With several labelled rows: what is in use adds up and is no more than was
        /// allocated, in sum and in each row that anything was allocated in.
        #[test]
        fn labelled_rows_add_up(samples in labelled()) {
            let merged = merged(&samples);
            let mut sums = [0i64; 4];
            for of in &merged {
                prop_assert!(of.values.iter().all(|&value| value >= 0));
                if of.values[0] > 0 {
                    prop_assert!(of.values[2] <= of.values[0] && of.values[3] <= of.values[1]);
                }
                for (sum, value) in sums.iter_mut().zip(&of.values) {
                    *sum += value;
                }
            }
            let alive: Vec<_> = samples.iter().filter(|of| of.3.is_some()).map(|of| (of.0, of.1)).collect();
            let alive = tally(&alive);
            prop_assert!(sums[2] <= sums[0] && sums[3] <= sums[1]);
            for (sum, exact, most) in [(sums[2], alive.objects, sums[0]), (sums[3], alive.bytes, sums[1])] {
                let least = (exact - 0.5 - 1e-6 * exact).min(most as f64);
                prop_assert!(sum as f64 >= least && sum as f64 <= exact + 0.5 + 1e-6 * exact);
            }
        }

        /// Further samples lower nothing that was allocated, whatever their labels.
        #[test]
        fn what_was_allocated_never_falls(samples in labelled(), count in 0..60usize) {
            let before = allocated(&merged(&samples[..count.min(samples.len())]));
            let after = allocated(&merged(&samples));
            for (labels, values) in before {
                let now = after.iter().find(|of| of.0 == labels).expect("rows stay").1;
                prop_assert!(now[0] >= values[0] && now[1] >= values[1]);
            }
        }
    }

    /// A snapshot is of about one moment only: what does not add up is cut.
    #[test]
    fn more_in_use_than_allocated_is_cut() {
        let mut groups = Groups::new(&[vec![], label("map", "a")]);
        let (two, three) = (tally(&[(10, 1); 2]), tally(&[(10, 1); 3]));
        groups.add(0, &Site::new(0, 16, three, two));
        groups.add(0, &Site::new(0, 16, Tally::default(), two).labelled(1));
        let values: Vec<_> = groups.merged().into_iter().map(|of| of.values).collect();
        assert_eq!(values, [[0, 0, 2, 20], [3, 30, 1, 10]]);
    }
}
