//! `heaplens completions`: what a shell needs to complete the command.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::session::Session;

pub(crate) fn run(shell: Shell, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "heaplens", &mut script);
    session.console.write(&script)?;
    Ok(Exit::Fine)
}
