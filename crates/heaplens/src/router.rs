//! The routes for a program that has an axum router already.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{MethodRouter, any};

use crate::routes;
use crate::state::App;

/// The agent's routes as a [`Router`]: all under `/debug/`, and `/metrics`.
/// The same as [`Routes::new`]`.router()`.
///
/// ```
/// let app: axum::Router = axum::Router::new()
///     .route("/", axum::routing::get(|| async { "hello" }))
///     .merge(heaplens::router());
/// ```
///
/// **Who may ask is the program's business here.** A profile tells function
/// names and sizes: put these routes on an internal port or behind the
/// program's own authentication. Nor does this router check `Host`, bound
/// connections or close slow ones; [`Agent`](crate::Agent) does.
///
/// Costly work runs one piece at a time on the runtime's blocking threads,
/// outside the profile. `?seconds=` needs a runtime with time enabled, as
/// `#[tokio::main]` gives. Nothing runs while nobody asks: the growth of
/// [tracked maps](crate::maps) is reckoned from one request for `/metrics` or
/// `/debug/maps` to the next, and reads of them are dated as finely as that, or as
/// the program calls [`maps::tick`](crate::maps::tick).
pub fn router() -> Router {
    Routes::new().router()
}

/// [`router`] with settings.
#[derive(Clone, Debug)]
#[must_use = "routes serve nothing before `router()`"]
pub struct Routes {
    expose_cmdline: bool,
    metrics: bool,
    what_if_drop: bool,
}

impl Routes {
    /// All routes, with the program's arguments not shown.
    pub fn new() -> Self {
        Routes {
            expose_cmdline: false,
            metrics: true,
            what_if_drop: false,
        }
    }

    /// Whether `/debug/pprof/cmdline` shows the program's arguments, which may
    /// hold secrets.
    pub fn expose_cmdline(mut self, expose: bool) -> Self {
        self.expose_cmdline = expose;
        self
    }

    /// Whether `/metrics` is among the routes. A program that has one already
    /// takes it out, or axum panics on the overlap, and registers a
    /// [`Collector`](crate::Collector) in its own registry.
    pub fn metrics(mut self, serve: bool) -> Self {
        self.metrics = serve;
        self
    }

    /// Whether what a map retains may be measured by a child that drops it, as
    /// [`Builder::what_if_drop`](crate::Builder::what_if_drop) has it.
    pub fn what_if_drop(mut self, allow: bool) -> Self {
        self.what_if_drop = allow;
        self
    }

    /// The router, to merge or to nest.
    pub fn router(self) -> Router {
        if self.what_if_drop {
            heaplens_alloc::allow_what_if(true);
        }
        let app = App::new(self.expose_cmdline);
        routes::MOUNTED
            .iter()
            .filter(|path| self.metrics || **path != "/metrics")
            .fold(Router::new(), |router, path| router.route(path, handler()))
            .with_state(app)
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

/// Every method goes to the table of routes, which knows what each path allows.
fn handler() -> MethodRouter<Arc<App>> {
    any(
        async |State(app): State<Arc<App>>, request: Request| -> Response {
            routes::dispatch(&app, request).await.map(Body::new)
        },
    )
}
