//! One workload a run, repeated a given number of times, for counting its instructions.
//!
//! Every binary of this package is this library under another global allocator, so that two
//! binaries differ in the allocator alone.

mod workload;

pub use workload::Workload;

use std::process::ExitCode;

/// Frames below the workload, about as many as below a handler of a web service: what a stack
/// capture walks.
const DEPTH: u32 = 33;

/// Runs `<program> WORKLOAD COUNT`.
///
/// # Errors
/// The exit code is 2, with a line on stderr, when the arguments name no workload or no count.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments) {
        Ok((workload, count)) => {
            descend(DEPTH, workload, count);
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!(
                "{reason}\nusage: <program> WORKLOAD COUNT\nworkloads: {}",
                Workload::names()
            );
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Result<(Workload, u64), String> {
    let [name, count] = arguments else {
        return Err(format!("two arguments wanted, got {}", arguments.len()));
    };
    let workload = Workload::named(name).ok_or_else(|| format!("no workload {name:?}"))?;
    let count = count
        .parse()
        .map_err(|_| format!("{count:?} is not a count"))?;
    Ok((workload, count))
}

/// Calls itself `depth` times, then runs the workload.
#[inline(never)]
fn descend(depth: u32, workload: Workload, count: u64) {
    if depth == 0 {
        workload.run(count);
    } else {
        descend(depth - 1, workload, count);
    }
    // Keeps the call above from being a tail call, which would leave one frame only.
    std::hint::black_box(depth);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_workload_and_a_count_are_wanted() {
        assert!(parse(&strings(&["pair64", "7"])).is_ok_and(|(_, count)| count == 7));
        for wrong in [&["pair64"][..], &["pair64", "x"], &["nosuch", "7"], &[]] {
            assert!(parse(&strings(wrong)).is_err(), "{wrong:?} was taken");
        }
    }

    #[test]
    fn every_workload_runs() {
        for name in Workload::names().split(' ') {
            descend(3, Workload::named(name).unwrap(), 10);
        }
    }
}
