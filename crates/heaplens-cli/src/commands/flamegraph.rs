//! `heaplens flamegraph`: a picture of where memory is.

use std::path::Path;

use heaplens_profile::flamegraph::{self, Options};

use crate::cli::{Flamegraph, Selection};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::saving;
use crate::session::Session;
use crate::source::{self, Loaded, Source};

/// Where it goes if nothing is said and standard output is a terminal.
const DEFAULT: &str = "heap.svg";

pub(crate) fn run(asked: &Flamegraph, session: &mut Session<'_>) -> Result<Exit, Fault> {
    if session.json {
        return Err(Fault::usage(
            "a flame graph is a picture; heaplens top --json has the figures",
        ));
    }
    let loaded = Loaded::of(session, &asked.source, &asked.selection)?;
    let kind = loaded.profile.types.get(loaded.type_index);
    let kind = kind.map_or_else(String::new, |of| of.kind.to_string());
    let title = asked.title.clone().unwrap_or_else(|| title(&loaded, &kind));
    let options = Options::new()
        .title(title)
        .note(loaded.source.to_string())
        .inverted(asked.inverted)
        .reversed(asked.reversed);
    let picture = match &asked.base {
        None => flamegraph::render(&loaded.profile, loaded.type_index, &options),
        Some(base) => {
            Source::file(base)?;
            // Of a file, all that is asked of the service is there already.
            let selection = Selection {
                older: None,
                at: None,
                seconds: None,
                ..asked.selection.clone()
            };
            let base = Loaded::of(session, base, &selection)?.profile;
            let base_index = source::type_index(&base, Some(&kind))?;
            flamegraph::difference(
                (&base, base_index),
                (&loaded.profile, loaded.type_index),
                &options,
            )
        }
    };
    let output = asked.output.as_deref().unwrap_or_else(|| {
        Path::new(if session.console.is_terminal() {
            DEFAULT
        } else {
            "-"
        })
    });
    saving::output(session, output, picture.as_bytes())?;
    if output != Path::new("-") {
        let shown = output.display();
        session.console.remark(&format!(
            "wrote {shown}; open it in a browser: a click zooms, Search marks"
        ));
    }
    Ok(Exit::Fine)
}

fn title(loaded: &Loaded, kind: &str) -> String {
    let object = loaded.profile.mappings.first();
    let path = object.map_or("", |of| of.mapping.path.as_str());
    match path.rsplit('/').next() {
        Some(name) if !name.is_empty() => format!("{name}: {kind}"),
        _ => kind.to_owned(),
    }
}
