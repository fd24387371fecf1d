//! How much memory a message takes once decoded, before it is decoded.
//!
//! Two bytes can stand for an empty sample, which in memory is many times as
//! large, so that a bound on the bytes alone bounds little.

use std::mem::size_of;

use super::DecodeError;
use crate::proto;

/// Bytes that may still be taken.
pub(super) struct Budget {
    left: usize,
    limit: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Budget { left: limit, limit }
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<(), DecodeError> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(DecodeError::TooLarge {
                what: "the profile in memory",
                limit: self.limit,
            }),
        }
    }

    /// Takes what the fields of this message will need. What is malformed is
    /// left to the decoder, which then says what is wrong.
    pub(super) fn take_message(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        for (number, payload) in Fields(message) {
            let bytes = match number {
                1 => size_of::<proto::ValueType>(),
                2 => size_of::<proto::Sample>() + sample(payload),
                3 => size_of::<proto::Mapping>(),
                4 => size_of::<proto::Location>() + location(payload),
                5 => size_of::<proto::Function>(),
                6 => size_of::<String>() + payload.len(),
                13 => integers(payload),
                _ => 0,
            };
            // Vectors grow by doubling.
            self.take(bytes.saturating_mul(2))?;
        }
        Ok(())
    }
}

fn sample(payload: &[u8]) -> usize {
    let of_field = |(number, payload)| match number {
        1 | 2 => integers(payload),
        3 => size_of::<proto::Label>(),
        _ => 0,
    };
    Fields(payload).map(of_field).sum()
}

fn location(payload: &[u8]) -> usize {
    let lines = Fields(payload).filter(|(number, _)| *number == 4);
    lines.count() * size_of::<proto::Line>()
}

/// One integer if it stands alone (no payload), else as many as are packed.
fn integers(payload: &[u8]) -> usize {
    let packed = payload.iter().filter(|byte| **byte < 0x80).count();
    packed.max(1) * size_of::<u64>()
}

/// The fields of a message: number, and payload where it has a length. Ends at
/// the first that is malformed.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.varint()?;
        let payload = match key & 7 {
            0 => {
                self.varint()?;
                &[][..]
            }
            1 => self.bytes(8).map(|_| &[][..])?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.bytes(length)?
            }
            5 => self.bytes(4).map(|_| &[][..])?,
            _ => return None,
        };
        Some((key >> 3, payload))
    }
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes(1)?.first()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn no_message_takes_more_than_was_reckoned() {
        let message = proto::Profile {
            sample: vec![
                proto::Sample {
                    location_id: vec![1, 300, 70_000],
                    value: vec![-1, 2],
                    label: vec![proto::Label::default(); 3],
                },
                proto::Sample::default(),
            ],
            location: vec![proto::Location {
                line: vec![proto::Line::default(); 5],
                ..proto::Location::default()
            }],
            string_table: vec![String::new(), "x".repeat(1000)],
            ..proto::Profile::default()
        };
        let least = 2 * size_of::<proto::Sample>()
            + 5 * size_of::<u64>()
            + 3 * size_of::<proto::Label>()
            + size_of::<proto::Location>()
            + 5 * size_of::<proto::Line>()
            + 2 * size_of::<String>()
            + 1000;
        let bytes = message.encode_to_vec();
        assert!(Budget::new(4 * least).take_message(&bytes).is_ok());
        let refused = Budget::new(least).take_message(&bytes);
        assert!(matches!(refused, Err(DecodeError::TooLarge { .. })));
    }

    #[test]
    fn two_bytes_a_sample_are_counted_as_samples() {
        let message: Vec<u8> = [0x12, 0x00].repeat(1 << 20);
        let refused = Budget::new(64 << 20).take_message(&message);
        assert!(matches!(refused, Err(DecodeError::TooLarge { .. })));
    }

    #[test]
    fn what_is_malformed_ends_the_reckoning() {
        for bytes in [
            &[0xff; 11][..],
            &[0x12, 0x05, 0x00],
            &[0x0b],
            &[0x09, 0x00],
            &[
                0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
            ],
        ] {
            assert!(
                Budget::new(1 << 10).take_message(bytes).is_ok(),
                "{bytes:?}"
            );
        }
    }
}
