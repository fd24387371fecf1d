//! Which call sites fill a map, and which map keeps what a site allocates.

use super::Watch;
use super::sites::Size;
use super::subject::{Known, Subject};
use crate::leaks::BLOCKS;
use crate::leaks::cogrowth::{Candidate, Link, map_of, sites_of};

/// Sites named for a map.
const MOST: usize = 3;

impl Watch {
    /// The sites that fill the group of this name, by number.
    pub(super) fn sites_of(&self, name: &str, subject: &Subject) -> Vec<(u32, Link)> {
        let entries = troughs(subject, subject, true);
        let held = |number: &u32| Some(self.sizes.get(number)?.held_by_map(name));
        let sizes: Vec<(u32, Vec<f64>)> = self
            .by_site
            .iter()
            .map(|(number, site)| (*number, troughs(subject, site, false)))
            .collect();
        let candidates: Vec<Candidate<'_>> = sizes
            .iter()
            .map(|(number, sizes)| Candidate {
                sizes,
                held: held(number),
            })
            .collect();
        sites_of(&entries, &candidates, MOST)
            .into_iter()
            .filter_map(|link| Some((sizes.get(link.place)?.0, link)))
            .collect()
    }

    /// The group that keeps what this site allocates.
    pub(super) fn map_of(&self, number: u32, subject: &Subject) -> Option<(&str, Link)> {
        let bytes = troughs(subject, subject, false);
        let size = self.sizes.get(&number);
        let maps: Vec<(&str, Vec<f64>)> = self
            .maps
            .iter()
            .map(|(name, map)| (&**name, troughs(subject, map, true)))
            .collect();
        let candidates: Vec<Candidate<'_>> = maps
            .iter()
            .map(|(name, sizes)| Candidate {
                sizes,
                held: size.map(|size| size.held_by_map(name)),
            })
            .collect();
        let link = map_of(&bytes, &candidates)?;
        Some((maps.get(link.place)?.0, link))
    }

    /// What was declared of the map that keeps what this site allocates, as far as it bounds
    /// the site as well.
    pub(super) fn inherited(&self, number: u32, subject: &Subject) -> Known {
        let size = self.sizes.get(&number);
        let Some((size, map)) = size.and_then(|size| Some((size, self.holder_of(size)?))) else {
            return Known::default();
        };
        let entries = map.series.last().map_or(0, |(_, point)| point.entries);
        // Of each entry so many blocks, as it is now: that says something only while there
        // are not more and more of them.
        let per_entry = (entries > 0).then(|| size.objects / entries as f64);
        let max_entries = map
            .known
            .max_entries
            .filter(|_| grows_no_more(subject, map));
        let max_blocks = max_entries.zip(per_entry);
        Known {
            max_entries: max_blocks.map(|(bound, each)| (bound as f64 * each).ceil() as u64),
            expected_ttl: map.known.expected_ttl,
            oldest: map.known.oldest,
            wastes_capacity: false,
        }
    }

    /// The group of maps that has most of what a site holds, if that is at least half.
    fn holder_of(&self, size: &Size) -> Option<&Subject> {
        let maps = size.held.iter().filter(|(holder, _)| holder.0 == "map");
        let (holder, bytes) = maps.max_by(|one, other| one.1.total_cmp(other.1))?;
        (*bytes >= 0.5 * size.bytes).then(|| self.maps.get(holder.1))?
    }
}

/// How much faster than its map a site may seem to grow by chance.
const SLACK: f64 = 1.25;

/// Whether the blocks of a site have grown by no larger a factor than the entries of the map
/// that keeps them, over the window by which the site was judged.
fn grows_no_more(site: &Subject, map: &Subject) -> bool {
    let factor = |of: &Subject| {
        let sizes = troughs(site, of, true);
        let (first, last) = (sizes.first()?, sizes.last()?);
        (*first > 0.0).then(|| last / first)
    };
    match (factor(site), factor(map)) {
        (Some(site), Some(map)) => site <= SLACK * map,
        // From nothing: by any factor.
        (_, None) => true,
        (None, Some(_)) => false,
    }
}

/// The least sizes of `of` in the blocks of the window by which `subject` was judged; none
/// if it does not reach back so far.
fn troughs(subject: &Subject, of: &Subject, entries: bool) -> Vec<f64> {
    let span = subject.judge.verdict().growth_span;
    let blocks = span.and_then(|span| of.series.window(span));
    let sizes: Option<[f64; BLOCKS]> = blocks.map(|blocks| {
        if entries {
            *blocks.entries()
        } else {
            *blocks.bytes()
        }
    });
    match sizes {
        Some(sizes) => sizes.to_vec(),
        // The size of now is what shares are taken of.
        None => of
            .series
            .last()
            .map(|(_, point)| if entries { point.entries } else { point.bytes } as f64)
            .into_iter()
            .collect(),
    }
}
