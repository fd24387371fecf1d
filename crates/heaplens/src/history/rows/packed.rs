//! Rows in a file: frames by the objects that they lie in, callers before those they call.

use heaplens_alloc::StackKind;

use super::super::index::{Index, hash};
use super::super::varint::{Reader, write, write_text};
use super::{Frames, Labels, ROOT, Row, Rows};

/// By the place in this list a kind is written.
const KINDS: [StackKind; 4] = [
    StackKind::Captured,
    StackKind::Truncated,
    StackKind::Unknown,
    StackKind::Overflow,
];

impl Rows {
    /// Appends all of it; `place` tells where an address lies, in two numbers.
    pub(in super::super) fn write(
        &self,
        out: &mut Vec<u8>,
        mut place: impl FnMut(u64) -> (u64, u64),
    ) {
        write(out, self.labels.len() as u64);
        for labels in &self.labels {
            write(out, labels.len() as u64);
            for (key, value) in labels {
                write_text(out, key);
                write_text(out, value);
            }
        }
        write(out, self.frames.addresses.len() as u64);
        for caller in &self.frames.callers {
            write(out, u64::from(caller.wrapping_add(1)));
        }
        for address in &self.frames.addresses {
            let (object, offset) = place(*address);
            write(out, object);
            write(out, offset);
        }
        write(out, self.list.len() as u64);
        for row in &self.list {
            let kind = KINDS.iter().position(|kind| *kind == row.kind);
            write(out, u64::from(row.leaf.wrapping_add(1)));
            write(out, kind.unwrap_or_default() as u64);
            write(out, row.size_class);
            write(out, u64::from(row.labels));
        }
    }

    /// Reads what was written; `address` gives the address of a place.
    pub(in super::super) fn read(
        from: &mut Reader<'_>,
        address: impl Fn(u64, u64) -> Option<u64>,
    ) -> Option<Self> {
        let mut rows = Rows::default();
        for number in 0..from.count()? {
            let mut labels = Labels::new();
            for _ in 0..from.count()? {
                labels.push((from.text()?, from.text()?));
            }
            rows.numbers
                .insert(labels.clone(), u32::try_from(number).ok()?);
            rows.labels.push(labels);
        }
        rows.frames = Frames::read(from, address)?;
        let known = rows.frames.addresses.len();
        let count = from.count()?;
        rows.list.reserve_exact(count);
        for _ in 0..count {
            let row = Row {
                leaf: frame(from.read()?, known)?,
                kind: *KINDS.get(usize::try_from(from.read()?).ok()?)?,
                size_class: from.read()?,
                labels: u32::try_from(from.read()?).ok()?,
            };
            rows.list.push(row);
        }
        rows.index = indexed(rows.list.len(), |number| {
            rows.list.get(number).map_or(0, Row::hash)
        });
        Some(rows)
    }
}

impl Frames {
    fn read(from: &mut Reader<'_>, address: impl Fn(u64, u64) -> Option<u64>) -> Option<Self> {
        let mut frames = Frames::default();
        let count = from.count()?;
        frames.callers.reserve_exact(count);
        for number in 0..count {
            // A caller was there before: so every stack has an end.
            frames.callers.push(frame(from.read()?, number)?);
        }
        frames.addresses.reserve_exact(count);
        for _ in 0..count {
            let (object, offset) = (from.read()?, from.read()?);
            frames.addresses.push(address(object, offset)?);
        }
        let places = frames.addresses.iter().zip(&frames.callers);
        let keys: Vec<u64> = places
            .map(|(address, caller)| hash(&[*address, u64::from(*caller)]))
            .collect();
        frames.index = indexed(keys.len(), |number| {
            keys.get(number).copied().unwrap_or_default()
        });
        Some(frames)
    }
}

/// The number of a frame of which there are so many, or none.
fn frame(written: u64, known: usize) -> Option<u32> {
    match written.checked_sub(1) {
        None => Some(ROOT),
        Some(number) if number < known as u64 => u32::try_from(number).ok(),
        Some(_) => None,
    }
}

fn indexed(count: usize, hash_of: impl Fn(usize) -> u64) -> Index {
    let mut index = Index::default();
    for number in 0..count {
        index.insert(number as u32, |number| hash_of(number as usize));
    }
    index
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use heaplens_alloc::{Counters, Site, Snapshot, Stack, Tally};
    use proptest::prelude::*;

    use super::*;

    fn snapshot(stacks: &[(Vec<u8>, u8, u8)]) -> Snapshot {
        let now = SystemTime::now();
        let mut tally = Tally::default();
        tally.record(100, 1);
        let sites = stacks.iter().enumerate();
        let sites = sites.map(|(at, (_, size, labels))| {
            let site = Site::new(at, u64::from(*size), tally, tally);
            site.labelled(usize::from(*labels))
        });
        let stacks = stacks.iter().map(|(frames, size, _)| {
            let frames = frames.iter().map(|of| u64::from(*of)).collect();
            Stack::new(frames, KINDS[usize::from(*size) % KINDS.len()])
        });
        let labels = (0..3).map(|of: usize| vec![("map".to_owned(), of.to_string())]);
        Snapshot::from_parts(
            now,
            now,
            Counters::default(),
            stacks.collect(),
            sites.collect(),
        )
        .with_labels(labels.collect())
    }

    fn written(rows: &Rows) -> Vec<u8> {
        let mut out = Vec::new();
        rows.write(&mut out, |address| (address % 3, address / 3));
        out
    }

    fn read(bytes: &[u8]) -> Option<Rows> {
        let mut from = Reader::new(bytes);
        let rows = Rows::read(&mut from, |object, place| Some(place * 3 + object))?;
        from.is_at_end().then_some(rows)
    }

    proptest! {
        /// What was read knows the same rows by the same numbers, and goes on from there.
        #[test]
        fn rows_come_back(
            first in proptest::collection::vec(
                (proptest::collection::vec(0u8..20, 0..6), 0u8..3, 0u8..3), 0..30),
            then in proptest::collection::vec(
                (proptest::collection::vec(0u8..20, 0..6), 0u8..3, 0u8..3), 0..30),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut rows = Rows::default();
            let figures = rows.figures(&snapshot(&first));
            let bytes = written(&rows);
            let mut copy = read(&bytes).unwrap();
            prop_assert_eq!(copy.parts(&figures), rows.parts(&figures));
            prop_assert_eq!(written(&copy), bytes.clone());
            prop_assert_eq!(
                copy.figures(&snapshot(&then)),
                rows.figures(&snapshot(&then))
            );
            prop_assert_eq!(copy.len(), rows.len());
            prop_assert!(read(&bytes[..cut.index(bytes.len())]).is_none());
        }

        #[test]
        fn nonsense_is_refused_or_harmless(bytes in proptest::collection::vec(0u8..12, 0..60)) {
            if let Some(rows) = read(&bytes) {
                let figures = vec![[1; 12]; rows.len()];
                let _ = rows.parts(&figures);
            }
        }
    }
}
