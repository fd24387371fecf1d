//! The files of `dashboards/`, as they are shipped.

use std::fs;
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../dashboards")
        .join(name)
}

/// A file of `dashboards/`.
pub(crate) fn read(name: &str) -> String {
    let path = path(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Names and texts of all files of rules.
pub(crate) fn rules() -> Vec<(String, String)> {
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        if path.extension() != Some("yml".as_ref()) {
            return None;
        }
        let name = path.file_name()?.to_str()?.to_owned();
        let text = read(&format!("prometheus/rules/{name}"));
        Some((name, text))
    };
    let files = fs::read_dir(path("prometheus/rules")).unwrap();
    files.filter_map(file).collect()
}

/// The text with `from` replaced, which must stand in it: otherwise the file is
/// not what its test takes it for.
pub(crate) fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from:?} in:\n{text}");
    text.replace(from, to)
}

/// The configuration of Alertmanager with all webhooks sent to `address`.
pub(crate) fn with_hooks_to(text: &str, address: &str) -> String {
    let mut hooks = 0;
    let mut line = |line: &str| {
        let is_url = line
            .trim_start()
            .trim_start_matches("- ")
            .starts_with("url:");
        let Some((before, url)) = line.split_once("http://").filter(|_| is_url) else {
            return format!("{line}\n");
        };
        hooks += 1;
        let end = url.find(['/', '\'', '"', ' ']).unwrap_or(url.len());
        format!("{before}http://{address}{}\n", &url[end..])
    };
    let text = text.lines().map(&mut line).collect();
    assert!(hooks > 0, "no webhook in:\n{text}");
    text
}
