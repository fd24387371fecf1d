//! Who fetches deltas, and what each has seen.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use heaplens_alloc::Base;
use hyper::header::USER_AGENT;
use hyper::http::request::Parts;

/// Clients that are remembered. Each holds 56 bytes for a row of the profile.
const MOST: usize = 8;
/// Bytes of a User-Agent that count.
const AGENT_LENGTH: usize = 256;

/// A client, as far as two can be told apart: by address, where there is one, and
/// by what it calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    address: Option<IpAddr>,
    agent: Vec<u8>,
}

impl Client {
    /// Who sent a request. Its port is another for each connection and does not
    /// count.
    pub(crate) fn of(parts: &Parts) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let agent = parts.headers.get(USER_AGENT);
        let agent = agent.map_or(&[][..], |value| value.as_bytes());
        Client {
            address: peer.map(|peer| peer.0.ip().to_canonical()),
            agent: agent.iter().copied().take(AGENT_LENGTH).collect(),
        }
    }
}

/// The clients remembered, the one that fetched last at the end.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    seen: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    client: Client,
    base: Arc<Base>,
    at: Instant,
}

impl Clients {
    /// What a client has seen, and how long that was before `now`; `None` if it is
    /// not remembered.
    pub(crate) fn base_of(&self, client: &Client, now: Instant) -> Option<(Arc<Base>, Duration)> {
        let seen = self.seen.iter().find(|seen| seen.client == *client)?;
        Some((
            Arc::clone(&seen.base),
            now.saturating_duration_since(seen.at),
        ))
    }

    /// Remembers that a client has seen all up to `base`. Of too many, the one that
    /// has not come for longest is forgotten.
    pub(crate) fn saw(&mut self, client: Client, base: Base, at: Instant) {
        self.seen.retain(|seen| seen.client != client);
        if self.seen.len() >= MOST {
            self.seen.remove(0);
        }
        self.seen.push(Seen {
            client,
            base: Arc::new(base),
            at,
        });
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn parts(address: Option<&str>, agent: Option<&str>) -> Parts {
        let mut request = Request::builder().uri("/");
        if let Some(agent) = agent {
            request = request.header(USER_AGENT, agent);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        if let Some(address) = address {
            let peer: SocketAddr = address.parse().unwrap();
            parts.extensions.insert(ConnectInfo(peer));
        }
        parts
    }

    #[test]
    fn clients_are_told_apart_by_address_and_name() {
        let client = |address, agent| Client::of(&parts(address, agent));
        let one = client(Some("10.0.0.1:1000"), Some("Alloy/1"));
        assert_eq!(one, client(Some("10.0.0.1:2000"), Some("Alloy/1")));
        assert_eq!(one, client(Some("[::ffff:10.0.0.1]:7"), Some("Alloy/1")));
        for other in [
            client(Some("10.0.0.2:1000"), Some("Alloy/1")),
            client(Some("10.0.0.1:1000"), Some("Alloy/2")),
            client(Some("10.0.0.1:1000"), None),
            client(None, Some("Alloy/1")),
        ] {
            assert_ne!(one, other);
        }
        let long = "x".repeat(1 << 16);
        assert_eq!(client(None, Some(&long)).agent.len(), AGENT_LENGTH);
    }

    #[test]
    fn those_who_stay_away_are_forgotten_first() {
        let (mut clients, begin) = (Clients::default(), Instant::now());
        let client = |number: usize| Client::of(&parts(None, Some(&format!("client {number}"))));
        for number in 0..MOST {
            clients.saw(client(number), Base::default(), begin);
        }
        let later = begin + Duration::from_secs(5);
        clients.saw(client(0), Base::default(), later);
        clients.saw(client(MOST), Base::default(), later);
        let since = |number| {
            let known = clients.base_of(&client(number), later + Duration::from_secs(1));
            known.map(|(_, window)| window.as_secs())
        };
        assert_eq!(clients.seen.len(), MOST);
        assert_eq!(since(0), Some(1));
        assert_eq!(since(1), None, "it came least of late");
        assert_eq!(since(2), Some(6));
        assert_eq!(since(MOST), Some(1));
    }
}
