//! How far a recording is, for a person at a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::plan::Plan;
use crate::amount;

/// A bar, or nothing where nobody looks.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    is_shown: bool,
    passed: u64,
}

impl Progress {
    pub(super) fn new(plan: &Plan, is_shown: bool) -> Self {
        let bar = match plan.total() {
            _ if !is_shown => ProgressBar::hidden(),
            Some(total) => ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()),
            None => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
        };
        let form = match plan.total() {
            Some(_) => "{bar:30.cyan/blue} {pos}/{len}  {msg}",
            None => "{pos} so far  {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        Progress {
            bar,
            is_shown,
            passed: plan.passed(),
        }
    }

    pub(super) fn is_shown(&self) -> bool {
        self.is_shown
    }

    pub(super) fn show(&self, saved: usize, failed: usize, wait: Duration) {
        let done = (saved + failed) as u64;
        self.bar.set_position(self.passed.saturating_add(done));
        let next = amount::duration(wait.as_secs_f64());
        let failed = match failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        self.bar.set_message(format!(
            "{saved} saved{failed}, next in {next}; Ctrl-C ends"
        ));
    }

    /// A line above the bar, or on standard error.
    pub(super) fn say(&self, line: &str) {
        if self.is_shown {
            self.bar.println(line);
        } else {
            use std::io::Write;
            // That nobody hears it is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
