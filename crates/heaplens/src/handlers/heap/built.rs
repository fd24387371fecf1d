//! A profile of now, shared by all who ask for one meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use heaplens_profile::Profile;
use hyper::body::Bytes;
use tokio::sync::OnceCell;

use super::form::Form;
use super::refusal::Refusal;
use crate::coverage;
use crate::metrics::memstats;
use crate::state::App;
use crate::work::Failure;

/// A profile that was made, and what was made of it so far.
#[derive(Debug)]
pub(crate) struct Built {
    profile: Profile,
    /// Fields of Go's `MemStats`, for the text form.
    memstats: Vec<(String, String)>,
    /// Those who are waiting hold the cells: there are no more than connections.
    forms: Mutex<HashMap<Form, Arc<OnceCell<Bytes>>>>,
}

impl Built {
    fn make(app: &App) -> Result<Self, Failure> {
        let snapshot = heaplens_alloc::snapshot();
        let memstats = memstats::lines(&memstats::read(), &snapshot.counters);
        let [mut profile] = app.profiles([&snapshot])?;
        profile.comments.extend(coverage::comment(&snapshot));
        Ok(Built {
            profile,
            memstats,
            forms: Mutex::default(),
        })
    }

    fn cell(&self, form: &Form) -> Arc<OnceCell<Bytes>> {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(forms.entry(form.clone()).or_default())
    }
}

/// The profile in the making, or a new one, in one form. Each form is made once
/// for all who share the profile.
pub(super) async fn shared(app: &Arc<App>, form: &Form) -> Result<Bytes, Refusal> {
    let making = Arc::clone(app);
    let built = app
        .flight
        .join(|| async move {
            let app = Arc::clone(&making);
            making.costly.run(move || Built::make(&app)).await?
        })
        .await?;
    let cell = built.cell(form);
    let bytes = cell
        .get_or_try_init(|| async {
            let (built, form) = (Arc::clone(&built), form.clone());
            let is_plain = form.is_plain();
            let job = move || form.render(&built.profile, &built.memstats);
            // There are three plain forms; of others there may be many.
            let done = if is_plain {
                app.costly.run_admitted(job).await
            } else {
                app.costly.run(job).await
            };
            Ok::<_, Refusal>(done??)
        })
        .await?;
    Ok(bytes.clone())
}
