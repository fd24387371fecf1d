//! Names for call sites that stay the same from one profile to the next.

use std::fmt;
use std::str::FromStr;

use crate::model::{Location, Profile, Sample};

/// The name of a stack: a hash of where its frames lie in their objects. It is
/// the same in all profiles of programs that run the same binaries, wherever
/// those were loaded: so it serves for a link, and across replicas. Code that is
/// in no object counts by its address, which holds for one process.
///
/// Samples of one stack that differ in size or labels share it. Written as 16
/// hexadecimal digits. Two of ten thousand stacks have the same by chance once
/// in 10^11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(u64);

impl fmt::Display for SiteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is not 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SiteIdError;

impl fmt::Display for SiteIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a site is written as 16 hexadecimal digits")
    }
}

impl std::error::Error for SiteIdError {}

impl FromStr for SiteId {
    type Err = SiteIdError;

    fn from_str(text: &str) -> Result<Self, SiteIdError> {
        if text.len() != 16 || !text.bytes().all(|of| of.is_ascii_hexdigit()) {
            return Err(SiteIdError);
        }
        u64::from_str_radix(text, 16)
            .map(SiteId)
            .map_err(|_| SiteIdError)
    }
}

/// The sites of one profile.
#[derive(Clone, Debug)]
pub struct SiteIds {
    /// Of each location.
    locations: Vec<u64>,
}

impl SiteIds {
    /// Looks at every location of `profile`: some 50 ns each.
    pub fn of(profile: &Profile) -> Self {
        let locations = profile.locations.iter();
        SiteIds {
            locations: locations.map(|of| place(profile, of)).collect(),
        }
    }

    /// The site of one of its samples: a nanosecond a frame. Profiles with and
    /// without names do not agree on it, since frames of the allocator are
    /// trimmed by name.
    pub fn site(&self, sample: &Sample) -> SiteId {
        let places = sample.locations.iter();
        let places = places.filter_map(|&at| self.locations.get(at));
        SiteId(places.fold(OFFSET_BASIS, |hash, place| add(hash, &place.to_le_bytes())))
    }
}

/// Where a location lies in its object.
fn place(profile: &Profile, location: &Location) -> u64 {
    let mapping = location.mapping.and_then(|at| profile.mappings.get(at));
    let Some(mapping) = mapping.map(|of| &of.mapping) else {
        return add(OFFSET_BASIS, &location.address.to_le_bytes());
    };
    let object = mapping.build_id.as_ref().unwrap_or(&mapping.path);
    let offset = location
        .address
        .wrapping_sub(mapping.start)
        .wrapping_add(mapping.offset);
    add(add(OFFSET_BASIS, object.as_bytes()), &offset.to_le_bytes())
}

// FNV-1a with 64 bits, draft-eastlake-fnv.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

fn add(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // Of the test vectors in the draft.
        assert_eq!(add(OFFSET_BASIS, b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(add(OFFSET_BASIS, b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(add(OFFSET_BASIS, b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn it_is_read_as_it_is_written() {
        for id in [SiteId(0), SiteId(0xab), SiteId(u64::MAX)] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for bad in [
            "",
            "0",
            "00000000000000ag",
            "+000000000000001",
            "12345678901234567",
        ] {
            assert_eq!(bad.parse::<SiteId>(), Err(SiteIdError), "{bad}");
        }
    }
}
