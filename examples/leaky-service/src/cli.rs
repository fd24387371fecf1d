//! The command line.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::app::Options;
use crate::cases::{CaseName, Mode};
use crate::shutdown::Shutdown;

const AFTER_HELP: &str = "\
At the default rate each of the five cases keeps 50 to 100 KiB/s, all of them
together about 25 MiB a minute. --case NAME sends all requests to that case,
which then keeps five times as much. The timer of the callbacks ticks as often
as each case has requests. With --fixed all cases together hold a few MiB at the
default rate, however long they run. GET /stats on the service's port gives the
exact figures.

POST /repair on the service's port goes over to the repaired form of all cases,
or of one with ?case=NAME, while the service runs, and lets go of what had
leaked; POST /break goes back to the leaking form. Both answer as /stats does.
The maps keep their names, so that dashboards and alerts see the same map before
and after.";

/// A service with five map leaks, and a profiler to find them with.
#[derive(Clone, Debug, Parser)]
#[command(version, about, after_help = AFTER_HELP, args_override_self = true)]
pub struct Cli {
    /// Runs this case, may be given more than once [default: all five]
    #[arg(long = "case", value_name = "NAME", value_enum)]
    cases: Vec<CaseName>,

    /// Runs each case as repaired: TTL and capacity, bounded keys, closures
    /// removed when done, a cache with an end, callbacks de-registered
    #[arg(long)]
    fixed: bool,

    /// Judges growth within minutes in place of hours: a leak is found within six minutes, at
    /// /debug/leaks on the admin port. Samples each 16 KiB in place of 512, unless the
    /// environment states an interval
    #[arg(long)]
    pub demo_windows: bool,

    /// Address of the Heaplens agent, the admin port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6060")]
    pub listen: String,

    /// Keeps the profiler's history in this directory, for the next run
    #[arg(long, value_name = "PATH")]
    pub history_dir: Option<PathBuf>,

    /// Address of the business API; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    service: SocketAddr,

    /// Requests a second from the built-in load generator, 0 = none
    #[arg(long, value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(..=100_000))]
    rate: u32,

    /// Ends the load, but not the service, after so many requests
    #[arg(long, value_name = "N")]
    requests: Option<u64>,

    /// Stops by itself after so many seconds
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    duration: Option<u64>,
}

impl Cli {
    /// The cases chosen, each once, in the order of the README.
    pub fn cases(&self) -> Vec<CaseName> {
        let chosen = |case: &CaseName| self.cases.is_empty() || self.cases.contains(case);
        CaseName::ALL.into_iter().filter(chosen).collect()
    }

    /// What to run.
    pub fn options(&self) -> Options {
        Options {
            address: self.service,
            cases: self.cases(),
            mode: self.mode(),
            rate: self.rate,
            requests: self.requests,
        }
    }

    fn mode(&self) -> Mode {
        if self.fixed {
            Mode::Fixed
        } else {
            Mode::Leaking
        }
    }

    /// Ends at a signal or when the duration is over.
    pub async fn until(&self, mut shutdown: Shutdown) {
        let Some(seconds) = self.duration else {
            return shutdown.requested().await;
        };
        tokio::select! {
            () = shutdown.requested() => {}
            () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        }
    }

    /// What to open and what to paste: the service listens on `service`, the
    /// agent answers under `agent`, a URL without a path.
    pub fn banner(&self, service: SocketAddr, agent: &str) -> String {
        let names: Vec<&str> = self.cases().iter().map(|case| case.as_str()).collect();
        Banner {
            what: format!("{} ({:?})", names.join(", "), self.mode()).to_lowercase(),
            rate: self.rate,
            service,
            agent,
        }
        .to_string()
    }
}

struct Banner<'a> {
    what: String,
    rate: u32,
    service: SocketAddr,
    agent: &'a str,
}

impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            rate,
            service,
            agent,
        } = self;
        writeln!(f, "leaky-service: {what}, {rate} requests/s")?;
        writeln!(f, "  what it holds  http://{service}/stats")?;
        writeln!(f, "  repair it      curl -X POST http://{service}/repair")?;
        writeln!(f, "  the profiler   {agent}/debug/pprof/")?;
        writeln!(f, "  which map      {agent}/debug/maps?format=text")?;
        writeln!(f, "  does it leak   {agent}/debug/leaks?format=text")?;
        writeln!(f, "  metrics        {agent}/metrics")?;
        writeln!(
            f,
            "  who holds it   go tool pprof -top -cum -lines -show=^leaky_service:: {agent}/debug/heap"
        )?;
        writeln!(f, "Ctrl-C stops it.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(std::iter::once("leaky-service").chain(arguments.iter().copied()))
    }

    #[test]
    fn the_command_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn all_cases_run_unless_some_are_named() -> Result<(), clap::Error> {
        assert_eq!(parse(&[])?.cases(), CaseName::ALL);
        let some = parse(&["--case", "field", "--case", "sessions", "--case", "field"])?;
        assert_eq!(some.cases(), [CaseName::Sessions, CaseName::Field]);
        assert_eq!(some.options().mode, Mode::Leaking);
        assert_eq!(parse(&["--fixed"])?.options().mode, Mode::Fixed);
        Ok(())
    }

    #[test]
    fn names_on_the_command_line_are_those_of_the_statistics() {
        for case in CaseName::ALL {
            let parsed = parse(&["--case", case.as_str()]).map(|cli| cli.cases());
            assert!(matches!(parsed.as_deref(), Ok([only]) if *only == case));
        }
    }

    #[test]
    fn the_history_has_a_directory_if_one_is_named() -> Result<(), clap::Error> {
        assert_eq!(parse(&[])?.history_dir, None);
        let named = parse(&["--history-dir", "/var/lib/leaky"])?.history_dir;
        assert_eq!(named, Some("/var/lib/leaky".into()));
        Ok(())
    }

    #[test]
    fn nonsense_is_refused() {
        for arguments in [
            ["--case", "nothing"],
            ["--rate", "100001"],
            ["--rate", "-1"],
            ["--duration", "0"],
            ["--service", "localhost"],
        ] {
            assert!(parse(&arguments).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn the_banner_has_the_line_to_paste() -> Result<(), clap::Error> {
        let banner = parse(&[])?.banner(([127, 0, 0, 1], 8080).into(), "http://127.0.0.1:6060");
        assert!(banner.contains(" go tool pprof -top -cum -lines -show=^leaky_service:: http://127.0.0.1:6060/debug/heap\n"));
        assert!(banner.contains("http://127.0.0.1:8080/stats\n"));
        assert!(banner.contains("curl -X POST http://127.0.0.1:8080/repair\n"));
        assert!(banner.contains("http://127.0.0.1:6060/debug/maps?format=text\n"));
        assert!(banner.contains("http://127.0.0.1:6060/debug/leaks?format=text\n"));
        Ok(())
    }
}
