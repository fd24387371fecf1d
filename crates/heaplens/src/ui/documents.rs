//! What the page is made of: the answers of our own routes, as anybody gets them.
//! What is not served, or not to be had just now, is `None`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use serde_json::Value;

use super::judged::Judged;
use crate::history;
use crate::params;
use crate::respond::Reply;
use crate::routes;
use crate::state::App;
use crate::ui::Part;

/// How long the document waits for a profile. Names of functions may take seconds
/// when they are first looked for; scripts ask again.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Of the page of the whole process.
#[derive(Debug, Default)]
pub(super) struct Documents {
    pub(super) memstats: Option<Value>,
    pub(super) maps: Option<Value>,
    pub(super) judged: Option<Judged>,
    pub(super) sites: Option<Value>,
    /// Whether there is a record of the past.
    pub(super) recorded: bool,
}

impl Documents {
    pub(super) async fn gather(app: &Arc<App>, part: Part) -> Self {
        let live = part != Part::Sites;
        let (memstats, maps, judged, sites, recorded) = tokio::join!(
            of(app, true, "/debug/memstats".to_owned()),
            of(app, live, "/debug/maps".to_owned()),
            judged(app, part),
            soon(app, part, "/debug/heap?format=sites".to_owned()),
            is_recorded(app, part),
        );
        Documents {
            memstats,
            maps,
            judged,
            sites,
            recorded,
        }
    }
}

/// The verdicts, which are no JSON: the watch is asked itself.
async fn judged(app: &Arc<App>, part: Part) -> Option<Judged> {
    if part == Part::Sites {
        return None;
    }
    app.figures.run(Judged::now).await.ok().flatten()
}

/// Whether scripts may ask for the past. Those that are too busy to say are asked again.
async fn is_recorded(app: &Arc<App>, part: Part) -> bool {
    let look = || history::lock().get().is_some();
    part == Part::All && app.figures.run(look).await.unwrap_or(true)
}

/// Of the page of one map.
#[derive(Debug)]
pub(super) struct MapDocuments {
    pub(super) map: Value,
    pub(super) judged: Option<Judged>,
    pub(super) sites: Option<Value>,
    pub(super) retained: Option<Value>,
    /// Whether the program allows that it is measured.
    pub(super) measurable: bool,
    /// Whether there is a record of the past.
    pub(super) recorded: bool,
}

/// Or the answer that says that there is no such map.
pub(super) async fn map(
    app: &Arc<App>,
    name: &str,
    part: Part,
) -> Result<MapDocuments, Box<Reply>> {
    let name = params::escape(name);
    let path = format!("/debug/maps/{name}");
    let reply = ask(app, path.clone()).await;
    if reply.status() != StatusCode::OK {
        return Err(Box::new(reply));
    }
    let map = json(reply).await.unwrap_or(Value::Null);
    let (judged, sites, retained, recorded) = tokio::join!(
        judged(app, part),
        soon(app, part, format!("/debug/heap?format=sites&map={name}")),
        of(app, part == Part::All, format!("{path}/retained")),
        is_recorded(app, part),
    );
    Ok(MapDocuments {
        map,
        judged,
        sites,
        retained,
        measurable: heaplens_alloc::is_what_if_allowed(),
        recorded,
    })
}

/// A profile: for the whole document within a time, for that part alone whenever
/// it is made.
async fn soon(app: &Arc<App>, part: Part, target: String) -> Option<Value> {
    match part {
        Part::Live => None,
        Part::Sites => of(app, true, target).await,
        Part::All => {
            let answer = tokio::time::timeout(PATIENCE, of(app, true, target));
            answer.await.ok().flatten()
        }
    }
}

async fn of(app: &Arc<App>, wanted: bool, target: String) -> Option<Value> {
    if !wanted {
        return None;
    }
    let reply = ask(app, target).await;
    match reply.status() {
        StatusCode::OK | StatusCode::ACCEPTED => json(reply).await,
        _ => None,
    }
}

async fn json(reply: Reply) -> Option<Value> {
    let body = reply.into_body().collect().await.ok()?.to_bytes();
    serde_json::from_slice(&body).ok()
}

/// Answers as to a client's GET. Boxed, since the page is itself one of the routes.
fn ask(app: &Arc<App>, target: String) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
    Box::pin(async move {
        match Request::get(target).body(Empty::<Bytes>::new()) {
            Ok(request) => routes::dispatch(app, request).await,
            Err(_) => crate::respond::not_found(),
        }
    })
}
