//! The configurations in `dashboards/`: what each of them asks of an agent. For the tests of the
//! routes, inside the crate, and for those with a running agent.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod alloy;
pub(crate) mod kubernetes;
pub(crate) mod parca;
pub(crate) mod prometheus;
mod river;
pub(crate) mod scrape;
pub(crate) mod yaml;

use std::fs;
use std::path::{Path, PathBuf};

use scrape::Scrape;

/// A file or directory of the repository; `None` in a published crate, which has no `dashboards/`.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if !root.join("dashboards").is_dir() {
        eprintln!("not checked: there is no dashboards/ beside the crate");
        return None;
    }
    Some(root.join(name))
}

/// The text of a file of the repository.
pub(crate) fn text(name: &str) -> Option<String> {
    let path = path(name)?;
    let text = fs::read_to_string(&path);
    Some(text.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The text with `from` replaced, which must stand in it.
#[cfg(test)]
#[track_caller]
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

/// All that the shipped configurations ask of an agent.
pub(crate) fn scrapes() -> Vec<Scrape> {
    [
        prometheus::scrapes(),
        alloy::scrapes(),
        parca::scrapes(),
        kubernetes::scrapes(),
    ]
    .concat()
}
