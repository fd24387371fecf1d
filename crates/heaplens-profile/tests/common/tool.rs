//! The program `pprof`.
#![allow(dead_code, reason = "each test binary uses some of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn pprof_program() -> PathBuf {
    let program = std::env::var_os("HEAPLENS_PPROF").expect(
        "HEAPLENS_PPROF is not set: run scripts/test, which builds pprof, or set \
         HEAPLENS_PPROF to a pprof program",
    );
    PathBuf::from(program)
}

/// A folder for the files that pprof reads and writes.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("a temporary file");
        path
    }

    /// Runs pprof, without any symbolizing of its own.
    pub(crate) fn run(&self, options: &[&str], files: &[&Path]) -> Result<String, String> {
        let output = Command::new(pprof_program())
            .arg("-symbolize=none")
            .args(options)
            .args(files)
            .env("PPROF_TMPDIR", self.0.path())
            .env("HOME", self.0.path())
            .output()
            .expect("the program that HEAPLENS_PPROF names runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        if output.status.success() {
            Ok(text(output.stdout))
        } else {
            Err(text(output.stderr))
        }
    }

    pub(crate) fn report(&self, options: &[&str], files: &[&Path]) -> String {
        self.run(options, files)
            .unwrap_or_else(|error| panic!("pprof {options:?}: {error}"))
    }

    /// What pprof leaves of a file with these options, as a file of its own kind.
    pub(crate) fn filtered(&self, file: &[u8], options: &[&str]) -> Vec<u8> {
        let (input, output) = (self.file("in", file), self.0.path().join("out"));
        let write = ["-proto", "-output", output.to_str().expect("UTF-8")];
        self.report(&[&write[..], options].concat(), &[&input]);
        std::fs::read(&output).expect("what pprof wrote")
    }
}
