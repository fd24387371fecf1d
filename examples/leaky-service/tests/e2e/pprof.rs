//! The real `go tool pprof`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::process::{self, Directory};

/// A function's row of `-top`.
#[derive(Debug)]
pub(crate) struct Row {
    /// Bytes of the function and all that it called, negative in a difference.
    pub(crate) cumulative: i64,
    /// With file and line where `-lines` was given.
    pub(crate) name: String,
}

/// A profile fetched into a file, and the tool to read it.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) file: PathBuf,
    directory: Directory,
}

/// The tool, with a place of its own for the copies that it keeps.
pub(crate) fn command(directory: &Directory) -> Command {
    let mut command = Command::new(process::tool("HEAPLENS_PPROF"));
    command
        .env("PPROF_TMPDIR", directory.join("pprof"))
        .stdin(Stdio::null());
    command
}

/// Runs the tool and gives its output.
pub(crate) fn run(arguments: &[&str]) -> String {
    let directory = Directory::new();
    text(&process::run(command(&directory).args(arguments)))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

impl Fetched {
    /// Lets the tool fetch from a URL, as `go tool pprof URL` does.
    pub(crate) fn from(url: &str) -> Self {
        Self::merged(&[url])
    }

    /// Lets the tool fetch from several sources, URLs or files, and merge what
    /// it gets.
    pub(crate) fn merged(sources: &[impl AsRef<OsStr>]) -> Self {
        let directory = Directory::new();
        let file = directory.join("profile.pb.gz");
        let output = format!("-output={}", file.display());
        process::run(command(&directory).args(["-proto", &output]).args(sources));
        Self { file, directory }
    }

    /// Lets curl fetch, and the tool only read.
    pub(crate) fn by_curl(url: &str) -> Self {
        let directory = Directory::new();
        let file = directory.join("profile.pb.gz");
        crate::curl::download(url, &file);
        Self { file, directory }
    }

    /// A report on it.
    pub(crate) fn report(&self, arguments: &[&str]) -> String {
        text(&process::run(
            command(&self.directory).args(arguments).arg(&self.file),
        ))
    }

    /// The rows of `-top -cum` in bytes in use, none left out.
    pub(crate) fn top(&self, more: &[&str]) -> Vec<Row> {
        rows(&self.whole_top(more))
    }

    /// Bytes in use, of the samples that the arguments leave.
    pub(crate) fn total(&self, more: &[&str]) -> i64 {
        let top = self.whole_top(more);
        // `Showing nodes accounting for 123B, 100% of 123B total`
        let told = top
            .lines()
            .find_map(|line| line.strip_prefix("Showing nodes accounting for "))
            .and_then(|rest| rest.split(',').next()?.trim_end_matches('B').parse().ok());
        told.unwrap_or_else(|| panic!("no total in\n{top}"))
    }

    fn whole_top(&self, more: &[&str]) -> String {
        let all = ["-top", "-cum", "-unit=B", "-sample_index=inuse_space"];
        let none_hidden = ["-nodecount=1000000", "-nodefraction=0", "-edgefraction=0"];
        let arguments: Vec<&str> = all
            .iter()
            .chain(&none_hidden)
            .chain(more)
            .copied()
            .collect();
        self.report(&arguments)
    }

    /// The standard error in bytes that the profile publishes of its total.
    pub(crate) fn standard_error(&self) -> f64 {
        let comments = self.report(&["-comments"]);
        comments
            .lines()
            .find_map(|line| line.strip_prefix("standard error of inuse_space: "))
            .and_then(|rest| rest.split(' ').next())
            .and_then(|bytes| bytes.parse().ok())
            .unwrap_or_else(|| panic!("no standard error among the comments:\n{comments}"))
    }
}

fn rows(top: &str) -> Vec<Row> {
    let rows: Vec<Row> = top
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("flat "))
        .skip(1)
        .map(|line| row(line).unwrap_or_else(|| panic!("not a row of -top: {line:?}\n{top}")))
        .collect();
    assert!(!rows.is_empty(), "no rows in\n{top}");
    rows
}

/// `flat flat% sum% cum cum% name`.
fn row(line: &str) -> Option<Row> {
    let mut columns = line.split_whitespace();
    let cumulative = columns.nth(3)?;
    let name: Vec<&str> = columns.skip(1).collect();
    Some(Row {
        cumulative: cumulative.trim_end_matches('B').parse().ok()?,
        name: name.join(" "),
    })
}
