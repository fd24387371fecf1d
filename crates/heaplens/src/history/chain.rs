//! Snapshots of the sampler, one after another: the first one whole, of each that
//! follows what changed in it. Any of them can be taken out; the next one then holds
//! what changed in both.

mod packed;

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heaplens_alloc::{Counters, Snapshot};

use super::delta::{self, Change};
use super::quantum::{self, Figures};
use super::rows::Rows;
use super::run::Run;

/// All snapshots are kept for so long;
const FINE: Duration = Duration::from_secs(60 * 60);
/// then one in so much time,
const COARSE: Duration = Duration::from_secs(10 * 60);
/// up to this age.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    rows: Rows,
    /// The figures of the last snapshot.
    last: Vec<Figures>,
    kept: VecDeque<Kept>,
    /// Numbers given so far.
    ids: u64,
    /// The runs of the program that snapshots are of; the last one is this.
    runs: Vec<Run>,
}

#[derive(Debug)]
struct Kept {
    moment: Moment,
    counters: Counters,
    /// What changed since the one before.
    delta: Box<[u8]>,
}

/// What there is to say of a snapshot without unpacking it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    /// From 1; never given twice.
    pub(crate) id: u64,
    pub(crate) taken_at: SystemTime,
    /// Estimated.
    pub(crate) inuse_bytes: f64,
    pub(crate) live_samples: u64,
    /// Of which run of the program, by [`Chain::runs`].
    pub(crate) run: usize,
}

impl Chain {
    /// Keeps a snapshot, and of older ones what is to be kept beside it.
    pub(crate) fn add(&mut self, snapshot: &Snapshot) {
        self.add_as(snapshot, self.ids + 1);
    }

    fn add_as(&mut self, snapshot: &Snapshot, id: u64) {
        let run = self.this_run(snapshot.since);
        let figures = self.rows.figures(snapshot);
        let delta = delta::encode(&delta::between(&self.last, &figures));
        let moment = Moment {
            id,
            taken_at: snapshot.taken_at,
            inuse_bytes: figures.iter().map(quantum::inuse_bytes).sum(),
            live_samples: snapshot.counters.live_samples,
            run,
        };
        self.ids = self.ids.max(id);
        self.last = figures;
        self.kept.push_back(Kept {
            moment,
            counters: snapshot.counters,
            delta,
        });
        while let Some(at) = surplus(&self.times()) {
            self.remove(at);
        }
    }

    /// What is kept, the oldest first.
    pub(crate) fn moments(&self) -> impl DoubleEndedIterator<Item = Moment> + '_ {
        self.kept.iter().map(|kept| kept.moment)
    }

    /// The runs of the program that [`Moment::run`] is of.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The number of this run, which began then.
    fn this_run(&mut self, since: SystemTime) -> usize {
        match self.runs.iter_mut().enumerate().next_back() {
            Some((number, run)) if run.is_this => {
                run.since = since;
                number
            }
            _ => {
                self.runs.push(Run::this(since));
                self.runs.len() - 1
            }
        }
    }

    /// The snapshot of this number, as far as its figures were kept: objects and bytes
    /// to a sixteenth, variances to a hundredth.
    pub(crate) fn restore(&self, id: u64) -> Option<Snapshot> {
        let at = self.kept.iter().position(|kept| kept.moment.id == id)?;
        let mut figures = vec![Figures::default(); self.rows.len()];
        for kept in self.kept.iter().take(at + 1) {
            if !delta::apply(&mut figures, &delta::decode(&kept.delta)?) {
                return None;
            }
        }
        let kept = self.kept.get(at)?;
        let (stacks, sites, labels) = self.rows.parts(&figures);
        let taken_at = kept.moment.taken_at;
        let run = self.runs.get(kept.moment.run);
        let since = run.map_or(taken_at, |run| run.since.min(taken_at));
        let snapshot = Snapshot::from_parts(taken_at, since, kept.counters, stacks, sites);
        Some(snapshot.with_labels(labels))
    }

    /// Thins what is kept, the oldest first, until it takes no more than this. If not
    /// even one snapshot fits, none is kept, and the answer is `false`.
    pub(crate) fn fit(&mut self, bytes: usize) -> bool {
        while self.bytes() > bytes && self.kept.len() > 1 {
            self.remove(least(&self.times()));
        }
        let fits = self.bytes() <= bytes;
        if !fits {
            self.forget();
        }
        fits
    }

    /// Lets go of everything but the numbers given.
    fn forget(&mut self) {
        *self = Chain {
            ids: self.ids,
            runs: std::mem::take(&mut self.runs),
            ..Chain::default()
        };
    }

    fn times(&self) -> Vec<SystemTime> {
        self.moments().map(|moment| moment.taken_at).collect()
    }

    /// Takes one out that is not the last.
    fn remove(&mut self, at: usize) {
        let gone = self.kept.remove(at).and_then(|kept| changes(&kept));
        let next = self.kept.get_mut(at);
        match (gone, next) {
            (Some(gone), Some(next)) => match changes(next) {
                Some(then) => next.delta = delta::encode(&delta::composed(gone, then)),
                None => self.forget(),
            },
            // What was packed here can be unpacked.
            _ => self.forget(),
        }
    }

    /// Bytes of what changed from each snapshot to the next, all together.
    #[cfg(test)]
    pub(super) fn bytes_of_changes(&self) -> usize {
        self.kept.iter().map(|kept| kept.delta.len()).sum()
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let packed: usize = self.kept.iter().map(|kept| kept.delta.len()).sum();
        packed
            + self.kept.capacity() * size_of::<Kept>()
            + self.last.capacity() * size_of::<Figures>()
            + self.runs.capacity() * size_of::<Run>()
            + self.rows.bytes()
    }
}

fn changes(kept: &Kept) -> Option<Vec<Change>> {
    delta::decode(&kept.delta)
}

/// The first that is not to be kept any more, of moments in the order in which they
/// came. Never the last.
fn surplus(times: &[SystemTime]) -> Option<usize> {
    let (newest, older) = times.split_last()?;
    let slot = |at: &SystemTime| {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        since.as_secs() / COARSE.as_secs()
    };
    let mut before = None;
    older.iter().position(|at| {
        // Of a clock that was set back nothing is old.
        let age = newest.duration_since(*at).unwrap_or_default();
        let is_second = before.replace(slot(at)) == Some(slot(at));
        age > LONGEST || age > FINE && is_second
    })
}

/// Which one to do without where there is too little room: the one whose absence makes
/// the smallest gap for its age. So what is long ago becomes sparse first, and how far
/// it reaches back is given up last. Never the last one.
fn least(times: &[SystemTime]) -> usize {
    let between = |from: &SystemTime, to: &SystemTime| {
        let between = to.duration_since(*from).unwrap_or_default();
        between.as_secs_f64()
    };
    let Some(newest) = times.last() else { return 0 };
    let gaps = times.windows(3).enumerate().filter_map(|(before, three)| {
        let [earlier, at, later] = three else {
            return None;
        };
        let age = between(at, newest).max(1.0);
        Some((before + 1, between(earlier, later) / age))
    });
    gaps.min_by(|one, other| one.1.total_cmp(&other.1))
        .map_or(0, |gap| gap.0)
}

#[cfg(test)]
mod tests {
    use heaplens_alloc::{Site, Stack, StackKind, Tally};
    use proptest::prelude::*;

    use super::*;

    fn moment(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
    }

    fn tally(objects: u64, size: u64) -> Tally {
        let mut tally = Tally::default();
        for _ in 0..objects {
            tally.record(size, 1);
        }
        tally
    }

    /// Rows of `(allocated, in use)` objects, each at a stack of its own.
    fn snapshot(seconds: u64, rows: &[(u64, u64)]) -> Snapshot {
        let frame = |row| vec![0x1000 + row as u64, 0x500, 0x400];
        let stacks = (0..rows.len()).map(|row| Stack::new(frame(row), StackKind::Captured));
        let sites = rows.iter().enumerate().map(|(row, (alloc, inuse))| {
            let size = 8 << (row % 10);
            Site::new(row, size, tally(*alloc, size), tally(*inuse, size))
        });
        let mut counters = Counters::default();
        counters.live_samples = rows.iter().map(|row| row.1).sum();
        let (stacks, sites) = (stacks.collect(), sites.collect());
        Snapshot::from_parts(moment(seconds), moment(0), counters, stacks, sites)
    }

    /// What a snapshot says, in an order of its own.
    fn said(snapshot: &Snapshot) -> Vec<(Vec<u64>, u64, Tally, Tally)> {
        let sites = snapshot.sites.iter();
        let mut said: Vec<_> = sites
            .filter(|site| site.alloc.samples + site.inuse.samples > 0)
            .map(|site| {
                let frames = snapshot.stacks[site.stack].frames.clone();
                (frames, site.size_class, site.alloc, site.inuse)
            })
            .collect();
        said.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        said
    }

    proptest! {
        /// Whatever is taken out, what is left is as it was.
        #[test]
        fn what_is_kept_stays_as_it_was(
            history in proptest::collection::vec(
                (1u64..2000, proptest::collection::vec((0u64..5, 0u64..5), 0..12)), 1..25,
            ),
            room in 0usize..6000,
        ) {
            let (mut chain, mut taken) = (Chain::default(), Vec::new());
            let mut seconds = 0;
            for (pause, rows) in &history {
                seconds += pause;
                taken.push(snapshot(seconds, rows));
                chain.add(taken.last().unwrap());
                if seconds % 3 == 0 {
                    let fits = chain.fit(room);
                    prop_assert!(chain.bytes() <= room || !fits && chain.kept.is_empty());
                }
                for moment in chain.moments() {
                    let original = &taken[moment.id as usize - 1];
                    let restored = chain.restore(moment.id).expect("kept");
                    prop_assert_eq!(said(&restored), said(original));
                    prop_assert_eq!(restored.taken_at, original.taken_at);
                    prop_assert_eq!(restored.counters, original.counters);
                    let bytes = original.totals().inuse.bytes;
                    prop_assert!((moment.inuse_bytes - bytes).abs() < 1.0);
                }
            }
            prop_assert!(chain.restore(0).is_none() && chain.restore(999).is_none());
        }
    }

    #[test]
    fn an_hour_in_minutes_and_a_day_in_tens() {
        let mut chain = Chain::default();
        for minute in 0..26 * 60 {
            chain.add(&snapshot(minute * 60, &[(minute % 7, minute % 5)]));
        }
        let newest = moment((26 * 60 - 1) * 60);
        let ages: Vec<u64> = chain
            .moments()
            .map(|of| newest.duration_since(of.taken_at).unwrap().as_secs() / 60)
            .collect();
        let fine = ages.iter().filter(|age| **age <= 60).count();
        assert_eq!(fine, 61, "{ages:?}");
        let coarse: Vec<u64> = ages.iter().copied().filter(|age| *age > 60).collect();
        assert!(
            coarse.windows(2).all(|two| two[0] - two[1] == 10),
            "{ages:?}"
        );
        assert_eq!(coarse.len(), 138, "{ages:?}");
        assert!(coarse[0] <= 24 * 60);
    }

    #[test]
    fn what_is_long_ago_becomes_sparse_first() {
        let times: Vec<SystemTime> = (0..10).map(|at| moment(at * 60)).collect();
        assert_eq!(least(&times), 1);
        let sparse: Vec<SystemTime> = [0, 100, 200, 360, 400, 430].map(moment).into();
        assert_eq!(least(&sparse), 1);
        assert_eq!(least(&sparse[..2]), 0);
        assert_eq!(least(&sparse[..1]), 0);
    }

    #[test]
    fn with_little_room_little_is_kept_over_all_the_time() {
        let mut chain = Chain::default();
        for minute in 0..300 {
            let rows: Vec<(u64, u64)> = (0..200)
                .map(|row| ((row * minute) % 13 + 1, (row + minute) % 3))
                .collect();
            chain.add(&snapshot(minute * 60, &rows));
            assert!(chain.fit(60_000));
        }
        let ids: Vec<u64> = chain.moments().map(|of| of.id).collect();
        assert!((5..60).contains(&ids.len()), "{ids:?}");
        assert_eq!((ids[0], ids[ids.len() - 1]), (1, 300), "{ids:?}");
        assert!(!chain.fit(1000));
        assert_eq!(chain.moments().count(), 0);
        chain.add(&snapshot(0, &[(1, 1)]));
        assert_eq!(chain.moments().next().unwrap().id, 301, "no number twice");
    }

    #[test]
    fn a_clock_that_is_set_back_loses_nothing() {
        let mut chain = Chain::default();
        for seconds in [900_000, 960_000, 5, 60, 120] {
            chain.add(&snapshot(seconds, &[(1, 1)]));
        }
        assert_eq!(chain.moments().count(), 5);
    }
}
