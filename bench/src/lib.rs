//! One workload a run, repeated a given number of times, for counting its instructions.
//!
//! Every binary of this package is this library under another global allocator, so that two
//! binaries differ in the allocator alone.

use heaplens_workloads::{Pair, at_depth};
use std::process::ExitCode;

/// Runs `<program> WORKLOAD COUNT`.
///
/// # Errors
/// The exit code is 2, with a line on stderr, when the arguments name no workload or no count.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments) {
        Ok((pair, count)) => {
            at_depth(|| pair.run(count));
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!(
                "{reason}\nusage: <program> WORKLOAD COUNT\nworkloads: {}",
                Pair::names()
            );
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Result<(Pair, u64), String> {
    let [name, count] = arguments else {
        return Err(format!("two arguments wanted, got {}", arguments.len()));
    };
    let pair = Pair::named(name).ok_or_else(|| format!("no workload {name:?}"))?;
    let count = count
        .parse()
        .map_err(|_| format!("{count:?} is not a count"))?;
    Ok((pair, count))
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
        for name in Pair::names().split(' ') {
            at_depth(|| Pair::named(name).unwrap().run(10));
        }
    }
}
