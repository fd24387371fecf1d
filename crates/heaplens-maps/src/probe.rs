//! Containers that are asked instead of wrapped: what several threads write
//! through `&self`, and what the program cannot exchange for another type.

mod registry;
mod source;

use std::sync::Arc;

use crate::group::Group;
use crate::map_metrics::{Figures, MapMetrics};

use registry::Key;
pub use registry::MAX_PROBES;
pub(crate) use registry::Probe;
use source::{Owned, Source, Static, Watched};

pub(crate) use registry::{Polled, measure, of_group, panicked, poll, refused};
pub(crate) use source::Attempt;

/// Shows a container in every report, under the group `name`, for as long as
/// the `Arc` lives.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Arc, RwLock};
///
/// let sessions = Arc::new(RwLock::new(HashMap::from([(17, "Ada")])));
/// heaplens_maps::probe("sessions", &sessions);
///
/// let report = heaplens_maps::report();
/// let group = report.groups.iter().find(|group| group.name == "sessions");
/// assert_eq!(group.map(|group| group.entries), Some(1));
/// ```
///
/// The container is held by a `Weak` and asked by whoever takes a report; its
/// own operations cost nothing more. With its last `Arc` it vanishes from the
/// reports; if that goes just while the container is asked, it is dropped by the
/// reporting thread. The block of the `Arc` itself is given back at the next
/// report. Asking takes what [`MapMetrics`] says of the type, and some atomic
/// operations.
///
/// Inserts and removes of such a container are not known, see
/// [`GroupReport::probed`](crate::GroupReport::probed). To probe one container
/// twice under one name changes nothing. Returns `false` if [`MAX_PROBES`] are
/// alive; that is counted in
/// [`Report::probes_refused`](crate::Report::probes_refused).
pub fn probe<M>(name: &str, container: &Arc<M>) -> bool
where
    M: MapMetrics + Send + Sync + 'static,
{
    let key = Key::Shared(Arc::as_ptr(container).addr());
    add(
        name,
        key,
        Watched::new(container, M::figures, M::hold_still),
    )
}

/// As [`probe`](crate::probe()), for a type that is not of this program and
/// known to no adapter: `read` tells its figures. It must be as cheap as the
/// methods of [`MapMetrics`], and return `None` rather than wait for a lock.
///
/// ```
/// use std::sync::Arc;
/// use heaplens_maps::{Figures, probe_with};
///
/// let names = Arc::new(vec!["Ada"]);
/// probe_with("names", &names, |names| Some(Figures::of_entries(names.len() as u64)));
/// ```
pub fn probe_with<M, F>(name: &str, container: &Arc<M>, read: F) -> bool
where
    M: Send + Sync + 'static,
    F: Fn(&M) -> Option<Figures> + Send + Sync + 'static,
{
    let key = Key::Shared(Arc::as_ptr(container).addr());
    let at_any_moment = |_: &M, f: &mut dyn FnMut()| {
        f();
        true
    };
    add(name, key, Watched::new(container, read, at_any_moment))
}

/// As [`probe`](crate::probe()), for a container in a static, which is asked for
/// ever.
///
/// ```
/// use std::sync::Mutex;
///
/// static QUEUE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
///
/// heaplens_maps::probe_static("queue", &QUEUE);
/// ```
pub fn probe_static<M>(name: &str, container: &'static M) -> bool
where
    M: MapMetrics + Sync + 'static,
{
    let key = Key::Shared(std::ptr::from_ref(container).addr());
    add(name, key, Static(container))
}

/// As [`probe`](crate::probe()), for a type that is itself a shared handle, such
/// as the caches of moka, of which a clone is given: the container is shown until
/// the guard is dropped, and its clone is kept until then.
#[must_use = "the container is shown until the guard is dropped"]
pub fn probe_owned<M>(name: &str, container: M) -> ProbeGuard
where
    M: MapMetrics + Send + Sync + 'static,
{
    let key = Key::owned();
    let group = Group::named(name);
    let is_shown = add_to(group, key, Owned(container));
    ProbeGuard {
        group,
        key: is_shown.then_some(key),
    }
}

fn add(name: &str, key: Key, source: impl Source + 'static) -> bool {
    add_to(Group::named(name), key, source)
}

fn add_to(group: Group, key: Key, source: impl Source + 'static) -> bool {
    heaplens_alloc::untracked(|| registry::add(Probe::new(group, key, Box::new(source))))
}

/// Keeps a container in the reports: see [`probe_owned`].
#[derive(Debug)]
pub struct ProbeGuard {
    group: Group,
    key: Option<Key>,
}

impl ProbeGuard {
    /// Whether the container is shown: `false` if [`MAX_PROBES`] were alive when
    /// it should have been registered, or when it panicked since.
    pub fn is_shown(&self) -> bool {
        self.key
            .is_some_and(|key| registry::contains(self.group, key))
    }

    /// The group in which it is shown.
    pub fn group(&self) -> Group {
        self.group
    }
}

impl Drop for ProbeGuard {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            registry::remove(self.group, key);
        }
    }
}
