//! Programs on simulated time, and how well verdicts tell which of them leak: see
//! `scripts/evaluate`.

// Counts are small and figures are rounded: f64 holds all of them.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]

mod args;
mod baseline;
mod contender;
mod corpus;
mod cost;
mod culprit;
mod curve;
mod frozen;
mod load;
mod program;
mod random;
mod report;
mod run;
mod score;
mod trial;
mod wilson;
mod world;

use std::path::Path;
use std::process::ExitCode;

use args::Args;
use contender::Contender;
use cost::Cost;
use program::{Part, Scenario};
use report::{Results, Variation};
use run::Setting;
use score::Score;
use trial::Brief;

/// Days of each scenario that are judged by judges with something missing as well.
const ABLATED: u64 = 20;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(problem) => {
            eprintln!("evaluate: {problem}");
            return ExitCode::from(2);
        }
    };
    if !args.tuning_only && frozen::digest() != frozen::FROZEN {
        eprintln!(
            "evaluate: the parameters have the digest {:016x} and were frozen as {:016x}; the \
             held-out part says nothing of parameters that were chosen after it was seen. Use \
             --tuning while you choose, hold out other families, and freeze anew",
            frozen::digest(),
            frozen::FROZEN,
        );
        return ExitCode::from(2);
    }
    match evaluate(&args) {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            for missed in missed {
                eprintln!("evaluate: missed: {missed}");
            }
            ExitCode::FAILURE
        }
        Err(problem) => {
            eprintln!("evaluate: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// What was missed, if anything.
fn evaluate(args: &Args) -> Result<Vec<String>, String> {
    let parts = if args.tuning_only {
        vec![part(Part::Tuning, args)]
    } else {
        vec![part(Part::HeldOut, args), part(Part::Tuning, args)]
    };
    let variations = if args.quick {
        Vec::new()
    } else {
        variations(args)
    };
    let text = report::whole(&parts, &variations, &Cost::measure());
    match &args.output {
        Some(file) => std::fs::write(file, &text)
            .map_err(|error| format!("{} cannot be written: {error}", file.display()))?,
        None => print!("{text}"),
    }
    let mut missed: Vec<String> = parts.iter().flat_map(report::missed).collect();
    if let Some(file) = &args.against {
        missed.extend(disagreement(file, &report::digest(&parts))?);
    }
    Ok(missed)
}

/// The report was printed by code that judges or simulates in another way.
fn disagreement(file: &Path, digest: &str) -> Result<Option<String>, String> {
    let before = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let agrees = before.lines().any(|line| line == digest);
    Ok((!agrees).then(|| {
        format!(
            "{} is of other programs, or of another judge: it does not say \"{digest}\". Run \
             scripts/evaluate",
            file.display()
        )
    }))
}

fn scenarios(part: Part) -> Vec<Scenario> {
    let all = corpus::scenarios().into_iter();
    all.filter(|scenario| scenario.part == part).collect()
}

fn part(part: Part, args: &Args) -> Results {
    let scenarios = scenarios(part);
    let few = Contender::brief();
    let brief = Brief {
        from: ABLATED,
        contenders: few.len(),
    };
    let contenders = if args.quick { few } else { Contender::all() };
    let setting = Setting::default();
    let trials = trial::trials(&scenarios, &setting, args.seeds, &contenders, Some(brief));
    Results {
        part,
        scenarios,
        trials,
        contenders,
        seeds: args.seeds,
    }
}

/// The tuning part with other limits and intervals.
fn variations(args: &Args) -> Vec<Variation> {
    let scenarios = scenarios(Part::Tuning);
    let with = |limit: f64, interval: f64| Setting { limit, interval };
    let usual = Setting::default();
    let settings = [
        with(5e8, usual.interval),
        with(64e9, usual.interval),
        with(usual.limit, usual.interval / 8.0),
        with(usual.limit, usual.interval * 8.0),
    ];
    let contenders = [Contender::Map, Contender::Site];
    let seeds = args.seeds.min(ABLATED);
    settings
        .into_iter()
        .map(|setting| {
            let trials = trial::trials(&scenarios, &setting, seeds, &contenders, None);
            Variation {
                setting,
                scores: [0, 1].map(|contender| Score::of(trials.iter(), contender)),
            }
        })
        .collect()
}
