//! How a profile is shown: which of it, and written how.

use heaplens_profile::flamegraph::{self, Options};
use heaplens_profile::{DefaultType, Filter, Profile, folded, json, pprof, sites, text, tree};
use hyper::body::Bytes;

use super::Flavour;
use super::refusal::Refusal;
use crate::params::{BadParameter, Base, Format, HeapQuery, Selection};
use crate::respond::{self, Reply};

/// What is done to a profile before it is sent. Equal ones give equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) format: Format,
    /// The type that is shown, sorted by or stated as the default.
    pub(crate) kind: &'static str,
    selection: Selection,
    inverted: bool,
    /// What else is to be known of it, for people.
    notes: Vec<String>,
}

impl Form {
    /// Of a whole profile as Go has it.
    pub(crate) fn plain(flavour: Flavour, is_text: bool) -> Self {
        Form {
            format: if is_text { Format::Text } else { Format::Pprof },
            kind: flavour.kind(),
            selection: Selection::default(),
            inverted: false,
            notes: Vec::new(),
        }
    }

    pub(crate) fn of(query: &HeapQuery) -> Self {
        let map = query.map.iter().map(|name| format!("map={name}"));
        let older = query.older.iter();
        let older = older.map(|age| format!("older than {} s", age.as_secs_f64()));
        let at = query.at.iter().map(|at| format!("as of {at}"));
        let base = query.base.iter().filter_map(|base| match base {
            Base::Window => None,
            Base::Before(when) => Some(format!("compared with {when}")),
        });
        Form {
            format: query.format,
            kind: query.kind.unwrap_or(Flavour::Heap.kind()),
            selection: query.selection.clone(),
            inverted: query.inverted,
            notes: map.chain(older).chain(at).chain(base).collect(),
        }
    }

    /// Whether it is what others ask for as well.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.format, Format::Pprof | Format::Text) && self.shows_all()
    }

    fn shows_all(&self) -> bool {
        self.selection == Selection::default()
    }

    fn filter(&self) -> Result<Filter, BadParameter> {
        self.selection.filter()
    }

    /// Leaves of a profile what is asked for.
    pub(crate) fn select(&self, profile: &mut Profile) -> Result<(), BadParameter> {
        let filter = self.filter()?;
        if filter.is_empty() {
            return Ok(());
        }
        filter.apply(profile);
        // What was said was of the whole.
        held_no_more(profile);
        let words = self.selection.words().join(", ");
        profile.comments.push(format!("only samples with {words}"));
        Ok(())
    }

    /// The whole profile in this form.
    pub(crate) fn render(
        &self,
        profile: &Profile,
        memstats: &[(String, String)],
    ) -> Result<Bytes, BadParameter> {
        if self.shows_all() {
            return Ok(self.write(profile, memstats));
        }
        let mut selected = profile.clone();
        self.select(&mut selected)?;
        Ok(self.write(&selected, memstats))
    }

    /// What was selected, in this format.
    pub(crate) fn write(&self, profile: &Profile, memstats: &[(String, String)]) -> Bytes {
        let column = self.column(profile);
        match self.format {
            Format::Pprof => pprof::encode(profile, self.default_type()).into(),
            Format::Text => text::render(profile, memstats).into(),
            Format::Folded => folded::render(profile, column).into(),
            Format::Json => json::render(profile, column).into(),
            Format::Sites => sites::render(profile, column).into(),
            Format::Tree => tree::render(profile, column).into(),
            Format::Svg => flamegraph::render(profile, column, &self.options(profile)).into(),
        }
    }

    /// A flame graph of what changed. Both are selected already.
    pub(crate) fn compare(&self, base: &Profile, profile: &Profile) -> Result<Bytes, BadParameter> {
        let Some(base_column) = base.type_index(self.kind) else {
            let known: Vec<&str> = base.types.iter().map(|of| &*of.kind).collect();
            return Err(BadParameter::because(format!(
                "the base has no type {}: it has {}",
                self.kind,
                known.join(", ").escape_debug()
            )));
        };
        let (base, of) = ((base, base_column), (profile, self.column(profile)));
        Ok(flamegraph::difference(base, of, &self.options(profile)).into())
    }

    fn column(&self, profile: &Profile) -> usize {
        let last = profile.types.len().saturating_sub(1);
        profile.type_index(self.kind).unwrap_or(last)
    }

    fn default_type(&self) -> DefaultType {
        DefaultType::named(self.kind).unwrap_or_default()
    }

    fn options(&self, profile: &Profile) -> Options {
        let program = profile.mappings.first().map(|of| of.mapping.path.as_str());
        let program = program.and_then(|path| path.rsplit('/').next());
        let notes = self.notes.iter().cloned();
        let notes: Vec<String> = notes.chain(self.selection.words()).collect();
        Options::new()
            .title(match program {
                Some(program) => format!("Heap of {program}"),
                None => "Heap".to_owned(),
            })
            .note(notes.join("; "))
            .inverted(self.inverted)
    }

    /// The answer, whatever became of it; `name` as for a reply.
    pub(crate) fn answer(&self, name: &str, made: Result<Bytes, Refusal>) -> Reply {
        match made {
            Ok(bytes) => self.reply(name, bytes),
            Err(refusal) => refusal.reply(),
        }
    }

    /// The answer; `name` is that of the file, if it is to be saved.
    fn reply(&self, name: &str, bytes: Bytes) -> Reply {
        match self.format {
            Format::Pprof => respond::file(name, bytes),
            Format::Text | Format::Folded => respond::text(bytes),
            Format::Json | Format::Sites | Format::Tree => respond::json(bytes),
            Format::Svg => respond::flamegraph(bytes),
        }
    }
}

/// Takes out the comment on the total of the whole heap.
pub(crate) fn held_no_more(profile: &mut Profile) {
    const WHOLE: &str = "standard error of inuse_space";
    profile
        .comments
        .retain(|comment| !comment.starts_with(WHOLE));
}
