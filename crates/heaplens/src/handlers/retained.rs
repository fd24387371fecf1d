//! `/debug/maps/{name}/retained`.

mod document;
mod query;

use std::sync::Arc;

use heaplens_alloc::retained::RetainedError;
use heaplens_maps::{AskError, GroupRetained};
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};

use super::heap::{self, Form, Refusal};
use super::maps;
use crate::guard;
use crate::inquiries::{self, Record};
use crate::params::{self, BadParameter, Format, HeapQuery};
use crate::respond::{self, Reply};
use crate::state::App;
use crate::survey::Survey;

/// Answers; `name` is as it stands in the path.
pub(crate) async fn serve(
    app: &Arc<App>,
    method: &Method,
    name: &str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Reply {
    let Some(name) = params::unescape_path(name).map(std::borrow::Cow::into_owned) else {
        let fault = format!("bad escape in the name of the map {}", params::quoted(name));
        return BadParameter::because(fault).reply();
    };
    let done = if *method == Method::POST {
        start(app, name, query, headers).await
    } else {
        last(app, name, query).await
    };
    done.unwrap_or_else(|reply| *reply)
}

type Done = Result<Reply, Box<Reply>>;

/// Starts a measurement.
async fn start(app: &Arc<App>, name: String, query: Option<&str>, headers: &HeaderMap) -> Done {
    guard::check(headers)?;
    let patience = query::patience(query).map_err(|fault| fault.reply())?;
    if !heaplens_alloc::is_what_if_allowed() {
        return Err(Box::new(respond::error(StatusCode::FORBIDDEN, NOT_ALLOWED)));
    }
    heap::ready(Ok(()))?;
    known(app, &name).await?;
    inquiries::start(app, name.clone(), patience).map_err(|running| {
        let running = params::quoted(&running);
        respond::error(
            StatusCode::CONFLICT,
            &format!("what {running} retains is being measured, and there is one at a time"),
        )
    })?;
    let mut reply = written(&name, &inquiries::of(&name));
    *reply.status_mut() = StatusCode::ACCEPTED;
    Ok(reply)
}

const NOT_ALLOWED: &str = "what-if drops are off, because they fork this process: switch them on \
     by Agent::builder().what_if_drop(true) or HEAPLENS_WHAT_IF_DROP=1";

/// Gives the last one.
async fn last(app: &Arc<App>, name: String, query: Option<&str>) -> Done {
    let mut query = HeapQuery::of_retained(query).map_err(|fault| fault.reply())?;
    let record = inquiries::of(&name);
    if record.state() == "none" {
        known(app, &name).await?;
    }
    match query.format {
        Format::Json => Ok(written(&name, &record)),
        Format::Text => Ok(respond::text(document::text(&name, &record))),
        Format::Pprof | Format::Folded | Format::Svg | Format::Sites | Format::Tree => {
            let answer = sampled(&name, &record)?;
            query.map = Some(name);
            let form = Form::of(&query);
            let made = profile(app, answer, form.clone(), !query.unsymbolized).await;
            Ok(form.answer("retained", made))
        }
    }
}

/// The answer that has samples, or why there is none.
fn sampled(name: &str, record: &Record) -> Result<Arc<GroupRetained>, Box<Reply>> {
    let name = params::quoted(name);
    let reason = match (&record.done, record.is_slim) {
        (Some(done), false) => return Ok(Arc::clone(done)),
        (Some(_), true) => format!(
            "the samples of what {name} retains were given up for those of others: measure it \
             again"
        ),
        (None, _) => match &record.failed {
            _ if record.is_running => format!("what {name} retains is being measured"),
            Some(error) => format!("what {name} retains could not be measured: {error}"),
            None => format!(
                "nobody has measured yet what {name} retains: POST here, with the header \
                 X-Heaplens: 1"
            ),
        },
    };
    Err(Box::new(respond::error(StatusCode::NOT_FOUND, &reason)))
}

async fn profile(
    app: &Arc<App>,
    answer: Arc<GroupRetained>,
    form: Form,
    with_names: bool,
) -> Result<Bytes, Refusal> {
    heap::made(app, move |app| {
        let mut profile = app.retained(&answer, with_names)?;
        form.select(&mut profile)?;
        Ok(form.write(&profile, &[]))
    })
    .await
}

/// 404 unless there is such a group.
async fn known(app: &Arc<App>, name: &str) -> Result<(), Box<Reply>> {
    let wanted = name.to_owned();
    let found = app
        .figures
        .run(move || Survey::take().groups.iter().any(|of| of.name() == wanted))
        .await;
    match found {
        Ok(true) => Ok(()),
        Ok(false) => Err(Box::new(maps::unknown(name))),
        Err(failure) => Err(Box::new(failure.reply())),
    }
}

fn written(name: &str, record: &Record) -> Reply {
    respond::json(format!("{:#}\n", document::json(name, record)))
}

/// What is said of a failure.
fn reason(error: &AskError) -> String {
    match error {
        AskError::Failed(RetainedError::NotAllowed) => NOT_ALLOWED.to_owned(),
        other => other.to_string(),
    }
}
