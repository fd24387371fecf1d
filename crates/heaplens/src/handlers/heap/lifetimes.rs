//! `/debug/heap/lifetimes`: how long blocks lived.

use std::sync::Arc;

use super::form::Form;
use super::{made, ready};
use crate::params::{BadParameter, HeapQuery};
use crate::respond::Reply;
use crate::state::App;

/// Answers with what was freed and what is alive, by age.
pub(crate) async fn serve(app: &Arc<App>, query: Result<HeapQuery, BadParameter>) -> Reply {
    let query = match ready(query) {
        Ok(query) => query,
        Err(reply) => return *reply,
    };
    let (form, with_names) = (Form::of(&query), !query.unsymbolized);
    let shown = form.clone();
    let job = move |app: &App| {
        let lifetimes = heaplens_alloc::lifetimes();
        let mut profile = app.lifetimes(&lifetimes, with_names)?;
        shown.select(&mut profile)?;
        Ok(shown.write(&profile, &[]))
    };
    form.answer("lifetimes", made(app, job).await)
}
