//! The first line: how things stand, in a sentence.

use serde_json::Value;

use crate::handlers::heap::NOT_INSTALLED;
use crate::leaks::State as Found;
use crate::ui::document::{a_minute, flag, list, number, text};
use crate::ui::documents::Documents;
use crate::ui::html::Html;
use crate::ui::judged::{Judged, Told};
use crate::ui::state::State;
use crate::units;

/// Names of one state in the line below the sentence.
const NAMED: usize = 6;

/// State, headline, and what is said below it.
struct Standing {
    state: State,
    headline: String,
    more: String,
}

/// Writes the first line.
pub(in crate::ui) fn render(html: &mut Html, of: &Documents) {
    let standing = standing(of);
    let class = standing.state.class();
    html.raw("<section id=\"state\" class=\"state ").raw(class);
    html.raw("\" aria-label=\"How things stand\">");
    standing.state.draw(html);
    html.raw("<div><h1><span class=\"word\">")
        .raw(standing.state.word());
    html.raw("</span> ")
        .sentence(&standing.headline)
        .raw("</h1>");
    if !standing.more.is_empty() {
        html.raw("<p>").text(standing.more).raw("</p>");
    }
    html.raw("</div></section>\n");
}

fn standing(of: &Documents) -> Standing {
    let say = |state, headline: &str, more: &str| Standing {
        state,
        headline: headline.to_owned(),
        more: more.to_owned(),
    };
    let Some(memstats) = &of.memstats else {
        return say(
            State::Unknown,
            "Too many other requests are waiting for figures.",
            "Reload in a few seconds.",
        );
    };
    if !flag(memstats, "/heaplens/installed") {
        return say(State::Off, "Nothing is sampled.", NOT_INSTALLED);
    }
    if !flag(memstats, "/heaplens/sampling_active") {
        return say(
            State::Off,
            "Sampling is off.",
            "Figures below are of what was sampled before. Set an interval by \
             heaplens::set_sample_interval or HEAPLENS_SAMPLE_INTERVAL.",
        );
    }
    match &of.judged {
        Some(of) => judged(of),
        None => unjudged(of.maps.as_ref()),
    }
}

fn judged(judged: &Judged) -> Standing {
    let alarming: Vec<&Told> = judged
        .shown()
        .filter(|of| of.verdict.state >= Found::Growing)
        .collect();
    let state = judged.state();
    let headline = match (alarming.first(), state) {
        (Some(worst), _) => worst.sentence.clone(),
        (None, Found::Warming) if judged.is_young() => "It is too early to tell.".to_owned(),
        (None, Found::Filling) => "A map fills up to its declared bound.".to_owned(),
        (None, _) => "Nothing grows that should not.".to_owned(),
    };
    let more = match alarming.len() {
        0 if judged.all.is_empty() => "No map and no call site is watched yet.".to_owned(),
        0 if judged.is_young() => format!(
            "Growth is judged over {} at the least; the agent has watched for {}.",
            units::duration(judged.shortest),
            units::duration(judged.watched)
        ),
        0 => format!("Watched for {}.", units::duration(judged.watched)),
        _ => others(&alarming),
    };
    Standing {
        state: state.into(),
        headline,
        more,
    }
}

/// The others that alarm, by state.
fn others(alarming: &[&Told]) -> String {
    let of_state = |state, words: &str| {
        let names = alarming
            .iter()
            .skip(1)
            .filter(|of| of.verdict.state == state);
        let names: Vec<&str> = names.map(|of| &*of.name).collect();
        let rest = names.len().saturating_sub(NAMED);
        let shown = names.get(..names.len() - rest)?.join(", ");
        match (names.len(), rest) {
            (0, _) => None,
            (_, 0) => Some(format!("Also {words}: {shown}.")),
            _ => Some(format!("Also {words}: {shown} and {rest} more.")),
        }
    };
    let parts = [
        of_state(Found::Leak, "leaking"),
        of_state(Found::Suspect, "suspect"),
        of_state(Found::Growing, "growing"),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Without a record of the past there is only what grows at this moment.
fn unjudged(maps: Option<&Value>) -> Standing {
    let growing = maps.and_then(|maps| {
        let grown = list(maps, "/maps").iter().filter_map(|map| {
            let rate = number(map, "/growth_entries_per_second")?;
            (rate > 0.0).then_some((rate, map))
        });
        grown.max_by(|one, other| one.0.total_cmp(&other.0))
    });
    let more = match growing {
        Some((_, map)) => format!(
            "Fastest growing at this moment: {}, {} entries a minute.",
            text(map, "/name").unwrap_or_default(),
            a_minute(map, "/growth_entries_per_second").unwrap_or_default(),
        ),
        None => "No map is known to grow at this moment.".to_owned(),
    };
    Standing {
        state: State::Unknown,
        headline: "Nothing is judged in this process yet.".to_owned(),
        more,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::leaks::Kind;

    fn on() -> Value {
        json!({"heaplens": {"installed": true, "sampling_active": true}})
    }

    fn said(of: &Documents) -> String {
        let mut html = Html::default();
        render(&mut html, of);
        html.into_string()
    }

    #[test]
    fn what_is_wrong_comes_first() {
        let nothing = Documents::default();
        assert!(said(&nothing).contains("Too many other requests"));
        let absent = Documents {
            memstats: Some(json!({"heaplens": {"installed": false}})),
            ..Documents::default()
        };
        assert!(said(&absent).contains("#[global_allocator]"));
        let off = Documents {
            memstats: Some(json!({"heaplens": {"installed": true, "sampling_active": false}})),
            ..Documents::default()
        };
        assert!(said(&off).contains("Sampling is off"));
    }

    #[test]
    fn the_worst_verdict_is_the_headline() {
        let map = |name: &str, state| Told::plain(Kind::Map, name, state);
        let mut held = Told::plain(Kind::Site, "f", Found::Leak);
        held.explained_by = Some("a<b>".to_owned());
        let mut all = vec![map("a<b>", Found::Leak), held, map("c", Found::Growing)];
        all.extend((0..8).map(|number| map(&format!("m{number}"), Found::Growing)));
        all.push(map("d", Found::Ok));
        let of = Documents {
            memstats: Some(on()),
            judged: Some(Judged {
                all,
                ..Judged::default()
            }),
            ..Documents::default()
        };
        let html = said(&of);
        assert!(
            html.contains("s-leak") && html.contains("Leak</span> <b>a&lt;b&gt;</b> is so."),
            "{html}"
        );
        assert!(
            html.contains("<p>Also growing: c, m0, m1, m2, m3, m4 and 3 more.</p>"),
            "{html}"
        );
    }

    #[test]
    fn without_a_record_what_grows_now() {
        let maps = json!({"maps": [
            {"name": "slow", "growth_entries_per_second": 0.1},
            {"name": "fast", "growth_entries_per_second": 2.0},
            {"name": "none", "growth_entries_per_second": null},
        ]});
        let of = Documents {
            memstats: Some(on()),
            maps: Some(maps),
            ..Documents::default()
        };
        let html = said(&of);
        assert!(html.contains("Nothing is judged"), "{html}");
        assert!(html.contains("fast, +120 entries a minute"), "{html}");
    }

    #[test]
    fn all_is_well() {
        let of = Documents {
            memstats: Some(on()),
            judged: Some(Judged {
                all: vec![
                    Told::plain(Kind::Map, "a", Found::Ok),
                    Told::plain(Kind::Map, "new", Found::Warming),
                ],
                ..Judged::default()
            }),
            ..Documents::default()
        };
        assert!(said(&of).contains("OK</span> Nothing grows that should not."));
    }
}
