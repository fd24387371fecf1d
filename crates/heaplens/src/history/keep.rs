//! The history beyond the life of the process: read when an agent starts, written as it grows
//! and when the agent stops.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use heaplens_profile::{Mapping, Mappings};
use tokio::task::JoinHandle;
use tokio::time;

use super::directory::Directory;
use super::pace::measured;
use super::{History, Settings, file, kept};
use crate::state::App;

/// Bytes that are written in a second, on average: a gigabyte and a half in a day.
const BYTES_A_SECOND: u32 = 16 << 10;
/// Writing takes at most this share of a core: one part in so many.
const SHARE: u32 = 2000;
/// For the first run of a program after a restart of the machine, say.
const LONGEST_BEGIN: Duration = Duration::from_secs(5);
/// Of a program with less memory for its history than the one before it.
const LEAST_READ: u64 = 64 << 20;

/// Held while something is read or written, which may take seconds.
static KEEPER: Mutex<Option<Keeper>> = Mutex::new(None);
/// What there is to say of it.
static STATUS: Mutex<Option<Status>> = Mutex::new(None);
/// Objects of earlier runs that this process has not, by addresses that nothing has.
static PAST: Mutex<Vec<Mapping>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Keeper {
    directory: Directory,
    /// Bytes of the file, at the most.
    most: usize,
    /// Whether what was there is part of the history.
    is_read: bool,
    next: Option<Instant>,
}

/// How it is with the directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) file: PathBuf,
    /// When it was written last, and how many bytes.
    pub(crate) written: Option<(SystemTime, usize)>,
    /// Why nothing is written at present.
    pub(crate) trouble: Option<String>,
    /// What was done with a file that could not be read.
    pub(crate) warning: Option<String>,
}

/// How it is with the directory, if there is one.
pub(crate) fn status() -> Option<Status> {
    held(&STATUS).clone()
}

/// Adds the objects of earlier runs to those of this process.
pub(crate) fn add_past(mappings: &mut Mappings) {
    mappings.add_past(held(&PAST).iter());
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is under way with the directory. A disk that does not answer keeps nothing else from
/// being done.
#[derive(Debug)]
pub(super) struct Keeping(Option<JoinHandle<()>>);

impl Keeping {
    /// Takes over what an earlier run left, and waits for it if that does not take long.
    pub(super) async fn begin(app: &Arc<App>, settings: &Settings) -> Self {
        let settings = settings.clone();
        let mut task = spawn(app, move |app| begin(app, &settings));
        let done = time::timeout(LONGEST_BEGIN, &mut task).await;
        Keeping(done.is_err().then_some(task))
    }

    /// Has it written, if it is time, and nothing is under way.
    pub(super) fn save(&mut self, app: &Arc<App>) {
        if self.0.as_ref().is_none_or(JoinHandle::is_finished) {
            self.0 = Some(spawn(app, save_if_due));
        }
    }
}

fn spawn(app: &Arc<App>, job: impl FnOnce(&App) + Send + 'static) -> JoinHandle<()> {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let work = Arc::clone(&app);
        // Fails when the agent stops, which sees to it itself.
        let _ = app.keeping.run_admitted(move || job(&work)).await;
    })
}

/// Milliseconds, and what the disk takes.
fn begin(app: &App, settings: &Settings) {
    let mut keeper = held(&KEEPER);
    let Some(path) = &settings.directory else {
        *keeper = None;
        *held(&STATUS) = None;
        return;
    };
    let same = keeper.as_ref().is_some_and(|of| of.directory.is_at(path));
    if !same {
        *keeper = Some(Keeper {
            directory: Directory::new(path, &program()),
            most: settings.bytes,
            is_read: false,
            next: None,
        });
    }
    if let Some(keeper) = &mut *keeper {
        *held(&STATUS) = Some(Status {
            file: keeper.directory.file(),
            ..Status::default()
        });
        keeper.most = settings.bytes;
        let begun = keeper.begin(app);
        note(begun.map(|()| None));
    }
}

/// Writes what is kept, unless that was done too shortly before.
fn save_if_due(app: &App) {
    let mut keeper = held(&KEEPER);
    let Some(keeper) = &mut *keeper else { return };
    let now = Instant::now();
    if keeper.next.is_some_and(|next| now < next) {
        return;
    }
    let (saved, took) = measured(|| keeper.save(app));
    let bytes = saved.as_ref().map_or(0, |bytes| *bytes);
    let pause = Duration::from_secs(bytes as u64) / BYTES_A_SECOND;
    keeper.next = now.checked_add(pause.max(took.saturating_mul(SHARE)));
    note(saved.map(Some));
}

/// Writes what is kept, at the end. If it is being written already, that is enough.
pub(crate) fn finish(app: &App) {
    if let Ok(mut keeper) = KEEPER.try_lock()
        && let Some(keeper) = &mut *keeper
    {
        note(keeper.save(app).map(Some));
    }
}

impl Keeper {
    /// Makes the directory this process's, and its content the beginning of the history.
    fn begin(&mut self, app: &App) -> Result<(), String> {
        self.directory.claim()?;
        if self.is_read {
            return Ok(());
        }
        let most = LEAST_READ.max(4 * self.most as u64);
        if let Some(bytes) = self.directory.read(most)? {
            let mappings = app.known_mappings()?;
            let taken = held(&PAST).len();
            match file::decode(&bytes, &mappings, taken) {
                Ok(mut earlier) => {
                    held(&PAST).append(&mut earlier.past);
                    kept(|history| history.continue_from(earlier));
                }
                Err(reason) => {
                    let path = self.directory.set_aside()?;
                    warn(&format!(
                        "{} could not be read, since {}; it is now {}, and the history begins anew",
                        self.directory.file().display(),
                        reason.reason(),
                        path.display()
                    ));
                }
            }
        }
        self.is_read = true;
        Ok(())
    }

    /// Returns how many bytes were written.
    fn save(&mut self, app: &App) -> Result<usize, String> {
        self.begin(app)?;
        let mappings = app.known_mappings()?;
        let bytes = kept(|history: &mut History| file::encode(history, &mappings));
        if bytes.len() > self.most {
            return Err(format!(
                "the history comes to {} bytes, more than the {} that it may have; raise \
                 history_bytes",
                bytes.len(),
                self.most
            ));
        }
        self.directory.write(&bytes)?;
        Ok(bytes.len())
    }
}

/// Remembers how it went; what is wrong is said once.
fn note(done: Result<Option<usize>, String>) {
    let trouble = match &mut *held(&STATUS) {
        None => return,
        Some(status) => {
            if let Ok(Some(bytes)) = done {
                status.written = Some((SystemTime::now(), bytes));
            }
            let before = std::mem::replace(&mut status.trouble, done.err());
            status
                .trouble
                .clone()
                .filter(|now| before.as_ref() != Some(now))
        }
    };
    // Whoever listens may take long.
    if let Some(trouble) = trouble {
        say(&trouble);
    }
}

fn warn(warning: &str) {
    say(warning);
    if let Some(status) = &mut *held(&STATUS) {
        status.warning = Some(warning.to_owned());
    }
}

/// A warning in the program's log.
#[cfg(feature = "tracing")]
fn say(text: &str) {
    tracing::warn!(target: "heaplens::history", "{text}");
}

/// A line on stderr.
#[cfg(not(feature = "tracing"))]
fn say(text: &str) {
    use std::io::Write as _;
    // Where nobody reads it, it is on the page.
    let _ = writeln!(std::io::stderr(), "heaplens: history: {text}");
}

/// The name of the program's file.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // As the kernel marks a file that was replaced while it runs.
    let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
    Path::new(name).display().to_string()
}
