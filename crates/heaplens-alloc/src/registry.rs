//! Labels by id: a hash table without removal, whose places are the ids.
//!
//! Lock-free, so that nothing in it can be left locked by a fork.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::publish::publish;
use crate::thread;

struct Label {
    key: &'static str,
    value: Box<str>,
}

/// A registry of at most `LEN` − 1 labels, at most 2¹⁶ of them.
pub(crate) struct Registry<const LEN: usize>([AtomicPtr<Label>; LEN]);

impl<const LEN: usize> Registry<LEN> {
    pub(crate) const fn new() -> Self {
        assert!(LEN > 1 && LEN <= 1 << u16::BITS);
        Registry([const { AtomicPtr::new(std::ptr::null_mut()) }; LEN])
    }

    /// The id of a label, the same each time; `None` if it is new and all ids
    /// are taken. The copy that is made of a new one stays for good.
    pub(crate) fn register(&self, key: &'static str, value: &str) -> Option<NonZeroU16> {
        let mut own: Option<Box<Label>> = None;
        let first = hash(key, value) as usize % (LEN - 1);
        for step in 0..LEN - 1 {
            // Place 0 stays empty: an id is not zero.
            let id = 1 + (first + step) % (LEN - 1);
            let place = self.0.get(id)?;
            if place.load(Ordering::Acquire).is_null() {
                let label = own
                    .take()
                    .unwrap_or_else(|| thread::untracked(|| Box::new(copy(key, value))));
                match publish(place, label) {
                    Ok(()) => return narrow(id),
                    // Another thread was faster, perhaps with the same label.
                    Err((label, _)) => own = Some(label),
                }
            }
            if self.at(id) == Some((key, value)) {
                return narrow(id);
            }
        }
        None
    }

    /// Key and value of an id; `None` if it is not taken.
    pub(crate) fn get(&self, id: NonZeroU16) -> Option<(&'static str, &str)> {
        self.at(usize::from(id.get()))
    }

    /// All ids that are taken.
    pub(crate) fn ids(&self) -> impl Iterator<Item = NonZeroU16> {
        (1..LEN)
            .filter(|&id| self.at(id).is_some())
            .filter_map(narrow)
    }

    fn at(&self, id: usize) -> Option<(&'static str, &str)> {
        let label = self.0.get(id)?.load(Ordering::Acquire);
        // SAFETY: null, or published by `publish` for good.
        unsafe { label.as_ref() }.map(|label| (label.key, &*label.value))
    }
}

fn narrow(id: usize) -> Option<NonZeroU16> {
    NonZeroU16::new(u16::try_from(id).ok()?)
}

fn hash(key: &str, value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (key, value).hash(&mut hasher);
    hasher.finish()
}

fn copy(key: &'static str, value: &str) -> Label {
    let value = Box::from(value);
    Label { key, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn equal_labels_are_one_and_the_full_registry_refuses() {
        // Static: what it holds is never given back.
        static REGISTRY: Registry<16> = Registry::new();
        let names: Vec<String> = (0..20).map(|number| format!("map {number}")).collect();
        let ids: Vec<_> = names
            .iter()
            .map(|name| REGISTRY.register("map", name))
            .collect();
        assert!(ids[..15].iter().all(Option::is_some));
        assert!(ids[15..].iter().all(Option::is_none));
        let again: Vec<_> = names
            .iter()
            .map(|name| REGISTRY.register("map", name))
            .collect();
        assert_eq!(again, ids);
        for (name, id) in names.iter().zip(&ids[..15]) {
            let id = id.expect("checked above");
            assert!(usize::from(id.get()) < 16);
            assert_eq!(REGISTRY.get(id), Some(("map", name.as_str())));
        }
        let mut taken: Vec<_> = REGISTRY.ids().collect();
        taken.sort_unstable();
        assert_eq!(
            taken,
            (1..16).filter_map(NonZeroU16::new).collect::<Vec<_>>()
        );
        assert_eq!(REGISTRY.register("set", "map 0"), None, "another key");
    }

    #[test]
    fn threads_agree_on_ids() {
        static REGISTRY: Registry<64> = Registry::new();
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                std::thread::spawn(move || {
                    // In another order each.
                    (0..40)
                        .map(|step| (step * 7 + worker * 11) % 40)
                        .map(|name| (name, REGISTRY.register("map", &name.to_string())))
                        .collect::<HashMap<_, _>>()
                })
            })
            .collect();
        let seen: Vec<_> = workers
            .into_iter()
            .map(|worker| worker.join().expect("no panic"))
            .collect();
        assert!(seen.iter().all(|ids| *ids == seen[0]));
        assert!(seen[0].values().all(Option::is_some));
        assert_eq!(REGISTRY.ids().count(), 40);
    }
}
