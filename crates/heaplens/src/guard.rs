//! What a request must show that changes something.
//!
//! A page on the web can make a browser on this machine send a form to this address. It
//! cannot add a header of its own to it without being asked for leave first, which
//! nothing here gives, and browsers say where such a request comes from. Tools add the
//! header: `curl -X POST -H 'X-Heaplens: 1'`.

use hyper::StatusCode;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};

use crate::respond::{self, Reply};

/// The header, with any value.
const OURS: HeaderName = HeaderName::from_static("x-heaplens");

/// Lets pass what comes from a tool or from our own pages; otherwise 403, with what to
/// send.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Box<Reply>> {
    if !headers.contains_key(OURS) {
        return Err(refusal(
            "this changes something, so it needs a header that no other site can send: \
             X-Heaplens: 1",
        ));
    }
    if !is_of_our_pages(headers) {
        return Err(refusal(
            "this comes from a page of another origin: leave Origin out, or send that of Host",
        ));
    }
    Ok(())
}

/// Whether the request names no origin, or the one under which it reached us.
fn is_of_our_pages(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let (origin, another) = (origins.next(), origins.next());
    let Some(origin) = origin else {
        return true;
    };
    let origin = origin.as_bytes();
    let authority = [&b"http://"[..], b"https://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(*scheme));
    let host = headers.get(HOST).map(HeaderValue::as_bytes);
    match (authority, host, another) {
        (Some(authority), Some(host), None) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

fn refusal(reason: &str) -> Box<Reply> {
    Box::new(respond::error(StatusCode::FORBIDDEN, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(lines: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        check(&headers).is_ok()
    }

    #[test]
    fn tools_and_our_own_pages_pass() {
        let ours = ("x-heaplens", "1");
        assert!(passes(&[ours]));
        assert!(passes(&[("x-heaplens", "")]));
        let host = ("host", "localhost:6060");
        for origin in ["http://localhost:6060", "https://LOCALHOST:6060"] {
            assert!(passes(&[ours, host, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn other_sites_do_not() {
        let (ours, host) = (("x-heaplens", "1"), ("host", "localhost:6060"));
        assert!(!passes(&[]));
        assert!(!passes(&[host, ("origin", "http://localhost:6060")]));
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://localhost",
            "http://localhost:6061",
            "http://localhost:6060.evil.example",
            "http://localhost:6060/",
            "localhost:6060",
            "file://localhost:6060",
        ] {
            assert!(!passes(&[ours, host, ("origin", origin)]), "{origin}");
        }
        let own = ("origin", "http://localhost:6060");
        assert!(!passes(&[ours, own]), "without a Host nothing is the same");
        let two = [ours, host, own, ("origin", "http://evil.example")];
        assert!(!passes(&two));
    }
}
