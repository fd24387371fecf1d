//! `heaplens symbolize`: names for the addresses of a profile.

use std::path::{Path, PathBuf};

use heaplens_profile::offline::{Files, Object};
use heaplens_profile::{DefaultType, pprof};
use serde_json::{Value, json};

use crate::cli::Symbolize;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::saving;
use crate::session::Session;
use crate::source::Source;

/// The name of the JSON.
const SCHEMA: &str = "heaplens.symbolize/1";

pub(crate) fn run(asked: &Symbolize, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let source = Source::file(&asked.source)?;
    let mut profile = crate::format::decode(&source.bytes()?)
        .map_err(|reason| Fault::unreadable(format!("{source} is no profile: {reason}")))?;
    let mut files = Files::new();
    for path in &asked.binary {
        files = files.binary(path).map_err(|error| {
            Fault::unreadable(format!(
                "cannot read the binary {}: {error}",
                path.display()
            ))
        })?;
    }
    for path in &asked.debug_dir {
        if !path.is_dir() {
            return Err(Fault::unreadable(format!(
                "{} is no directory",
                path.display()
            )));
        }
        files = files.tree(path);
    }
    let has_names = !profile.functions.is_empty();
    let objects = profile.symbolize(&files);
    let named: usize = objects.iter().map(|of| of.named).sum();
    let nameless: usize = objects.iter().map(|of| of.locations).sum();
    if named == 0 && (has_names || nameless == 0) {
        session.console.remark(&format!(
            "{source} has names already, and no more were found; it is written as it is"
        ));
    } else if named == 0 {
        return Err(Fault::unreadable(no_names(&source, &objects)));
    } else if let Some(remark) = missing(&objects) {
        session.console.remark(&remark);
    }
    let output = asked.output.clone().unwrap_or_else(|| beside(&source));
    let bytes = pprof::encode(&profile, DefaultType::InuseSpace);
    saving::output(session, &output, &bytes)?;
    if output == Path::new("-") {
        return Ok(Exit::Fine);
    }
    if session.json {
        let document = document(&output, &objects);
        session.print_json(&document)?;
        return Ok(Exit::Fine);
    }
    let mut lines: Vec<String> = objects.iter().map(line).collect();
    lines.push(format!(
        "{named} of {nameless} addresses have names now: {}",
        output.display()
    ));
    session.print_lines(&lines)?;
    Ok(Exit::Fine)
}

/// `heap.pb.gz` becomes `heap.symbolized.pb.gz`.
fn beside(source: &Source) -> PathBuf {
    let Source::File(path) = source else {
        return PathBuf::from("-");
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, ending) = name.split_once('.').unwrap_or((&name, "pb.gz"));
    path.with_file_name(format!("{stem}.symbolized.{ending}"))
}

fn build_id(object: &Object) -> &str {
    object.build_id.as_deref().unwrap_or("none")
}

/// Why not one address has a name.
fn no_names(source: &Source, objects: &[Object]) -> String {
    missing(objects).unwrap_or_else(|| {
        format!(
            "the files for {source} have no names in them: they were stripped, and no debug file was \
             found"
        )
    })
}

/// What to do about objects of which there is no file, if there are any. What the
/// kernel brings along has none.
fn missing(objects: &[Object]) -> Option<String> {
    let wanted: Vec<String> = objects
        .iter()
        .filter(|of| of.file.is_none() && !of.path.starts_with('['))
        .map(|of| format!("{} (build id {})", of.path, build_id(of)))
        .collect();
    (!wanted.is_empty()).then(|| {
        format!(
            "no file of the same build was found for {}; give the program as it was linked by --binary, \
             or a tree by build id by --debug-dir",
            wanted.join(", ")
        )
    })
}

fn line(object: &Object) -> String {
    let from = match &object.file {
        None => format!("no file of build id {}", build_id(object)),
        Some(file) if object.is_proved => format!("from {}", file.display()),
        Some(file) => format!(
            "from {}, by its name alone: the profile has no build id, so names may be wrong",
            file.display()
        ),
    };
    let path = crate::text::printable(&object.path);
    format!(
        "{path}: {} of {} addresses, {from}",
        object.named, object.locations
    )
}

fn document(output: &Path, objects: &[Object]) -> Value {
    let objects: Vec<Value> = objects
        .iter()
        .map(|of| {
            json!({
                "path": of.path,
                "build_id": of.build_id,
                "file": of.file,
                "proved": of.is_proved,
                "locations_count": of.locations,
                "named_count": of.named,
            })
        })
        .collect();
    json!({ "schema": SCHEMA, "output": output, "objects": objects })
}
