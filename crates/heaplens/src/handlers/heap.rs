//! `/debug/pprof/heap`, `/debug/pprof/allocs`, `/debug/heap`.

mod built;
mod form;
pub(crate) mod lifetimes;
pub(crate) mod own;
mod refusal;

use std::sync::Arc;

use heaplens_profile::DefaultType;
use hyper::StatusCode;
use hyper::body::Bytes;

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
    let query = match ready(query) {
        Ok(query) => query,
        Err(reply) => return *reply,
    };
    if let Some(seconds) = query.seconds {
        return delta::serve(app, flavour, seconds, query.inuse).await;
    }
    let form = Form::plain(flavour, query.text);
    form.answer(flavour.name(), built::shared(app, &form).await)
}

/// Answers on our own paths.
pub(crate) async fn serve_own(app: &Arc<App>, query: Result<HeapQuery, BadParameter>) -> Reply {
    match ready(query) {
        Ok(query) => own::serve(app, query).await,
        Err(reply) => *reply,
    }
}

/// What is asked for, if it is well formed and there are samples; or the answer that
/// says what is wrong.
pub(crate) fn ready<Q>(query: Result<Q, BadParameter>) -> Result<Q, Box<Reply>> {
    let query = query.map_err(|fault| fault.reply())?;
    if heaplens_alloc::counters().installed {
        Ok(query)
    } else {
        Err(Box::new(not_installed()))
    }
}

/// Does a costly piece of work, off the event loop and in its turn.
pub(crate) async fn made<F>(app: &Arc<App>, job: F) -> Result<Bytes, Refusal>
where
    F: FnOnce(&App) -> Result<Bytes, Refusal> + Send + 'static,
{
    let work = Arc::clone(app);
    app.costly.run(move || job(&work)).await?
}

/// 501: this program has no profile to give.
pub(crate) fn not_installed() -> Reply {
    respond::error(StatusCode::NOT_IMPLEMENTED, NOT_INSTALLED)
}

/// What to do so that there are samples.
pub(crate) const NOT_INSTALLED: &str = "nothing is sampled, because heaplens::Alloc is not the \
     global allocator of this program; add to its main.rs: #[global_allocator] static ALLOC: \
     heaplens::Alloc = heaplens::Alloc::new();";
