//! What tenants keep here.

use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use heaplens::TrackedHashMap;

use crate::metrics::Metrics;
use crate::tenant;

/// Notes by tenant and key.
type Kept = TrackedHashMap<(&'static str, String), Vec<u8>>;

#[derive(Clone)]
pub(crate) struct Notes(Arc<RwLock<Kept>>);

impl Notes {
    pub(crate) fn new() -> Self {
        Notes(Arc::new(RwLock::new(Kept::named("notes"))))
    }
}

pub(crate) async fn put(
    State((notes, metrics)): State<(Notes, Metrics)>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    metrics.count("put");
    let mut notes = notes.0.write().unwrap_or_else(PoisonError::into_inner);
    match notes.insert((tenant::name(&headers), key), body.to_vec()) {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::CREATED,
    }
}

pub(crate) async fn get(
    State((notes, metrics)): State<(Notes, Metrics)>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Vec<u8>, StatusCode> {
    metrics.count("get");
    let notes = notes.0.read().unwrap_or_else(PoisonError::into_inner);
    let found = notes.get(&(tenant::name(&headers), key)).cloned();
    found.ok_or(StatusCode::NOT_FOUND)
}
