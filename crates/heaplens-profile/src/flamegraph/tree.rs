//! Stacks as a tree, and the part of it that is drawn.

use crate::stacks::{NamedStacks, Values};

/// Most bytes of lines: each repeats the names of all its frames.
const MAX_LINES: usize = 32 << 20;

/// Larger sums are scaled down to this many bits: the browser reckons in
/// floating point, and the library multiplies by 150 in 64 bits.
const SUM_BITS: u32 = 52;

pub(super) struct Tree<'a> {
    stacks: &'a NamedStacks,
    /// Parents stand before their children, and those of one parent by name.
    nodes: Vec<Node>,
}

struct Node {
    /// Number of its name.
    name: usize,
    parent: Option<usize>,
    depth: usize,
    /// Of all stacks that go through it.
    total: Values,
}

/// Folded stacks with one or two values, in the order of drawing.
pub(super) struct Lines {
    pub(super) folded: Vec<String>,
    /// What each value is to be multiplied by.
    pub(super) factor: f64,
    /// How many frames are too narrow.
    pub(super) left_out: usize,
}

impl<'a> Tree<'a> {
    /// Of what has a width.
    pub(super) fn of(stacks: &'a NamedStacks) -> Self {
        let mut nodes: Vec<Node> = Vec::new();
        // Numbers of the nodes of the stack before.
        let mut path: Vec<usize> = Vec::new();
        for (stack, values) in stacks.stacks.iter().filter(|of| of.1.value > 0) {
            let values = Values {
                base: values.base.max(0),
                value: values.value,
            };
            let same = path
                .iter()
                .zip(stack)
                .take_while(|(node, name)| nodes.get(**node).is_some_and(|of| of.name == **name))
                .count();
            path.truncate(same);
            for &name in stack.iter().skip(same) {
                nodes.push(Node {
                    name,
                    parent: path.last().copied(),
                    depth: path.len(),
                    total: Values::default(),
                });
                path.push(nodes.len() - 1);
            }
            for &node in &path {
                if let Some(node) = nodes.get_mut(node) {
                    node.total.value += values.value;
                    node.total.base += values.base;
                }
            }
        }
        Tree { stacks, nodes }
    }

    /// Lines of at most so many frames, the widest ones.
    pub(super) fn lines(&self, max_frames: usize, is_difference: bool) -> Lines {
        let mut frames = max_frames;
        loop {
            let least = self.least(frames);
            match self.try_lines(least, is_difference) {
                Some(lines) => return lines,
                None if frames <= 1 => return self.none(),
                None => frames /= 2,
            }
        }
    }

    /// The least width that is drawn.
    fn least(&self, max_frames: usize) -> i128 {
        let mut widths: Vec<i128> = self.nodes.iter().map(|of| of.total.value).collect();
        widths.sort_unstable_by(|a, b| b.cmp(a));
        // As wide as the first that is too many is too narrow: all or none.
        widths.get(max_frames).map_or(1, |width| width + 1)
    }

    fn none(&self) -> Lines {
        Lines {
            folded: Vec::new(),
            factor: 1.0,
            left_out: self.nodes.len(),
        }
    }

    fn try_lines(&self, least: i128, is_difference: bool) -> Option<Lines> {
        let own = self.own(least);
        let shift = self.shift();
        let mut left = MAX_LINES;
        let mut path: Vec<usize> = Vec::new();
        let mut lines = Vec::new();
        for (node, own) in self.nodes.iter().zip(&own) {
            let Some(own) = own else {
                continue;
            };
            path.truncate(node.depth);
            path.push(node.name);
            let (base, value) = (own.base >> shift, own.value >> shift);
            if value == 0 {
                continue;
            }
            let names: Vec<&str> = path.iter().map(|&name| self.stacks.name(name)).collect();
            let names = names.join(";");
            let line = if is_difference {
                format!("{names} {base} {value}")
            } else {
                format!("{names} {value}")
            };
            left = left.checked_sub(line.len())?;
            lines.push(line);
        }
        Some(Lines {
            folded: lines,
            factor: 2f64.powi(i32::try_from(shift).unwrap_or(0)),
            left_out: own.iter().filter(|of| of.is_none()).count(),
        })
    }

    /// What is left for each node that is drawn after its children that are
    /// drawn as well.
    fn own(&self, least: i128) -> Vec<Option<Values>> {
        let is_drawn = |of: &Node| of.total.value >= least;
        let drawn = self.nodes.iter().map(|of| is_drawn(of).then_some(of.total));
        let mut own: Vec<Option<Values>> = drawn.collect();
        for node in self.nodes.iter().filter(|of| is_drawn(of)) {
            let parent = node.parent.and_then(|at| own.get_mut(at));
            if let Some(Some(parent)) = parent {
                parent.value -= node.total.value;
                parent.base -= node.total.base;
            }
        }
        own
    }

    /// By how many bits values are scaled down.
    fn shift(&self) -> u32 {
        let roots = self.nodes.iter().filter(|of| of.parent.is_none());
        let sums = roots.fold((0u128, 0u128), |(base, value), of| {
            let add = |sum: u128, of: i128| sum.saturating_add(of.unsigned_abs());
            (add(base, of.total.base), add(value, of.total.value))
        });
        let bits = 128 - sums.0.max(sums.1).leading_zeros();
        bits.saturating_sub(SUM_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(of: &[(&[usize], i128, i128)]) -> NamedStacks {
        let mut stacks: Vec<_> = of
            .iter()
            .map(|&(stack, base, value)| (stack.to_vec(), Values { base, value }))
            .collect();
        stacks.sort_by(|a, b| a.0.cmp(&b.0));
        NamedStacks {
            names: ["a", "b", "c", "d"].map(str::to_owned).into(),
            stacks,
        }
    }

    fn lines(of: &[(&[usize], i128, i128)], max_frames: usize) -> (Vec<String>, usize) {
        let stacks = stacks(of);
        let lines = Tree::of(&stacks).lines(max_frames, true);
        (lines.folded, lines.left_out)
    }

    #[test]
    fn narrow_frames_count_for_their_caller() {
        let of: &[(&[usize], i128, i128)] = &[
            (&[0, 1, 2], 5, 10),
            (&[0, 1, 3], 4, 3),
            (&[0], 0, 1),
            (&[0, 2], 7, 7),
            (&[3], 9, 0),
        ];
        let all = ["a 0 1", "a;b;c 5 10", "a;b;d 4 3", "a;c 7 7"].map(str::to_owned);
        assert_eq!(lines(of, 100), (all.to_vec(), 0));
        let three = ["a 7 8", "a;b 4 3", "a;b;c 5 10"].map(str::to_owned);
        assert_eq!(lines(of, 3), (three.to_vec(), 2));
        assert_eq!(lines(of, 1), (vec!["a 16 21".to_owned()], 4));
    }

    #[test]
    fn equally_narrow_frames_are_all_left_out() {
        let of: &[(&[usize], i128, i128)] = &[(&[0, 1], 0, 5), (&[0, 2], 0, 5), (&[0, 3], 0, 5)];
        assert_eq!(lines(of, 2), (vec!["a 0 15".to_owned()], 3));
    }

    #[test]
    fn what_shrank_to_nothing_or_below_has_no_width() {
        let of: &[(&[usize], i128, i128)] = &[(&[0], -5, 4), (&[1], 3, -2), (&[2], 8, 0)];
        assert_eq!(lines(of, 9), (vec!["a 0 4".to_owned()], 0));
    }

    #[test]
    fn sums_beyond_what_browsers_can_count_are_scaled() {
        let large = i128::from(i64::MAX);
        let stacks = stacks(&[(&[0], 0, large), (&[1], large, large), (&[2], 0, 1)]);
        let lines = Tree::of(&stacks).lines(9, false);
        assert_eq!(lines.factor as u64, 4096);
        let sum: u64 = lines
            .folded
            .iter()
            .map(|line| line[2..].parse::<u64>().expect("a number"))
            .sum();
        assert!(sum < 1 << SUM_BITS, "{sum}");
        assert_eq!(lines.folded.len(), 2, "the least one has no width left");
    }

    #[test]
    fn lines_are_bounded_by_drawing_less() {
        let depth = 900;
        let chain: Vec<usize> = vec![0; depth];
        let of: Vec<_> = (1..=depth)
            .map(|length| (chain[..length].to_vec(), Values { base: 0, value: 1 }))
            .collect();
        let stacks = NamedStacks {
            names: vec!["x".repeat(1000)],
            stacks: of,
        };
        let lines = Tree::of(&stacks).lines(10_000, false);
        let bytes: usize = lines.folded.iter().map(String::len).sum();
        assert!(bytes <= MAX_LINES && lines.left_out > 0, "{bytes}");
        assert!(!lines.folded.is_empty());
    }
}
