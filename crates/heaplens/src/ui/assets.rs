//! The page's files: scripts, style, icon. Their directory is named after their
//! content, so that browsers may keep them for good, and modules of one version
//! only ever import each other.

use std::io::Write as _;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH,
    VARY,
};
use sha2::{Digest as _, Sha256};

use super::CROSS_ORIGIN_RESOURCE_POLICY;
use crate::respond::{self, Reply};

/// What goes before the directory.
pub(crate) const PREFIX: &str = "/debug/ui/";

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const ICON: &str = "image/svg+xml; charset=utf-8";

macro_rules! files {
    ($($name:literal $kind:expr),* $(,)?) => {
        [$(($name, $kind, include_str!(concat!("files/", $name)))),*]
    };
}

/// Name, type, content.
static FILES: &[(&str, &str, &str)] = &files![
    "page.css" STYLE,
    "icon.svg" ICON,
    "theme.js" SCRIPT,
    "page.js" SCRIPT,
    "ask.js" SCRIPT,
    "chart.js" SCRIPT,
    "commands.js" SCRIPT,
    "dom.js" SCRIPT,
    "flame.js" SCRIPT,
    "flame_view.js" SCRIPT,
    "format.js" SCRIPT,
    "history.js" SCRIPT,
    "map.js" SCRIPT,
    "retained.js" SCRIPT,
    "spark.js" SCRIPT,
    "table.js" SCRIPT,
    "tree.js" SCRIPT,
];

struct File {
    name: &'static str,
    kind: &'static str,
    plain: &'static str,
    zipped: Bytes,
}

/// Compressed once, when the page is first asked for.
static READY: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files = FILES.iter();
    files
        .map(|&(name, kind, plain)| File {
            name,
            kind,
            plain,
            zipped: gzip(plain.as_bytes()),
        })
        .collect()
});

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    for (name, _, content) in FILES {
        hash.update(name);
        hash.update([0]);
        hash.update(content);
        hash.update([0]);
    }
    let start = hash
        .finalize()
        .iter()
        .take(8)
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
    format!("{start:016x}")
});

/// The directory of this version's files.
pub(super) fn version() -> &'static str {
    &VERSION
}

/// Answers with a file; `path` is what follows [`PREFIX`].
pub(crate) fn serve(path: &str, headers: &HeaderMap) -> Reply {
    let found = path
        .split_once('/')
        .filter(|(directory, _)| *directory == version())
        .and_then(|(_, name)| READY.iter().find(|file| file.name == name));
    let Some(file) = found else {
        return respond::not_found();
    };
    let tag = format!("\"{}\"", version());
    let is_known = headers
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|of| of.trim().ends_with(&tag)));
    let is_zipped = takes_gzip(headers);
    let mut reply = match (is_known, is_zipped) {
        (true, _) => respond::typed(file.kind, Bytes::new()),
        (false, true) => respond::typed(file.kind, file.zipped.clone()),
        (false, false) => respond::typed(file.kind, file.plain),
    };
    if is_known {
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
    } else if is_zipped {
        let gzip = HeaderValue::from_static("gzip");
        reply.headers_mut().insert(CONTENT_ENCODING, gzip);
    }
    let headers = reply.headers_mut();
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(ETAG, tag);
    }
    // Private: they may have been shown for a token.
    let forever = "private, max-age=31536000, immutable";
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(forever));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let same = HeaderValue::from_static("same-origin");
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, same);
    reply
}

/// Whether the client says that it can unpack it.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let mut codings = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().trim_start_matches("q=");
        let is_refused = weight.parse().is_ok_and(|weight: f32| weight <= 0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

/// Some 20 ns a byte.
pub(super) fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use http_body_util::BodyExt as _;

    use super::*;

    fn headers(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a value"));
        headers
    }

    fn body(reply: Reply) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let body = runtime.expect("a runtime").block_on(reply.collect());
        body.expect("no error").to_bytes().to_vec()
    }

    #[test]
    fn files_by_their_version_only() {
        for file in READY.iter() {
            let path = format!("{}/{}", version(), file.name);
            let reply = serve(&path, &HeaderMap::new());
            assert_eq!(reply.status(), StatusCode::OK, "{path}");
            assert_eq!(reply.headers()["content-type"], file.kind);
            assert!(!reply.headers().contains_key(CONTENT_ENCODING));
            assert_eq!(body(reply), file.plain.as_bytes());
        }
        for path in ["", "page.js", "x/page.js", "/page.js"] {
            let reply = serve(path, &HeaderMap::new());
            assert_eq!(reply.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let outside = format!("{}/../page.js", version());
        let reply = serve(&outside, &HeaderMap::new());
        assert_eq!(reply.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn packed_for_those_who_can_unpack() {
        let path = format!("{}/page.js", version());
        let reply = serve(&path, &headers(ACCEPT_ENCODING, "br, gzip;q=0.8"));
        assert_eq!(reply.headers()[CONTENT_ENCODING], "gzip");
        let zipped = body(reply);
        let mut plain = String::new();
        let mut reader = flate2::read::GzDecoder::new(zipped.as_slice());
        reader.read_to_string(&mut plain).expect("gzip");
        let file = READY.iter().find(|of| of.name == "page.js").expect("there");
        assert_eq!(plain, file.plain);
        for refused in ["br", "gzip;q=0", "gzip; q=0.0", "xgzip"] {
            let accepted = headers(ACCEPT_ENCODING, refused);
            assert!(!takes_gzip(&accepted), "{refused}");
        }
    }

    #[test]
    fn unchanged_for_those_who_have_them() {
        let path = format!("{}/page.css", version());
        let first = serve(&path, &HeaderMap::new());
        let tag = first.headers()[ETAG].to_str().expect("text").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
            let reply = serve(&path, &headers(IF_NONE_MATCH, &known));
            assert_eq!(reply.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert!(body(reply).is_empty());
        }
        let reply = serve(&path, &headers(IF_NONE_MATCH, "\"other\""));
        assert_eq!(reply.status(), StatusCode::OK);
    }

    #[test]
    fn every_import_is_there_and_nothing_is_fetched_from_elsewhere() {
        let names: Vec<&str> = FILES.iter().map(|of| of.0).collect();
        for (name, kind, content) in FILES {
            for import in content.split(" from './").skip(1) {
                let import = import.split('\'').next().unwrap_or_default();
                assert!(names.contains(&import), "{name} imports {import}");
            }
            for address in content.split("http").skip(1) {
                let is_namespace = address.starts_with("://www.w3.org/2000/svg");
                let is_address = address.starts_with("://") || address.starts_with("s://");
                assert!(is_namespace || !is_address, "{name}: http{address:.30}");
            }
            if *kind == SCRIPT {
                for sink in [
                    "innerHTML",
                    "outerHTML",
                    "insertAdjacentHTML",
                    "document.write",
                    "eval(",
                ] {
                    assert!(!content.contains(sink), "{name}: {sink}");
                }
            }
        }
    }
}
