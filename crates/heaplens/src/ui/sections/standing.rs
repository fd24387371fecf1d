//! The first line: how things stand, in a sentence.

use serde_json::Value;

use crate::handlers::heap::NOT_INSTALLED;
use crate::ui::document::{a_minute, flag, list, number, text};
use crate::ui::documents::Documents;
use crate::ui::html::Html;
use crate::ui::state::State;

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
    match &of.leaks {
        Some(leaks) => judged(leaks),
        None => unjudged(of.maps.as_ref()),
    }
}

fn judged(leaks: &Value) -> Standing {
    let state = State::named(text(leaks, "/state").unwrap_or_default());
    let verdicts = list(leaks, "/verdicts");
    let alarming: Vec<&Value> = verdicts
        .iter()
        .filter(|of| State::named(text(of, "/state").unwrap_or_default()) >= State::Growing)
        .collect();
    let worst = alarming.first().copied();
    let sentence = worst.and_then(|of| text(of, "/sentence"));
    let headline = match (sentence, state) {
        (Some(sentence), _) => sentence.to_owned(),
        (None, State::Warming) => "It is too early to tell.".to_owned(),
        (None, State::Filling) => "A map fills up to its declared bound.".to_owned(),
        (None, _) => "Nothing grows that should not.".to_owned(),
    };
    let more = match alarming.len() {
        0 if verdicts.is_empty() => "No map and no site is watched yet.".to_owned(),
        0 => format!("{} maps and sites are watched.", verdicts.len()),
        1 => String::new(),
        _ => {
            let names = alarming.iter().skip(1).take(6);
            let names: Vec<&str> = names.filter_map(|of| text(of, "/name")).collect();
            format!("Also: {}.", names.join(", "))
        }
    };
    Standing {
        state,
        headline,
        more,
    }
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
        let verdict = |name: &str, state: &str| json!({"name": name, "state": state, "sentence": format!("`{name}` grows")});
        let leaks = json!({
            "state": "leak",
            "verdicts": [verdict("a<b>", "leak"), verdict("c", "growing"), verdict("d", "ok")],
        });
        let of = Documents {
            memstats: Some(on()),
            leaks: Some(leaks),
            ..Documents::default()
        };
        let html = said(&of);
        assert!(
            html.contains("s-leak") && html.contains("Leak</span> <b>a&lt;b&gt;</b> grows."),
            "{html}"
        );
        assert!(html.contains("<p>Also: c.</p>"), "{html}");
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
            leaks: Some(json!({"state": "ok", "verdicts": [{"state": "ok", "name": "a"}]})),
            ..Documents::default()
        };
        assert!(said(&of).contains("OK</span> Nothing grows that should not."));
    }
}
