//! The commands.

mod check;
mod completions;
mod convert;
mod diff;
mod flamegraph;
mod leaks;
mod man;
mod maps;
mod record;
mod symbolize;
mod top;
mod watch;

use crate::cli::Command;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::session::Session;

/// Does what the command says.
pub(crate) fn run(command: Command, session: &mut Session<'_>) -> Result<Exit, Fault> {
    match command {
        Command::Top(asked) => top::run(&asked, session),
        Command::Maps(asked) => maps::run(&asked, session),
        Command::Leaks(asked) => leaks::run(&asked, session),
        Command::Watch(asked) => watch::run(&asked, session),
        Command::Flamegraph(asked) => flamegraph::run(&asked, session),
        Command::Diff(asked) => diff::run(&asked, session),
        Command::Record(asked) => record::run(&asked, session),
        Command::Symbolize(asked) => symbolize::run(&asked, session),
        Command::Convert(asked) => convert::run(&asked, session),
        Command::Check(asked) => check::run(&asked, session),
        Command::Completions { shell } => completions::run(shell, session),
        Command::Man { directory } => man::run(directory.as_deref(), session),
    }
}
