//! Which format a file is in, and the profile in it.

use heaplens_profile::{Profile, ValueType, folded, pprof, speedscope};

/// Reads a profile in any format that is known: pprof, JSON of speedscope, folded
/// stacks.
///
/// # Errors
///
/// The reason, in a few words, why it is none.
pub(crate) fn decode(bytes: &[u8]) -> Result<Profile, String> {
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return pprof::decode(bytes).map_err(|error| error.to_string());
    }
    let text = std::str::from_utf8(bytes).ok();
    let Some(text) = text.filter(|text| is_text(text)) else {
        return pprof::decode(bytes).map_err(|error| error.to_string());
    };
    let start = text.trim_start();
    if start.starts_with('{') {
        return json(text);
    }
    if start.starts_with("heap profile:") || start.starts_with("heap_v2/") {
        return Err(
            "it is the text form of a heap profile; fetch it without debug=1 or format=text"
                .to_owned(),
        );
    }
    if start.starts_with('<') {
        return Err("it is a page or a picture, not a profile".to_owned());
    }
    folded::read(text, INUSE_SPACE)
        .map_err(|error| format!("it is neither pprof nor JSON, and as folded stacks {error}"))
}

/// What values of folded stacks are, which do not say so themselves.
const INUSE_SPACE: ValueType = ValueType::new("inuse_space", "bytes");

/// Whether it is meant to be read; a message of pprof begins with control characters.
fn is_text(text: &str) -> bool {
    let is_odd = |character: char| character.is_control() && !character.is_whitespace();
    !text.chars().take(4096).any(is_odd)
}

fn json(text: &str) -> Result<Profile, String> {
    let start: String = text.chars().take(4096).collect();
    if start.contains(heaplens_profile::json::SCHEMA) {
        return heaplens_profile::json::read(text).map_err(|error| error.to_string());
    }
    speedscope::read(text).map_err(|error| error.to_string())
}
