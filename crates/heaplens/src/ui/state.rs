//! The states of a verdict, as people see them: an icon, a word and a colour.

use super::html::Html;
use crate::leaks::State as Found;

/// One of the states, or of those in which there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// There are no verdicts to be had.
    Unknown,
    /// Nothing is sampled.
    Off,
    Ok,
    Warming,
    Filling,
    Growing,
    Suspect,
    Leak,
}

impl State {
    /// For people.
    pub(super) fn word(self) -> &'static str {
        match self {
            State::Unknown => "No verdict",
            State::Off => "Off",
            State::Ok => "OK",
            State::Warming => "Warming up",
            State::Filling => "Filling",
            State::Growing => "Growing",
            State::Suspect => "Suspect",
            State::Leak => "Leak",
        }
    }

    /// The class that gives the colour.
    pub(super) fn class(self) -> &'static str {
        match self {
            State::Unknown => "s-unknown",
            State::Off => "s-off",
            State::Ok => "s-ok",
            State::Warming => "s-warming",
            State::Filling => "s-filling",
            State::Growing => "s-growing",
            State::Suspect => "s-suspect",
            State::Leak => "s-leak",
        }
    }

    fn icon(self) -> &'static str {
        match self {
            State::Unknown => "#i-unknown",
            State::Off => "#i-off",
            State::Ok => "#i-ok",
            State::Warming => "#i-warming",
            State::Filling => "#i-filling",
            State::Growing => "#i-growing",
            State::Suspect => "#i-suspect",
            State::Leak => "#i-leak",
        }
    }

    /// Icon and word.
    pub(super) fn badge(self, html: &mut Html) {
        html.raw("<span class=\"badge ")
            .raw(self.class())
            .raw("\">");
        self.draw(html);
        html.raw(self.word()).raw("</span>");
    }

    /// The icon alone.
    pub(super) fn draw(self, html: &mut Html) {
        html.raw("<svg class=\"icon\" aria-hidden=\"true\"><use href=\"");
        html.raw(self.icon()).raw("\"/></svg>");
    }
}

impl From<Found> for State {
    fn from(found: Found) -> Self {
        match found {
            Found::Ok => State::Ok,
            Found::Warming => State::Warming,
            Found::Filling => State::Filling,
            Found::Growing => State::Growing,
            Found::Suspect => State::Suspect,
            Found::Leak => State::Leak,
        }
    }
}

/// The icons, drawn once in each document; told apart by shape, not by colour alone.
pub(super) const ICONS: &str = "\
<svg class=\"sprite\" width=\"0\" height=\"0\" aria-hidden=\"true\">\
<symbol id=\"i-unknown\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"6.5\" class=\"o\"/><path class=\"l\" d=\"M5 8h6\"/></symbol>\
<symbol id=\"i-off\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"6.5\" class=\"o\"/><path class=\"l\" d=\"M3.6 12.4l8.8-8.8\"/></symbol>\
<symbol id=\"i-ok\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"6.5\" class=\"o\"/><path class=\"l\" d=\"M5 8.2l2.1 2.1L11.2 6\"/></symbol>\
<symbol id=\"i-warming\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"6.5\" class=\"o\"/><path class=\"l\" d=\"M8 4.5V8l2.4 1.6\"/></symbol>\
<symbol id=\"i-filling\" viewBox=\"0 0 16 16\"><path class=\"l\" d=\"M3 2.5h10M8 13.5V6M5 9l3-3 3 3\"/></symbol>\
<symbol id=\"i-growing\" viewBox=\"0 0 16 16\"><path class=\"l\" d=\"M2.5 12.5l4-4 2.5 2.5 4.5-6.5M10 4.5h3.5V8\"/></symbol>\
<symbol id=\"i-suspect\" viewBox=\"0 0 16 16\"><path class=\"o\" d=\"M8 1.8l6.4 11.7H1.6z\"/><path class=\"l\" d=\"M8 6v3.6M8 11.4v.4\"/></symbol>\
<symbol id=\"i-leak\" viewBox=\"0 0 16 16\"><path class=\"f\" d=\"M5 1h6l4 4v6l-4 4H5l-4-4V5z\"/><path class=\"k\" d=\"M8 4v4.8M8 11.2v.6\"/></symbol>\
</svg>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_icon() {
        let found = Found::ALL.map(|found| (State::from(found), found.name()));
        for (state, name) in found
            .into_iter()
            .chain([(State::Unknown, "unknown"), (State::Off, "off")])
        {
            let id = state.icon().trim_start_matches('#');
            assert!(ICONS.contains(&format!("id=\"{id}\"")), "{name}");
            assert_eq!(state.class(), format!("s-{name}"));
        }
        assert!(State::Leak > State::Suspect && State::Growing > State::Ok);
    }
}
