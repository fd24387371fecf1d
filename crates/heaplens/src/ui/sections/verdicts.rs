//! The verdicts, each with its figures and evidence.

use std::time::SystemTime;

use heaplens_profile::rfc3339;

use super::evidence;
use crate::leaks::{Interval, Kind, State as Found};
use crate::params;
use crate::ui::Place;
use crate::ui::document::{clock, lasting, rate};
use crate::ui::html::Html;
use crate::ui::judged::{Judged, Told};
use crate::ui::state::State;
use crate::units;

/// Verdicts that are shown one by one.
const SHOWN: usize = 20;

/// Writes all verdicts that say something, or the one on a map.
pub(in crate::ui) fn render(
    html: &mut Html,
    judged: Option<&Judged>,
    map: Option<&str>,
    place: Place,
) {
    html.raw("<section id=\"verdicts\" class=\"panel\" aria-labelledby=\"verdicts-h\"><div class=\"head\"><h2 id=\"verdicts-h\">");
    html.raw(if map.is_some() { "Verdict" } else { "Verdicts" })
        .raw("</h2>");
    if let (Some(judged), None) = (judged, map) {
        tally(html, judged);
    }
    html.raw("</div>\n");
    match (judged, map) {
        (None, _) => {
            html.raw("<p class=\"empty\">There are no verdicts yet. An agent judges each map and each call site once it has watched it for some minutes: whether it leaks, since when, how fast and from where. Routes that are mounted without an agent have none.</p>\n");
        }
        (Some(judged), None) => of_all(html, judged, place),
        (Some(judged), Some(map)) => of_map(html, judged, map, place),
    }
    html.raw("</section>\n");
}

/// How many are in which state, the worst first.
fn tally(html: &mut Html, judged: &Judged) {
    let of_state = |state| judged.shown().filter(move |of| of.verdict.state == state);
    let counts = Found::ALL.into_iter().rev().filter_map(|state| {
        let count = of_state(state).count();
        (count > 0).then(|| format!("{count} {}", State::from(state).word().to_lowercase()))
    });
    let counts: Vec<String> = counts.collect();
    html.raw("<p class=\"note\">")
        .text(counts.join(", "))
        .raw("</p>");
}

fn of_all(html: &mut Html, judged: &Judged, place: Place) {
    let notable: Vec<&Told> = judged.notable().collect();
    for (index, told) in notable.iter().take(SHOWN).enumerate() {
        // The sentence of the first is the headline of the page.
        let parts = if index == 0 {
            Parts::Figures
        } else {
            Parts::Sentence
        };
        one(html, told, parts, place);
    }
    if notable.is_empty() {
        nothing(html, judged);
    } else if notable.len() > SHOWN {
        html.raw("<p class=\"note\">").text(notable.len() - SHOWN);
        html.raw(" more at <a href=\"").raw(place.root);
        html.raw("leaks?format=text\">leaks</a>.</p>\n");
    }
    let explained: Vec<&Told> = judged.all.iter().filter(|of| of.is_explained()).collect();
    if !explained.is_empty() {
        html.raw("<details class=\"explained\"><summary>");
        html.text(units::counted(explained.len() as u64, "call site"));
        html.raw(" explained by these maps</summary>\n<ul>");
        for told in explained {
            held(html, told);
        }
        html.raw("</ul></details>\n");
    }
}

fn of_map(html: &mut Html, judged: &Judged, map: &str, place: Place) {
    let Some(told) = judged.of_map(map) else {
        html.raw("<p class=\"empty\">This map is not judged yet: that takes some minutes of its history.</p>\n");
        return;
    };
    one(html, told, Parts::All, place);
    let held_by = |of: &&Told| of.explained_by.as_deref() == Some(map);
    let sites: Vec<&Told> = judged.all.iter().filter(held_by).collect();
    if !sites.is_empty() {
        html.raw("<h3 class=\"sub\">Call sites that it explains</h3>\n<ul class=\"explained\">");
        for told in sites {
            held(html, told);
        }
        html.raw("</ul>\n");
    }
}

/// Why there is nothing to say.
fn nothing(html: &mut Html, judged: &Judged) {
    if judged.is_young() {
        html.raw("<p class=\"empty\">Nothing is old enough to be judged: growth is judged over ");
        html.text(units::duration(judged.shortest))
            .raw(" at the least, and the agent has watched for ");
        html.text(units::duration(judged.watched)).raw(".</p>\n");
    } else {
        html.raw("<p class=\"empty\">Nothing to report: no map and no call site grows that should not.</p>\n");
    }
}

/// A call site whose verdict is that of a map, in a line.
fn held(html: &mut Html, told: &Told) {
    html.raw("<li><code>").text(&told.name).raw("</code>");
    if let Some(growth) = told.verdict.growth {
        let a_minute = growth.bytes_per_second.slope * 60.0;
        html.raw(" <span class=\"note\">")
            .text(units::bytes(a_minute))
            .raw(" a minute</span>");
    }
    html.raw("</li>");
}

/// What is shown of a verdict at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Parts {
    All,
    Figures,
    /// Figures on request.
    Sentence,
}

fn one(html: &mut Html, told: &Told, parts: Parts, place: Place) {
    let state = State::from(told.verdict.state);
    html.raw("<article class=\"verdict ")
        .raw(state.class())
        .raw("\" data-key=\"");
    html.text(told.kind.name())
        .raw(" ")
        .text(&told.name)
        .raw("\"><h3>");
    state.badge(html);
    html.raw(" <span class=\"kind\">");
    match told.kind {
        Kind::Map => {
            html.raw("map</span> <a href=\"")
                .raw(place.root)
                .raw("?map=");
            html.text(params::escape(&told.name)).raw("\">");
            html.text(&told.name).raw("</a>");
        }
        Kind::Site => {
            html.raw("call site</span> <code>")
                .text(&told.name)
                .raw("</code>");
        }
    }
    html.raw("</h3>\n");
    if parts != Parts::Figures {
        html.raw("<p>").sentence(&told.sentence).raw("</p>\n");
    }
    html.raw(if parts == Parts::Sentence {
        "<details>"
    } else {
        "<details open>"
    });
    html.raw("<summary>Figures and evidence</summary>\n");
    facts(html, told);
    sources(html, told);
    if let Some(suggestion) = told.suggestion {
        html.raw("<p class=\"suggestion\">")
            .advice(suggestion)
            .raw("</p>\n");
    }
    evidence::render(html, &told.verdict.evidence);
    html.raw("</details></article>\n");
}

fn facts(html: &mut Html, told: &Told) {
    let verdict = &told.verdict;
    let growth = verdict.growth;
    let entries = growth.map(|of| per_minute(of.entries_per_second, rate));
    let bytes = growth.map(|of| per_minute(of.bytes_per_second, units::bytes));
    let noun = match told.kind {
        Kind::Map => "Entries a minute",
        Kind::Site => "Blocks a minute",
    };
    let share = verdict.share_of_growth.filter(|share| *share >= 0.005);
    let known = [
        ("Growing since", told.since.and_then(moment)),
        (noun, entries),
        ("Bytes a minute", bytes),
        ("Holds", Some(units::bytes(verdict.bytes as f64))),
        (
            "Share of growth",
            share.map(|of| format!("{:.0} %", of * 100.0)),
        ),
        ("Dropping frees", told.retained.and_then(freed)),
        ("Limit in", verdict.seconds_to_limit.and_then(lasting)),
    ];
    html.facts(known).raw("\n");
}

/// A rate of so much a second as one of a minute, with the ends of its interval where that
/// is wide.
fn per_minute(of: Interval, write: impl Fn(f64) -> String) -> String {
    let [slope, low, high] = [of.slope, of.low, of.high].map(|rate| rate * 60.0);
    let is_wide = high - low > slope.abs() * 0.02;
    if is_wide {
        format!("{} ({} to {})", write(slope), write(low), write(high))
    } else {
        write(slope)
    }
}

fn freed((bytes, at): (u64, SystemTime)) -> Option<String> {
    Some(format!("{} at {}", units::bytes(bytes as f64), moment(at)?))
}

fn moment(at: SystemTime) -> Option<String> {
    let moment = rfc3339::format(at);
    let (date, _) = moment.split_once('T')?;
    let is_today = rfc3339::format(SystemTime::now()).starts_with(date);
    let time = clock(&moment)?;
    Some(if is_today {
        format!("{time} UTC")
    } else {
        format!("{date}, {time} UTC")
    })
}

fn sources(html: &mut Html, told: &Told) {
    if !told.sources.is_empty() {
        html.raw("<p class=\"sub\">Filled from</p>\n<ul class=\"sources\">");
        for source in &told.sources {
            html.raw("<li><code>")
                .text(&source.name)
                .raw("</code> <span class=\"note\">");
            html.text(units::bytes(source.bytes_per_entry))
                .raw(" an entry</span></li>");
        }
        html.raw("</ul>\n");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::leaks::{Evidence, Growth, Verdict};
    use crate::ui::judged::Source;

    const HERE: Place = Place {
        root: "",
        mounted: false,
    };

    fn said(judged: Option<&Judged>, map: Option<&str>) -> String {
        let mut html = Html::default();
        render(&mut html, judged, map, HERE);
        html.into_string()
    }

    fn leak() -> Told {
        let slope = |slope: f64| Interval {
            slope,
            low: slope * 0.9,
            high: slope * 1.1,
        };
        let mut told = Told::plain(Kind::Map, "a/b", Found::Leak);
        told.verdict.bytes = 1 << 20;
        told.verdict.growth = Some(Growth {
            entries_per_second: slope(2.0),
            bytes_per_second: slope(1024.0),
        });
        told.verdict.share_of_growth = Some(0.4);
        told.verdict.seconds_to_limit = Some(7200.0);
        told.since = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(8 * 3600 + 14 * 60));
        told.sources = vec![Source {
            name: "f at a.rs:1".to_owned(),
            bytes_per_entry: 100.0,
        }];
        told.retained = Some((2 << 20, SystemTime::UNIX_EPOCH));
        told.suggestion = Some("Bound it with `max_entries`.");
        told
    }

    fn judged() -> Judged {
        let mut held = Told::plain(Kind::Site, "f at a.rs:1", Found::Leak);
        held.explained_by = Some("a/b".to_owned());
        Judged {
            all: vec![
                leak(),
                held,
                Told::plain(Kind::Site, "g at b.rs:2", Found::Suspect),
                Told::plain(Kind::Map, "c", Found::Ok),
            ],
            ..Judged::default()
        }
    }

    #[test]
    fn what_since_when_how_fast_and_where_from() {
        let html = said(Some(&judged()), None);
        for part in [
            "s-leak",
            ">Leak</span>",
            "href=\"?map=a%2Fb\"",
            "<b>g at b.rs:2</b> is so.",
            "1970-01-01, 08:14:00 UTC",
            "+120 (+108 to +132)",
            "60.0 KiB (54.0 KiB to 66.0 KiB)",
            "1.0 MiB",
            "40 %",
            "2.0 MiB at 1970-01-01, 00:00:00 UTC",
            "2h00m",
            "<code>f at a.rs:1</code>",
            "100 B an entry",
            "Bound it with <code>max_entries</code>.",
            "s-suspect",
            "<code>g at b.rs:2</code>",
            "1 call site explained",
            "1 leak, 1 suspect, 1 ok",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains(">c</a>"), "what is well is not listed");
    }

    #[test]
    fn of_one_map() {
        let html = said(Some(&judged()), Some("c"));
        assert!(
            html.contains(">OK</span>") && !html.contains("a/b"),
            "{html}"
        );
        let html = said(Some(&judged()), Some("a/b"));
        assert!(html.contains("Call sites that it explains"), "{html}");
        assert!(html.contains("<b>a/b</b> is so."), "{html}");
        assert!(said(Some(&judged()), Some("d")).contains("not judged yet"));
    }

    #[test]
    fn nothing_and_not_watched_are_told_apart() {
        assert!(said(None, None).contains("no verdicts yet"));
        assert!(said(Some(&Judged::default()), None).contains("Nothing to report"));
        let young = Judged {
            all: vec![Told::plain(Kind::Map, "a", Found::Warming)],
            shortest: Duration::from_secs(1800),
            watched: Duration::from_secs(61),
        };
        let html = said(Some(&young), None);
        assert!(html.contains("over 30m00s at the least"), "{html}");
        assert!(html.contains("watched for 1m01s"), "{html}");
    }

    #[test]
    fn evidence_is_beside_the_figures() {
        let mut told = leak();
        told.verdict = Verdict {
            evidence: vec![Evidence {
                span: Duration::from_secs(1800),
                holds: true,
                readings: Vec::new(),
            }],
            ..told.verdict
        };
        let judged = Judged {
            all: vec![told],
            ..Judged::default()
        };
        assert!(said(Some(&judged), None).contains("class=\"evidence\""));
    }
}
