//! Which format a scraper gets.

/// A format of `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// `OpenMetrics`, in the version that the scraper named.
    OpenMetrics(Version),
}

/// The versions of `OpenMetrics`; what is served is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V0_0_1,
    V1_0_0,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics(Version::V0_0_1) => {
                "application/openmetrics-text; version=0.0.1; charset=utf-8"
            }
            Format::OpenMetrics(Version::V1_0_0) => {
                "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }
}

/// The served format with the highest weight in the `Accept` headers, the
/// first named among equals. Text if none is acceptable: a scraper makes more
/// of it than of a 406.
pub(crate) fn format<'a>(accept: impl Iterator<Item = &'a str>) -> Format {
    let mut best = (0, Format::Text);
    for range in accept.flat_map(|value| value.split(',')) {
        if let Some((weight, format)) = offer(range)
            && weight > best.0
        {
            best = (weight, format);
        }
    }
    best.1
}

/// What we have for one media range, with its weight in thousandths.
fn offer(range: &str) -> Option<(u16, Format)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let (mut weight, mut version) = (1000, None);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => weight = thousandths(value.trim())?,
            "version" => version = Some(value.trim().trim_matches('"')),
            _ => {}
        }
    }
    let format = match (media.as_str(), version) {
        ("application/openmetrics-text", None | Some("1.0.0")) => {
            Format::OpenMetrics(Version::V1_0_0)
        }
        ("application/openmetrics-text", Some("0.0.1")) => Format::OpenMetrics(Version::V0_0_1),
        ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Format::Text,
        _ => return None,
    };
    Some((weight, format))
}

/// A weight: 0 to 1 with at most three decimals.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    let is_well_formed = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = format!("{decimals:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" if is_well_formed => Some(fraction),
        "1" if is_well_formed && fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OM1: Format = Format::OpenMetrics(Version::V1_0_0);
    const OM0: Format = Format::OpenMetrics(Version::V0_0_1);

    #[test]
    fn the_best_that_is_served() {
        let cases: [(&[&str], Format); 21] = [
            (&[], Format::Text),
            (&[""], Format::Text),
            (&["*/*"], Format::Text),
            (&["text/plain"], Format::Text),
            (&["text/html,*/*;q=0.1"], Format::Text),
            (&["application/json"], Format::Text),
            (&["nonsense;;;=,,"], Format::Text),
            (&["application/openmetrics-text"], OM1),
            (&["Application/OpenMetrics-Text; Version=1.0.0"], OM1),
            (&["application/openmetrics-text; version=0.0.1"], OM0),
            (
                &["application/openmetrics-text; version=2.0.0"],
                Format::Text,
            ),
            (&["application/openmetrics-text;q=0"], Format::Text),
            (
                &["application/openmetrics-text;q=0.1,text/plain;q=0.2"],
                Format::Text,
            ),
            (
                &["application/openmetrics-text;q=0.20,text/plain;q=0.2"],
                OM1,
            ),
            (&["text/plain,application/openmetrics-text"], Format::Text),
            (
                &["text/plain;q=0.2", "application/openmetrics-text;q=0.9"],
                OM1,
            ),
            (
                &["application/openmetrics-text;q=nan,text/plain;q=0.1"],
                Format::Text,
            ),
            (&["application/openmetrics-text;q=1.5"], Format::Text),
            // Prometheus 2.42
            (
                &[
                    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                ],
                OM1,
            ),
            // Prometheus 3.5, native histograms on
            (
                &[
                    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                ],
                OM1,
            ),
            (
                &[
                    "application/vnd.google.protobuf;q=0.9,text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2",
                ],
                Format::Text,
            ),
        ];
        for (accept, expected) in cases {
            assert_eq!(format(accept.iter().copied()), expected, "{accept:?}");
        }
    }
}
