//! What a child tells its parent, in words of eight bytes.
//!
//! A frame is a word with its kind and the number of words that follow. The parent
//! believes nothing: a child that drops a broken value may write anything.

use super::classes::{self, CLASSES};
use super::counts::{Counts, Sum};
use crate::live::{Block, MAX_SLOTS};
use crate::mark::Mark;
use crate::tag::Shape;
use crate::watches::Tag;

const SAMPLES: u32 = 1;
const END: u32 = 2;
const REFUSED: u32 = 3;

/// Words of a sampled block.
pub(super) const SAMPLE_WORDS: usize = 4;
/// Words of a [`Frame::End`].
pub(super) const END_WORDS: usize = 7 + 2 * CLASSES;

/// The most bytes that a child has to say.
pub(super) const MOST_BYTES: usize = 8 * (MAX_SLOTS * (SAMPLE_WORDS + 1) + 2 * END_WORDS);

/// The first word of a frame of samples.
pub(super) fn samples_header(count: usize) -> u64 {
    header(SAMPLES, count * SAMPLE_WORDS)
}

fn header(kind: u32, words: usize) -> u64 {
    u64::from(kind) | (words as u64) << 32
}

/// A sampled block in words.
pub(super) fn sample(block: &Block) -> [u64; SAMPLE_WORDS] {
    let place = u64::from(block.site) | u64::from(block.mark.bits()) << 32;
    [block.size, block.interval, block.born, place]
}

fn read_sample(words: &[u64]) -> Option<Block> {
    let &[size, interval, born, place] = words else {
        return None;
    };
    Some(Block {
        size: size.max(1),
        interval,
        born,
        site: place as u32,
        shape: Shape::Plain,
        mark: Mark::from_bits((place >> 32) as u16),
        tag: Tag::NONE,
    })
}

/// How a drop came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It returned.
    Whole,
    /// A destructor panicked.
    Panicked,
    /// The child met with this signal.
    Crashed(i32),
    /// The child's stack was used up.
    StackOverflow,
}

impl Ended {
    fn words(self) -> [u64; 2] {
        match self {
            Ended::Whole => [0, 0],
            Ended::Panicked => [1, 0],
            Ended::Crashed(signal) => [2, signal as u64],
            Ended::StackOverflow => [3, 0],
        }
    }

    fn read(word: u64, signal: u64) -> Option<Ended> {
        Some(match word {
            0 => Ended::Whole,
            1 => Ended::Panicked,
            2 => Ended::Crashed(signal as i32),
            3 => Ended::StackOverflow,
            _ => return None,
        })
    }
}

/// What a child took of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) cpu_nanos: u64,
    pub(super) minor_faults: u64,
}

/// The last frame of a child in words, with its header.
pub(super) fn end(ended: Ended, usage: Usage, counts: &Counts) -> [u64; 1 + END_WORDS] {
    let mut words = [0; 1 + END_WORDS];
    let all = counts.all();
    let fixed = [header(END, END_WORDS)]
        .into_iter()
        .chain(ended.words())
        .chain([all.bytes, all.blocks, usage.cpu_nanos, usage.minor_faults])
        .chain([CLASSES as u64]);
    let classes = counts.classes().flat_map(|sum| [sum.blocks, sum.bytes]);
    for (word, value) in words.iter_mut().zip(fixed.chain(classes)) {
        *word = value;
    }
    words
}

/// A frame that says which step of closing itself in failed, in words.
pub(super) fn refused(step: u32, errno: i32) -> [u64; 3] {
    [header(REFUSED, 2), u64::from(step), errno as u64]
}

/// A frame as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    Samples(Vec<Block>),
    End {
        ended: Ended,
        usage: Usage,
        all: Sum,
        /// By upper bound, those that are not empty.
        classes: Vec<(u64, Sum)>,
    },
    Refused {
        step: u32,
        errno: i32,
    },
}

/// The first frame in `bytes` and how long it is; `None` if it is not whole yet.
///
/// # Errors
/// [`Garbled`] if no child of ours wrote this.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Frame, usize)>, Garbled> {
    let mut words = bytes
        .chunks_exact(8)
        .map(|word| word.try_into().map_or(0, u64::from_ne_bytes));
    let Some(header) = words.next() else {
        return Ok(None);
    };
    let (kind, count) = (header as u32, (header >> 32) as usize);
    let fits = match kind {
        SAMPLES => count.is_multiple_of(SAMPLE_WORDS) && count <= MOST_BYTES / 8,
        END => count == END_WORDS,
        REFUSED => count == 2,
        _ => false,
    };
    if !fits {
        return Err(Garbled);
    }
    let payload: Vec<u64> = words.take(count).collect();
    if payload.len() < count {
        return Ok(None);
    }
    let frame = match kind {
        SAMPLES => {
            let samples = payload.chunks_exact(SAMPLE_WORDS);
            Some(Frame::Samples(samples.filter_map(read_sample).collect()))
        }
        END => read_end(&payload),
        _ => read_refused(&payload),
    };
    Ok(Some((frame.ok_or(Garbled)?, 8 * (count + 1))))
}

fn read_end(words: &[u64]) -> Option<Frame> {
    let (fixed, classes) = words.split_at_checked(7)?;
    let &[ended, signal, bytes, blocks, cpu_nanos, minor_faults, count] = fixed else {
        return None;
    };
    if count != CLASSES as u64 {
        return None;
    }
    let sums = classes.chunks_exact(2).map(|pair| match *pair {
        [blocks, bytes] => Sum { blocks, bytes },
        _ => Sum::default(),
    });
    let classes = sums
        .enumerate()
        .filter(|(_, sum)| sum.blocks > 0)
        .map(|(index, sum)| (classes::bound(index), sum))
        .collect();
    Some(Frame::End {
        ended: Ended::read(ended, signal)?,
        usage: Usage {
            cpu_nanos,
            minor_faults,
        },
        all: Sum { blocks, bytes },
        classes,
    })
}

fn read_refused(words: &[u64]) -> Option<Frame> {
    let &[step, errno] = words else {
        return None;
    };
    Some(Frame::Refused {
        step: step as u32,
        errno: errno as i32,
    })
}

/// What was read is not what a child writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbled;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(words: &[u64]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_ne_bytes()).collect()
    }

    fn block(size: u64) -> Block {
        Block {
            size,
            interval: size * 7,
            born: size * 3,
            site: size as u32,
            shape: Shape::Plain,
            mark: Mark::from_bits(size as u16),
            tag: Tag::NONE,
        }
    }

    fn written(samples: u64, ended: Ended) -> (Vec<u8>, Vec<Block>, Frame) {
        let blocks: Vec<_> = (1..=samples).map(block).collect();
        let counts = Counts::new();
        (1..=samples).for_each(|size| counts.add(size));
        let usage = Usage {
            cpu_nanos: 5,
            minor_faults: 6,
        };
        let mut all = Vec::new();
        for part in blocks.chunks(100) {
            all.extend(bytes(&[samples_header(part.len())]));
            for block in part {
                all.extend(bytes(&sample(block)));
            }
        }
        all.extend(bytes(&end(ended, usage, &counts)));
        let classes: Vec<_> = counts
            .classes()
            .enumerate()
            .filter(|(_, sum)| sum.blocks > 0)
            .map(|(index, sum)| (classes::bound(index), sum))
            .collect();
        let end = Frame::End {
            ended,
            usage,
            all: counts.all(),
            classes,
        };
        (all, blocks, end)
    }

    fn endings() -> impl Strategy<Value = Ended> {
        prop_oneof![
            Just(Ended::Whole),
            Just(Ended::Panicked),
            Just(Ended::StackOverflow),
            (1..65i32).prop_map(Ended::Crashed),
        ]
    }

    proptest! {
        /// What is written is read, in whatever pieces it comes.
        #[test]
        fn frames_survive_any_cut(
            samples in 0u64..300,
            ended in endings(),
            cuts in prop::collection::vec(1usize..3000, 1..20),
        ) {
            let (all, blocks, end) = written(samples, ended);
            let (mut seen, mut last) = (Vec::new(), None);
            let (mut buffer, mut rest, mut cut) = (Vec::new(), &all[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let len = cut.next().copied().unwrap_or(1).min(rest.len());
                buffer.extend_from_slice(&rest[..len]);
                rest = &rest[len..];
                while let Some((frame, len)) = read(&buffer).expect("as written") {
                    buffer.drain(..len);
                    match frame {
                        Frame::Samples(more) => seen.extend(more),
                        other => last = Some(other),
                    }
                }
            }
            prop_assert_eq!((seen, last), (blocks, Some(end)));
            prop_assert!(buffer.is_empty());
        }

        /// Whatever a broken child writes is refused, waited for, or read as
        /// something; what is read is no longer than what there was.
        #[test]
        fn garbage_does_no_harm(
            first in 0u64..5,
            count in 0u64..1000,
            tail in prop::collection::vec(any::<u8>(), 0..5000),
        ) {
            let mut bytes = (first | count << 32).to_ne_bytes().to_vec();
            bytes.extend(tail);
            if let Ok(Some((_, len))) = read(&bytes) {
                prop_assert!(len <= bytes.len() && len > 0);
            }
        }
    }

    #[test]
    fn a_refusal_is_read() {
        let words = refused(3, libc::EPERM);
        let frame = Frame::Refused {
            step: 3,
            errno: libc::EPERM,
        };
        assert_eq!(read(&bytes(&words)), Ok(Some((frame, 24))));
        assert_eq!(read(&bytes(&words)[..23]), Ok(None));
        assert_eq!(read(&bytes(&[7, 0, 0])), Err(Garbled));
    }
}
