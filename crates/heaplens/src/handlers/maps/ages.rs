//! How old the sampled blocks are that the maps of a group hold, and how many entries were
//! inserted when those were allocated. What is alive will be older when it is freed: ages are
//! censored on the right.

use std::time::Duration;

use heaplens_alloc::holder::Part;
use heaplens_alloc::{AGE_BOUNDS, AGE_CLASSES, age_class, age_class_name, each_live};
use serde_json::{Value, json};

use crate::leaks::Point;
use crate::watch;

/// Series have a point each 15 s: what was inserted within less is not told by them.
const FINEST: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ages {
    classes: [Class; AGE_CLASSES],
}

/// Blocks of one class of age.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Class {
    pub(super) samples: u64,
    /// Estimated, as `bytes` is.
    pub(super) objects: f64,
    pub(super) bytes: f64,
    /// Entries that were inserted so long ago, as far as is known.
    pub(super) inserts: Option<f64>,
}

impl Ages {
    /// Of what keys and values of the group of this name own. Some 30 ns a live sample.
    pub(super) fn of(name: &str) -> Self {
        let mut ages = Ages::default();
        each_live(|sample| {
            if let Some((holder, Part::Contents)) = sample.holder
                && holder.label() == ("map", name)
            {
                ages.add(sample.age, sample.objects, sample.bytes);
            }
        });
        if let Some(watch) = watch::lock().get()
            && let Some((_, points)) = watch.map_series().find(|(of, _)| *of == name)
        {
            ages.inserted(&points);
        }
        ages
    }

    fn add(&mut self, age: Duration, objects: f64, bytes: f64) {
        if let Some(class) = self.classes.get_mut(age_class(age)) {
            class.samples += 1;
            class.objects += objects;
            class.bytes += bytes;
        }
    }

    /// Takes over how many entries were inserted when, from points up to now.
    fn inserted(&mut self, points: &[(Duration, Point)]) {
        let Some((now, last)) = points.last() else {
            return;
        };
        for (number, class) in self.classes.iter_mut().enumerate() {
            let from = number
                .checked_sub(1)
                .and_then(|below| AGE_BOUNDS.get(below));
            let to = AGE_BOUNDS.get(number);
            if to.is_some_and(|to| *to < FINEST) {
                continue;
            }
            let until = from.map_or(Some(last.births as f64), |from| births(points, *now, *from));
            let since = to.map_or(Some(0.0), |to| births(points, *now, *to));
            // What was inserted before there were points is older than all of them.
            class.inserts = match (until, since) {
                (Some(until), Some(since)) => Some(f64::max(until - since, 0.0)),
                (Some(until), None) if first_births(points) == 0 => Some(until),
                _ => None,
            };
        }
    }

    /// The classes in which there is anything, with their names.
    pub(super) fn shown(&self) -> impl Iterator<Item = (&'static str, &Class)> {
        let classes = self.classes.iter().enumerate();
        classes
            .filter(|(_, class)| class.samples > 0 || class.inserts.is_some_and(|of| of > 0.0))
            .map(|(number, class)| (age_class_name(number), class))
    }

    /// All classes, the youngest first.
    pub(super) fn document(&self) -> Value {
        let bound = |number: Option<usize>| {
            let bound = number.and_then(|number| AGE_BOUNDS.get(number));
            bound.map(Duration::as_secs_f64)
        };
        let classes = self.classes.iter().enumerate();
        let classes = classes.map(|(number, class)| {
            let per_insert = class.inserts.filter(|inserts| *inserts >= 1.0);
            json!({
                "age": age_class_name(number),
                "from_seconds": bound(number.checked_sub(1)).unwrap_or(0.0),
                "to_seconds": bound(Some(number)),
                "samples_count": class.samples,
                "objects_count": class.objects,
                "bytes": class.bytes,
                "inserts_count": class.inserts.map(f64::round),
                "objects_per_insert": per_insert.map(|inserts| class.objects / inserts),
            })
        });
        classes.collect()
    }
}

fn first_births(points: &[(Duration, Point)]) -> u64 {
    points.first().map_or(0, |(_, point)| point.births)
}

/// Entries inserted until so long before `now`, by the points around that moment.
fn births(points: &[(Duration, Point)], now: Duration, ago: Duration) -> Option<f64> {
    let at = now.checked_sub(ago)?;
    let behind = points.partition_point(|(time, _)| *time <= at);
    let (before, one) = points.get(behind.checked_sub(1)?)?;
    let Some((after, other)) = points.get(behind) else {
        return Some(one.births as f64);
    };
    let part = |to: Duration| to.saturating_sub(*before).as_secs_f64();
    // Points are apart: the one is before the moment, and the other behind it.
    let part = part(at) / part(*after);
    Some(one.births as f64 + part * (other.births as f64 - one.births as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Ten entries inserted each second, from the beginning to `end`.
    fn points(begin: u64, end: u64) -> Vec<(Duration, Point)> {
        (begin..=end)
            .step_by(15)
            .map(|at| {
                let point = Point {
                    births: at * 10,
                    ..Point::default()
                };
                (seconds(at), point)
            })
            .collect()
    }

    fn inserts(points: &[(Duration, Point)]) -> Vec<Option<u64>> {
        let mut ages = Ages::default();
        ages.inserted(points);
        let classes = ages.classes.iter();
        classes
            .map(|class| class.inserts.map(|inserts| inserts.round() as u64))
            .collect()
    }

    #[test]
    fn what_was_inserted_when() {
        // < 100 s from 10 s on, < 1000 s, < 10000 s, < 1 day, more.
        let whole = inserts(&points(0, 3000));
        assert_eq!(whole[..5], [None; 5], "finer than the points");
        assert_eq!(
            whole[5..],
            [Some(900), Some(9000), Some(20_000), None, None]
        );
        assert_eq!(inserts(&[]), [None; AGE_CLASSES]);
        // Of what came before the points it is not known when.
        let part = inserts(&points(1500, 3000));
        assert_eq!(part[5..], [Some(900), Some(9000), None, None, None]);
        let sum: u64 = whole.iter().flatten().sum();
        // The youngest ten seconds are not told.
        assert_eq!(sum, 29_900);
    }

    #[test]
    fn blocks_by_age_with_what_was_inserted_then() {
        let mut ages = Ages::default();
        for (age, objects) in [(0, 1.0), (20, 2.0), (99, 2.5), (5000, 4.0), (90_000, 8.0)] {
            ages.add(seconds(age), objects, objects * 64.0);
        }
        ages.inserted(&points(0, 3000));
        let document = ages.document();
        let classes = document.as_array().unwrap();
        assert_eq!(classes.len(), AGE_CLASSES);
        let class = |name: &str| {
            let mut classes = classes.iter();
            classes.find(|of| of["age"] == name).unwrap().clone()
        };
        let young = class("< 100 s");
        assert_eq!(young["from_seconds"], 10.0);
        assert_eq!(young["to_seconds"], 100.0);
        assert_eq!(young["samples_count"], 2);
        assert_eq!(young["objects_count"], 4.5);
        assert_eq!(young["bytes"], 288.0);
        assert_eq!(young["inserts_count"], 900.0);
        assert_eq!(young["objects_per_insert"], 0.005);
        assert_eq!(class("< 1 ms")["inserts_count"], Value::Null);
        let old = class(">= 1 day");
        assert_eq!(old["to_seconds"], Value::Null);
        assert_eq!(old["objects_per_insert"], Value::Null);
        let shown: Vec<_> = ages.shown().map(|(name, _)| name).collect();
        let expected = ["< 1 ms", "< 100 s", "< 1000 s", "< 10000 s", ">= 1 day"];
        assert_eq!(shown, expected);
    }
}
