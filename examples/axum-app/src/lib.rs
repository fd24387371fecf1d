#![forbid(unsafe_code)]
//! A service that keeps notes for its tenants, with Heaplens in the router and the
//! registry that it has anyway: no second port, no second `/metrics`.

mod metrics;
mod notes;
mod tenant;

use axum::routing::{get, put};
use axum::{Router, middleware};

use metrics::Metrics;
use notes::Notes;

/// The service, and under `/internal` what its operators ask for.
///
/// # Errors
///
/// If a metric is registered twice.
pub fn app() -> Result<Router, prometheus::Error> {
    let (notes, metrics) = (Notes::new(), Metrics::new()?);
    let service = Router::new()
        .route("/notes/{key}", put(notes::put).get(notes::get))
        .with_state((notes, metrics.clone()))
        .layer(middleware::from_fn(tenant::label_of));
    // In production: on an internal port, or behind the service's own authentication.
    let internal = Router::new()
        .route("/metrics", get(metrics::show).with_state(metrics))
        .merge(heaplens::Routes::new().metrics(false).router());
    Ok(service.nest("/internal", internal))
}
