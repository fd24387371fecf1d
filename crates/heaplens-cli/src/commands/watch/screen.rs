//! The terminal while it is taken: what changed is drawn, and all is given back at
//! the end, by a panic as well.

use std::io::{self, Stdout, Write};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::Print;
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{execute, queue};

#[derive(Debug)]
pub(super) struct Screen {
    out: Stdout,
    /// What stands there.
    lines: Vec<String>,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        // From here on it is given back when this is dropped.
        let mut screen = Screen {
            out: io::stdout(),
            lines: Vec::new(),
        };
        execute!(
            screen.out,
            EnterAlternateScreen,
            Hide,
            DisableLineWrap,
            Clear(ClearType::All)
        )?;
        Ok(screen)
    }

    /// Columns and rows.
    pub(super) fn size() -> (usize, usize) {
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        (usize::from(columns.max(1)), usize::from(rows.max(1)))
    }

    /// Has the next picture drawn whole.
    pub(super) fn forget(&mut self) {
        self.lines.clear();
    }

    /// Draws the lines that are not there yet.
    pub(super) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        queue!(self.out, BeginSynchronizedUpdate)?;
        if self.lines.is_empty() {
            queue!(self.out, Clear(ClearType::All))?;
        }
        for (row, line) in lines.iter().enumerate() {
            if self.lines.get(row) != Some(line) {
                let row = u16::try_from(row).unwrap_or(u16::MAX);
                queue!(
                    self.out,
                    MoveTo(0, row),
                    // Before: at the end of a full line it would take the last column.
                    Clear(ClearType::UntilNewLine),
                    Print(line)
                )?;
            }
        }
        if lines.len() < self.lines.len() {
            let row = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            queue!(self.out, MoveTo(0, row), Clear(ClearType::FromCursorDown))?;
        }
        queue!(self.out, EndSynchronizedUpdate)?;
        self.out.flush()?;
        self.lines = lines.to_vec();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing more can be done where it fails.
        let _ = execute!(self.out, EnableLineWrap, Show, LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}
