//! What a tool asks of an agent.

/// What it expects to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Prometheus text or `OpenMetrics`.
    Metrics,
    /// A gzip'ed pprof profile.
    Profile,
    /// A good status.
    Probe,
}

/// One request that is made again and again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scrape {
    /// The file, and where in it.
    pub(crate) place: String,
    pub(crate) kind: Kind,
    pub(crate) path: String,
    /// Query parameters.
    pub(crate) parameters: Vec<(String, String)>,
    /// The port where the file names one.
    pub(crate) port: Option<u16>,
    /// Whether the token is shown.
    pub(crate) authorized: bool,
}

impl Scrape {
    /// The target of the request line.
    pub(crate) fn target(&self) -> String {
        let pairs: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, pairs.join("&"))
        }
    }
}

/// A type of profile that a tool knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProfileType {
    pub(crate) name: &'static str,
    /// Unless the configuration says otherwise.
    pub(crate) enabled: bool,
    pub(crate) path: &'static str,
    /// Whether `seconds` is sent with it.
    pub(crate) delta: bool,
}

/// A type that is asked for unless the configuration says otherwise.
pub(crate) const fn on(name: &'static str, path: &'static str, delta: bool) -> ProfileType {
    ProfileType {
        name,
        enabled: true,
        path,
        delta,
    }
}

/// A type that is asked for only where the configuration says so.
pub(crate) const fn off(name: &'static str, path: &'static str, delta: bool) -> ProfileType {
    ProfileType {
        enabled: false,
        ..on(name, path, delta)
    }
}

/// The port of `host:port`.
pub(crate) fn port(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}
