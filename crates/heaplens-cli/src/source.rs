//! Where a profile comes from: a service, a file, or standard input.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use heaplens_profile::{Filter, Profile};

use crate::address::{Address, escaped};
use crate::cli::Selection;
use crate::client::{Answer, Client, Refusal};
use crate::fault::Fault;
use crate::format;
use crate::session::Session;

/// Most bytes of a file.
const LONGEST: u64 = 256 << 20;

/// A place to read a profile from.
#[derive(Debug)]
pub(crate) enum Source {
    Service(Address),
    File(PathBuf),
    Input,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Service(address) => address.fmt(f),
            Source::File(path) => path.display().fmt(f),
            Source::Input => f.write_str("standard input"),
        }
    }
}

impl Source {
    /// What `text` means: a file if there is one of that name.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if text == "-" {
            return Ok(Source::Input);
        }
        let path = Path::new(text);
        if Address::is_one(text) && !path.exists() {
            return Ok(Source::Service(Address::parse(text)?));
        }
        Ok(Source::File(path.to_owned()))
    }

    /// A service; anything else is an error.
    pub(crate) fn service(text: &str) -> Result<Address, Fault> {
        if Address::is_one(text) {
            return Address::parse(text);
        }
        Err(Fault::usage(format!(
            "{text:?} is no address of a service; write http://HOST:PORT, HOST:PORT or unix:/PATH"
        )))
    }

    /// A file or standard input; services are an error.
    pub(crate) fn file(text: &str) -> Result<Self, Fault> {
        match Source::parse(text)? {
            Source::Service(address) => Err(Fault::usage(format!(
                "{address} is a service, and a file is wanted here; save one by heaplens convert {address} \
                 --to pprof -o FILE"
            ))),
            source => Ok(source),
        }
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Fault> {
        let cannot = |error: io::Error| Fault::unreadable(format!("cannot read {self}: {error}"));
        let mut bytes = Vec::new();
        match self {
            Source::File(path) => {
                let file = File::open(path).map_err(cannot)?;
                file.take(LONGEST + 1)
                    .read_to_end(&mut bytes)
                    .map_err(cannot)?;
            }
            Source::Input => {
                io::stdin()
                    .take(LONGEST + 1)
                    .read_to_end(&mut bytes)
                    .map_err(cannot)?;
            }
            Source::Service(_) => {}
        }
        if bytes.len() as u64 > LONGEST {
            let longest = LONGEST >> 20;
            return Err(Fault::unreadable(format!(
                "{self} has more than {longest} MiB"
            )));
        }
        Ok(bytes)
    }
}

/// A profile, and where it is from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) source: Source,
    pub(crate) profile: Profile,
    /// The place of the type that counts.
    pub(crate) type_index: usize,
}

impl Loaded {
    /// Reads the selected part of what `text` means.
    pub(crate) fn of(
        session: &Session<'_>,
        text: &str,
        selection: &Selection,
    ) -> Result<Self, Fault> {
        Self::in_form(session, text, selection, Form::Pprof)
    }

    /// The same with standard errors, where a service tells them.
    pub(crate) fn with_errors(
        session: &Session<'_>,
        text: &str,
        selection: &Selection,
    ) -> Result<Self, Fault> {
        Self::in_form(session, text, selection, Form::Json)
    }

    fn in_form(
        session: &Session<'_>,
        text: &str,
        selection: &Selection,
        form: Form,
    ) -> Result<Self, Fault> {
        let source = Source::parse(text)?;
        let mut profile = match &source {
            Source::Service(address) => of_service(&session.client()?, address, selection, form)?,
            _ => of_file(&source, selection)?,
        };
        filter(selection, !matches!(source, Source::Service(_)))?.apply(&mut profile);
        let type_index = type_index(&profile, selection.kind.as_deref())?;
        Ok(Loaded {
            source,
            profile,
            type_index,
        })
    }
}

fn of_file(source: &Source, selection: &Selection) -> Result<Profile, Fault> {
    let services_only = [
        (selection.older.is_some(), "--older"),
        (selection.at.is_some(), "--at"),
        (selection.seconds.is_some(), "--seconds"),
    ];
    if let Some((_, option)) = services_only.iter().find(|(given, _)| *given) {
        return Err(Fault::usage(format!(
            "{option} asks a service, and {source} is a file"
        )));
    }
    format::decode(&source.bytes()?)
        .map_err(|reason| Fault::unreadable(format!("{source} is no profile: {reason}")))
}

/// What a service is asked for. JSON has standard errors and takes more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Pprof,
    Json,
}

impl Form {
    fn route(self) -> &'static str {
        match self {
            Form::Pprof => "/debug/heap",
            Form::Json => "/debug/heap?format=json",
        }
    }
}

/// Asks for the heap as our agent serves it, or else as Go's servers do.
fn of_service(
    client: &Client,
    address: &Address,
    selection: &Selection,
    form: Form,
) -> Result<Profile, Fault> {
    let waiting = Duration::from_secs(selection.seconds.unwrap_or(0));
    let get = |page: String| client.get(address, &with_parameters(page, selection), waiting);
    let answer = match address.page() {
        Some(page) => get(page)?,
        None => match get(address.route(form.route())) {
            Err(Refusal::NotFound(fault)) if is_plain(selection) => {
                // Whoever is not ours may be Go's, or serve as Go does.
                get(address.route("/debug/pprof/heap")).map_err(|_| fault)?
            }
            other => other?,
        },
    };
    decode(address, &answer)
}

fn decode(address: &Address, answer: &Answer) -> Result<Profile, Fault> {
    format::decode(&answer.body).map_err(|reason| {
        let kind = answer
            .content_type
            .as_deref()
            .unwrap_or("of no stated type");
        Fault::unreadable(format!(
            "{address}: the answer ({kind}) is no profile: {reason}"
        ))
    })
}

/// Whether nothing is asked for that servers other than ours do not know, and would
/// leave out without a word.
fn is_plain(selection: &Selection) -> bool {
    selection.map.is_none() && selection.older.is_none() && selection.at.is_none()
}

fn with_parameters(page: String, selection: &Selection) -> String {
    let mut pairs: Vec<String> = Vec::new();
    if let Some(map) = &selection.map {
        pairs.push(format!("map={}", escaped(map)));
    }
    if let Some(age) = selection.older {
        pairs.push(format!("older={}s", age.as_secs()));
    }
    if let Some(when) = &selection.at {
        pairs.push(format!("at={}", escaped(when)));
    }
    if let Some(seconds) = selection.seconds {
        pairs.push(format!("seconds={seconds}"));
    }
    if pairs.is_empty() {
        return page;
    }
    let joint = if page.contains('?') { '&' } else { '?' };
    format!("{page}{joint}{}", pairs.join("&"))
}

/// What is left out here rather than by the service. In a file, what a map holds
/// is told by a label.
fn filter(selection: &Selection, is_file: bool) -> Result<Filter, Fault> {
    let wrong = |option: &str, error: &dyn fmt::Display| {
        Fault::usage(format!("bad expression for {option}: {error}"))
    };
    let mut filter = Filter::new();
    if let Some(pattern) = &selection.focus {
        filter = filter
            .focus(pattern)
            .map_err(|error| wrong("--focus", &error))?;
    }
    if let Some(pattern) = &selection.ignore {
        filter = filter
            .ignore(pattern)
            .map_err(|error| wrong("--ignore", &error))?;
    }
    for (key, value) in &selection.labels {
        filter = filter.label(key, value);
    }
    if let Some(site) = selection.site {
        filter = filter.site(site);
    }
    if let Some(map) = selection.map.as_ref().filter(|_| is_file) {
        filter = filter.label("map", map);
    }
    Ok(filter)
}

/// The place of the type of this name; without one, of that which viewers show
/// first.
pub(crate) fn type_index(profile: &Profile, kind: Option<&str>) -> Result<usize, Fault> {
    let Some(kind) = kind else {
        let inuse = profile.type_index("inuse_space");
        return Ok(inuse.unwrap_or(profile.types.len().saturating_sub(1)));
    };
    profile.type_index(kind).ok_or_else(|| {
        let known: Vec<&str> = profile.types.iter().map(|of| &*of.kind).collect();
        Fault::usage(format!(
            "there is no type {kind:?} in the profile; it has {}",
            known.join(", ")
        ))
    })
}
