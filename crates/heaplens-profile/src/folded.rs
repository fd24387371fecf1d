//! Folded stacks: a line for each stack, as flame graph tools write and read them.

use std::fmt::{self, Write};

use crate::model::{Profile, ValueType};
use crate::named::Builder;
use crate::stacks::NamedStacks;

/// Most bytes of text: when written, the stacks with the least values go without.
pub const MAX_TEXT: usize = 64 << 20;

/// Why text is not folded stacks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoldedError {
    /// The line, from 1; 0 = the whole text.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for FoldedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(self.reason),
            line => write!(f, "line {line} {}", self.reason),
        }
    }
}

impl std::error::Error for FoldedError {}

/// Reads `root;…;leaf value` lines, whose values are of this type. Lines that
/// stand for the same stack are summed; empty ones and those that begin with `#`
/// are passed over. The profile has names and nothing else: no addresses, time or
/// labels, and a period of 1.
///
/// Costs some 100 ns a frame, and memory in proportion to the text.
///
/// # Errors
///
/// If a line is none of these, there is no stack at all, or the text has more
/// than [`MAX_TEXT`] bytes.
pub fn read(text: &str, of: ValueType) -> Result<Profile, FoldedError> {
    let fault = |line, reason| Err(FoldedError { line, reason });
    if text.len() > MAX_TEXT {
        return fault(0, "the text has more than 64 MiB");
    }
    let mut builder = Builder::new(vec![of]);
    let mut is_empty = true;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((stack, value)) = line.rsplit_once(' ') else {
            return fault(number, "has no value after a space at its end");
        };
        let Ok(value) = value.parse::<i64>() else {
            return fault(number, "does not end in a whole number");
        };
        let stack = stack.trim();
        if stack.is_empty() || stack.split(';').any(str::is_empty) {
            return fault(number, "has a frame without a name");
        }
        let names = stack.rsplit(';');
        let locations = names.map(|name| builder.location(name, "", 0)).collect();
        builder.add(locations, 0, value);
        is_empty = false;
    }
    if is_empty {
        return fault(0, "there is no stack in it");
    }
    Ok(builder.finish())
}

/// Renders the values of one type as `root;…;leaf value` lines, sorted, each
/// stack once. Inlined functions are frames of their own; one without a name is
/// its object and the address in its file. `type_index` is a place in
/// [`Profile::types`]; there are no lines if nothing is there.
///
/// Semicolons in names become colons and control characters `U+FFFD`; a space
/// before a number at the end of a name becomes `_`. Values are negative where a
/// difference is. The sum of all lines is the sum of all samples, unless the
/// text would come to more than 64 MiB.
///
/// Costs some 50 ns a frame of each sample.
pub fn render(profile: &Profile, type_index: usize) -> String {
    let stacks = NamedStacks::of((profile, type_index));
    let least = least_shown(&stacks);
    let mut out = String::new();
    for (stack, values) in &stacks.stacks {
        if values.value.unsigned_abs() < least {
            continue;
        }
        for (index, &number) in stack.iter().enumerate() {
            if index > 0 {
                out.push(';');
            }
            out.push_str(stacks.name(number));
        }
        // Writing to a string cannot fail.
        let _ = writeln!(out, " {}", values.value);
    }
    out
}

/// The least value that is shown, so that the text stays within its bound.
fn least_shown(stacks: &NamedStacks) -> u128 {
    let length = |stack: &[usize]| -> usize {
        let names = stack.iter().map(|&number| stacks.name(number).len() + 1);
        // Room for the value.
        names.sum::<usize>() + 21
    };
    let mut sizes: Vec<(u128, usize)> = stacks
        .stacks
        .iter()
        .map(|(stack, values)| (values.value.unsigned_abs(), length(stack)))
        .collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let mut left = MAX_TEXT;
    for (value, length) in sizes {
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return value + 1,
        }
    }
    0
}
