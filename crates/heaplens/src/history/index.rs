//! Numbers found by what they stand for: an open hash table of four bytes a place,
//! for lists that are too long to have their keys twice.

/// See the module. Hashes need not be kept: they are asked for anew when it grows.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Numbers plus one; 0 is a free place. A power of two of them, or none.
    places: Vec<u32>,
    taken: usize,
}

impl Index {
    /// The number with this hash for which `is_it` holds.
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.places.len().checked_sub(1)?;
        let mut at = spread(hash) as usize & mask;
        // There is always a free place: at most three quarters are taken.
        loop {
            let number = self.places.get(at)?.checked_sub(1)?;
            if is_it(number) {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a number that is not there yet; `hash_of` gives the hash of any.
    pub(super) fn insert(&mut self, number: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.taken + 1) * 4 > self.places.len() * 3 {
            self.grow(&hash_of);
        }
        self.taken += 1;
        place(&mut self.places, number, hash_of(number));
    }

    fn grow(&mut self, hash_of: &impl Fn(u32) -> u64) {
        let length = (self.places.len() * 2).max(16);
        let before = std::mem::replace(&mut self.places, vec![0; length]);
        for number in before.into_iter().filter_map(|place| place.checked_sub(1)) {
            place(&mut self.places, number, hash_of(number));
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<u32>()
    }
}

fn place(places: &mut [u32], number: u32, hash: u64) {
    let mask = places.len().wrapping_sub(1);
    let mut at = spread(hash) as usize & mask;
    while let Some(place) = places.get_mut(at) {
        if *place == 0 {
            *place = number.saturating_add(1);
            return;
        }
        at = (at + 1) & mask;
    }
}

/// Numbers that are near each other lie apart.
fn spread(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// The hash of several numbers.
pub(super) fn hash(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |hash, number| {
        spread(hash.rotate_left(23) ^ *number).wrapping_add(0x517c_c1b7_2722_0a95)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list that is searched from its beginning; hashes collide often.
        #[test]
        fn everything_is_found_and_nothing_else(
            keys in proptest::collection::vec(0u64..300, 0..400), spread in 1u64..50,
        ) {
            let (mut list, mut index): (Vec<u64>, _) = (Vec::new(), Index::default());
            for key in keys {
                let found = index.find(key % spread, |number| list[number as usize] == key);
                let expected = list.iter().position(|of| *of == key);
                prop_assert_eq!(found.map(|number| number as usize), expected);
                if found.is_none() {
                    list.push(key);
                    index.insert(list.len() as u32 - 1, |number| list[number as usize] % spread);
                }
            }
            for key in 0..300 {
                let found = index.find(key % spread, |number| list[number as usize] == key);
                prop_assert_eq!(found.is_some(), list.contains(&key));
            }
        }
    }
}
