//! Where results and remarks go, and what the place can show.

use std::io::{self, IsTerminal, Write};

use crate::style::Style;
use crate::text;

/// Columns of a table where the terminal does not tell.
const COLUMNS: usize = 100;

/// Standard output and error, or what stands for them.
pub struct Console {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    is_terminal: bool,
    err_is_terminal: bool,
    style: Style,
    columns: Option<usize>,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console")
            .field("is_terminal", &self.is_terminal)
            .finish_non_exhaustive()
    }
}

impl Console {
    /// Those of this process. Colours are for terminals, and only where
    /// `NO_COLOR` is not set and `TERM` is not `dumb`.
    pub fn of_process() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let wants_none = std::env::var_os("NO_COLOR").is_some_and(|of| !of.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let size = crossterm::terminal::size().ok();
        Console {
            out: Box::new(io::BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            is_terminal,
            err_is_terminal: io::stderr().is_terminal(),
            style: Style::new(is_terminal && !wants_none && !is_dumb),
            columns: size
                .filter(|_| is_terminal)
                .map(|(columns, _)| usize::from(columns).max(40)),
        }
    }

    /// Writers in their place, which are no terminals.
    pub fn of_writers(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Console {
            out,
            err,
            is_terminal: false,
            err_is_terminal: false,
            style: Style::new(false),
            columns: None,
        }
    }

    /// How words are marked.
    pub(crate) fn style(&self) -> Style {
        self.style
    }

    /// Columns that a line may have; `None` where lines may be of any length.
    pub(crate) fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// Whether a person looks at standard output.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Whether a person looks at standard error.
    pub(crate) fn is_watched(&self) -> bool {
        self.err_is_terminal
    }

    /// Columns for text that is wrapped.
    pub(crate) fn text_columns(&self) -> usize {
        self.columns.unwrap_or(COLUMNS)
    }

    /// Writes a part of the result.
    pub(crate) fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// Writes a part of the result that is no text.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Hands on what was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Says something about the result. That nobody hears it is no reason to stop.
    pub(crate) fn remark(&mut self, text: &str) {
        let _ = self.out.flush();
        let _ = writeln!(self.err, "heaplens: {}", text::one_line(text));
    }

    /// Writes to standard error what is text of several lines already.
    pub(crate) fn complain(&mut self, text: &str) {
        let _ = self.out.flush();
        let _ = self.err.write_all(text.as_bytes());
    }
}
