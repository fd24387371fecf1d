//! `/debug/heap`: the heap in any form, the whole or a part.

use std::sync::Arc;
use std::time::Duration;

use heaplens_alloc::Snapshot;
use heaplens_profile::Profile;
use hyper::body::Bytes;

use super::form::{Form, held_no_more};
use super::refusal::Refusal;
use super::{Flavour, built, made};
use crate::handlers::{delta, held};
use crate::params::{Base, HeapQuery};
use crate::respond::Reply;
use crate::state::App;

/// Answers with what is asked for.
pub(crate) async fn serve(app: &Arc<App>, query: HeapQuery) -> Reply {
    let part = Part::of(query);
    let form = part.form.clone();
    let (name, done) = match part.query.seconds {
        Some(seconds) => ("heap-delta", window(app, part, seconds).await),
        None if part.is_whole() => ("heap", built::shared(app, &form).await),
        None => ("heap", alone(app, part).await),
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
        let [profile] = part.profiles(app, [part.snapshot()])?;
        Ok(part.form.compare(&base, &profile)?)
    };
    form.answer(Flavour::Heap.name(), made(app, job).await)
}

/// A profile that nobody else asks for.
async fn alone(app: &Arc<App>, part: Part) -> Result<Bytes, Refusal> {
    let job = move |app: &App| {
        let [profile] = part.profiles(app, [part.snapshot()])?;
        Ok(part.form.write(&profile, &[]))
    };
    made(app, job).await
}

/// What changed within so many seconds.
async fn window(app: &Arc<App>, part: Part, seconds: u64) -> Result<Bytes, Refusal> {
    let job = move |app: &App, snapshots: [Snapshot; 2], length: Duration| {
        let [before, after] = part.profiles(app, snapshots)?;
        if part.query.base == Some(Base::Window) {
            return Ok(part.form.compare(&before, &after)?);
        }
        let delta = delta::difference(&before, after, length, part.query.inuse)?;
        Ok(part.form.write(&delta, &[]))
    };
    delta::window(app, seconds, job).await?
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
        query.map.is_none() && query.older.is_none() && !query.unsymbolized
    }

    fn snapshot(&self) -> Snapshot {
        match self.query.older {
            Some(age) => heaplens_alloc::survivors(age),
            None => heaplens_alloc::snapshot(),
        }
    }

    /// Profiles of this part of each snapshot, with what is asked for in them.
    fn profiles<const N: usize>(
        &self,
        app: &App,
        mut snapshots: [Snapshot; N],
    ) -> Result<[Profile; N], Refusal> {
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
