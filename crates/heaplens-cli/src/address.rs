//! Where a service is: `http://host:port`, with or without a path, `host:port`,
//! or `unix:/path`.

use std::fmt;
use std::path::PathBuf;

use crate::fault::Fault;

/// What to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Tcp {
        /// Without the brackets of an IPv6 address.
        host: String,
        port: u16,
        tls: bool,
    },
    Unix(PathBuf),
}

/// A service, and what of it is meant. Shows without user and password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    endpoint: Endpoint,
    /// Path below which the agent's routes are: empty, or `/internal`, say.
    prefix: String,
    /// The path of a certain page from `/debug` on, with its query, if one was given.
    page: Option<String>,
    /// User and password.
    credentials: Option<(String, String)>,
}

impl Address {
    /// Whether `text` looks like an address rather than a file.
    pub(crate) fn is_one(text: &str) -> bool {
        text.contains("://") || text.starts_with("unix:") || host_and_port(text).is_some()
    }

    /// Reads an address.
    ///
    /// # Errors
    ///
    /// If `text` is none. The reason shows no password.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(path.strip_prefix("//").unwrap_or(path));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let tls = match scheme {
            "http" => false,
            "https" => true,
            other => {
                let shown = other.chars().take(20).collect::<String>();
                return Err(wrong(&format!(
                    "the scheme {shown:?} is not http, https or unix"
                )));
            }
        };
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (credentials, authority) = match authority.rsplit_once('@') {
            Some((pair, authority)) => (Some(credentials(pair)?), authority),
            None => (None, authority),
        };
        let (host, port) = split_port(authority)?;
        let port = port.unwrap_or(if tls { 443 } else { 80 });
        let (prefix, page) = split_path(path)?;
        Ok(Address {
            endpoint: Endpoint::Tcp { host, port, tls },
            prefix,
            page,
            credentials,
        })
    }

    fn unix(path: &str) -> Result<Self, Fault> {
        if !path.starts_with('/') {
            return Err(wrong(
                "after unix: there is an absolute path, as in unix:/run/heaplens.sock",
            ));
        }
        Ok(Address {
            endpoint: Endpoint::Unix(PathBuf::from(path)),
            prefix: String::new(),
            page: None,
            credentials: None,
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn credentials(&self) -> Option<(&str, &str)> {
        let (user, password) = self.credentials.as_ref()?;
        Some((user, password))
    }

    /// The path of a route, such as `/debug/maps`, on this service.
    pub(crate) fn route(&self, route: &str) -> String {
        format!("{}{route}", self.prefix)
    }

    /// The path of the page that the address itself names, if it names one.
    pub(crate) fn page(&self) -> Option<String> {
        self.page.as_deref().map(|page| self.route(page))
    }

    /// What `Host` says.
    pub(crate) fn host(&self) -> String {
        match &self.endpoint {
            Endpoint::Unix(_) => "localhost".to_owned(),
            Endpoint::Tcp { host, port, tls } => {
                let host = bracketed(host);
                match (port, tls) {
                    (80, false) | (443, true) => host,
                    _ => format!("{host}:{port}"),
                }
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.endpoint {
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display())?,
            Endpoint::Tcp { tls, .. } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "{scheme}://{}", self.host())?;
            }
        }
        f.write_str(&self.prefix)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn wrong(reason: &str) -> Fault {
    Fault::usage(format!(
        "bad address: {reason}; known are http://HOST:PORT, HOST:PORT and unix:/PATH"
    ))
}

/// `host:port` with whatever path follows, where nothing else says that it is an address.
fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let authority = text.split(['/', '?']).next()?;
    let authority = authority.rsplit_once('@').map_or(authority, |(_, of)| of);
    let (host, port) = authority.rsplit_once(':')?;
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    let plausible = !host.is_empty() && host.bytes().all(is_host);
    Some((host, port.parse().ok()?)).filter(|_| plausible)
}

fn split_port(authority: &str) -> Result<(String, Option<u16>), Fault> {
    let port = |text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(wrong(&format!(
            "the port {text:?} is not a number from 1 to 65535"
        ))),
    };
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or_else(|| wrong("an IPv6 address lacks its ]"))?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(wrong("what is in brackets is no IPv6 address"));
        }
        return match rest.strip_prefix(':') {
            Some(number) => Ok((host.to_owned(), Some(port(number)?))),
            None if rest.is_empty() => Ok((host.to_owned(), None)),
            None => Err(wrong("after ] there is a port, as in [::1]:6060")),
        };
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, number)) => (host, Some(port(number)?)),
        None => (authority, None),
    };
    if host.is_empty() {
        return Err(wrong("it names no host"));
    }
    if host.contains(':') {
        return Err(wrong(
            "an IPv6 address stands in brackets, as in http://[::1]:6060",
        ));
    }
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !host.bytes().all(is_host) {
        return Err(wrong(&format!("{host:?} is no name of a host")));
    }
    Ok((host.to_owned(), port))
}

/// What comes before the agent's own routes, and which of those is named.
fn split_path(path: &str) -> Result<(String, Option<String>), Fault> {
    let path = path.split('#').next().unwrap_or_default();
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("the path has characters that must be written as %XX"));
    }
    let (plain, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    let at = plain
        .match_indices("/debug")
        .map(|(at, word)| (at, at + word.len()))
        .find(|(_, end)| {
            plain
                .get(*end..)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    let Some((at, _)) = at else {
        if query.is_some() {
            return Err(wrong("there is a query without a page under /debug"));
        }
        return Ok((plain.trim_end_matches('/').to_owned(), None));
    };
    let (prefix, page) = plain.split_at(at);
    let names_none = matches!(
        page,
        "/debug" | "/debug/" | "/debug/pprof" | "/debug/pprof/"
    );
    let page = match query {
        _ if names_none => None,
        Some(query) => Some(format!("{page}?{query}")),
        None => Some(page.to_owned()),
    };
    Ok((prefix.to_owned(), page))
}

fn credentials(pair: &str) -> Result<(String, String), Fault> {
    let (user, password) = pair.split_once(':').unwrap_or((pair, ""));
    let decode =
        |text: &str| unescaped(text).ok_or_else(|| wrong("user and password have a bad %XX"));
    Ok((decode(user)?, decode(password)?))
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok()
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// `text` as a value of a query.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.extend([byte >> 4, byte & 15].map(|digit| {
                char::from_digit(digit.into(), 16)
                    .unwrap_or('0')
                    .to_ascii_uppercase()
            }));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    #[test]
    fn forms() {
        for (text, shown, page) in [
            ("http://127.0.0.1:6060", "http://127.0.0.1:6060", None),
            ("127.0.0.1:6060", "http://127.0.0.1:6060", None),
            ("localhost:6060/", "http://localhost:6060", None),
            ("http://svc", "http://svc", None),
            ("http://svc:80/debug/", "http://svc", None),
            ("http://svc/internal/", "http://svc/internal", None),
            ("svc:6060/a/debug/pprof/", "http://svc:6060/a", None),
            (
                "svc:6060/a/debug/heap?map=x#frag",
                "http://svc:6060/a",
                Some("/a/debug/heap?map=x"),
            ),
            ("http://svc/debugger", "http://svc/debugger", None),
            (
                "http://[::1]:6060/debug/heap",
                "http://[::1]:6060",
                Some("/debug/heap"),
            ),
            ("https://svc", "https://svc", None),
            ("unix:/run/x.sock", "unix:/run/x.sock", None),
            ("unix:///run/x.sock", "unix:/run/x.sock", None),
        ] {
            let address = parse(text);
            assert!(Address::is_one(text), "{text}");
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(address.page().as_deref(), page, "{text}");
        }
    }

    #[test]
    fn secrets_are_read_and_not_shown() {
        let address = parse("http://pprof:s%3Acret@svc:1");
        assert_eq!(address.credentials(), Some(("pprof", "s:cret")));
        assert_eq!(
            format!("{address} {address:?}"),
            "http://svc:1 Address(http://svc:1)"
        );
        for text in [
            "http://me:hidden@",
            "http://me:hidden@svc:x",
            "http://me:hidden%@svc:1",
            "ftp://me:hidden@svc",
        ] {
            let fault = Address::parse(text).expect_err(text).to_string();
            assert!(!fault.contains("hidden"), "{fault}");
        }
    }

    #[test]
    fn what_is_none_is_told() {
        for (text, part) in [
            ("ftp://svc", "ftp"),
            ("http://", "no host"),
            ("http://:6060", "no host"),
            ("svc:0", "\"0\""),
            ("http://svc:port", "\"port\""),
            ("http://svc:70000", "\"70000\""),
            ("http://::1:6060", "brackets"),
            ("http://[::1", "lacks its ]"),
            ("http://[::1]x", "[::1]:6060"),
            ("http://[zz]:1", "no IPv6"),
            ("http://a b:1", "no name of a host"),
            ("http://svc/a b", "%XX"),
            ("http://svc/?x=1", "query without a page"),
            ("unix:relative", "absolute"),
        ] {
            let fault = Address::parse(text).expect_err(text);
            assert!(fault.to_string().contains(part), "{text}: {fault}");
            assert_eq!(fault.exit().code(), 2, "{text}");
        }
    }

    #[test]
    fn files_are_no_addresses() {
        for text in [
            "heap.pb.gz",
            "./a:b",
            "/tmp/x:1/y",
            "a/b:6060",
            "-",
            "",
            "C:",
            "dir/heap",
        ] {
            assert!(!Address::is_one(text), "{text}");
        }
    }

    #[test]
    fn values_of_queries() {
        assert_eq!(escaped("a b&ü=%"), "a%20b%26%C3%BC%3D%25");
    }
}
