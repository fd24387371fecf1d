//! `/metrics`.

use std::sync::Arc;

use hyper::header::{ACCEPT, HeaderMap, HeaderValue, VARY};
use prometheus::TextEncoder;

use crate::metrics::negotiate::{self, Format};
use crate::metrics::openmetrics;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

/// Answers in the format that the scraper likes best.
pub(crate) async fn serve(app: &Arc<App>, headers: &HeaderMap) -> Reply {
    let format = negotiate::format(
        headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok()),
    );
    let registry = app.registry.clone();
    let done = app.figures.run(move || {
        TextEncoder::new()
            .encode_to_string(&registry.gather())
            .map(|text| match format {
                Format::Text => text,
                Format::OpenMetrics(_) => openmetrics::from_text(&text),
            })
            .map_err(|error| Failure::Failed(format!("cannot encode metrics: {error}")))
    });
    match done.await {
        Ok(Ok(body)) => {
            let mut reply = respond::typed(format.content_type(), body);
            reply
                .headers_mut()
                .insert(VARY, HeaderValue::from_static("Accept"));
            reply
        }
        Ok(Err(failure)) | Err(failure) => failure.reply(),
    }
}
