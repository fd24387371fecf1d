//! Which line of the program each row of the sampler belongs to. Rows of one function are one
//! call site, whatever called it: a leak is then not spread over as many stacks as lead to it.

use std::collections::HashMap;

use heaplens_alloc::{Site, Snapshot, Stack};
use heaplens_profile::{Place, Profile, origin};

use super::gather::{Spread, Sums};

/// Frames that are looked at, from the allocator outwards.
const FRAMES: usize = 48;
/// Rows that are looked up at a time, those with the most bytes first.
const AT_A_TIME: usize = 1024;
/// The key of the label by which stacks are told apart while they are looked up.
const NUMBER: &str = "row";

/// See the module.
#[derive(Debug)]
pub(super) struct Sites {
    /// Call sites that are told apart; what comes after them belongs to none.
    most: usize,
    /// By row; `None` for those that cannot be named.
    of_row: HashMap<u32, Option<u32>, Spread>,
    places: Vec<Place>,
    /// By function and file.
    known: HashMap<(String, String), u32>,
}

/// What a call site has alive.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Size {
    pub(super) objects: f64,
    pub(super) bytes: f64,
    pub(super) births: f64,
    /// By who holds it, as the holder's key and value.
    pub(super) held: HashMap<(&'static str, &'static str), f64>,
}

impl Size {
    /// Bytes of it that the group of maps of this name holds.
    pub(super) fn held_by_map(&self, name: &str) -> f64 {
        let held: &HashMap<(&str, &str), f64> = &self.held;
        held.get(&("map", name)).copied().unwrap_or(0.0)
    }
}

impl Sites {
    pub(super) fn new(most: usize) -> Self {
        Sites {
            most,
            of_row: HashMap::default(),
            places: Vec::new(),
            known: HashMap::new(),
        }
    }

    /// The number of the call site of a row, if it is known.
    pub(super) fn of_row(&self, row: u32) -> Option<u32> {
        self.of_row.get(&row).copied().flatten()
    }

    pub(super) fn place(&self, number: u32) -> Option<&Place> {
        self.places.get(number as usize)
    }

    /// Sums by call site, and the rows with anything alive that are not known yet.
    pub(super) fn sizes(&self, sums: &Sums) -> (HashMap<u32, Size>, Vec<u32>) {
        let mut sizes: HashMap<u32, Size> = HashMap::new();
        let mut unknown = Vec::new();
        for (row, sum) in &sums.rows {
            match self.of_row.get(row) {
                Some(Some(place)) => {
                    let size = sizes.entry(*place).or_default();
                    size.objects += sum.objects;
                    size.bytes += sum.bytes;
                    size.births += sum.births;
                }
                None if sum.bytes > 0.0 => unknown.push((sum.bytes, *row)),
                Some(None) | None => {}
            }
        }
        for ((row, holder), bytes) in &sums.held {
            if let Some(size) = self.of_row(*row).and_then(|place| sizes.get_mut(&place)) {
                *size.held.entry(holder.label()).or_default() += bytes;
            }
        }
        unknown.sort_by(|one, other| other.0.total_cmp(&one.0));
        unknown.truncate(AT_A_TIME);
        (sizes, unknown.into_iter().map(|of| of.1).collect())
    }

    /// Takes over what was found of rows.
    pub(super) fn learn(&mut self, found: Vec<(u32, Option<Place>)>) {
        for (row, place) in found {
            let number = place.and_then(|place| self.number(place));
            self.of_row.insert(row, number);
        }
    }

    /// The function's own number; its line is that of what was found first.
    fn number(&mut self, place: Place) -> Option<u32> {
        let key = (place.function.clone(), place.file.clone());
        if let Some(number) = self.known.get(&key) {
            return Some(*number);
        }
        if self.places.len() >= self.most {
            return None;
        }
        let number = self.places.len() as u32;
        self.places.push(place);
        self.known.insert(key, number);
        Some(number)
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let text = |place: &Place| 2 * (place.function.capacity() + place.file.capacity());
        let text: usize = self.places.iter().map(text).sum();
        text + self.of_row.capacity() * 16
            + self.places.capacity() * size_of::<Place>()
            + self.known.capacity() * 72
    }
}

/// A snapshot of the stacks of these rows alone, each told apart by a label, from which
/// [`found`] tells their places once it is symbolized.
pub(super) fn stacks_of(snapshot: &Snapshot, rows: &[u32]) -> (Snapshot, Vec<u32>) {
    let place_of: HashMap<u32, usize> = rows.iter().copied().zip(0..).collect();
    let mut order = Vec::new();
    let (mut stacks, mut sites, mut labels) = (Vec::new(), Vec::new(), vec![Vec::new()]);
    let wanted = snapshot.sites.iter().filter(|site| site.id != 0);
    for site in wanted.filter(|site| place_of.contains_key(&site.id)) {
        let Some(stack) = snapshot.stacks.get(site.stack) else {
            continue;
        };
        let frames = stack.frames.iter().take(FRAMES).copied().collect();
        stacks.push(Stack::new(frames, stack.kind));
        labels.push(vec![(NUMBER.to_owned(), order.len().to_string())]);
        // One sample each, so that none is left out for having nothing.
        let mut one = heaplens_alloc::Tally::default();
        one.record(1, 1);
        sites.push(Site::new(stacks.len() - 1, 0, one, one).labelled(labels.len() - 1));
        order.push(site.id);
    }
    let taken_at = snapshot.taken_at;
    let snapshot = Snapshot::from_parts(taken_at, snapshot.since, snapshot.counters, stacks, sites);
    (snapshot.with_labels(labels), order)
}

/// The places of rows, by a profile of what [`stacks_of`] gave, in the order of `rows`, the
/// same as were asked for.
pub(super) fn found(profile: &Profile, order: &[u32], rows: &[u32]) -> Vec<(u32, Option<Place>)> {
    let mut places: HashMap<u32, Place> = HashMap::new();
    let origins = origin::origins(profile);
    for sample in &profile.samples {
        let number = sample.labels.iter().find(|label| label.0 == NUMBER);
        let number = number.and_then(|label| label.1.parse::<usize>().ok());
        let row = number.and_then(|number| order.get(number));
        if let (Some(row), Some(place)) = (row, Place::of(profile, &origins, sample)) {
            places.insert(*row, place);
        }
    }
    rows.iter().map(|row| (*row, places.remove(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::gather::Row;
    use super::*;

    fn place(function: &str, line: u32) -> Place {
        Place {
            function: function.to_owned(),
            file: "/svc/src/a.rs".to_owned(),
            line,
        }
    }

    fn sums(rows: &[(u32, f64)]) -> Sums {
        let mut sums = Sums::default();
        for (row, bytes) in rows {
            let (objects, births) = (1.0, 2.0);
            let bytes = *bytes;
            sums.rows.insert(
                *row,
                Row {
                    objects,
                    bytes,
                    births,
                },
            );
        }
        sums
    }

    #[test]
    fn rows_of_one_function_are_one_site() {
        let mut sites = Sites::new(10);
        let sums = sums(&[(1, 10.0), (2, 30.0), (3, 20.0), (4, 0.0), (5, 5.0)]);
        let (found, unknown) = sites.sizes(&sums);
        assert!(found.is_empty());
        assert_eq!(unknown, [2, 3, 1, 5], "what is alive, the largest first");
        sites.learn(vec![
            (2, Some(place("svc::f", 7))),
            (3, Some(place("svc::g", 9))),
            (1, Some(place("svc::f", 8))),
            (5, None),
        ]);
        let (found, unknown) = sites.sizes(&sums);
        assert!(unknown.is_empty());
        assert_eq!(found.len(), 2);
        let of_f = &found[&0];
        assert_eq!((of_f.bytes, of_f.objects, of_f.births), (40.0, 2.0, 4.0));
        assert_eq!(
            sites.place(0).map(Place::name).as_deref(),
            Some("f at src/a.rs:7")
        );
        assert_eq!((sites.of_row(5), sites.of_row(99)), (None, None));
    }

    #[test]
    fn there_are_only_so_many_places() {
        let mut sites = Sites::new(50);
        let rows = (0..60).map(|row| (row, Some(place(&format!("svc::f{row}"), 1))));
        sites.learn(rows.collect());
        assert_eq!(sites.places.len(), 50);
        assert_eq!((sites.of_row(49), sites.of_row(50)), (Some(49), None));
        assert!(sites.bytes() > 50 * 50);
    }
}
