//! Answers: status, headers, one-line reasons.
//!
//! `go tool pprof` prints the body of an error only if it is `text/plain` and
//! carries `X-Go-Pprof`; so all errors are and do, whatever their path.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use heaplens_profile::flamegraph;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use sha2::{Digest as _, Sha256};

/// An answer, whole in memory.
pub(crate) type Reply = Response<Full<Bytes>>;

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const X_GO_PPROF: HeaderName = HeaderName::from_static("x-go-pprof");

/// An answer of any type.
pub(crate) fn typed(content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

/// Plain text.
pub(crate) fn text(body: impl Into<Bytes>) -> Reply {
    typed(TEXT, body)
}

/// JSON.
pub(crate) fn json(body: impl Into<Bytes>) -> Reply {
    typed("application/json", body)
}

/// A page without scripts, which nobody may frame.
pub(crate) fn html(body: impl Into<Bytes>) -> Reply {
    let mut reply = typed(HTML, body);
    reply.headers_mut().insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
    );
    reply
}

/// A flame graph: an SVG that may run its own two scripts, told by their hashes,
/// and nothing else.
pub(crate) fn flamegraph(body: Bytes) -> Reply {
    let scripts = std::str::from_utf8(&body).map(flamegraph::scripts);
    let hashes: Vec<String> = scripts
        .unwrap_or_default()
        .iter()
        .map(|script| BASE64.encode(Sha256::digest(script)))
        .map(|hash| format!("'sha256-{hash}'"))
        .collect();
    let hashes = hashes.join(" ");
    // Without `unsafe-hashes` the handler of the root element would not run.
    let policy = format!(
        "default-src 'none'; script-src 'unsafe-hashes' {hashes}; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut reply = typed("image/svg+xml; charset=utf-8", body);
    if let Ok(policy) = HeaderValue::try_from(policy) {
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    reply
}

/// A file to save. A profile is a gzip file: it never has a
/// `Content-Encoding`, or clients would unpack it.
pub(crate) fn file(name: &str, body: impl Into<Bytes>) -> Reply {
    let mut reply = typed("application/octet-stream", body);
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        reply.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    reply
}

/// A redirect, 307 as Go's.
pub(crate) fn redirect(location: &str) -> Reply {
    let Ok(target) = HeaderValue::try_from(location) else {
        return error(StatusCode::NOT_FOUND, "404 page not found");
    };
    let link = format!(
        "<a href=\"{}\">Temporary Redirect</a>.\n\n",
        escape_html(location)
    );
    let mut reply = html(link);
    *reply.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    reply.headers_mut().insert(LOCATION, target);
    reply
}

/// An error with its one-line reason.
pub(crate) fn error(status: StatusCode, reason: &str) -> Reply {
    let mut reply = text(format!("{reason}\n"));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(X_GO_PPROF, HeaderValue::from_static("1"));
    reply
}

/// 404, as the mux of Go's server says it.
pub(crate) fn not_found() -> Reply {
    error(StatusCode::NOT_FOUND, "404 page not found")
}

/// 405.
pub(crate) fn method_not_allowed(allow: &'static str) -> Reply {
    let mut reply = error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

/// An error that goes away by itself.
pub(crate) fn later(status: StatusCode, seconds: u32, reason: &str) -> Reply {
    let mut reply = error(status, reason);
    reply
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    reply
}

/// 401, with the challenge that makes browsers and `curl` ask.
pub(crate) fn unauthorized() -> Reply {
    let mut reply = error(
        StatusCode::UNAUTHORIZED,
        "a token is needed: as `Authorization: Bearer TOKEN` or as the password of basic authentication",
    );
    reply.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"heaplens\""),
    );
    reply
}

/// The same answer, after which the connection is closed.
pub(crate) fn and_close(mut reply: Reply) -> Reply {
    reply
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// Text made safe within HTML, in attributes too.
pub(crate) fn escape_html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&#34;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_escaped() {
        assert_eq!(
            escape_html("<a href=\"x\">'&'</a>"),
            "&lt;a href=&#34;x&#34;&gt;&#39;&amp;&#39;&lt;/a&gt;"
        );
    }

    #[test]
    fn a_location_that_is_no_header_value_is_not_sent() {
        assert_eq!(redirect("/a\nb").status(), StatusCode::NOT_FOUND);
        assert_eq!(redirect("/a").status(), StatusCode::TEMPORARY_REDIRECT);
    }
}
