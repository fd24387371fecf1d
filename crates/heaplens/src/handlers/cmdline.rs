//! `/debug/pprof/cmdline`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::respond::{self, Reply};

/// Stands for what is not shown.
const REDACTED: &[u8] = b"[redacted]";

/// Answers with the command line, NUL between its words.
pub(crate) fn serve(expose: bool) -> Reply {
    respond::text(shown(std::env::args_os().collect(), expose))
}

/// All words, or the program's name and a mark that there were more. Neither
/// the directory nor the number of words is told then.
fn shown(mut words: Vec<OsString>, expose: bool) -> Vec<u8> {
    if !expose {
        let more = words.len() > 1;
        words.truncate(1);
        for word in &mut words {
            if let Some(name) = Path::new(word).file_name() {
                *word = name.to_owned();
            }
        }
        if more {
            words.push(OsString::from_vec(REDACTED.to_vec()));
        }
    }
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    words.join(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_only_if_allowed() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let line = words(&["/opt/app/bin/server", "--password", "hunter2"]);
        assert_eq!(
            shown(line.clone(), true),
            b"/opt/app/bin/server\0--password\0hunter2"
        );
        assert_eq!(shown(line, false), b"server\0[redacted]");
        assert_eq!(shown(words(&["./server"]), false), b"server");
        assert_eq!(shown(words(&[]), false), b"");
    }
}
