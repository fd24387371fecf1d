//! Rows of cells under their heads.

use crate::style::{Mark, Style};
use crate::text::{self, shortened};

/// Between columns.
const GAP: &str = "  ";

/// Columns that the last cell gets at the least, even where a line becomes too long.
const LEAST_REST: usize = 24;

/// A cell and how it is marked.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    mark: Mark,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Cell {
            text: text::printable(text.as_ref()),
            mark: Mark::Plain,
        }
    }

    pub(crate) fn marked(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Cell::new(text)
    }
}

/// A table whose cells are aligned to the right, but for those of columns that
/// hold names.
#[derive(Debug)]
pub(crate) struct Table {
    heads: Vec<&'static str>,
    /// Whether a column is aligned to the left.
    names: Vec<bool>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Columns by their heads. Those that begin with `<` are aligned to the left.
    pub(crate) fn new(heads: &[&'static str]) -> Self {
        let names = heads.iter().map(|head| head.starts_with('<')).collect();
        let heads = heads.iter().map(|head| head.trim_start_matches('<'));
        Table {
            heads: heads.collect(),
            names,
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines of the table, at most `columns` wide where that can be done by
    /// shortening the last column.
    pub(crate) fn lines(&self, style: Style, columns: Option<usize>) -> Vec<String> {
        let widths = self.widths(columns);
        let heads: Vec<Cell> = self
            .heads
            .iter()
            .map(|head| Cell::new(head).marked(Mark::Dim))
            .collect();
        std::iter::once(&heads)
            .chain(&self.rows)
            .map(|row| self.line(row, &widths, style))
            .collect()
    }

    fn widths(&self, columns: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heads.iter().map(|head| text::width(head)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(text::width(&cell.text));
            }
        }
        if let (Some(columns), Some((last, others))) = (columns, widths.split_last_mut()) {
            let taken: usize = others.iter().map(|width| width + GAP.len()).sum();
            *last = (*last).min(columns.saturating_sub(taken).max(LEAST_REST));
        }
        widths
    }

    fn line(&self, row: &[Cell], widths: &[usize], style: Style) -> String {
        let mut line = String::new();
        let last = widths.len().saturating_sub(1);
        for (index, (cell, &width)) in row.iter().zip(widths).enumerate() {
            let shown = shortened(&cell.text, width);
            let room = " ".repeat(width.saturating_sub(text::width(&shown)));
            let shown = style.paint(cell.mark, &shown);
            let is_name = self.names.get(index).copied().unwrap_or(false);
            if index > 0 {
                line.push_str(GAP);
            }
            match (is_name, index == last) {
                (true, true) => line.push_str(&shown),
                (true, false) => line.extend([shown, room]),
                (false, _) => line.extend([room, shown]),
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["<MAP", "BYTES", "<SITE"]);
        table.row(vec![
            "größe".into(),
            "1".into(),
            "svc::handle::insert".into(),
        ]);
        table.row(vec![
            "日本".into(),
            "12,345".into(),
            Cell::new("a\u{1b}b").marked(Mark::Red),
        ]);
        table
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let lines = table().lines(Style::new(false), None);
        assert_eq!(
            lines,
            [
                "MAP     BYTES  SITE",
                "größe       1  svc::handle::insert",
                "日本   12,345  a\u{fffd}b"
            ]
        );
    }

    #[test]
    fn the_last_column_gives_way() {
        let mut long = Table::new(&["N", "<SITE"]);
        long.row(vec!["1".into(), "x".repeat(200).into()]);
        for (columns, expected) in [(80, 80), (10, LEAST_REST + 3)] {
            let lines = long.lines(Style::new(false), Some(columns));
            assert_eq!(text::width(&lines[1]), expected, "{lines:?}");
        }
    }

    #[test]
    fn marks_take_no_room() {
        let lines = table().lines(Style::new(true), None);
        assert!(
            lines[2].ends_with("\u{1b}[31ma\u{fffd}b\u{1b}[0m"),
            "{lines:?}"
        );
    }
}
