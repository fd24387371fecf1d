//! `heaplens convert`: a profile in another format.

use std::path::Path;

use heaplens_profile::{DefaultType, folded, json, pprof, speedscope};

use crate::cli::{Convert, Format};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::saving;
use crate::session::Session;
use crate::source::Loaded;

pub(crate) fn run(asked: &Convert, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let format = match asked.to {
        Some(format) => format,
        None if session.json => Format::Json,
        None => by_ending(&asked.output)?,
    };
    if format == Format::Pprof && asked.output == Path::new("-") && session.console.is_terminal() {
        return Err(Fault::usage(
            "pprof files are no text for a terminal; write to a file with -o FILE",
        ));
    }
    let loaded = Loaded::of(session, &asked.source, &asked.selection)?;
    let (profile, index) = (&loaded.profile, loaded.type_index);
    let bytes = match format {
        Format::Pprof => {
            let kind = profile.types.get(index).map_or("", |of| &*of.kind);
            pprof::encode(profile, DefaultType::named(kind).unwrap_or_default())
        }
        Format::Folded => folded::render(profile, index).into_bytes(),
        Format::Json => json::render(profile, index).into_bytes(),
        Format::Speedscope => speedscope::render(profile, index)
            .map_err(|error| Fault::unreadable(format!("{}: {error}", loaded.source)))?
            .into_bytes(),
    };
    saving::output(session, &asked.output, &bytes)?;
    Ok(Exit::Fine)
}

fn by_ending(path: &Path) -> Result<Format, Fault> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase());
    let name = name.unwrap_or_default();
    let endings = [
        (".speedscope.json", Format::Speedscope),
        (".json", Format::Json),
        (".folded", Format::Folded),
        (".collapsed", Format::Folded),
        (".txt", Format::Folded),
        (".pb.gz", Format::Pprof),
        (".pb", Format::Pprof),
        (".pprof", Format::Pprof),
    ];
    let found = endings
        .into_iter()
        .find(|(ending, _)| name.ends_with(ending));
    found.map(|(_, format)| format).ok_or_else(|| {
        Fault::usage(
            "which format is wanted? Give --to pprof, folded, speedscope or json, or -o with \
                      an ending that tells: .pb.gz, .folded, .speedscope.json, .json",
        )
    })
}
