//! Reading profiles that the agent serves.

use std::io::Read as _;

use heaplens::profile::proto::Profile;
use prost::Message as _;

/// A profile as it is served.
pub(crate) fn decode(gzip: &[u8]) -> Profile {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(gzip)
        .read_to_end(&mut bytes)
        .unwrap();
    Profile::decode(bytes.as_slice()).unwrap()
}

/// A string of its table.
pub(crate) fn text(profile: &Profile, index: i64) -> &str {
    &profile.string_table[usize::try_from(index).unwrap()]
}

/// Sum of one value over all samples with a function of this name on the stack.
pub(crate) fn under(profile: &Profile, function: &str, value: usize) -> i64 {
    let functions: Vec<u64> = profile
        .function
        .iter()
        .filter(|of| text(profile, of.name).contains(function))
        .map(|of| of.id)
        .collect();
    let is_there = |id: &u64| {
        let location = profile.location.iter().find(|of| of.id == *id).unwrap();
        location
            .line
            .iter()
            .any(|line| functions.contains(&line.function_id))
    };
    profile
        .sample
        .iter()
        .filter(|sample| sample.location_id.iter().any(is_there))
        .map(|sample| sample.value[value])
        .sum()
}

/// The comments of a profile, one a line.
pub(crate) fn comments(profile: &Profile) -> String {
    let lines: Vec<&str> = profile
        .comment
        .iter()
        .map(|&at| text(profile, at))
        .collect();
    lines.join("\n")
}

/// Whether any value of any sample is negative.
pub(crate) fn has_negative(profile: &Profile) -> bool {
    let values = profile.sample.iter().flat_map(|sample| &sample.value);
    values.into_iter().any(|&value| value < 0)
}
