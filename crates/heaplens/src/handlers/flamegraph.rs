//! `/debug/flamegraph`: the heap as a picture, and what changed in it.

use std::sync::Arc;

use heaplens_profile::pprof;
use hyper::StatusCode;
use hyper::body::{Body, Bytes};
use hyper::header::{HeaderMap, HeaderName};

use crate::body;
use crate::handlers::heap::{self, Refusal, own};
use crate::params::{BadParameter, HeapQuery};
use crate::respond::{self, Reply};
use crate::state::App;

/// A compressed profile of a large program takes a few MiB.
const LONGEST_BODY: usize = 16 << 20;

/// What browsers say of where a request comes from.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Answers a GET.
pub(crate) async fn get(app: &Arc<App>, query: Option<&str>) -> Reply {
    heap::serve_own(app, HeapQuery::of_flamegraph(query, false)).await
}

/// Answers a POST of a pprof file with what changed since it. Nothing of it is
/// kept.
pub(crate) async fn post<B>(
    app: &Arc<App>,
    query: Option<&str>,
    headers: &HeaderMap,
    body: B,
) -> Reply
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let query = match HeapQuery::of_flamegraph(query, true) {
        Ok(query) => query,
        Err(fault) => return respond::and_close(fault.reply()),
    };
    if is_from_another_site(headers) {
        return respond::and_close(respond::error(
            StatusCode::FORBIDDEN,
            "a page of another site may not have work done here",
        ));
    }
    if !heaplens_alloc::counters().installed {
        return respond::and_close(heap::not_installed());
    }
    let bytes = match body::read(body, LONGEST_BODY).await {
        Ok(bytes) => bytes,
        Err(reply) => return *reply,
    };
    let base = move || {
        pprof::decode(&bytes).map_err(|error| {
            let fault = format!("the body is not a pprof file to compare with: {error}");
            Refusal::from(BadParameter::because(fault))
        })
    };
    own::compare(app, query, base).await
}

/// Nothing is to be gained by it but our time; and there is no reason for it.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get(SEC_FETCH_SITE);
    site.is_some_and(|site| site != "same-origin" && site != "none")
}
