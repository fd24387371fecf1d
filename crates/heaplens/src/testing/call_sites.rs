//! Which functions hold memory, for people to read.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};

use heaplens_alloc::{Snapshot, Stack};

use super::heap_watch::{in_blocks, in_bytes};
use super::trace::Names;

/// Call sites in a message.
pub(super) const TOP: usize = 5;

/// Stacks that are looked up for each call site that is wanted: several become one
/// when only their addresses differ.
const STACKS_A_SITE: usize = 4;

/// Frames in a message, for each call site.
const FRAMES: usize = 12;

/// A place in the program that holds memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallSite {
    /// Requested bytes that are alive, or by which it grew.
    pub bytes: u64,
    /// Blocks that are alive, or by which it grew: 0 if as many or fewer are alive, but
    /// larger ones.
    pub blocks: u64,
    /// Who holds how many of the bytes that are alive, such as `map=sessions`, where
    /// tracked maps say so.
    pub held_by: Vec<(String, u64)>,
    /// Functions with their source, innermost first, as
    /// `service::open (src/service.rs:12)`. The frames of the allocator, of this
    /// module and of the test harness are left out, and those of libraries but for the
    /// one that the program called.
    pub frames: Vec<String>,
}

impl fmt::Display for CallSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.blocks {
            0 => write!(f, "{} by larger blocks", in_bytes(self.bytes))?,
            blocks => write!(f, "{} in {}", in_bytes(self.bytes), in_blocks(blocks))?,
        }
        for (holder, bytes) in &self.held_by {
            write!(f, ", {} held by {holder}", in_bytes(*bytes))?;
        }
        for frame in self.frames.iter().take(FRAMES) {
            write!(f, "\n      {frame}")?;
        }
        match self.frames.len().checked_sub(FRAMES) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\n      and {more} callers"),
        }
    }
}

/// The part of a message that lists call sites; empty if there are none.
pub(super) fn list(title: &str, sites: &[CallSite]) -> String {
    let mut text = String::new();
    if !sites.is_empty() {
        let _ = write!(text, "\n  {title}:");
    }
    for site in sites {
        let _ = write!(text, "\n    {site}");
    }
    text
}

/// What is alive of one stack.
#[derive(Clone, Debug, Default)]
struct Holding {
    bytes: i64,
    blocks: i64,
    held_by: BTreeMap<String, u64>,
}

/// What is alive, by stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings(HashMap<Stack, Holding>);

impl Holdings {
    /// What is in use in a snapshot whose values are exact.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let mut holdings: HashMap<Stack, Holding> = HashMap::new();
        for site in &snapshot.sites {
            let Some(stack) = snapshot.stacks.get(site.stack) else {
                continue;
            };
            let holding = match holdings.get_mut(stack) {
                Some(holding) => holding,
                None => holdings.entry(stack.clone()).or_default(),
            };
            holding.bytes += site.inuse.sampled_bytes as i64;
            holding.blocks += site.inuse.samples as i64;
            // Other labels say for whom it was allocated, not who has it.
            let labels = snapshot.labels.get(site.labels).into_iter().flatten();
            for (key, value) in labels.filter(|label| label.0 == "map") {
                let held = holding.held_by.entry(format!("{key}={value}"));
                *held.or_default() += site.inuse.sampled_bytes;
            }
        }
        Holdings(holdings)
    }

    /// By how much each stack grew from `before` to this.
    pub(super) fn since(mut self, before: &Holdings) -> Self {
        for (stack, holding) in &mut self.0 {
            if let Some(before) = before.0.get(stack) {
                holding.bytes -= before.bytes;
                holding.blocks -= before.blocks;
            }
        }
        self
    }

    /// The call sites that hold the most bytes, by name.
    pub(super) fn top(self, most: usize) -> Vec<CallSite> {
        let mut stacks: Vec<_> = self.0.into_iter().filter(|(_, of)| of.bytes > 0).collect();
        stacks.sort_by_key(|(_, of)| std::cmp::Reverse(of.bytes));
        stacks.truncate(most.saturating_mul(STACKS_A_SITE));
        let mut names = Names::new();
        let mut sites: Vec<CallSite> = Vec::new();
        for (stack, of) in stacks {
            let frames = names.of(stack);
            let (bytes, blocks) = (of.bytes as u64, of.blocks.max(0) as u64);
            if let Some(site) = sites.iter_mut().find(|site| site.frames == frames) {
                site.bytes += bytes;
                site.blocks += blocks;
                site.held_by.extend(of.held_by);
            } else {
                let held_by = of.held_by.into_iter().collect();
                sites.push(CallSite {
                    bytes,
                    blocks,
                    held_by,
                    frames,
                });
            }
        }
        for site in &mut sites {
            site.join_holders();
        }
        sites.sort_by_key(|site| std::cmp::Reverse(site.bytes));
        sites.truncate(most);
        sites
    }
}

impl CallSite {
    /// One entry for each holder.
    fn join_holders(&mut self) {
        let mut joined: BTreeMap<String, u64> = BTreeMap::new();
        for (holder, bytes) in self.held_by.drain(..) {
            *joined.entry(holder).or_default() += bytes;
        }
        self.held_by.extend(joined);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use heaplens_alloc::{Counters, Site, Tally};

    use super::*;

    fn snapshot(sites: &[(u64, u64, u64)]) -> Snapshot {
        let now = SystemTime::now();
        let stacks = (0..3).map(|at| Stack::new(vec![at], heaplens_alloc::StackKind::Captured));
        let sites = sites.iter().map(|&(stack, blocks, size)| {
            let mut tally = Tally::default();
            (0..blocks).for_each(|_| tally.record(size, 1));
            Site::new(stack as usize, size, tally, tally)
        });
        Snapshot::from_parts(
            now,
            now,
            Counters::default(),
            stacks.collect(),
            sites.collect(),
        )
    }

    #[test]
    fn growth_is_by_stack_over_all_sizes() {
        let before = Holdings::of(&snapshot(&[(0, 2, 10), (1, 5, 100)]));
        let after = Holdings::of(&snapshot(&[(0, 1, 10), (0, 1, 50), (1, 5, 100), (2, 1, 7)]));
        let grown = after.since(&before);
        let stack = |at| Stack::new(vec![at], heaplens_alloc::StackKind::Captured);
        let of = |at| grown.0.get(&stack(at)).map(|of| (of.bytes, of.blocks));
        assert_eq!(
            [of(0), of(1), of(2)],
            [Some((40, 0)), Some((0, 0)), Some((7, 1))]
        );
        assert_eq!(grown.top(5).len(), 2);
    }

    #[test]
    fn long_stacks_are_cut() {
        let site = CallSite {
            bytes: 1,
            blocks: 1,
            held_by: vec![("map=sessions".to_owned(), 1)],
            frames: (0..FRAMES + 3).map(|at| format!("f{at}")).collect(),
        };
        let text = list("title", &[site]);
        assert!(text.starts_with("\n  title:\n    1 byte in 1 block, 1 byte held by map=sessions"));
        assert!(text.contains("\n      f11\n      and 3 callers"), "{text}");
        assert_eq!(list("title", &[]), "");
    }
}
