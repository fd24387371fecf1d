//! Which sites fill a map, and which map keeps what a site allocates.
//!
//! Two things that both grow are not related by that: in a program under load everything
//! grows and shrinks together. So there are three kinds of evidence, from the strongest to
//! the weakest: samples show that the map holds blocks of the site ([`Basis::Held`]); beside
//! their trends both rise and fall at the same times ([`Basis::Together`]); both grow and
//! nothing else is known ([`Basis::Trend`]), which is only named where there is nothing
//! better, and not at all where several would do as well.

/// Why two things are taken to belong together. Ordered from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Basis {
    /// Both grow along a line.
    Trend,
    /// They rise and fall at the same times, beside what both have as trend.
    Together,
    /// Sampled blocks of the site are held by the map.
    Held,
}

impl Basis {
    /// As it is written in documents: `trend`, `together`, `held`.
    pub const fn name(self) -> &'static str {
        match self {
            Basis::Trend => "trend",
            Basis::Together => "together",
            Basis::Held => "held",
        }
    }
}

/// One that may belong to a subject.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its sizes at the same times as those of the subject, from the oldest to the newest: a
    /// site's live bytes, or a map's entries.
    pub sizes: &'a [f64],
    /// Bytes of the site that samples show to be held by the map. `None` if nobody looked.
    pub held: Option<f64>,
}

/// How one candidate belongs to the subject.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// Its place among the candidates.
    pub place: usize,
    /// Bytes of the site for each entry of the map.
    pub bytes_per_entry: f64,
    /// How much of the one's changes the other's explain, 0 to 1: trends included for
    /// [`Basis::Trend`], beside the trends for [`Basis::Together`]; for [`Basis::Held`] the
    /// share of the site's bytes that the map holds.
    pub fit: f64,
    /// Bytes of the site that are the map's: held, or gained beside its entries.
    pub bytes: f64,
    /// Why.
    pub basis: Basis,
}

/// Least correlation beside the trends.
const TOGETHER: f64 = 0.6;
/// And in standard deviations of what chance gives.
const TOGETHER_SCORE: f64 = 3.0;
/// Least fit of two trends.
const TREND: f64 = 0.9;
/// A site is a map's if it holds so much of the site, or
const HELD_OF_SITE: f64 = 0.25;
/// so much of all that it holds comes from there.
const HELD_OF_MAP: f64 = 0.05;
/// Fewer points than that show nothing.
const LEAST_POINTS: usize = 8;

/// The sites that fill a map, by its entries and their live bytes: those with the strongest
/// evidence, by bytes. At most `most` of them. Takes time in proportion to all sizes.
///
/// ```
/// use heaplens::leaks::cogrowth::{Basis, Candidate, sites_of};
///
/// let entries: Vec<f64> = (0..24).map(|at| f64::from(at * 100 + at % 5 * 60)).collect();
/// let follows: Vec<f64> = entries.iter().map(|entries| 3e6 + 512.0 * entries).collect();
/// let grows: Vec<f64> = (0..24).map(|at| f64::from(at) * 90_000.0).collect();
/// let sites = [&grows, &follows].map(|sizes| Candidate { sizes, held: None });
/// let links = sites_of(&entries, &sites, 3);
/// assert_eq!((links[0].place, links[0].basis), (1, Basis::Together));
/// assert_eq!(links[0].bytes_per_entry.round(), 512.0);
/// ```
pub fn sites_of(entries: &[f64], sites: &[Candidate<'_>], most: usize) -> Vec<Link> {
    let held_by_map: f64 = sites.iter().filter_map(|site| site.held).sum();
    let now = entries.last().copied().unwrap_or_default();
    let links = sites.iter().enumerate().filter_map(|(place, site)| {
        let of_site = |held: f64| held / site.sizes.last().copied().unwrap_or_default().max(held);
        let is_held = |held: f64| {
            held > 0.0 && (of_site(held) >= HELD_OF_SITE || held >= HELD_OF_MAP * held_by_map)
        };
        match site.held {
            Some(held) if is_held(held) => Some(Link {
                place,
                bytes_per_entry: ratio(held, now),
                fit: of_site(held),
                bytes: held,
                basis: Basis::Held,
            }),
            // Somebody looked, and found none of it.
            Some(_) if held_by_map > 0.0 => None,
            _ => by_series(place, entries, site.sizes),
        }
    });
    let mut links = strongest(links.collect());
    links.sort_by(|one, other| other.bytes.total_cmp(&one.bytes));
    links.truncate(most);
    links
}

/// The map that keeps what a site allocates, by its live bytes and their entries; `None` if
/// there is none, or if several would explain it as well. Takes time in proportion to all
/// sizes.
pub fn map_of(bytes: &[f64], maps: &[Candidate<'_>]) -> Option<Link> {
    let now = bytes.last().copied().unwrap_or_default();
    let links = maps.iter().enumerate().filter_map(|(place, map)| {
        let entries = map.sizes.last().copied().unwrap_or_default();
        match map.held {
            Some(held) if held > 0.0 && held >= HELD_OF_SITE * now => Some(Link {
                place,
                bytes_per_entry: ratio(held, entries),
                fit: (held / now.max(held)).min(1.0),
                bytes: held,
                basis: Basis::Held,
            }),
            _ => by_series(place, map.sizes, bytes),
        }
    });
    let mut links = strongest(links.collect());
    links.sort_by(|one, other| other.fit.total_cmp(&one.fit));
    match links.as_slice() {
        [only] => Some(*only),
        [best, next, ..] if best.basis != Basis::Trend && best.fit > 1.2 * next.fit => Some(*best),
        _ => None,
    }
}

/// Those with the best evidence that there is.
fn strongest(mut links: Vec<Link>) -> Vec<Link> {
    let best = links.iter().map(|link| link.basis).max();
    links.retain(|link| Some(link.basis) == best);
    links
}

fn by_series(place: usize, entries: &[f64], bytes: &[f64]) -> Option<Link> {
    let line = Line::through(entries, bytes)?;
    let grown = entries.last()? - entries.first()?;
    if line.slope <= 0.0 || grown <= 0.0 {
        return None;
    }
    let with = |fit: f64, basis| Link {
        place,
        bytes_per_entry: line.slope,
        fit,
        bytes: line.slope * grown,
        basis,
    };
    let (times, count) = (times(entries.len()), entries.len() as f64);
    let beside = |values: &[f64]| Line::through(&times, values).map(|line| line.residuals);
    let together = Line::through(&beside(entries)?, &beside(bytes)?).map(|line| line.correlation);
    if let Some(correlation) = together
        && correlation >= TOGETHER
        && correlation * count.sqrt() >= TOGETHER_SCORE
    {
        return Some(with(correlation * correlation, Basis::Together));
    }
    let fit = line.correlation * line.correlation;
    (fit >= TREND).then(|| with(fit, Basis::Trend))
}

fn times(count: usize) -> Vec<f64> {
    (0..count).map(|at| at as f64).collect()
}

fn ratio(bytes: f64, entries: f64) -> f64 {
    if entries > 0.0 { bytes / entries } else { 0.0 }
}

/// The line of least squares.
struct Line {
    slope: f64,
    correlation: f64,
    residuals: Vec<f64>,
}

impl Line {
    /// `None` if one of the two does not change at all, or there is too little.
    fn through(x: &[f64], y: &[f64]) -> Option<Line> {
        let count = x.len();
        if count != y.len() || count < LEAST_POINTS {
            return None;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count as f64;
        let (mean_x, mean_y) = (mean(x), mean(y));
        let products = |a: &[f64], mean_a: f64, b: &[f64], mean_b: f64| -> f64 {
            let pairs = a.iter().zip(b);
            pairs.map(|(a, b)| (a - mean_a) * (b - mean_b)).sum()
        };
        let xx = products(x, mean_x, x, mean_x);
        let yy = products(y, mean_y, y, mean_y);
        let xy = products(x, mean_x, y, mean_y);
        // What rounding leaves of a straight line is no change.
        let least = |mean: f64| 1e-12 * (1.0 + mean * mean) * count as f64;
        if !(xx > least(mean_x) && yy > least(mean_y)) {
            return None;
        }
        let slope = xy / xx;
        let pairs = x.iter().zip(y);
        Some(Line {
            slope,
            correlation: (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0),
            residuals: pairs
                .map(|(x, y)| y - mean_y - slope * (x - mean_x))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number from 0 to 1 that looks like chance.
    fn noise(seed: u64) -> f64 {
        let mixed = (seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Grows by a hundred entries a step on average, in steps of its own.
    fn growing(seed: u64) -> Vec<f64> {
        let mut size = 1000.0;
        let step = |at: u64| {
            size += 200.0 * noise(1000 * seed + at);
            size
        };
        (0..48).map(step).collect()
    }

    fn candidate(sizes: &[f64]) -> Candidate<'_> {
        Candidate { sizes, held: None }
    }

    #[test]
    fn what_moves_with_the_map_is_told_from_what_merely_grows() {
        for seed in 0..50 {
            let entries = growing(seed);
            // Samples come to 60 KiB of noise.
            let filled: Vec<f64> = entries
                .iter()
                .enumerate()
                .map(|(at, entries)| 2e6 + 800.0 * entries + 6e4 * noise(at as u64 + 77 * seed))
                .collect();
            let other: Vec<f64> = growing(seed + 500)
                .iter()
                .map(|size| 900.0 * size)
                .collect();
            let links = sites_of(&entries, &[candidate(&other), candidate(&filled)], 5);
            // The other one may share the noise by chance, and is the worse then.
            assert_eq!(links.iter().map(|link| link.place).max(), Some(1), "{seed}");
            let link = links.iter().find(|link| link.place == 1).expect("named");
            assert_eq!(link.basis, Basis::Together, "{seed}");
            assert!((link.bytes_per_entry - 800.0).abs() < 80.0, "{link:?}");
            let maps = [growing(seed + 900), entries];
            let of = map_of(&filled, &[candidate(&maps[0]), candidate(&maps[1])]);
            assert_eq!(of.map(|link| link.place), Some(1), "{seed}");
        }
    }

    #[test]
    fn two_lines_are_not_related_by_being_lines() {
        let line = |slope: f64| {
            (0..24)
                .map(|at| slope * f64::from(at))
                .collect::<Vec<f64>>()
        };
        let (entries, one, other) = (line(10.0), line(5000.0), line(7000.0));
        let links = sites_of(&entries, &[candidate(&one), candidate(&other)], 5);
        assert!(links.iter().all(|link| link.basis == Basis::Trend));
        assert_eq!(links.len(), 2, "either may be");
        assert_eq!(
            map_of(&one, &[candidate(&entries), candidate(&other)]),
            None
        );
        let only = map_of(&one, &[candidate(&entries)]).expect("the only one");
        assert_eq!(only.basis, Basis::Trend);
    }

    #[test]
    fn samples_decide() {
        let line = |slope: f64| {
            (0..24)
                .map(|at| slope * f64::from(at))
                .collect::<Vec<f64>>()
        };
        let (entries, bytes) = (line(10.0), line(5000.0));
        let follows: Vec<f64> = entries.iter().map(|entries| 900.0 * entries).collect();
        let held = |sizes, held| Candidate {
            sizes,
            held: Some(held),
        };
        let sites = [held(&follows, 0.0), held(&bytes, 100_000.0)];
        let links = sites_of(&entries, &sites, 5);
        assert_eq!(links.len(), 1, "{links:?}");
        assert_eq!((links[0].place, links[0].basis), (1, Basis::Held));
        // 100,000 of 115,000 bytes; 230 entries.
        assert!((links[0].fit - 100.0 / 115.0).abs() < 1e-9);
        assert!((links[0].bytes_per_entry - 100_000.0 / 230.0).abs() < 1e-9);
        let maps = [held(&entries, 100_000.0), held(&entries, 3000.0)];
        assert_eq!(map_of(&bytes, &maps).map(|link| link.place), Some(0));
    }

    #[test]
    fn nothing_follows_what_stands_still() {
        let still = [5.0; 24];
        let rises: Vec<f64> = (0..24).map(f64::from).collect();
        assert!(sites_of(&still, &[candidate(&rises)], 5).is_empty());
        assert!(sites_of(&rises, &[candidate(&still)], 5).is_empty());
        assert!(sites_of(&rises, &[candidate(&rises[..10])], 5).is_empty());
        assert!(sites_of(&[], &[candidate(&[])], 5).is_empty());
        let falls: Vec<f64> = rises.iter().map(|size| 100.0 - size).collect();
        assert!(sites_of(&rises, &[candidate(&falls)], 5).is_empty());
    }
}
