//! HTML of two kinds of text: our own source's, and all other, which is escaped.

use std::fmt::Display;

use crate::respond;

/// A document in the making.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup. It can only be what stands in the source.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, or the value of an attribute between double quotes.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        let text = visible(&text.to_string());
        self.0.push_str(&respond::escape_html(&text));
        self
    }

    /// Text if there is any, else a dash that says that it is not known.
    pub(super) fn known(&mut self, text: Option<impl Display>) -> &mut Self {
        match text {
            Some(text) => self.text(text),
            None => self.raw("<span class=\"unknown\" title=\"not known\">–</span>"),
        }
    }

    /// The standard error of the estimate before it; a place for one if there is none.
    pub(super) fn error(&mut self, error: Option<String>) -> &mut Self {
        self.raw("<small class=\"err\">");
        if let Some(error) = error {
            self.raw(" ± ").text(error);
        }
        self.raw("</small>")
    }

    /// A sentence in which names stand between backquotes; they are set in bold type.
    /// It ends with a full stop.
    pub(super) fn sentence(&mut self, text: &str) -> &mut Self {
        self.quoting(text, "<b>", "</b>");
        let is_closed = text.ends_with(['.', '!', '?', ':']) || text.is_empty();
        self.raw(if is_closed { "" } else { "." })
    }

    /// A sentence in which code stands between backquotes.
    pub(super) fn advice(&mut self, text: &str) -> &mut Self {
        self.quoting(text, "<code>", "</code>")
    }

    /// What stands between backquotes comes between these.
    fn quoting(&mut self, text: &str, begin: &'static str, end: &'static str) -> &mut Self {
        for (index, part) in text.split('`').enumerate() {
            if index % 2 == 1 {
                self.raw(begin).text(part).raw(end);
            } else {
                self.text(part);
            }
        }
        self
    }

    /// Names with what is known of each; what is not is left out.
    pub(super) fn facts(
        &mut self,
        facts: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> &mut Self {
        self.raw("<dl class=\"facts\">");
        for (name, value) in facts {
            if let Some(value) = value {
                self.raw("<div><dt>").raw(name).raw("</dt><dd>");
                self.text(value).raw("</dd></div>");
            }
        }
        self.raw("</dl>")
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// What would be invisible, or turn the text around it, as an escape.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let is_hidden = character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if is_hidden {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_sentences_stand_out() {
        let mut html = Html::default();
        html.sentence("`a<b` grows");
        assert_eq!(html.into_string(), "<b>a&lt;b</b> grows.");
        let mut html = Html::default();
        html.sentence("odd `one.");
        assert_eq!(html.into_string(), "odd <b>one.</b>");
    }

    #[test]
    fn text_is_text_and_is_seen() {
        let mut html = Html::default();
        html.raw("<b title=\"").text("\"><script>").raw("\">");
        html.text("a\n\u{202e}b\u{0}&").raw("</b>");
        assert_eq!(
            html.into_string(),
            "<b title=\"&#34;&gt;&lt;script&gt;\">a\\n\\u{202e}b\\u{0}&amp;</b>"
        );
    }
}
