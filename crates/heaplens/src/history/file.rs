//! The history as a file: a head that says what it is, how long and with which checksum, what
//! is known of all snapshots, deflated, and what changed in each, which is so already.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::Crc;
use heaplens_profile::{Mapping, Mappings};

use super::chain::Chain;
use super::objects::{Bases, Objects};
use super::process::Process;
use super::ring::Ring;
use super::varint::{Reader, write};
use super::{History, delta};

/// No text begins so, and what is not passed on bit by bit does not end so.
const MAGIC: &[u8; 8] = b"\x89HLHIST\n";
/// Raised whenever what follows is read in another way.
const VERSION: u32 = 1;
/// Magic, version, length of the rest, and its checksum.
const HEAD: usize = 8 + 4 + 8 + 4;

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is something else.
    Foreign,
    /// It is of a version that is not known here.
    Version(u32),
    /// It is not whole, or not as it was written.
    Damaged,
}

impl Unreadable {
    pub(super) fn reason(self) -> String {
        match self {
            Unreadable::Foreign => "it is no history".to_owned(),
            Unreadable::Version(version) => {
                format!("its format is version {version}, and {VERSION} is known here")
            }
            Unreadable::Damaged => "it is damaged".to_owned(),
        }
    }
}

/// What was read: it goes before what is kept already.
#[derive(Debug)]
pub(super) struct Earlier {
    chain: Chain,
    process: Vec<(u64, Process)>,
    since: Option<SystemTime>,
    /// Objects that this process has not.
    pub(super) past: Vec<Mapping>,
}

/// All that is kept.
pub(super) fn encode(history: &History, mappings: &Mappings) -> Vec<u8> {
    let mut objects = Objects::new(mappings);
    let (mut chain, mut changes) = (Vec::new(), Vec::new());
    let main = mappings.iter().find(|mapping| mapping.main);
    let build_id = main.and_then(|mapping| mapping.build_id.as_deref());
    history
        .chain
        .write(&mut chain, &mut changes, build_id, |address| {
            objects.place(address)
        });
    let mut known = Vec::new();
    objects.write(&mut known);
    known.append(&mut chain);
    write(&mut known, seconds(history.since));
    let points: Vec<(u64, Process)> = history.process.points().collect();
    write(&mut known, points.len() as u64);
    for (at, process) in points {
        write(&mut known, at);
        process.write(&mut known);
    }
    let known = delta::deflated(&known);
    let mut rest = Vec::with_capacity(known.len() + changes.len() + 16);
    write(&mut rest, known.len() as u64);
    rest.extend_from_slice(&known);
    rest.append(&mut changes);
    headed(&rest)
}

fn headed(rest: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEAD + rest.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(rest.len() as u64).to_le_bytes());
    file.extend_from_slice(&checksum(rest).to_le_bytes());
    file.extend_from_slice(rest);
    file
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// What was written by this or an earlier run of the program; `taken` objects have been put
/// where nothing is before.
pub(super) fn decode(
    file: &[u8],
    mappings: &Mappings,
    taken: usize,
) -> Result<Earlier, Unreadable> {
    let rest = checked(file)?;
    earlier(rest, mappings, taken).ok_or(Unreadable::Damaged)
}

/// What follows the head, if it is as it was written.
fn checked(file: &[u8]) -> Result<&[u8], Unreadable> {
    let behind = file.strip_prefix(MAGIC).ok_or(Unreadable::Foreign)?;
    let (version, behind) = behind.split_first_chunk().ok_or(Unreadable::Damaged)?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(Unreadable::Version(version));
    }
    let (length, behind) = behind.split_first_chunk().ok_or(Unreadable::Damaged)?;
    let (sum, rest) = behind.split_first_chunk().ok_or(Unreadable::Damaged)?;
    let is_whole = u64::from_le_bytes(*length) == rest.len() as u64
        && u32::from_le_bytes(*sum) == checksum(rest);
    is_whole.then_some(rest).ok_or(Unreadable::Damaged)
}

fn earlier(rest: &[u8], mappings: &Mappings, taken: usize) -> Option<Earlier> {
    let mut changes = Reader::new(rest);
    let length = changes.count()?;
    let known = delta::inflated(changes.bytes(length)?)?;
    let mut from = Reader::new(&known);
    let mut bases = Bases::read(&mut from, mappings, taken)?;
    let past = std::mem::take(&mut bases.past);
    let chain = Chain::read(&mut from, &mut changes, |object, place| {
        bases.address(object, place)
    })?;
    let since = from.read()?;
    let count = from.count()?;
    let mut process = Vec::with_capacity(count);
    for _ in 0..count {
        process.push((from.read()?, Process::read(&mut from)?));
    }
    let is_whole = from.is_at_end() && changes.is_at_end();
    is_whole.then(|| Earlier {
        chain,
        process,
        since: (since > 0).then(|| UNIX_EPOCH + Duration::from_secs(since)),
        past,
    })
}

fn seconds(at: Option<SystemTime>) -> u64 {
    let since = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.unwrap_or_default().as_secs()
}

impl History {
    /// Goes on from what was kept before.
    pub(super) fn continue_from(&mut self, earlier: Earlier) {
        let own: Vec<(u64, Process)> = self.process.points().collect();
        let first = own.first().map_or(u64::MAX, |point| point.0);
        let older = earlier.process.into_iter().filter(|point| point.0 < first);
        let mut process = Ring::default();
        for (at, figures) in older.chain(own) {
            process.push(at, figures);
        }
        self.process = process;
        self.chain.continue_from(earlier.chain);
        self.since = match (earlier.since, self.since) {
            (Some(then), Some(now)) => Some(then.min(now)),
            (then, now) => then.or(now),
        };
        self.fit();
    }
}

#[cfg(test)]
mod tests {
    use heaplens_alloc::{Counters, Site, Snapshot, Stack, StackKind, Tally};
    use proptest::prelude::*;

    use super::*;
    use crate::params::When;

    const BEGIN: u64 = 1_800_000_000;

    fn moment(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(BEGIN + seconds)
    }

    fn tally(objects: u64) -> Tally {
        let mut tally = Tally::default();
        for _ in 0..objects {
            tally.record(64, 1);
        }
        tally
    }

    /// Rows of `(allocated, in use)` objects, each at a stack of its own, in a program whose
    /// code begins at `base`.
    fn snapshot(base: u64, since: u64, seconds: u64, rows: &[(u64, u64)]) -> Snapshot {
        let frames = |row: usize| vec![base + 0x100 + row as u64, base + 0x50, base + 0x40];
        let stacks = (0..rows.len()).map(|row| Stack::new(frames(row), StackKind::Captured));
        let sites = rows.iter().enumerate();
        let sites = sites.map(|(row, (alloc, inuse))| {
            Site::new(row, 64, tally(*alloc), tally(*inuse)).labelled(row % 2)
        });
        let mut counters = Counters::default();
        counters.installed = true;
        counters.sample_interval = 512 << 10;
        counters.samples = rows.iter().map(|row| row.0).sum();
        counters.live_samples = rows.iter().map(|row| row.1).sum();
        counters.drops = std::array::from_fn(|reason| reason as u64);
        let (taken_at, since) = (moment(seconds), moment(since));
        let (stacks, sites) = (stacks.collect(), sites.collect());
        let labels = vec![Vec::new(), vec![("map".to_owned(), "sessions".to_owned())]];
        Snapshot::from_parts(taken_at, since, counters, stacks, sites).with_labels(labels)
    }

    /// A program that is mapped there.
    fn program(base: u64, build_id: &str) -> Mappings {
        let mut mapping =
            Mapping::of_the_past(base..base + 0x10_0000, 0, "/svc", Some(build_id.to_owned()));
        (mapping.loaded, mapping.main) = (true, true);
        let mut mappings = Mappings::default();
        mappings.add_past([&mapping]);
        mappings
    }

    type Said = Vec<(Vec<u64>, usize, Tally, Tally)>;

    /// What a snapshot says, with addresses as if the code began at 0.
    fn said(snapshot: &Snapshot, base: u64) -> Said {
        let sites = snapshot.sites.iter();
        let mut said: Said = sites
            .filter(|site| site.alloc.samples + site.inuse.samples > 0)
            .map(|site| {
                let frames = snapshot.stacks[site.stack].frames.iter();
                let frames = frames.map(|of| of - base).collect();
                (frames, site.labels, site.alloc, site.inuse)
            })
            .collect();
        said.sort_by(|one, other| one.0.cmp(&other.0));
        said
    }

    fn history(snapshots: &[Snapshot]) -> History {
        let mut history = History {
            bytes: 8 << 20,
            ..History::default()
        };
        for (tick, snapshot) in snapshots.iter().enumerate() {
            let process = Process {
                allocated: Some(tick as u64),
                resident: Some(0),
                ..Process::default()
            };
            history.note(snapshot.taken_at, process);
            history.keep(snapshot);
        }
        history
    }

    fn read(file: &[u8], mappings: &Mappings) -> Result<History, Unreadable> {
        let mut history = history(&[]);
        history.continue_from(decode(file, mappings, 0)?);
        Ok(history)
    }

    type Rows = Vec<(u64, u64)>;

    fn rows() -> impl Strategy<Value = Vec<Rows>> {
        let row = (0u64..5, 0u64..5);
        proptest::collection::vec(proptest::collection::vec(row, 0..8), 1..8)
    }

    const THEN: u64 = 0x5500_0000;
    const NOW: u64 = 0x7f00_0000;

    proptest! {
        /// What is read is what was written, at the addresses of this run, and goes on.
        #[test]
        fn a_history_survives(first in rows(), then in rows(), first_again in any::<bool>()) {
            let taken: Vec<Snapshot> = first.iter().enumerate()
                .map(|(at, rows)| snapshot(THEN, 0, at as u64 * 60, rows)).collect();
            let file = encode(&history(&taken), &program(THEN, "ab"));
            let mut after = read(&file, &program(NOW, "ab")).unwrap();
            if first_again {
                let file = encode(&after, &program(NOW, "ab"));
                after = read(&file, &program(NOW, "ab")).unwrap();
            }
            let later: Vec<Snapshot> = then.iter().enumerate()
                .map(|(at, rows)| snapshot(NOW, 2000, 2000 + at as u64 * 60, rows)).collect();
            for snapshot in &later {
                after.keep(snapshot);
            }
            let ids: Vec<u64> = after.moments().map(|of| of.id).collect();
            let expected: Vec<u64> = (1..=(first.len() + then.len()) as u64).collect();
            prop_assert_eq!(ids, expected);
            let all = taken.iter().map(|of| (of, THEN)).chain(later.iter().map(|of| (of, NOW)));
            for (moment, (original, base)) in after.moments().zip(all) {
                let restored = after.chain.restore(moment.id).unwrap();
                prop_assert_eq!(said(&restored, NOW), said(original, base));
                prop_assert_eq!(restored.taken_at, original.taken_at);
                prop_assert_eq!(restored.since, original.since);
                prop_assert_eq!(restored.counters, original.counters);
                prop_assert_eq!(restored.labels.len(), 2);
                prop_assert_eq!(moment.live_samples, original.counters.live_samples);
            }
            let runs: Vec<_> = after.runs().iter()
                .map(|run| (run.since, run.build_id.as_deref(), run.is_this)).collect();
            let expected = [(moment(0), Some("ab"), false), (moment(2000), None, true)];
            prop_assert_eq!(runs, expected);
            let points: Vec<u64> = after.process().filter_map(|of| of.1.allocated).collect();
            prop_assert_eq!(points, (0..first.len() as u64).collect::<Vec<_>>());
            prop_assert_eq!(after.since(), Some(moment(0)));
        }

        /// Whatever was changed in it, it is refused.
        #[test]
        fn a_damaged_file_is_refused(
            rows in rows(), at in any::<prop::sample::Index>(), by in 1u8..=255, cut in any::<bool>(),
        ) {
            let taken = [snapshot(THEN, 0, 0, &rows[0])];
            let mut file = encode(&history(&taken), &program(THEN, "ab"));
            let at = at.index(file.len());
            if cut {
                file.truncate(at);
            } else {
                file[at] ^= by;
            }
            prop_assert!(read(&file, &program(THEN, "ab")).is_err());
        }

        /// Even if the checksum is right: then it is refused, or can be used.
        #[test]
        fn a_forged_file_does_no_harm(
            rows in rows(), at in any::<prop::sample::Index>(), by in 1u8..=255,
        ) {
            let taken: Vec<Snapshot> = rows.iter().enumerate()
                .map(|(at, rows)| snapshot(THEN, 0, at as u64 * 60, rows)).collect();
            let mut rest = encode(&history(&taken), &program(THEN, "ab")).split_off(HEAD);
            let at = at.index(rest.len());
            rest[at] ^= by;
            if let Ok(history) = read(&headed(&rest), &program(THEN, "ab")) {
                for moment in history.moments() {
                    let _ = history.chain.restore(moment.id);
                }
                let _ = encode(&history, &program(THEN, "ab"));
            }
        }
    }

    #[test]
    fn another_build_keeps_its_addresses_apart() {
        let taken = [snapshot(THEN, 0, 0, &[(3, 2)])];
        let file = encode(&history(&taken), &program(THEN, "ab"));
        // The new build is mapped where the old one was.
        let now = program(THEN, "cd");
        let earlier = decode(&file, &now, 0).unwrap();
        let past = earlier.past.clone();
        let mut after = history(&[]);
        after.continue_from(earlier);
        after.keep(&snapshot(THEN, 60, 60, &[(3, 2)]));
        let frames = |id| after.chain.restore(id).unwrap().stacks[0].frames.clone();
        assert!(frames(1).iter().all(|of| now.find(of - 1).is_none()));
        assert_eq!(frames(2)[0], THEN + 0x100);
        let mut all = now.clone();
        all.add_past(&past);
        let of = all.find(frames(1)[0] - 1).unwrap();
        assert_eq!(of.build_id.as_deref(), Some("ab"));
        assert_eq!(frames(1)[0] - of.start, 0x100);
        // The old build once more: it is at home there.
        let again = read(&encode(&after, &all), &program(NOW, "ab")).unwrap();
        let restored = again.chain.restore(1).unwrap();
        assert_eq!(said(&restored, NOW), said(&taken[0], THEN));
    }

    #[test]
    fn what_is_older_goes_before_what_is_here() {
        let old: Vec<Snapshot> = (0..5)
            .map(|at| snapshot(THEN, 0, at * 60, &[(at + 1, at + 1)]))
            .collect();
        let file = encode(&history(&old), &program(THEN, "ab"));
        // Here since before the last two of them.
        let own = [150, 210].map(|at| snapshot(NOW, 140, at, &[(9, 9)]));
        let mut after = history(&own);
        after.continue_from(decode(&file, &program(NOW, "ab"), 0).unwrap());
        let moments: Vec<(u64, u64)> = after.moments().map(|of| (of.id, of.live_samples)).collect();
        assert_eq!(moments, [(3, 1), (4, 2), (5, 3), (1, 9), (2, 9)]);
        after.keep(&snapshot(NOW, 140, 270, &[(7, 7)]));
        assert_eq!(after.moments().next_back().unwrap().id, 8, "none twice");
        let times: Vec<u64> = after.process().map(|point| point.0 - BEGIN).collect();
        assert_eq!(times, [0, 60, 120, 150, 210]);
        assert!(after.find(&When::Number(4), moment(300)).is_some());
        let again = read(&encode(&after, &program(NOW, "ab")), &program(NOW, "ab")).unwrap();
        assert_eq!(again.moments().count(), 6);
    }

    #[test]
    fn what_it_is_not_is_said() {
        let file = encode(&history(&[]), &Mappings::default());
        assert!(read(&file, &Mappings::default()).is_ok());
        let mut later = file.clone();
        later[8] = 9;
        for (file, part) in [
            (&b"#!/bin/sh\n"[..], "no history"),
            (b"", "no history"),
            (MAGIC, "damaged"),
            (&file[..HEAD], "damaged"),
            (&later, "version 9, and 1 is known here"),
        ] {
            let reason = read(file, &Mappings::default()).unwrap_err().reason();
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn runs_of_which_nothing_is_kept_are_forgotten() {
        let mut file = encode(&history(&[]), &Mappings::default());
        for run in 0..10 {
            let mut history = read(&file, &program(NOW, "ab")).unwrap();
            if run % 5 == 0 {
                history.keep(&snapshot(NOW, run * 60, run * 60, &[(1, 1)]));
            }
            file = encode(&history, &program(NOW, "ab"));
        }
        let history = read(&file, &program(NOW, "ab")).unwrap();
        assert_eq!((history.runs().len(), history.moments().count()), (2, 2));
    }
}
