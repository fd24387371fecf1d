//! `/debug/pprof/heap`, `/debug/pprof/allocs`, `/debug/heap`.

use std::sync::Arc;

use heaplens_profile::{DefaultType, Profile, pprof, text};
use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::sync::OnceCell;

use crate::handlers::{delta, held};
use crate::metrics::memstats;
use crate::params::{BadParameter, ProfileQuery};
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

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

    pub(crate) fn default_type(self) -> DefaultType {
        match self {
            Flavour::Heap => DefaultType::InuseSpace,
            Flavour::Allocs => DefaultType::AllocSpace,
        }
    }
}

/// A profile that was made, and the encodings that were asked of it.
#[derive(Debug)]
pub(crate) struct Built {
    profile: Profile,
    /// Fields of Go's `MemStats`, for the text form.
    memstats: Vec<(String, String)>,
    heap: OnceCell<Bytes>,
    allocs: OnceCell<Bytes>,
    text: OnceCell<Bytes>,
}

/// An output format.
#[derive(Clone, Copy)]
enum Encoding {
    Pprof(Flavour),
    Text,
}

impl Built {
    fn make(app: &App) -> Result<Self, Failure> {
        let snapshot = heaplens_alloc::snapshot();
        let memstats = memstats::lines(&memstats::read(), &snapshot.counters);
        let [profile] = app.profiles([&snapshot])?;
        Ok(Built {
            profile,
            memstats,
            heap: OnceCell::new(),
            allocs: OnceCell::new(),
            text: OnceCell::new(),
        })
    }

    fn encode(&self, encoding: Encoding) -> Bytes {
        match encoding {
            Encoding::Pprof(flavour) => pprof::encode(&self.profile, flavour.default_type()).into(),
            Encoding::Text => text::render(&self.profile, &self.memstats).into(),
        }
    }
}

/// Answers with a profile of the heap.
pub(crate) async fn serve(
    app: &Arc<App>,
    flavour: Flavour,
    query: Result<ProfileQuery, BadParameter>,
) -> Reply {
    let query = match query {
        Ok(query) => query,
        Err(fault) => return fault.reply(),
    };
    if !heaplens_alloc::counters().installed {
        return not_installed();
    }
    if let Some(name) = query.map {
        return held::serve(app, name, query.text).await;
    }
    let (encoding, name) = match (query.text, query.seconds) {
        (_, Some(seconds)) => {
            let inuse = if query.inuse_last {
                delta::Inuse::Last
            } else {
                delta::Inuse::Changed
            };
            return delta::serve(app, flavour, seconds, inuse).await;
        }
        (true, None) => (Encoding::Text, None),
        (false, None) => (Encoding::Pprof(flavour), Some(flavour.name())),
    };
    match encoded(app, encoding).await {
        Ok(bytes) => match name {
            Some(name) => respond::file(name, bytes),
            None => respond::text(bytes),
        },
        Err(failure) => failure.reply(),
    }
}

/// The profile in the making, or a new one, in one encoding. Each encoding is
/// made once for all who share the profile.
async fn encoded(app: &Arc<App>, encoding: Encoding) -> Result<Bytes, Failure> {
    let making = Arc::clone(app);
    let built = app
        .flight
        .join(|| async move {
            let app = Arc::clone(&making);
            making.costly.run(move || Built::make(&app)).await?
        })
        .await?;
    let cell = match encoding {
        Encoding::Pprof(Flavour::Heap) => &built.heap,
        Encoding::Pprof(Flavour::Allocs) => &built.allocs,
        Encoding::Text => &built.text,
    };
    let bytes = cell
        .get_or_try_init(|| {
            let built = Arc::clone(&built);
            app.costly.run_admitted(move || built.encode(encoding))
        })
        .await?;
    Ok(bytes.clone())
}

/// 501: this program has no profile to give.
pub(crate) fn not_installed() -> Reply {
    respond::error(StatusCode::NOT_IMPLEMENTED, NOT_INSTALLED)
}

/// What to do so that there are samples.
pub(crate) const NOT_INSTALLED: &str = "nothing is sampled, because heaplens::Alloc is not the \
     global allocator of this program; add to its main.rs: #[global_allocator] static ALLOC: \
     heaplens::Alloc = heaplens::Alloc::new();";
