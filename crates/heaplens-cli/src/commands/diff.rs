//! `heaplens diff`: what changed from one profile to another.

use std::collections::HashMap;

use heaplens_profile::diff::Inuse;
use heaplens_profile::{DefaultType, Profile, pprof, rfc3339};
use serde_json::{Value, json};

use super::top::number;
use crate::amount;
use crate::cli::{By, Diff, Selection};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ranking::{self, Row};
use crate::saving;
use crate::session::Session;
use crate::source::{self, Loaded};
use crate::style::Mark;
use crate::table::{Cell, Table};

/// The name of the JSON.
const SCHEMA: &str = "heaplens.diff/1";

pub(crate) fn run(asked: &Diff, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let base = Loaded::of(session, &asked.base, &asked.selection)?;
    let now = Selection {
        at: None,
        ..asked.selection.clone()
    };
    let later = Loaded::of(session, &asked.source, &now)?;
    let both = Both::of(&base, &later)?;
    if let Some(path) = &asked.output {
        let bytes = pprof::encode(&both.change, DefaultType::InuseSpace);
        saving::output(session, path, &bytes)?;
    }
    let mut rows = ranking::ranked(&both.change, &asked.by, both.type_index, false);
    rows.retain(|row| row.value(both.type_index) != 0);
    let found = rows.len();
    if asked.limit > 0 {
        rows.truncate(asked.limit);
    }
    let before = ranking::ranked(&base.profile, &asked.by, both.base_index, false);
    let before: Before<'_> = before
        .iter()
        .map(|row| (row.key(), row.value(both.base_index)))
        .collect();
    if session.json {
        let document = both.document(&rows, &before, found);
        session.print_json(&document)?;
        return Ok(Exit::Fine);
    }
    let style = session.console.style();
    let mut lines = both.heading();
    lines.push(String::new());
    if rows.is_empty() {
        lines.push(format!("Nothing changed in {}.", both.kind()));
    } else {
        let table = both.table(asked, &rows, &before);
        lines.extend(table.lines(style, session.console.columns()));
    }
    if rows.len() < found {
        let more = format!("{} more; -n 0 shows all", found - rows.len());
        lines.push(style.paint(Mark::Dim, &more));
    }
    session.print_lines(&lines)?;
    Ok(Exit::Fine)
}

/// What rows had before, by what they are of.
type Before<'a> = HashMap<(&'a str, &'a str), i128>;

/// Two profiles, and the difference.
struct Both<'a> {
    base: &'a Loaded,
    later: &'a Loaded,
    change: Profile,
    type_index: usize,
    base_index: usize,
}

impl<'a> Both<'a> {
    fn of(base: &'a Loaded, later: &'a Loaded) -> Result<Self, Fault> {
        let of_later = later.profile.types.get(later.type_index);
        let kind = of_later.map_or("", |of| &*of.kind);
        let base_index = source::type_index(&base.profile, Some(kind))?;
        let mut change = later
            .profile
            .clone()
            .since(&base.profile, Inuse::Change)
            .map_err(|error| Fault::unreadable(error.to_string()))?;
        let type_index = source::type_index(&change, Some(kind))?;
        // A difference is one within the time between the two.
        let length = later.profile.time.duration_since(base.profile.time).ok();
        change.duration = length.filter(|length| !length.is_zero());
        change.comments = vec![format!("difference: {} less {}", later.source, base.source)];
        Ok(Both {
            base,
            later,
            change,
            type_index,
            base_index,
        })
    }

    fn kind(&self) -> &str {
        self.change
            .types
            .get(self.type_index)
            .map_or("value", |of| &of.kind)
    }

    fn unit(&self) -> &str {
        self.change
            .types
            .get(self.type_index)
            .map_or("", |of| &of.unit)
    }

    fn heading(&self) -> Vec<String> {
        let unit = self.unit();
        let side = |loaded: &Loaded, index: usize| {
            let total = amount::value(loaded.profile.total(index), unit);
            let is_known = loaded.profile.time > std::time::UNIX_EPOCH;
            let time = is_known.then(|| format!(", {}", rfc3339::format(loaded.profile.time)));
            format!("{total}  {}{}", loaded.source, time.unwrap_or_default())
        };
        let change = amount::change(self.change.total(self.type_index), unit);
        let length = self
            .change
            .duration
            .map(|of| format!(" in {}", amount::duration(of.as_secs_f64())));
        vec![
            format!("A  {}", side(self.base, self.base_index)),
            format!("B  {}", side(self.later, self.later.type_index)),
            format!("{}: {change}{}", self.kind(), length.unwrap_or_default()),
        ]
    }

    fn table(&self, asked: &Diff, rows: &[Row], before: &Before<'_>) -> Table {
        let head = match asked.by {
            By::Site => "<SITE",
            By::Function => "<FUNCTION",
            By::File => "<FILE",
            By::Object => "<OBJECT",
            By::Label(_) => "<LABEL",
        };
        let mut table = Table::new(&["CHANGE", "A", "B", head]);
        let unit = self.unit();
        for row in rows {
            let change = row.value(self.type_index);
            let base = before.get(&row.key()).copied().unwrap_or(0);
            let mark = if change > 0 { Mark::Red } else { Mark::Green };
            table.row(vec![
                Cell::new(amount::change(change, unit)).marked(mark),
                amount::value(base, unit).into(),
                amount::value(base + change, unit).into(),
                row.title().into(),
            ]);
        }
        table
    }

    fn document(&self, rows: &[Row], before: &Before<'_>, found: usize) -> Value {
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| {
                let base = before.get(&row.key()).copied().unwrap_or(0);
                let change = row.value(self.type_index);
                json!({
                    "name": row.name,
                    "place": Some(&row.place).filter(|place| !place.is_empty()),
                    "change": number(change),
                    "a": number(base),
                    "b": number(base + change),
                })
            })
            .collect();
        let side = |loaded: &Loaded, index: usize| {
            json!({
                "source": loaded.source.to_string(),
                "time": rfc3339::format(loaded.profile.time),
                "total": number(loaded.profile.total(index)),
            })
        };
        json!({
            "schema": SCHEMA,
            "type": self.kind(),
            "unit": self.unit(),
            "a": side(self.base, self.base_index),
            "b": side(self.later, self.later.type_index),
            "change": number(self.change.total(self.type_index)),
            "rows_count": found,
            "rows": rows,
        })
    }
}
