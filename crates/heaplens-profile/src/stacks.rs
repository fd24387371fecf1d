//! Stacks by the names of their functions, root first, merged and in order.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use crate::model::{Location, Profile};

/// Most characters of a frame's name. What follows is cut off.
const MAX_NAME: usize = 1024;

/// Most frames of a stack; the middle of longer ones is left out.
const MAX_DEPTH: usize = 1024;

/// Values of one type by the names on the stack.
#[derive(Debug)]
pub(crate) struct NamedStacks {
    /// Safe on a line and between semicolons; sorted, so that numbers sort as
    /// names do.
    pub(crate) names: Vec<String>,
    /// Numbers of names, root first. Sorted, each once.
    pub(crate) stacks: Vec<(Vec<usize>, Values)>,
}

/// Of the base, and of the profile itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values {
    pub(crate) base: i128,
    pub(crate) value: i128,
}

/// A profile and the index of the type that counts.
pub(crate) type Column<'a> = (&'a Profile, usize);

impl NamedStacks {
    pub(crate) fn of(column: Column<'_>) -> Self {
        Self::build(None, column)
    }

    /// Stacks of both, each with two values.
    pub(crate) fn of_both(base: Column<'_>, column: Column<'_>) -> Self {
        Self::build(Some(base), column)
    }

    fn build(base: Option<Column<'_>>, column: Column<'_>) -> Self {
        let mut names = Names::default();
        let of_base = base.map(|(profile, _)| names.add(profile));
        let of_profile = names.add(column.0);
        let (names, ranks) = names.sorted();
        let mut stacks = BTreeMap::new();
        if let (Some(column), Some(frames)) = (base, of_base) {
            sum(column, &frames, &ranks, &mut stacks, |sum| &mut sum.base);
        }
        sum(column, &of_profile, &ranks, &mut stacks, |sum| {
            &mut sum.value
        });
        stacks.retain(|_, values| *values != Values::default());
        NamedStacks {
            names,
            stacks: stacks.into_iter().collect(),
        }
    }

    /// The same with leaves first.
    pub(crate) fn reversed(mut self) -> Self {
        for (stack, _) in &mut self.stacks {
            stack.reverse();
        }
        self.stacks.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self
    }

    pub(crate) fn name(&self, number: usize) -> &str {
        self.names.get(number).map_or("", String::as_str)
    }
}

fn sum(
    (profile, column): Column<'_>,
    frames: &[Vec<usize>],
    ranks: &[usize],
    stacks: &mut BTreeMap<Vec<usize>, Values>,
    place: impl Fn(&mut Values) -> &mut i128,
) {
    for sample in &profile.samples {
        let Some(&value) = sample.values.get(column).filter(|value| **value != 0) else {
            continue;
        };
        let locations = sample.locations.iter().rev();
        let mut stack: Vec<usize> = locations
            .filter_map(|&at| frames.get(at))
            .flatten()
            .filter_map(|&number| ranks.get(number).copied())
            .collect();
        shorten(&mut stack);
        *place(stacks.entry(stack).or_default()) += i128::from(value);
    }
}

fn shorten(stack: &mut Vec<usize>) {
    if stack.len() > MAX_DEPTH {
        let middle = MAX_DEPTH / 2..stack.len() - MAX_DEPTH / 2;
        stack.drain(middle);
    }
}

/// Names by number, in the order in which they came.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, usize>,
}

impl Names {
    /// The names at each location of the profile, outermost first.
    fn add(&mut self, profile: &Profile) -> Vec<Vec<usize>> {
        let locations = profile.locations.iter();
        locations.map(|of| self.at(profile, of)).collect()
    }

    fn at(&mut self, profile: &Profile, location: &Location) -> Vec<usize> {
        let lines = location.lines.iter().rev();
        let functions = lines.filter_map(|line| profile.functions.get(line.function));
        let named: Vec<usize> = functions.map(|of| self.number(safe(&of.name))).collect();
        if named.is_empty() {
            return vec![self.number(safe(&place(profile, location)))];
        }
        named
    }

    fn number(&mut self, name: String) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry(name).or_insert(next)
    }

    /// The names in order, and the place of each number in it.
    fn sorted(self) -> (Vec<String>, Vec<usize>) {
        let mut ranks = vec![0; self.numbers.len()];
        let mut names: Vec<(String, usize)> = self.numbers.into_iter().collect();
        names.sort_unstable();
        for (rank, (_, number)) in names.iter().enumerate() {
            if let Some(slot) = ranks.get_mut(*number) {
                *slot = rank;
            }
        }
        (names.into_iter().map(|of| of.0).collect(), ranks)
    }
}

/// What stands for a function without a name: the object and the address in its
/// file, which are the same in every run.
pub(crate) fn place(profile: &Profile, location: &Location) -> String {
    let mut text = String::new();
    let mapping = location.mapping.and_then(|at| profile.mappings.get(at));
    let address = match mapping {
        Some(of) => {
            let of = &of.mapping;
            let file = of.path.rsplit('/').next().unwrap_or_default();
            text.push_str(if file.is_empty() { "?" } else { file });
            text.push('+');
            location
                .address
                .wrapping_sub(of.start)
                .wrapping_add(of.offset)
        }
        None => location.address,
    };
    // Writing to a string cannot fail.
    let _ = write!(text, "{address:#x}");
    text
}

/// At most so many characters of a name as frames have.
pub(crate) fn shortened(name: &str) -> &str {
    let end = name.char_indices().nth(MAX_NAME);
    end.and_then(|(at, _)| name.get(..at)).unwrap_or(name)
}

/// A name that stays one frame on one line, whoever reads it: `;` separates
/// frames, and a number behind the last space is a value.
fn safe(name: &str) -> String {
    let mut safe: String = name
        .trim()
        .chars()
        .take(MAX_NAME)
        .map(|character| match character {
            ';' => ':',
            // Neither lines nor XML can hold these.
            '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            other if other.is_control() => '\u{fffd}',
            // Other spaces end a line for some.
            other if other.is_whitespace() => ' ',
            other => other,
        })
        .collect();
    if safe.starts_with('#') {
        // A comment to some readers.
        safe.insert(0, '_');
    }
    if let Some(space) = safe.rfind(' ') {
        let rest = safe.get(space + 1..).unwrap_or_default();
        let is_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        if rest.bytes().all(is_number) {
            safe.replace_range(space..=space, "_");
        }
    }
    if safe.is_empty() {
        safe.push('?');
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_safe() {
        for (name, expected) in [
            ("svc::handle", "svc::handle"),
            (
                "<[u8; 16] as core::clone::Clone>::clone",
                "<[u8: 16] as core::clone::Clone>::clone",
            ),
            ("", "?"),
            (" \t\n", "?"),
            (
                "a\nb\r\u{1b}[31m\0",
                "a\u{fffd}b\u{fffd}\u{fffd}[31m\u{fffd}",
            ),
            ("a\u{ffff}\u{fffe}", "a\u{fffd}\u{fffd}"),
            ("closure 12", "closure_12"),
            ("closure 1 2.5", "closure 1_2.5"),
            ("a\u{2028}b\u{a0}7", "a b_7"),
            ("# not a comment", "_# not a comment"),
            ("größe", "größe"),
        ] {
            assert_eq!(safe(name), expected, "{name:?}");
        }
        assert_eq!(safe(&"ü".repeat(5000)).chars().count(), MAX_NAME);
    }

    #[test]
    fn long_stacks_keep_both_ends() {
        let mut stack: Vec<usize> = (0..5000).collect();
        shorten(&mut stack);
        assert_eq!(stack.len(), MAX_DEPTH);
        assert_eq!((stack.first(), stack.last()), (Some(&0), Some(&4999)));
    }
}
