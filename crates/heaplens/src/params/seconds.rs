//! How long to wait.

use super::BadParameter;

/// The longest delta profile, in seconds.
const LONGEST: u64 = 300;

/// `seconds`: a positive 64-bit number, up to our limit.
pub(super) fn seconds(value: &str) -> Result<u64, BadParameter> {
    match value.parse::<i64>() {
        Ok(number) if number > 0 => match number.unsigned_abs() {
            number if number <= LONGEST => Ok(number),
            _ => Err(BadParameter::because(format!(
                "invalid value for \"seconds\" - must be at most {LONGEST}"
            ))),
        },
        _ => Err(BadParameter::because(
            "invalid value for \"seconds\" - must be a positive integer",
        )),
    }
}
