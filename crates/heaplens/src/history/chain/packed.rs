//! The chain in a file, and taken over from one.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heaplens_alloc::{Counters, Walker};

use super::super::delta;
use super::super::quantum::{self, Figures};
use super::super::rows::Rows;
use super::super::run::Run;
use super::super::varint::{Reader, write, write_text};
use super::{Chain, Kept, Moment};

/// By the place in this list a walker is written.
const WALKERS: [Walker; 4] = [
    Walker::Undecided,
    Walker::FramePointers,
    Walker::UnwindTables,
    Walker::FramePointersOnly,
];

impl Chain {
    /// Appends all but what changed, which is packed already: that goes to `changes`, one
    /// after another.
    pub(in super::super) fn write(
        &self,
        out: &mut Vec<u8>,
        changes: &mut Vec<u8>,
        build_id: Option<&str>,
        place: impl FnMut(u64) -> (u64, u64),
    ) {
        self.rows.write(out, place);
        write(out, self.runs.len() as u64);
        for run in &self.runs {
            let build_id = if run.is_this {
                build_id
            } else {
                run.build_id.as_deref()
            };
            write(out, nanoseconds(run.since));
            write_text(out, build_id.unwrap_or_default());
        }
        write(out, self.ids);
        write(out, self.kept.len() as u64);
        for kept in &self.kept {
            let moment = &kept.moment;
            write(out, moment.id);
            write(out, nanoseconds(moment.taken_at));
            write(out, moment.run as u64);
            write_counters(out, &kept.counters);
            write(out, kept.delta.len() as u64);
            changes.extend_from_slice(&kept.delta);
        }
    }

    /// Reads what was written; every snapshot in it can be restored.
    pub(in super::super) fn read(
        from: &mut Reader<'_>,
        changes: &mut Reader<'_>,
        address: impl Fn(u64, u64) -> Option<u64>,
    ) -> Option<Self> {
        let rows = Rows::read(from, address)?;
        let mut last = vec![Figures::default(); rows.len()];
        let mut chain = Chain {
            rows,
            ..Chain::default()
        };
        for _ in 0..from.count()? {
            let (since, build_id) = (moment(from)?, from.text()?);
            chain.runs.push(Run {
                since,
                build_id: Some(build_id).filter(|id| !id.is_empty()),
                is_this: false,
            });
        }
        chain.ids = from.read()?;
        let mut ids = HashSet::new();
        for _ in 0..from.count()? {
            let kept = kept(from, changes, &mut last)?;
            let of = &kept.moment;
            let is_new = ids.insert(of.id) && (1..=chain.ids).contains(&of.id);
            if !is_new || of.run >= chain.runs.len() {
                return None;
            }
            chain.kept.push_back(kept);
        }
        chain.last = last;
        chain.forget_runs();
        Some(chain)
    }

    /// Lets go of runs of which nothing is kept: of a program that is started again and again
    /// there would be more and more.
    fn forget_runs(&mut self) {
        let mut runs = Vec::new();
        for kept in &mut self.kept {
            let Some(run) = self.runs.get(kept.moment.run) else {
                continue;
            };
            let known = runs.iter().position(|of| of == run);
            kept.moment.run = known.unwrap_or_else(|| {
                runs.push(run.clone());
                runs.len() - 1
            });
        }
        self.runs = runs;
    }

    /// Goes on from an older chain. If there are snapshots here already, those of the older
    /// one get numbers after theirs, and are dropped where they are not older.
    pub(in super::super) fn continue_from(&mut self, mut older: Chain) {
        let own: Vec<Moment> = self.moments().collect();
        if let Some(first) = own.first() {
            older.truncate(first.taken_at);
            for kept in &mut older.kept {
                kept.moment.id += self.ids;
            }
            older.ids += self.ids;
        }
        let before = std::mem::replace(self, older);
        for moment in own {
            if let Some(snapshot) = before.restore(moment.id) {
                self.add_as(&snapshot, moment.id);
            }
        }
    }

    /// Lets go of what was not taken before this time.
    fn truncate(&mut self, time: SystemTime) {
        while self
            .kept
            .back()
            .is_some_and(|kept| kept.moment.taken_at >= time)
        {
            self.kept.pop_back();
        }
        let mut last = vec![Figures::default(); self.rows.len()];
        for kept in &self.kept {
            // What was packed here can be unpacked.
            delta::apply(&mut last, &delta::decode(&kept.delta).unwrap_or_default());
        }
        self.last = last;
    }
}

/// One snapshot; `figures` become those that it has.
fn kept(from: &mut Reader<'_>, changes: &mut Reader<'_>, figures: &mut [Figures]) -> Option<Kept> {
    let (id, taken_at) = (from.read()?, moment(from)?);
    let run = usize::try_from(from.read()?).ok()?;
    let counters = read_counters(from)?;
    let delta = changes.bytes(usize::try_from(from.read()?).ok()?)?;
    if !delta::apply(figures, &delta::decode(delta)?) {
        return None;
    }
    Some(Kept {
        moment: Moment {
            id,
            taken_at,
            inuse_bytes: figures.iter().map(quantum::inuse_bytes).sum(),
            live_samples: counters.live_samples,
            run,
        },
        counters,
        delta: delta.into(),
    })
}

/// Since 1970.
fn nanoseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn moment(from: &mut Reader<'_>) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(from.read()?))
}

fn write_counters(out: &mut Vec<u8>, of: &Counters) {
    let walker = WALKERS.iter().position(|walker| *walker == of.walker);
    let numbers = [
        u64::from(of.installed),
        of.sample_interval,
        u64::from(of.max_overhead_ppm),
        of.samples,
        of.sample_intervals,
        of.sampling_nanos,
        of.live_samples,
        of.stacks,
        of.sites,
        of.memory_used,
        of.memory_budget,
        walker.unwrap_or_default() as u64,
        of.drops.len() as u64,
    ];
    for number in numbers.into_iter().chain(of.drops) {
        write(out, number);
    }
}

fn read_counters(from: &mut Reader<'_>) -> Option<Counters> {
    let mut counters = Counters::default();
    counters.installed = from.read()? == 1;
    counters.sample_interval = from.read()?;
    counters.max_overhead_ppm = u32::try_from(from.read()?).ok()?;
    for place in [
        &mut counters.samples,
        &mut counters.sample_intervals,
        &mut counters.sampling_nanos,
        &mut counters.live_samples,
        &mut counters.stacks,
        &mut counters.sites,
        &mut counters.memory_used,
        &mut counters.memory_budget,
    ] {
        *place = from.read()?;
    }
    counters.walker = *WALKERS.get(usize::try_from(from.read()?).ok()?)?;
    // A later version may know more reasons for losses, an earlier one fewer.
    for number in 0..from.count()? {
        let count = from.read()?;
        if let Some(place) = counters.drops.get_mut(number) {
            *place = count;
        }
    }
    Some(counters)
}
