//! Folded stacks: a line for each stack, as flame graph tools read them.

use std::fmt::Write;

use crate::model::Profile;
use crate::stacks::NamedStacks;

/// Most bytes of text; the stacks with the least values go without.
pub const MAX_TEXT: usize = 64 << 20;

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
