//! The command line.

use std::path::PathBuf;

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    /// A slice that takes seconds: no report is written.
    pub(crate) quick: bool,
    /// Runs of each scenario.
    pub(crate) seeds: u64,
    /// The tuning part only: for those who change parameters.
    pub(crate) tuning_only: bool,
    /// Where the report goes; standard output by default.
    pub(crate) output: Option<PathBuf>,
    /// A report that must agree in what both have run.
    pub(crate) against: Option<PathBuf>,
}

/// Days of each scenario in a whole evaluation.
const SEEDS: u64 = 40;
/// And in a quick one.
pub(crate) const QUICK: u64 = 3;

impl Args {
    /// As given, without the program's name.
    ///
    /// # Errors
    ///
    /// Says what was not understood and what would be.
    pub(crate) fn parse(given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Args {
            quick: false,
            seeds: 0,
            tuning_only: false,
            output: None,
            against: None,
        };
        let mut given = given.peekable();
        while let Some(arg) = given.next() {
            let mut value = |what: &str| given.next().ok_or(format!("{arg} needs {what}"));
            match arg.as_str() {
                "--quick" => args.quick = true,
                "--tuning" => args.tuning_only = true,
                "--seeds" => {
                    let seeds = value("a number")?;
                    let parsed = seeds
                        .parse()
                        .ok()
                        .filter(|seeds| (1..=1000).contains(seeds));
                    args.seeds =
                        parsed.ok_or(format!("--seeds {seeds}: 1 to 1000 are possible"))?;
                }
                "--output" => args.output = Some(value("a file")?.into()),
                "--against" => args.against = Some(value("a file")?.into()),
                _ => {
                    return Err(format!(
                        "unknown argument '{arg}'; known: --quick, --tuning, --seeds N, \
                         --output FILE, --against FILE"
                    ));
                }
            }
        }
        if args.seeds == 0 {
            args.seeds = if args.quick { QUICK } else { SEEDS };
        }
        if args.against.is_some() && (args.tuning_only || args.seeds < QUICK) {
            return Err(format!(
                "--against needs both parts, and {QUICK} days of each scenario at least"
            ));
        }
        Ok(args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_taken() {
        let parse = |text: &str| Args::parse(text.split_whitespace().map(str::to_owned));
        let all = parse("--tuning --seeds 3 --output a.md").expect("known");
        assert!(all.tuning_only && !all.quick);
        assert_eq!((all.seeds, all.output), (3, Some("a.md".into())));
        assert_eq!(parse("--quick").map(|args| args.seeds), Ok(QUICK));
        assert_eq!(parse("").map(|args| args.seeds), Ok(SEEDS));
        assert!(parse("--quick --against a.md").is_ok());
        for wrong in [
            "--sedes 3",
            "--seeds",
            "--seeds 0",
            "--seeds x",
            "--against a --tuning",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
