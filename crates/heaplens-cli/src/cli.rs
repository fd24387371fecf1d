//! What can be written on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use heaplens_profile::SiteId;

use crate::amount::{parse_bytes, parse_duration};

/// Looks at the heap profiles of running services, and of files.
#[derive(Debug, Parser)]
#[command(name = "heaplens", bin_name = "heaplens", version, after_help = AFTER)]
#[command(
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Prints the result as JSON.
    #[arg(long, global = true, help_heading = COMMON)]
    pub(crate) json: bool,

    /// Token of the service; or write it into the address, http://user:TOKEN@host:port.
    #[arg(long, global = true, env = "HEAPLENS_TOKEN", hide_env_values = true)]
    #[arg(value_name = "TOKEN", help_heading = COMMON)]
    pub(crate) token: Option<String>,

    /// How long to wait for each answer.
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = parse_duration, help_heading = COMMON)]
    pub(crate) timeout: Duration,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that all commands have.
const COMMON: &str = "Options of all commands";

const AFTER: &str = "\
A URL is http://HOST:PORT with or without a path, HOST:PORT, or unix:/PATH.
A FILE is a profile: pprof of any program, JSON of /debug/heap?format=json, folded
stacks, or JSON of speedscope; - reads standard input.

Exit codes:
  0    fine
  1    found: a leak (leaks), a broken rule (check)
  2    the command line makes no sense
  3    the service cannot be reached, wants a token, or answers with an error
  4    a file or an answer cannot be read, or is not what it should be
  5    the result cannot be written
  130  ended by a signal (record)";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows which places in the program hold the most memory.
    Top(Top),
    /// Lists the tracked maps and caches of a service, or tells all of one.
    Maps(Maps),
    /// Tells which maps and places leak. Exits with 1 if one does.
    Leaks(Leaks),
    /// Shows maps, places and verdicts as they change. Keys: ? for help, q to quit.
    Watch(Watch),
    /// Draws a flame graph (SVG).
    Flamegraph(Flamegraph),
    /// Tells what changed from A to B.
    Diff(Diff),
    /// Saves a profile every so often, for as long as wanted. Goes on where it was ended.
    Record(Record),
    /// Puts names to the addresses of a profile.
    Symbolize(Symbolize),
    /// Writes a profile in another format.
    Convert(Convert),
    /// Tells whether a file is a valid heap profile, and which rule it breaks.
    Check(Check),
    /// Prints completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Prints the manual page, or writes those of all commands into a directory.
    Man {
        /// Where to write heaplens.1, heaplens-top.1 and so on.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: Option<PathBuf>,
    },
}

/// Which part of a profile, and by which of its values.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Selection {
    /// Value that counts: `inuse_space`, `alloc_objects`, … [default: the profile's own]
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    pub(crate) kind: Option<String>,

    /// Only stacks with a function, source file or object that matches this expression.
    #[arg(long, value_name = "REGEX")]
    pub(crate) focus: Option<String>,

    /// Only stacks without such a one.
    #[arg(long, value_name = "REGEX")]
    pub(crate) ignore: Option<String>,

    /// Only samples with this label. May be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    pub(crate) labels: Vec<(String, String)>,

    /// Only the stack of this id, as JSON and links have it.
    #[arg(long, value_name = "ID")]
    pub(crate) site: Option<SiteId>,

    /// Only what this tracked map holds.
    #[arg(long, value_name = "NAME")]
    pub(crate) map: Option<String>,

    /// Only blocks that are at least so old (services only).
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) older: Option<Duration>,

    /// As it was then, from the history of a service: -10m, a time of RFC 3339, seconds of
    /// Unix, or the id of a snapshot. In diff: A as it was then.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(crate) at: Option<String>,

    /// What changes within the next so many seconds, 1 to 300 (services only).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=300))]
    pub(crate) seconds: Option<u64>,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// By what the samples of a profile are put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum By {
    /// The innermost function of the program itself, with its line.
    #[default]
    Site,
    Function,
    File,
    Object,
    /// The value of a label.
    Label(String),
}

fn parse_by(text: &str) -> Result<By, String> {
    match text {
        "site" => Ok(By::Site),
        "function" => Ok(By::Function),
        "file" => Ok(By::File),
        "object" => Ok(By::Object),
        other => match other.strip_prefix("label:") {
            Some(key) if !key.is_empty() => Ok(By::Label(key.to_owned())),
            _ => Err("known are site, function, file, object and label:KEY".to_owned()),
        },
    }
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Service or profile.
    #[arg(value_name = "URL|FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) source: String,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// What the rows are: site, function, file, object or label:KEY.
    #[arg(long, value_name = "WHAT", default_value = "site", value_parser = parse_by)]
    pub(crate) by: By,

    /// Sorts by what a row and all that it calls has, rather than by its own.
    #[arg(long)]
    pub(crate) cum: bool,

    /// How many rows; 0 = all.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MapSort {
    /// Most bytes first.
    Bytes,
    /// Fastest growth first.
    Growth,
    /// Most entries first.
    Entries,
    /// Most waste of capacity first.
    Waste,
    /// Oldest entry first.
    Age,
    /// By name.
    Name,
}

#[derive(Debug, Args)]
pub(crate) struct Maps {
    /// Service.
    #[arg(value_name = "URL")]
    pub(crate) source: String,

    /// Tells all that is known of this map.
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Order of the list.
    #[arg(long, value_enum, default_value_t = MapSort::Bytes)]
    pub(crate) sort: MapSort,

    /// Only maps whose names contain this.
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,

    /// How many rows; 0 = all.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 30)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Leaks {
    /// Service.
    #[arg(value_name = "URL")]
    pub(crate) source: String,

    /// Shows all that was looked at, not only what grows.
    #[arg(long, short)]
    pub(crate) all: bool,

    /// Shows by which tests each verdict came about.
    #[arg(long, short)]
    pub(crate) evidence: bool,

    /// Exits with 1 for a suspect too.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Service.
    #[arg(value_name = "URL")]
    pub(crate) source: String,

    /// How long from one look to the next.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    pub(crate) every: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Flamegraph {
    /// Service or profile.
    #[arg(value_name = "URL|FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) source: String,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Profile to compare with: red has grown since, blue has shrunk.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) base: Option<String>,

    /// Where to write it; - is standard output. [default: standard output, or
    /// heap.svg where that is a terminal]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,

    /// Roots at the top.
    #[arg(long)]
    pub(crate) inverted: bool,

    /// Stacks begin with the leaf: what allocates stands together, whoever called it.
    #[arg(long)]
    pub(crate) reversed: bool,

    /// Title of the picture.
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// Earlier profile.
    #[arg(value_name = "A", value_hint = ValueHint::AnyPath)]
    pub(crate) base: String,

    /// Later profile, or a service.
    #[arg(value_name = "B", value_hint = ValueHint::AnyPath)]
    pub(crate) source: String,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// What the rows are: site, function, file, object or label:KEY.
    #[arg(long, value_name = "WHAT", default_value = "site", value_parser = parse_by)]
    pub(crate) by: By,

    /// How many rows; 0 = all.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,

    /// Also writes the difference as a pprof file.
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// Service.
    #[arg(value_name = "URL")]
    pub(crate) source: String,

    /// How long from one profile to the next.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = parse_duration)]
    pub(crate) every: Duration,

    /// How long to record, breaks included. [default: until it is ended]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) length: Option<Duration>,

    /// Where the profiles go. Made if it is not there.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,

    /// Most profiles that are kept; the oldest ones go.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = parse_positive)]
    pub(crate) max_files: usize,

    /// Most bytes that they may take together; the oldest ones go.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_bytes)]
    pub(crate) max_bytes: u64,
}

fn parse_positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("write a number of at least 1".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct Symbolize {
    /// Profile without names, as /debug/heap?symbolize=none gives it.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) source: String,

    /// Program or library, as it was linked. May be given several times.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) binary: Vec<PathBuf>,

    /// Tree of files by build id (ab/cdef.debug or .build-id/ab/cdef.debug). May be
    /// given several times.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) debug_dir: Vec<PathBuf>,

    /// Where to write it; - is standard output. [default: FILE with .symbolized before
    /// its ending]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Gzip'ed profile.proto, for `go tool pprof` and most others.
    Pprof,
    /// A line a stack, for flame graph tools.
    Folded,
    /// JSON for www.speedscope.app.
    Speedscope,
    /// JSON of Heaplens, for scripts.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// Service or profile.
    #[arg(value_name = "URL|FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) source: String,

    /// Format of the result. [default: by the ending of the output]
    #[arg(long, value_enum)]
    pub(crate) to: Option<Format>,

    #[command(flatten)]
    pub(crate) selection: Selection,

    /// Where to write it; - is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reader {
    /// `go tool pprof`, and the format itself.
    Pprof,
    Parca,
    /// Grafana Alloy.
    Alloy,
    /// Pyroscope's server.
    Pyroscope,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Profiles.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<String>,

    /// Readers whose rules count. [default: all]
    #[arg(long = "for", value_enum, value_name = "READER", value_delimiter = ',')]
    pub(crate) readers: Vec<Reader>,

    /// The files are of one service, oldest first: what never falls may not, and no site
    /// may disappear.
    #[arg(long)]
    pub(crate) series: bool,

    /// Exits with 1 also where something is only lost or shown otherwise.
    #[arg(long)]
    pub(crate) strict: bool,
}
