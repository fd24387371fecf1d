//! Child processes that never outlive their test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Long enough for the slowest machine: only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(50);

/// The path of a tool, from the environment variable that names it.
pub(crate) fn tool(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    let path = path.unwrap_or_else(|| panic!("{variable} is not set; run scripts/test"));
    assert!(
        path.is_file(),
        "{variable}={} is no file; run scripts/setup",
        path.display()
    );
    path
}

/// Asks again and again until there is an answer.
pub(crate) fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_long_for(what, PATIENCE, ask)
}

/// As [`wait_for`], for what takes its time.
pub(crate) fn wait_long_for<T>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < patience, "no {what} after {patience:?}");
        thread::sleep(POLL);
    }
}

/// The address in the log of a server of the Prometheus family.
pub(crate) fn listening_on(log: &str) -> Option<String> {
    // Complete only when the next line has begun.
    let (complete, _) = log.rsplit_once('\n')?;
    let line = complete
        .lines()
        .find(|line| line.contains("\"Listening on\""))?;
    let (_, address) = line.rsplit_once("address=")?;
    Some(address.to_owned())
}

/// Runs a program to its end, which is expected to be a good one.
pub(crate) fn run(command: &mut Command) -> Output {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A directory that goes with its test.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (pid, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-{pid}-{n}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Left behind it lies in the target directory, where it does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program in the background. Killed when dropped; its output is shown if the
/// test has failed.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    // Dropped last: the log is in it.
    _directory: Directory,
}

impl Process {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Self {
        let directory = Directory::new();
        let log = directory.join("log");
        let file = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self {
            name,
            child,
            log,
            _directory: directory,
        }
    }

    /// What it has written so far, to either output.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until something stands in its output.
    pub(crate) fn wait_for_log<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        wait_for(what, || {
            // Asked before the output is read, so that none of it is missed.
            let ended = self.child.try_wait().unwrap();
            let found = find(&self.log());
            assert!(
                found.is_some() || ended.is_none(),
                "{} ended with {ended:?} and without {what}:\n{}",
                self.name,
                self.log()
            );
            found
        })
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("end of the process", || self.child.try_wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is just as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("---- output of {}:\n{}----", self.name, self.log());
        }
    }
}
