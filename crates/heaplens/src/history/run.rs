//! A run of the program: from its start to its end.

use std::time::SystemTime;

use heaplens_profile::rfc3339;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// When its first allocation was made.
    pub(crate) since: SystemTime,
    /// The build id of the program, if it has one.
    pub(crate) build_id: Option<String>,
    /// Whether it is this process.
    pub(crate) is_this: bool,
}

impl Run {
    /// Whether it ran the build that this process runs, as far as can be told.
    pub(crate) fn is_same_build(&self, now: Option<&str>) -> Option<bool> {
        let then = self.build_id.as_deref();
        then.zip(now).map(|(then, now)| then == now)
    }

    /// What a profile of it says, beside a program of the build `now`.
    pub(crate) fn comment(&self, now: Option<&str>) -> String {
        let since = rfc3339::format(self.since);
        let build = self.build_id.as_deref().unwrap_or("unknown");
        let whose = match self.is_same_build(now) {
            Some(true) => "of the same build".to_owned(),
            Some(false) => format!(
                "of another build, {build}: functions have names where that file is still there"
            ),
            None => "of a build without an id: functions of the program have names only if its \
                     file was not written to since"
                .to_owned(),
        };
        format!("of an earlier run of the program, since {since}, {whose}")
    }

    pub(super) fn this(since: SystemTime) -> Self {
        Run {
            since,
            build_id: None,
            is_this: true,
        }
    }
}
