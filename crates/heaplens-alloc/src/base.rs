//! What had been allocated up to some moment, so that a later snapshot can tell
//! what came after it.

use std::time::Duration;

use crate::snapshot::Snapshot;
use crate::tally::Tally;

/// The cumulative figures of each row of a snapshot, without stacks: 56 bytes a row.
///
/// ```
/// let base = heaplens_alloc::snapshot().base();
/// // … later:
/// let window = std::time::Duration::from_secs(15);
/// let since_then = heaplens_alloc::snapshot().after(&base, window);
/// assert_eq!(since_then.window, Some(window));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// By id, ascending.
    rows: Vec<(u32, Tally)>,
}

impl Base {
    /// Rows that it remembers.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing had been allocated yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn of_row(&self, id: u32) -> Tally {
        self.rows
            .binary_search_by_key(&id, |row| row.0)
            .ok()
            .and_then(|at| self.rows.get(at))
            .map_or_else(Tally::default, |row| row.1)
    }
}

impl Snapshot {
    /// What was allocated up to this snapshot.
    pub fn base(&self) -> Base {
        let named = self.sites.iter().filter(|site| site.id != 0);
        let mut rows: Vec<_> = named.map(|site| (site.id, site.alloc)).collect();
        rows.sort_unstable_by_key(|row| row.0);
        Base { rows }
    }

    /// This snapshot with what was allocated after `base` was taken from an earlier
    /// one of the same process, `window` before this. In-use figures stay as they
    /// are, so a row may have more in use than was allocated in the window. Rows
    /// without either are left out; none is negative.
    ///
    /// Objects and bytes are whole numbers: rounded at both ends, so that the
    /// windows of a chain add up to what was allocated in all of it.
    #[must_use]
    pub fn after(mut self, base: &Base, window: Duration) -> Snapshot {
        for site in &mut self.sites {
            let before = if site.id == 0 {
                Tally::default()
            } else {
                base.of_row(site.id)
            };
            site.alloc = difference(&site.alloc, &before);
        }
        self.sites
            .retain(|site| site.alloc.samples > 0 || site.inuse.samples > 0);
        self.window = Some(window);
        self
    }
}

fn difference(now: &Tally, before: &Tally) -> Tally {
    Tally {
        samples: now.samples.saturating_sub(before.samples),
        sampled_bytes: now.sampled_bytes.saturating_sub(before.sampled_bytes),
        objects: (now.objects.round() - before.objects.round()).max(0.0),
        bytes: (now.bytes.round() - before.bytes.round()).max(0.0),
        objects_variance: (now.objects_variance - before.objects_variance).max(0.0),
        bytes_variance: (now.bytes_variance - before.bytes_variance).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::counters::Counters;
    use crate::snapshot::{Site, Stack};
    use crate::stacks::StackKind;

    /// Allocations and frees of a few rows: (row, size, interval, whether it is
    /// freed in the next window).
    type Step = (usize, u64, u64, bool);

    const ROWS: usize = 4;

    /// A process with those rows, of which each window allocates some.
    #[derive(Default)]
    struct Process {
        alloc: HashMap<usize, Tally>,
        inuse: HashMap<usize, Vec<(u64, u64)>>,
        dying: Vec<usize>,
    }

    impl Process {
        fn run(&mut self, steps: &[Step]) {
            for row in self.dying.drain(..) {
                self.inuse.get_mut(&row).expect("it has blocks").remove(0);
            }
            for &(row, size, interval, dies) in steps {
                self.alloc.entry(row).or_default().record(size, interval);
                self.inuse.entry(row).or_default().push((size, interval));
                if dies {
                    self.dying.push(row);
                }
            }
        }

        fn snapshot(&self) -> Snapshot {
            let now = SystemTime::now();
            let stacks = (0..ROWS as u64)
                .map(|row| Stack::new(vec![row + 1], StackKind::Captured))
                .collect();
            let sites = self
                .alloc
                .iter()
                .map(|(&row, &alloc)| {
                    let mut inuse = Tally::default();
                    for &(size, interval) in &self.inuse[&row] {
                        inuse.record(size, interval);
                    }
                    Site::new(row, 0, alloc, inuse).named(row as u32 + 1)
                })
                .collect();
            Snapshot::from_parts(now, now, Counters::default(), stacks, sites)
        }
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let sizes = prop_oneof![1u64..100, 1_000u64..3_000_000];
        let step = (
            0..ROWS,
            sizes,
            prop_oneof![Just(1), Just(524_288u64)],
            any::<bool>(),
        );
        proptest::collection::vec(step, 0..12)
    }

    proptest! {
        /// A chain of windows adds up to all that was allocated, whoever else
        /// has bases of his own; in use is what the process has.
        #[test]
        fn windows_add_up(windows in proptest::collection::vec(steps(), 1..8)) {
            let mut process = Process::default();
            let mut base = Base::default();
            let mut sums: HashMap<usize, (u64, f64, f64)> = HashMap::new();
            for window in &windows {
                process.run(window);
                let snapshot = process.snapshot();
                let next = snapshot.base();
                let length = Duration::from_secs(1);
                let delta = snapshot.clone().after(&base, length);
                prop_assert_eq!(delta.window, Some(length));
                prop_assert_eq!(delta.totals().inuse.samples, snapshot.totals().inuse.samples);
                for site in &delta.sites {
                    let sum = sums.entry(site.stack).or_default();
                    prop_assert!(site.alloc.objects >= 0.0 && site.alloc.bytes >= 0.0);
                    let allocated = window.iter().filter(|step| step.0 == site.stack).count();
                    prop_assert_eq!(site.alloc.samples, allocated as u64);
                    sum.0 += site.alloc.samples;
                    sum.1 += site.alloc.objects;
                    sum.2 += site.alloc.bytes;
                }
                base = next;
            }
            for (row, alloc) in &process.alloc {
                let sum = sums.get(row).copied().unwrap_or_default();
                prop_assert_eq!(sum, (alloc.samples, alloc.objects.round(), alloc.bytes.round()));
            }
        }
    }

    #[test]
    fn rows_without_a_name_had_no_base() {
        let mut tally = Tally::default();
        tally.record(64, 1);
        let now = SystemTime::now();
        let held = Site::new(0, 64, Tally::default(), tally).labelled(1);
        let plain = Site::new(0, 64, tally, Tally::default()).named(7);
        let stacks = vec![Stack::new(vec![1], StackKind::Captured)];
        let snapshot =
            Snapshot::from_parts(now, now, Counters::default(), stacks, vec![plain, held])
                .with_labels(vec![Vec::new(), vec![("map".to_owned(), "a".to_owned())]]);
        let base = snapshot.base();
        assert_eq!((base.len(), base.is_empty()), (1, false));
        let after = snapshot.after(&base, Duration::ZERO);
        let rows: Vec<_> = after
            .sites
            .iter()
            .map(|site| (site.id, site.inuse))
            .collect();
        assert_eq!(
            rows,
            [(0, tally)],
            "what did not change and is freed is left out"
        );
    }
}
