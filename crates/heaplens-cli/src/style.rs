//! Words that stand out on a terminal, by the escapes that all of them know.

/// Whether and how words are marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    is_on: bool,
}

/// A way to mark a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Mark {
    fn escape(self) -> &'static str {
        match self {
            Mark::Plain => "",
            Mark::Bold => "\x1b[1m",
            Mark::Dim => "\x1b[2m",
            Mark::Red => "\x1b[31m",
            Mark::Green => "\x1b[32m",
            Mark::Yellow => "\x1b[33m",
            Mark::Cyan => "\x1b[36m",
        }
    }
}

impl Style {
    pub(crate) fn new(is_on: bool) -> Self {
        Style { is_on }
    }

    /// `text` in the colours of the background, if anything is marked.
    pub(crate) fn reversed(self, text: &str) -> String {
        if self.is_on {
            format!("\x1b[7m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// `text`, marked if anything is.
    pub(crate) fn paint(self, mark: Mark, text: &str) -> String {
        if !self.is_on || mark == Mark::Plain || text.is_empty() {
            return text.to_owned();
        }
        format!("{}{text}\x1b[0m", mark.escape())
    }
}
