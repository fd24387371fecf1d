//! Telling those who listen that a verdict has changed: on a thread of its own, since they
//! are the program's, and may take long, block or panic.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::SystemTime;

use crate::leaks::{Kind, State};

/// Changes that wait for a listener; what comes while there are so many is not told.
const WAITING: usize = 256;

/// A verdict that has changed, as [`Builder::on_verdict`](crate::Builder::on_verdict) tells it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerdictChange {
    /// When it changed.
    pub at: SystemTime,
    /// Map or call site.
    pub kind: Kind,
    /// The map's name, or `function at file:line`.
    pub name: String,
    /// What it was found to be before.
    pub from: State,
    /// What it is found to be now.
    pub to: State,
    /// The verdict in one sentence with its numbers.
    pub sentence: String,
    /// What to do about it, in one sentence, if there is something.
    pub suggestion: Option<&'static str>,
}

/// What is called for each change.
pub(crate) type Listener = Arc<dyn Fn(&VerdictChange) + Send + Sync>;

/// Those who listen, behind a queue.
pub(super) struct Listeners {
    listener: Option<Listener>,
    /// To their thread, from the first change on.
    sender: Option<SyncSender<VerdictChange>>,
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listeners").finish_non_exhaustive()
    }
}

impl Listeners {
    pub(super) fn new(listener: Option<Listener>) -> Self {
        Listeners {
            listener,
            sender: None,
        }
    }

    /// Never waits. Without a thread to be had nobody is told.
    pub(super) fn tell(&mut self, change: VerdictChange) {
        if self.listener.is_none() && !cfg!(feature = "tracing") {
            return;
        }
        if self.sender.is_none() {
            self.sender = start(self.listener.clone());
        }
        if let Some(sender) = &self.sender {
            // Full, or its thread is gone: they have missed it, and /debug/leaks has not.
            let _ = sender.try_send(change);
        }
    }
}

/// Starts their thread, which ends when it has told what waits once the sender is dropped.
fn start(listener: Option<Listener>) -> Option<SyncSender<VerdictChange>> {
    let (sender, changes) = sync_channel::<VerdictChange>(WAITING);
    let tell = move || {
        for change in changes {
            // What they hold may be broken after a panic; that is theirs to see to.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                trace(&change);
                if let Some(listener) = &listener {
                    listener(&change);
                }
            }));
        }
    };
    let thread = thread::Builder::new().name("heaplens-verdicts".to_owned());
    thread.spawn(tell).ok().map(|_| sender)
}

/// An event of the target `heaplens::leaks`: a warning for what is suspected or leaks, else
/// for information.
#[cfg(feature = "tracing")]
fn trace(change: &VerdictChange) {
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "heaplens::leaks",
                tracing::Level::$level,
                kind = change.kind.name(),
                name = %change.name,
                from = change.from.name(),
                to = change.to.name(),
                suggestion = change.suggestion,
                "{}",
                change.sentence
            )
        };
    }
    if change.to.is_flagged() {
        event!(WARN);
    } else {
        event!(INFO);
    }
}

#[cfg(not(feature = "tracing"))]
fn trace(_change: &VerdictChange) {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    fn change(name: &str) -> VerdictChange {
        VerdictChange {
            at: SystemTime::now(),
            kind: Kind::Map,
            name: name.to_owned(),
            from: State::Growing,
            to: State::Suspect,
            sentence: "it grows".to_owned(),
            suggestion: None,
        }
    }

    #[cfg(feature = "tracing")]
    #[test]
    fn a_change_is_an_event_with_its_level_and_fields() {
        use tracing_core::field::{Field, Visit};
        use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

        /// What events say, a line a field.
        #[derive(Clone, Default)]
        struct Heard(Arc<std::sync::Mutex<Vec<String>>>);

        impl Visit for Heard {
            fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
                self.0.lock().unwrap().push(format!("{field}={value:?}"));
            }
        }

        impl<S: tracing_core::Subscriber> Layer<S> for Heard {
            fn on_event(&self, event: &tracing_core::Event<'_>, _context: Context<'_, S>) {
                let of = event.metadata();
                let line = format!("{} {}", of.level(), of.target());
                self.0.lock().unwrap().push(line);
                event.record(&mut self.clone());
            }
        }

        let heard = Heard::default();
        let subscriber = tracing_subscriber::registry().with(heard.clone());
        let mut better = change("sessions");
        (better.from, better.to) = (State::Suspect, State::Growing);
        tracing::subscriber::with_default(subscriber, || {
            trace(&change("sessions"));
            trace(&better);
        });
        let heard = heard.0.lock().unwrap().join("\n");
        let of_map = "message=it grows\nkind=\"map\"\nname=sessions\n";
        let expected = format!(
            "WARN heaplens::leaks\n{of_map}from=\"growing\"\nto=\"suspect\"\n\
             INFO heaplens::leaks\n{of_map}from=\"suspect\"\nto=\"growing\""
        );
        assert_eq!(heard, expected);
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn a_listener_that_panics_hears_the_next() {
        let (sender, heard) = mpsc::channel();
        let listener = move |change: &VerdictChange| {
            sender.send(change.name.clone()).unwrap();
            assert_ne!(change.name, "first", "on purpose");
        };
        let mut listeners = Listeners::new(Some(Arc::new(listener)));
        for name in ["first", "second"] {
            listeners.tell(change(name));
            assert_eq!(heard.recv_timeout(PATIENCE).as_deref(), Ok(name));
        }
    }

    #[test]
    fn a_listener_that_blocks_stalls_nobody() {
        let (release, released) = mpsc::channel::<()>();
        let (sender, heard) = mpsc::channel();
        let released = std::sync::Mutex::new(released);
        let listener = move |change: &VerdictChange| {
            // Until the other end is dropped.
            let _ = released.lock().unwrap().recv();
            let _ = sender.send(change.name.clone());
        };
        let mut listeners = Listeners::new(Some(Arc::new(listener)));
        for number in 0..10 * WAITING {
            listeners.tell(change(&number.to_string()));
        }
        drop((release, listeners));
        let heard: Vec<String> = heard.iter().collect();
        assert!(
            (WAITING..WAITING + 3).contains(&heard.len()),
            "{}",
            heard.len()
        );
        assert_eq!(heard.first().map(String::as_str), Some("0"));
    }
}
