//! Which `Host` a request may name: the guard against DNS rebinding.
//!
//! A page on the web can make its own name resolve to 127.0.0.1 and then talk
//! to this agent from the user's browser, as the same origin. What it cannot do
//! is send a `Host` other than its own name. So, unless a token is asked for
//! anyway, only names that nobody else can own are answered. The port is not
//! compared: behind `kubectl port-forward` or `ssh -L` it differs, and it gives
//! an attacker nothing.

use hyper::Uri;
use hyper::Version;
use hyper::header::{HOST, HeaderMap};

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostFault {
    /// Not exactly one `Host`, as HTTP/1.1 asks for.
    NotOne,
    /// A name that is not ours.
    Foreign,
}

/// The names that are answered; `None` answers any.
#[derive(Clone, Debug)]
pub(crate) struct Hosts(Option<Vec<String>>);

impl Hosts {
    /// Any name: for unix sockets, which browsers do not reach, and where a
    /// token is asked for.
    pub(crate) fn any() -> Self {
        Hosts(None)
    }

    /// The loopback names, and the host of each configured address
    /// (`host:port`).
    pub(crate) fn loopback(configured: &[String]) -> Self {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "[::1]"]
            .map(str::to_owned)
            .into();
        for address in configured {
            if let Some(host) = host_of(address.as_bytes()) {
                names.push(host.to_ascii_lowercase());
            }
        }
        Hosts(Some(names))
    }

    /// Whether a request with these headers may be answered.
    pub(crate) fn check(
        &self,
        version: Version,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), HostFault> {
        let mut values = headers.get_all(HOST).iter();
        let host = match (values.next(), values.next()) {
            (Some(host), None) => Some(host.as_bytes()),
            (None, None) if version < Version::HTTP_11 => None,
            _ => return Err(HostFault::NotOne),
        };
        let Some(names) = &self.0 else {
            return Ok(());
        };
        // A target in absolute form (`GET http://name/ HTTP/1.1`) takes the
        // place of `Host`, so both have to be ours.
        let target = uri.authority().map(hyper::http::uri::Authority::as_str);
        let ours = |value: &[u8]| {
            host_of(value).is_some_and(|host| names.iter().any(|n| host.eq_ignore_ascii_case(n)))
        };
        if host.is_some_and(ours) && target.is_none_or(|target| ours(target.as_bytes())) {
            Ok(())
        } else {
            Err(HostFault::Foreign)
        }
    }
}

/// The host of `host[:port]`; `None` if it is anything else.
fn host_of(value: &[u8]) -> Option<&str> {
    let value = std::str::from_utf8(value).ok()?;
    // The colons of an IPv6 address are within its brackets.
    let after = value.rfind(']').map_or(0, |bracket| bracket + 1);
    let colon = value.get(after..)?.find(':').map(|at| at + after);
    let (host, port) = match colon {
        Some(at) => (value.get(..at)?, value.get(at + 1..)?),
        None => (value, "0"),
    };
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (is_port && !host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(hosts: &Hosts, target: &str, values: &[&[u8]]) -> Result<(), HostFault> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HOST, hyper::header::HeaderValue::from_bytes(value).unwrap());
        }
        hosts.check(Version::HTTP_11, &target.parse().unwrap(), &headers)
    }

    #[test]
    fn loopback_names() {
        let hosts = Hosts::loopback(&["dev.internal:6060".to_owned(), "[::1]:6060".to_owned()]);
        let ours: [&[u8]; 9] = [
            b"localhost",
            b"localhost:6060",
            b"LOCALHOST:6060",
            b"127.0.0.1",
            b"127.0.0.1:6060",
            b"127.0.0.1:8080",
            b"[::1]:6060",
            b"[::1]",
            b"dev.internal:6060",
        ];
        for value in ours {
            assert_eq!(verdict(&hosts, "/metrics", &[value]), Ok(()), "{value:?}");
        }
        let long = [b'a'; 4096];
        let foreign: [&[u8]; 24] = [
            b"",
            b":6060",
            b"localhost.evil.com",
            b"localhost.evil.com:6060",
            b"127.0.0.1.evil.com",
            b"evil.com",
            b"evil.com#localhost",
            b"localhost:80@evil",
            b"localhost@evil.com",
            b"user@localhost:6060",
            b"localhost.",
            b"localhost:",
            b"localhost:65536",
            b"localhost:+80",
            b"localhost: 80",
            b"127.1",
            b"0",
            b"0x7f.1",
            b"0.0.0.0:6060",
            b"[::ffff:127.0.0.1]:6060",
            b"::1",
            b"[::1",
            b"localhost, evil.com",
            &long,
        ];
        for value in foreign {
            assert_eq!(
                verdict(&hosts, "/metrics", &[value]),
                Err(HostFault::Foreign),
                "{value:?}"
            );
        }
        assert_eq!(
            verdict(&hosts, "/", &[b"\xff\xfe"]),
            Err(HostFault::Foreign)
        );
    }

    #[test]
    fn exactly_one_host() {
        for hosts in [Hosts::any(), Hosts::loopback(&[])] {
            assert_eq!(verdict(&hosts, "/", &[]), Err(HostFault::NotOne));
            assert_eq!(
                verdict(&hosts, "/", &[b"localhost", b"localhost"]),
                Err(HostFault::NotOne)
            );
        }
        assert_eq!(verdict(&Hosts::any(), "/", &[b"evil.com"]), Ok(()));
    }

    #[test]
    fn the_target_in_absolute_form_counts_too() {
        let hosts = Hosts::loopback(&[]);
        let local: &[&[u8]] = &[b"localhost"];
        assert_eq!(verdict(&hosts, "http://localhost:6060/", local), Ok(()));
        assert_eq!(
            verdict(&hosts, "http://evil.com/metrics", local),
            Err(HostFault::Foreign)
        );
        assert_eq!(
            verdict(&hosts, "http://localhost@evil.com/", local),
            Err(HostFault::Foreign)
        );
    }
}
