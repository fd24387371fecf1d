//! In whose name a request allocates.

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use heaplens::{LabelExt, label};

/// Labels stay in memory for good, so a value that clients choose is no label: one of
/// a known few is.
const TENANTS: [&str; 2] = ["acme", "umbrella"];

pub(crate) const OTHER: &str = "other";

/// Labels what a request allocates with its tenant, wherever it is polled.
pub(crate) async fn label_of(request: Request, next: Next) -> Response {
    let tenant = name(request.headers());
    next.run(request).labelled(label("tenant", tenant)).await
}

/// The tenant, by the header of that name.
pub(crate) fn name(headers: &HeaderMap) -> &'static str {
    let asked = headers.get("x-tenant").and_then(|of| of.to_str().ok());
    let known = TENANTS.into_iter().find(|tenant| Some(*tenant) == asked);
    known.unwrap_or(OTHER)
}
