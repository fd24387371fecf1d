//! `/debug/heap/lifetimes`: how long blocks lived.

use std::sync::Arc;

use hyper::body::Bytes;

use super::form::Form;
use super::not_installed;
use super::refusal::Refusal;
use crate::params::{BadParameter, HeapQuery};
use crate::respond::Reply;
use crate::state::App;

/// Answers with what was freed and what is alive, by age.
pub(crate) async fn serve(app: &Arc<App>, query: Result<HeapQuery, BadParameter>) -> Reply {
    let query = match query {
        Ok(query) => query,
        Err(fault) => return fault.reply(),
    };
    if !heaplens_alloc::counters().installed {
        return not_installed();
    }
    let (form, work) = (Form::of(&query), Arc::clone(app));
    let shown = form.clone();
    let done = app.costly.run(move || {
        let lifetimes = heaplens_alloc::lifetimes();
        let mut profile = work.lifetimes(&lifetimes, !query.unsymbolized)?;
        shown.select(&mut profile)?;
        Ok(shown.write(&profile, &[]))
    });
    let done: Result<Bytes, Refusal> = done.await.unwrap_or_else(|failure| Err(failure.into()));
    match done {
        Ok(bytes) => form.reply("lifetimes", bytes),
        Err(refusal) => refusal.reply(),
    }
}
