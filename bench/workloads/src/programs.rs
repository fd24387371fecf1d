//! One workload a run, and what it took.

mod cache;
mod channel;
mod growth;
mod json;
mod map;
mod measure;
mod mixed;
mod random;
mod report;
mod service;
mod threads;
mod tokens;

use crate::Pair;
use measure::Usage;
pub use measure::status_bytes;
use std::process::ExitCode;
use threads::on_each_thread;

/// What a program that runs the workloads says of its global allocator.
#[derive(Debug)]
pub struct Allocator {
    /// Called before the workload: turns profiling on where a program has to ask for it.
    pub start: fn(),
    /// Called after it: what the allocator says of itself, such as whether a profiler is compiled
    /// in and active, read from the allocator where that is possible.
    pub state: fn() -> Vec<(&'static str, String)>,
}

/// What to do: `count` units of work in each of `threads` threads, after `warm_up` units that are
/// not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    count: u64,
    threads: usize,
    warm_up: u64,
}

/// Figures of a workload of its own, beside time and memory.
type Figures = Vec<(&'static str, f64)>;

/// A workload with its data made, to be done for so many units in each thread.
type Work = Box<dyn Fn(u64) -> Figures>;

/// How a workload's data are made.
type Prepare = fn(Job) -> Work;

/// The same, for a pair too.
type Maker = Box<dyn FnOnce(Job) -> Work>;

const PROGRAMS: [(&str, Prepare); 11] = [
    ("lifo", mixed::lifo),
    ("fifo", mixed::fifo),
    ("map", map::prepare),
    ("channel", channel::prepare),
    ("cache", cache::prepare),
    ("grow8k", growth::to_8_kib),
    ("grow32k", growth::to_32_kib),
    ("grow4m", growth::to_4_mib),
    ("json", json::prepare),
    ("tokens", tokens::prepare),
    ("axum", service::prepare),
];

/// Runs `<program> WORKLOAD COUNT THREADS WARM-UP` and prints what it took as one line of JSON: times in
/// seconds, sizes in bytes.
///
/// # Errors
/// The exit code is 2, with a line on stderr, when the arguments are not usable.
#[must_use]
pub fn main(allocator: &Allocator) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, prepare, job) = match parse(&arguments) {
        Ok(parsed) => parsed,
        Err(reason) => {
            eprintln!("{reason}\nusage: <program> WORKLOAD COUNT THREADS WARM-UP");
            return ExitCode::from(2);
        }
    };
    (allocator.start)();
    let work = prepare(job);
    // The first samples of a process read unwind tables from disk, the first blocks take memory
    // from the system: a service does that once.
    if job.warm_up > 0 {
        work(job.warm_up);
    }
    let before = (allocator.state)();
    let start = Usage::now();
    let figures = work(job.count);
    let usage = start.to(&Usage::now());
    let state = (allocator.state)();
    let states = [before.as_slice(), &state];
    println!("{}", report::line(name, job, &usage, &figures, states));
    ExitCode::SUCCESS
}

/// A workload with its data made, to be done on this thread for so many units.
///
/// # Errors
/// There is none of this name; says which there are.
pub fn prepared(name: &str) -> Result<Box<dyn Fn(u64)>, String> {
    let prepare = named(name)?;
    let work = prepare(Job {
        count: 1,
        threads: 1,
        warm_up: 0,
    });
    Ok(Box::new(move |count| {
        work(count);
    }))
}

fn parse(arguments: &[String]) -> Result<(&str, Maker, Job), String> {
    let [name, count, threads, warm_up] = arguments else {
        return Err(format!("four arguments wanted, got {}", arguments.len()));
    };
    let threads = usize::try_from(number(threads, 1)?).map_err(|error| error.to_string())?;
    let job = Job {
        count: number(count, 1)?,
        threads,
        warm_up: number(warm_up, 0)?,
    };
    Ok((name, named(name)?, job))
}

fn number(text: &str, least: u64) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(format!("{text:?} is not a number of {least} or more")),
    }
}

fn named(name: &str) -> Result<Maker, String> {
    if let Some((_, prepare)) = PROGRAMS.iter().find(|(known, _)| *known == name) {
        return Ok(Box::new(prepare));
    }
    let Some(pair) = Pair::named(name) else {
        let known: Vec<&str> = PROGRAMS.iter().map(|(known, _)| *known).collect();
        return Err(format!(
            "no workload {name:?}; there are {} {}",
            Pair::names(),
            known.join(" ")
        ));
    };
    Ok(Box::new(move |job: Job| {
        Box::new(move |count| on_each_thread(job.threads, |_| pair.run(count)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_runs_in_one_thread_and_in_three() {
        for name in PROGRAMS.map(|(name, _)| name) {
            for threads in [1, 3] {
                let job = Job {
                    count: 3,
                    threads,
                    warm_up: 0,
                };
                let prepare = named(name).unwrap();
                let figures = prepare(job)(job.count);
                assert!(
                    figures.iter().all(|(_, figure)| figure.is_finite()),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn arguments_that_are_not_usable_are_refused() {
        let strings = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(parse(&strings(&["pair64", "7", "1", "0"])).is_ok());
        for wrong in [
            &["pair64", "7", "1"][..],
            &["pair64", "0", "1", "0"],
            &["pair64", "7", "-1", "0"],
            &["nosuch", "7", "1", "0"],
            &["pair64", "7", "1", ""],
        ] {
            assert!(parse(&strings(wrong)).is_err(), "{wrong:?} was taken");
        }
    }
}
