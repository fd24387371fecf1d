//! Leaves out of a profile what no sample refers to.

use std::sync::Arc;

use crate::model::{Location, Profile};

/// Keeps the order of what stays. Mappings stay all: the first one says which
/// program this is.
pub(crate) fn compact(profile: &mut Profile) {
    let samples = profile.samples.iter();
    let used = samples.flat_map(|sample| sample.locations.iter().copied());
    let (locations, numbers) = kept(&profile.locations, used);
    for sample in &mut profile.samples {
        renumber(&mut sample.locations, &numbers);
    }
    profile.locations = locations;

    let lines = profile.locations.iter().flat_map(|of| of.lines.iter());
    let used = lines.map(|line| line.function);
    let (functions, numbers) = kept::<Arc<_>>(&profile.functions, used);
    for location in &mut profile.locations {
        renumber_lines(location, &numbers);
    }
    profile.functions = functions;
}

/// The values that are used, and the new number of each old one.
fn kept<T: Clone>(values: &[T], used: impl Iterator<Item = usize>) -> (Vec<T>, Vec<Option<usize>>) {
    let mut is_used = vec![false; values.len()];
    for index in used {
        if let Some(flag) = is_used.get_mut(index) {
            *flag = true;
        }
    }
    let mut kept = Vec::new();
    let numbers = values
        .iter()
        .zip(is_used)
        .map(|(value, is_used)| {
            is_used.then(|| {
                kept.push(value.clone());
                kept.len() - 1
            })
        })
        .collect();
    (kept, numbers)
}

fn renumber(indices: &mut Vec<usize>, numbers: &[Option<usize>]) {
    indices.retain_mut(|index| match numbers.get(*index) {
        Some(Some(number)) => {
            *index = *number;
            true
        }
        _ => false,
    });
}

fn renumber_lines(location: &mut Location, numbers: &[Option<usize>]) {
    location
        .lines
        .retain_mut(|line| match numbers.get(line.function) {
            Some(Some(number)) => {
                line.function = *number;
                true
            }
            _ => false,
        });
}
