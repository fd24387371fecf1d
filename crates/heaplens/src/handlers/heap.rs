//! `/debug/pprof/heap`, `/debug/pprof/allocs`, `/debug/heap`.

mod built;
mod form;
pub(crate) mod lifetimes;
pub(crate) mod own;
mod refusal;

use std::sync::Arc;

use heaplens_profile::DefaultType;
use hyper::StatusCode;

use crate::handlers::delta;
use crate::params::{BadParameter, GoQuery, HeapQuery};
use crate::respond::{self, Reply};
use crate::state::App;

pub(crate) use built::Built;
pub(crate) use form::{Form, held_no_more};
pub(crate) use refusal::Refusal;

/// The two names of the same data: they differ in what viewers show first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    Heap,
    Allocs,
}

impl Flavour {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Flavour::Heap => "heap",
            Flavour::Allocs => "allocs",
        }
    }

    /// The type that viewers show first.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Flavour::Heap => "inuse_space",
            Flavour::Allocs => "alloc_space",
        }
    }

    pub(crate) fn default_type(self) -> DefaultType {
        match self {
            Flavour::Heap => DefaultType::InuseSpace,
            Flavour::Allocs => DefaultType::AllocSpace,
        }
    }
}

/// Answers as Go's `net/http/pprof` does.
pub(crate) async fn serve(
    app: &Arc<App>,
    flavour: Flavour,
    query: Result<GoQuery, BadParameter>,
) -> Reply {
    let query = match query {
        Ok(query) => query,
        Err(fault) => return fault.reply(),
    };
    if !heaplens_alloc::counters().installed {
        return not_installed();
    }
    if let Some(seconds) = query.seconds {
        return delta::serve(app, flavour, seconds, query.inuse).await;
    }
    let form = Form::plain(flavour, query.text);
    match built::shared(app, &form).await {
        Ok(bytes) => form.reply(flavour.name(), bytes),
        Err(refusal) => refusal.reply(),
    }
}

/// Answers on our own paths.
pub(crate) async fn serve_own(app: &Arc<App>, query: Result<HeapQuery, BadParameter>) -> Reply {
    let query = match query {
        Ok(query) => query,
        Err(fault) => return fault.reply(),
    };
    if !heaplens_alloc::counters().installed {
        return not_installed();
    }
    own::serve(app, query).await
}

/// 501: this program has no profile to give.
pub(crate) fn not_installed() -> Reply {
    respond::error(StatusCode::NOT_IMPLEMENTED, NOT_INSTALLED)
}

/// What to do so that there are samples.
pub(crate) const NOT_INSTALLED: &str = "nothing is sampled, because heaplens::Alloc is not the \
     global allocator of this program; add to its main.rs: #[global_allocator] static ALLOC: \
     heaplens::Alloc = heaplens::Alloc::new();";
