//! When profiles are due, and until when: written down, so that a recording that
//! was ended goes on where it was.

use std::time::{Duration, SystemTime};

use heaplens_profile::rfc3339;
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use crate::address::Address;
use crate::fault::Fault;

/// The file in the folder that says what is recorded.
const FILE: &str = "record.json";

/// What is written down.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
struct Written {
    schema: String,
    source: String,
    started_at: String,
    /// None where it goes on until it is ended.
    ends_at: Option<String>,
}

const SCHEMA: &str = "heaplens.recording/1";

/// When profiles are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    started: SystemTime,
    ends: Option<SystemTime>,
    every: Duration,
    /// The number of the next one.
    next: u64,
}

impl Plan {
    /// Begins a recording, or goes on with the one that the folder is of.
    pub(super) fn begin_or_go_on(
        folder: &Folder,
        address: &Address,
        every: Duration,
        length: Option<Duration>,
    ) -> Result<Self, Fault> {
        let now = SystemTime::now();
        let Some(text) = folder.read(FILE)? else {
            // Whole seconds, as they are written.
            let now = rfc3339::parse(&rfc3339::format(now)).unwrap_or(now);
            let plan = Plan {
                started: now,
                ends: length.and_then(|length| now.checked_add(length)),
                every,
                next: 0,
            };
            let written = Written {
                schema: SCHEMA.to_owned(),
                source: address.to_string(),
                started_at: rfc3339::format(plan.started),
                ends_at: plan.ends.map(rfc3339::format),
            };
            let text = serde_json::to_string_pretty(&written).unwrap_or_default();
            folder.write(FILE, format!("{text}\n").as_bytes())?;
            return Ok(plan);
        };
        let mut plan = Self::read(&text, folder, address, every)?;
        if plan.ends.is_some_and(|ends| ends <= now) {
            let ended = plan.ends.map(rfc3339::format).unwrap_or_default();
            let folder = folder.path().display();
            return Err(Fault::usage(format!(
                "the recording in {folder} was over at {ended}; name another --dir for a new one"
            )));
        }
        plan.next = plan.number(now);
        Ok(plan)
    }

    fn read(
        text: &str,
        folder: &Folder,
        address: &Address,
        every: Duration,
    ) -> Result<Self, Fault> {
        let path = folder.path().join(FILE);
        let damaged = |reason: &str| {
            Fault::unreadable(format!(
                "{} cannot be used: {reason}; name another --dir",
                path.display()
            ))
        };
        let written: Written =
            serde_json::from_str(text).map_err(|error| damaged(&error.to_string()))?;
        if written.schema != SCHEMA {
            return Err(damaged("it is of another version"));
        }
        if written.source != address.to_string() {
            return Err(Fault::usage(format!(
                "{} holds a recording of {}; name another --dir for {address}",
                folder.path().display(),
                written.source
            )));
        }
        let time = |text: &str| rfc3339::parse(text).ok_or_else(|| damaged("a time in it is none"));
        Ok(Plan {
            started: time(&written.started_at)?,
            ends: written.ends_at.as_deref().map(time).transpose()?,
            every,
            next: 0,
        })
    }

    /// How many are due in all, if that is known.
    pub(super) fn total(&self) -> Option<u64> {
        let length = self.ends?.duration_since(self.started).ok()?;
        // The first one is due at once.
        Some(
            length
                .as_secs()
                .div_ceil(self.every.as_secs().max(1))
                .max(1),
        )
    }

    /// How many were due before the next one.
    pub(super) fn passed(&self) -> u64 {
        self.next
    }

    /// How long until the next one is due; `None` if there is none.
    pub(super) fn wait(&self, now: SystemTime) -> Option<Duration> {
        let due = self.due(self.next)?;
        if self.ends.is_some_and(|ends| due >= ends) {
            return None;
        }
        Some(due.duration_since(now).unwrap_or_default())
    }

    /// The number of the one that is due now, those that were missed left out.
    pub(super) fn tick(&self, now: SystemTime) -> u64 {
        let behind = now.duration_since(self.started).unwrap_or_default();
        let number = behind.as_secs() / self.every.as_secs().max(1);
        number.max(self.next)
    }

    /// Goes on to the one after this.
    pub(super) fn done(&mut self, number: u64) {
        self.next = number.saturating_add(1);
    }

    /// The number of the first one that is due at or after `now`.
    fn number(&self, now: SystemTime) -> u64 {
        let behind = now.duration_since(self.started).unwrap_or_default();
        let every = self.every.as_millis().max(1);
        u64::try_from(behind.as_millis().div_ceil(every)).unwrap_or(u64::MAX)
    }

    fn due(&self, number: u64) -> Option<SystemTime> {
        let number = u32::try_from(number).ok()?;
        self.started.checked_add(self.every.checked_mul(number)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn address(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    fn plan(next: u64) -> Plan {
        Plan {
            started: SystemTime::UNIX_EPOCH,
            ends: Some(SystemTime::UNIX_EPOCH + MINUTE * 60),
            every: MINUTE,
            next,
        }
    }

    #[test]
    fn one_after_the_other() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut plan = plan(0);
        assert_eq!(plan.total(), Some(60));
        assert_eq!(plan.wait(at(0)), Some(Duration::ZERO));
        plan.done(plan.tick(at(1)));
        assert_eq!(plan.wait(at(1)), Some(Duration::from_secs(59)));
        // The machine slept: those that were missed are left out.
        assert_eq!(plan.wait(at(500)), Some(Duration::ZERO));
        plan.done(plan.tick(at(500)));
        assert_eq!(plan.passed(), 9);
        assert_eq!(plan.wait(at(500)), Some(Duration::from_secs(40)));
        plan.done(59);
        assert_eq!(plan.wait(at(3550)), None);
    }

    #[test]
    fn it_goes_on_with_what_is_there() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(&temporary.path().join("new/dir"), 10, 1 << 20).expect("made");
        let service = address("svc:1");
        let hour = Some(MINUTE * 60);
        let first = Plan::begin_or_go_on(&folder, &service, MINUTE, hour).expect("a plan");
        // With whatever length: what was begun is what is gone on with.
        let second = Plan::begin_or_go_on(&folder, &service, MINUTE, None).expect("the same");
        assert_eq!((second.started, second.ends), (first.started, first.ends));
        let other = Plan::begin_or_go_on(&folder, &address("svc:2"), MINUTE, hour);
        assert!(
            other
                .expect_err("another")
                .to_string()
                .contains("holds a recording of http://svc:1")
        );
        folder.write(FILE, b"{").expect("written");
        let damaged = Plan::begin_or_go_on(&folder, &service, MINUTE, hour).expect_err("damaged");
        assert_eq!(damaged.exit().code(), 4);
    }
}
