//! `/debug/pprof/delta_heap`: what was allocated since this client's last fetch,
//! and what is in use. The path is that of Grafana's godeltaprof.
//!
//! Made from the counters of sites: each client's base holds the cumulative figures
//! that it has seen, and no profile is taken apart. No value is negative.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use heaplens_alloc::Base;
use heaplens_profile::{DefaultType, pprof};
use hyper::Method;
use hyper::body::Bytes;
use hyper::http::request::Parts;

use crate::clients::Client;
use crate::handlers::heap;
use crate::params;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

/// Answers with the delta, and remembers that this client has it. A HEAD request
/// changes nothing.
pub(crate) async fn serve(app: &Arc<App>, parts: &Parts) -> Reply {
    if let Err(reply) = heap::ready(params::without_seconds(parts.uri.query())) {
        return *reply;
    }
    let (work, client) = (Arc::clone(app), Client::of(parts));
    let is_fetch = parts.method == Method::GET;
    // One at a time: of two requests of a client the second begins where the first
    // ended.
    let done = app.costly.run(move || take(&work, client, is_fetch)).await;
    match done {
        Ok(Ok(bytes)) => respond::file("delta_heap", bytes),
        Ok(Err(failure)) | Err(failure) => failure.reply(),
    }
}

fn take(app: &App, client: Client, is_fetch: bool) -> Result<Bytes, Failure> {
    let (snapshot, now) = (heaplens_alloc::snapshot(), Instant::now());
    let clients = || app.clients.lock().unwrap_or_else(PoisonError::into_inner);
    let known = clients().base_of(&client, now);
    let seen = snapshot.base();
    let delta = if let Some((base, window)) = &known {
        snapshot.after(base, *window)
    } else {
        let age = snapshot.taken_at.duration_since(snapshot.since);
        snapshot.after(&Base::default(), age.unwrap_or_default())
    };
    let [mut profile] = app.profiles([&delta])?;
    profile.comments.push(
        match known {
            Some(_) => "delta_heap: since this client's last fetch",
            None => "delta_heap: this client's first fetch, so since sampling began",
        }
        .to_owned(),
    );
    let bytes = pprof::encode(&profile, DefaultType::InuseSpace).into();
    if is_fetch {
        clients().saw(client, seen, now);
    }
    Ok(bytes)
}
