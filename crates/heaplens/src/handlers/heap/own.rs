//! `/debug/heap`: the heap in any form, the whole or a part.

use std::sync::Arc;
use std::time::Duration;

use heaplens_alloc::Snapshot;
use heaplens_profile::{Profile, rfc3339};
use hyper::body::Bytes;

use super::form::{Form, held_no_more};
use super::refusal::Refusal;
use super::{Flavour, built, made};
use crate::handlers::{delta, held};
use crate::history::{self, Restored};
use crate::params::{BadParameter, Base, Format, HeapQuery, When};
use crate::respond::Reply;
use crate::state::App;

/// Answers with what is asked for.
pub(crate) async fn serve(app: &Arc<App>, query: HeapQuery) -> Reply {
    let part = Part::of(query);
    let form = part.form.clone();
    let (name, done) = match (part.query.seconds, part.query.base) {
        (Some(seconds), _) => ("heap-delta", window(app, part, seconds).await),
        (None, Some(Base::Before(when))) => ("heap-delta", since(app, part, when).await),
        (None, _) if part.is_whole() => ("heap", built::shared(app, &form).await),
        (None, _) => ("heap", alone(app, part).await),
    };
    form.answer(name, done)
}

/// Answers with a flame graph of what changed since `base`, which is decoded as
/// part of the work.
pub(crate) async fn compare<F>(app: &Arc<App>, query: HeapQuery, base: F) -> Reply
where
    F: FnOnce() -> Result<Profile, Refusal> + Send + 'static,
{
    let part = Part::of(query);
    let form = part.form.clone();
    let job = move |app: &App| {
        let mut base = base()?;
        part.restrict(&mut base)?;
        let [profile] = part.profiles(app, [part.moment()?])?;
        Ok(part.form.compare(&base, &profile)?)
    };
    form.answer(Flavour::Heap.name(), made(app, job).await)
}

/// A profile that nobody else asks for.
async fn alone(app: &Arc<App>, part: Part) -> Result<Bytes, Refusal> {
    let job = move |app: &App| {
        let [profile] = part.profiles(app, [part.moment()?])?;
        Ok(part.form.write(&profile, &[]))
    };
    made(app, job).await
}

/// What changed within so many seconds.
async fn window(app: &Arc<App>, part: Part, seconds: u64) -> Result<Bytes, Refusal> {
    let job = move |app: &App, snapshots: [Snapshot; 2], length: Duration| {
        let [before, after] = part.profiles(app, snapshots.map(Restored::of_now))?;
        if part.query.base == Some(Base::Window) {
            return Ok(part.form.compare(&before, &after)?);
        }
        let delta = delta::difference(&before, after, length, part.query.inuse)?;
        Ok(part.form.write(&delta, &[]))
    };
    delta::window(app, seconds, job).await?
}

/// What changed since a snapshot of the history.
async fn since(app: &Arc<App>, part: Part, base: When) -> Result<Bytes, Refusal> {
    let job = move |app: &App| {
        let (before, after) = (history::restore(&base)?, part.moment()?);
        let is_same_run = before.earlier == after.earlier;
        let times = [&after, &before].map(|of| of.snapshot.taken_at);
        let length = times[0].duration_since(times[1]).map_err(|_| {
            let [at, base] = times.map(rfc3339::format);
            BadParameter::because(format!(
                "the base is of {base}, after what is compared with it, which is of {at}: \
                     exchange at and base"
            ))
        })?;
        let [mut before, mut after] = part.profiles(app, [before, after])?;
        if !is_same_run {
            begin_with_this_run(&mut before, &mut after);
        }
        if part.form.format == Format::Svg {
            return Ok(part.form.compare(&before, &after)?);
        }
        let mut delta = delta::difference(&before, after, length, part.query.inuse)?;
        allocated_no_less(&mut delta);
        Ok(part.form.write(&delta, &[]))
    };
    made(app, job).await
}

/// The build of the program that runs now.
fn main_build_id(profile: &Profile) -> Option<&str> {
    let mut mappings = profile.mappings.iter().map(|of| &of.mapping);
    mappings.find(|of| of.main)?.build_id.as_deref()
}

/// What was allocated since a moment of an earlier run is not known; what this run allocated
/// is.
fn begin_with_this_run(before: &mut Profile, after: &mut Profile) {
    for sample in &mut before.samples {
        for value in sample.values.iter_mut().take(2) {
            *value = 0;
        }
    }
    let comment = "the base is of an earlier run of the program: alloc_objects and alloc_space \
         are those of this run, since its start";
    after.comments.push(comment.to_owned());
}

/// Cumulative values never fall. Where they seem to, by one, that is because the history
/// keeps them in sixteenths, rounded up.
fn allocated_no_less(delta: &mut Profile) {
    let types: Vec<bool> = delta
        .types
        .iter()
        .map(|of| of.kind.starts_with("alloc_"))
        .collect();
    for sample in &mut delta.samples {
        for (value, _) in sample.values.iter_mut().zip(&types).filter(|of| *of.1) {
            *value = (*value).max(0);
        }
    }
    delta
        .samples
        .retain(|sample| sample.values.iter().any(|&value| value != 0));
}

/// A part of the heap, and how it is shown.
struct Part {
    query: HeapQuery,
    form: Form,
}

impl Part {
    fn of(query: HeapQuery) -> Self {
        let form = Form::of(&query);
        Part { query, form }
    }

    /// Whether it is made from what all others ask for as well.
    fn is_whole(&self) -> bool {
        let query = &self.query;
        let is_of_now = query.at.is_none() && query.older.is_none();
        is_of_now && query.map.is_none() && !query.unsymbolized
    }

    /// Of the moment asked for, or of now.
    fn moment(&self) -> Result<Restored, Refusal> {
        Ok(match (self.query.at, self.query.older) {
            (Some(at), _) => history::restore(&at)?,
            (None, Some(age)) => Restored::of_now(heaplens_alloc::survivors(age)),
            (None, None) => Restored::of_now(heaplens_alloc::snapshot()),
        })
    }

    /// Profiles of this part of each snapshot, with what is asked for in them.
    fn profiles<const N: usize>(
        &self,
        app: &App,
        moments: [Restored; N],
    ) -> Result<[Profile; N], Refusal> {
        let runs = moments.each_ref().map(|of| of.earlier.clone());
        let mut snapshots = moments.map(|of| of.snapshot);
        let mut held = Vec::new();
        if let Some(name) = &self.query.map {
            // What others hold needs no symbols.
            held.extend(snapshots.iter_mut().map(|of| held::keep(of, name)));
            if held.iter().all(|of| of.samples == 0) && !held::exists(name) {
                return Err(Refusal::NoMap(name.clone()));
            }
        }
        let mut profiles = app.profiles_of(snapshots.each_ref(), !self.query.unsymbolized)?;
        for (index, profile) in profiles.iter_mut().enumerate() {
            self.restrict(profile)?;
            if let (Some(name), Some(held)) = (&self.query.map, held.get(index)) {
                held::describe(profile, name, held);
            }
            if let Some(age) = self.query.older {
                let age = age.as_secs_f64();
                let comment = format!("only blocks allocated at least {age} s before, and alive");
                profile.comments.push(comment);
            }
            if self.query.at.is_some() {
                let taken_at = rfc3339::format(profile.time);
                profile.comments.push(format!("as it was at {taken_at}"));
            }
            if let Some(Some(run)) = runs.get(index) {
                let comment = run.comment(main_build_id(profile));
                profile.comments.push(comment);
            }
        }
        Ok(profiles)
    }

    /// Leaves what the map holds, and what is selected.
    fn restrict(&self, profile: &mut Profile) -> Result<(), Refusal> {
        if let Some(name) = &self.query.map {
            profile.samples.retain(|of| held::is_held(&of.labels, name));
            profile.compact();
            held_no_more(profile);
        }
        Ok(self.form.select(profile)?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use heaplens_alloc::{Counters, Site, Stack, StackKind, Tally};
    use heaplens_profile::Mappings;
    use heaplens_profile::diff::Inuse;

    use super::*;
    use crate::history::restored_for_tests;

    /// One stack, with what was allocated and is in use at an interval that makes
    /// estimates fractions.
    fn snapshot(sizes: &[u64]) -> Snapshot {
        let mut tally = Tally::default();
        for size in sizes {
            tally.record(*size, 3001);
        }
        let stack = Stack::new(vec![0x1000], StackKind::Captured);
        let site = Site::new(0, 4096, tally, tally);
        let now = SystemTime::now();
        Snapshot::from_parts(now, now, Counters::default(), vec![stack], vec![site])
    }

    #[test]
    fn of_what_was_kept_nothing_seems_to_fall() {
        let mut fell = 0;
        for count in 1..200_u64 {
            let sizes: Vec<u64> = (0..count).map(|at| 1 + at * 7919 % 4096).collect();
            let now = snapshot(&sizes);
            let [before, now] = [&restored_for_tests(&now), &now]
                .map(|of| Profile::new(of, &Mappings::default(), None));
            let mut delta = now.since(&before, Inuse::Last).unwrap();
            let is_negative = |of: &Profile| {
                let mut values = of.samples.iter().flat_map(|sample| &sample.values);
                values.any(|value| *value < 0)
            };
            fell += u32::from(is_negative(&delta));
            allocated_no_less(&mut delta);
            assert!(!is_negative(&delta), "{count}");
        }
        assert!(fell > 0, "rounding shows in some");
    }
}
