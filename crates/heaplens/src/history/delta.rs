//! What changed in the figures of rows from one snapshot to the next, packed: only rows
//! that changed, only figures that did, each by its difference, column by column,
//! deflated.

use std::io::Read;

use flate2::Compression;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::quantum::{FIELDS, Figures};
use super::varint::{Reader, write, zigzag};

/// Most bytes that a packed change may unpack to; what a file says is not believed.
const MOST: u64 = 256 << 20;

/// By how much the figures of a row changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) row: u32,
    /// Differences, wrapping: adding them up is exact whatever they are.
    pub(super) by: Figures,
}

/// What leads from `before` to `after`, by row. Rows that are missing are all zero.
pub(super) fn between(before: &[Figures], after: &[Figures]) -> Vec<Change> {
    let nothing = Figures::default();
    let rows = before.len().max(after.len());
    let at = |list: &[Figures], row: usize| list.get(row).copied().unwrap_or(nothing);
    (0..rows)
        .map(|row| {
            let (from, mut by) = (at(before, row), at(after, row));
            for (figure, from) in by.iter_mut().zip(from) {
                *figure = figure.wrapping_sub(from);
            }
            let row = row as u32;
            Change { row, by }
        })
        .filter(|change| change.by != nothing)
        .collect()
}

/// Applies changes to figures. `false` if one is of a row that is not there.
pub(super) fn apply(figures: &mut [Figures], changes: &[Change]) -> bool {
    let mut fits = true;
    for change in changes {
        match figures.get_mut(change.row as usize) {
            Some(figures) => add(figures, &change.by),
            None => fits = false,
        }
    }
    fits
}

fn add(figures: &mut Figures, by: &Figures) {
    for (figure, by) in figures.iter_mut().zip(by) {
        *figure = figure.wrapping_add(*by);
    }
}

/// What two changes in a row come to. Both are sorted by row.
pub(super) fn composed(first: Vec<Change>, second: Vec<Change>) -> Vec<Change> {
    let mut sum: Vec<Change> = Vec::with_capacity(first.len().max(second.len()));
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    while let Some(next) = match (first.peek(), second.peek()) {
        (Some(one), Some(other)) if other.row < one.row => second.next(),
        (Some(_), _) => first.next(),
        (None, _) => second.next(),
    } {
        match sum.last_mut() {
            Some(last) if last.row == next.row => add(&mut last.by, &next.by),
            _ => sum.push(next),
        }
    }
    sum.retain(|change| change.by != Figures::default());
    sum
}

/// Changes sorted by row, packed.
pub(super) fn encode(changes: &[Change]) -> Box<[u8]> {
    deflated(&columns(changes))
}

/// The same, not deflated: how many; how far each row is from the one before; which
/// figures changed; and each figure of all of them.
fn columns(changes: &[Change]) -> Vec<u8> {
    let mut out = Vec::with_capacity(changes.len() * 8);
    write(&mut out, changes.len() as u64);
    let mut next = 0;
    for change in changes {
        write(&mut out, u64::from(change.row.wrapping_sub(next)));
        next = change.row.wrapping_add(1);
    }
    for change in changes {
        let bits = change.by.iter().enumerate();
        let mask = bits.fold(0, |mask, (bit, by)| mask | u64::from(*by != 0) << bit);
        write(&mut out, mask);
    }
    for field in 0..FIELDS {
        for by in changes.iter().filter_map(|change| change.by.get(field)) {
            if *by != 0 {
                write(&mut out, zigzag(*by as i64));
            }
        }
    }
    out
}

/// Packed by what repeats in it.
pub(super) fn deflated(bytes: &[u8]) -> Box<[u8]> {
    use std::io::Write as _;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into_boxed_slice()
}

/// Higher ones take several times as long, for a few percent.
const LEVEL: u32 = 3;

/// What [`deflated`] made smaller.
pub(super) fn inflated(packed: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut decoder = DeflateDecoder::new(packed).take(MOST);
    decoder.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What was packed; `None` if it is not whole.
pub(super) fn decode(packed: &[u8]) -> Option<Vec<Change>> {
    let bytes = inflated(packed)?;
    let mut from = Reader::new(&bytes);
    let count = usize::try_from(from.read()?).ok()?;
    // Each takes two bytes at the least.
    if count > bytes.len() {
        return None;
    }
    let mut changes = Vec::with_capacity(count);
    let mut next = 0u32;
    for _ in 0..count {
        let row = next.checked_add(u32::try_from(from.read()?).ok()?)?;
        next = row.checked_add(1)?;
        let by = Figures::default();
        changes.push(Change { row, by });
    }
    let mut masks = Vec::with_capacity(count);
    for _ in 0..count {
        masks.push(from.read()?);
    }
    for field in 0..FIELDS {
        for (change, mask) in changes.iter_mut().zip(&masks) {
            if mask >> field & 1 == 1 {
                *change.by.get_mut(field)? = from.read_signed()? as u64;
            }
        }
    }
    from.is_at_end().then_some(changes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn figures() -> impl Strategy<Value = Vec<Figures>> {
        let figure = prop_oneof![4 => Just(0u64), 3 => 0u64..1000, 1 => any::<u64>()];
        proptest::collection::vec(proptest::array::uniform12(figure), 0..40)
    }

    proptest! {
        #[test]
        fn changes_lead_from_one_to_the_next(states in proptest::collection::vec(figures(), 2..6)) {
            let changes: Vec<Vec<Change>> =
                states.windows(2).map(|two| between(&two[0], &two[1])).collect();
            let longest = states.iter().map(Vec::len).max().unwrap();
            let mut at = states[0].clone();
            at.resize(longest, Figures::default());
            let mut packed = Vec::new();
            for (change, state) in changes.iter().zip(&states[1..]) {
                packed.push(encode(change));
                let unpacked = decode(packed.last().unwrap()).unwrap();
                prop_assert_eq!(&unpacked, change);
                prop_assert!(apply(&mut at, &unpacked));
                let mut expected = state.clone();
                expected.resize(longest, Figures::default());
                prop_assert_eq!(&at, &expected);
            }
            // All at once is the same as one after another.
            let all = changes.into_iter().reduce(composed).unwrap();
            let mut first = states[0].clone();
            first.resize(longest, Figures::default());
            let mut last = states.last().unwrap().clone();
            last.resize(longest, Figures::default());
            prop_assert_eq!(&all, &between(&first, &last));
        }

        #[test]
        fn what_is_not_whole_is_refused(states in figures(), cut in any::<prop::sample::Index>()) {
            let packed = columns(&between(&[], &states));
            let cut = cut.index(packed.len());
            prop_assert_eq!(decode(&deflated(&packed[..cut])), None);
            let more = [&packed[..], &[0]].concat();
            prop_assert_eq!(decode(&deflated(&more)), None);
        }

        #[test]
        fn nonsense_does_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = decode(&deflated(&bytes));
        }
    }

    #[test]
    fn a_row_that_is_not_there_is_told() {
        let by = [1; FIELDS];
        let mut figures = vec![Figures::default(); 2];
        assert!(apply(&mut figures, &[Change { row: 1, by }]));
        assert!(!apply(&mut figures, &[Change { row: 2, by }]));
    }
}
