//! `heaplens man`: the manual pages.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::saving;
use crate::session::Session;

pub(crate) fn run(directory: Option<&Path>, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let mut command = Cli::command();
    command.build();
    let Some(directory) = directory else {
        session.console.write(&page(command)?)?;
        return Ok(Exit::Fine);
    };
    let cannot =
        |error| Fault::unwritable(format!("cannot write to {}: {error}", directory.display()));
    fs::create_dir_all(directory).map_err(cannot)?;
    for of in command
        .get_subcommands()
        .filter(|of| of.get_name() != "help")
    {
        let file = directory.join(format!("heaplens-{}.1", of.get_name()));
        saving::save(&file, &page(of.clone())?).map_err(cannot)?;
    }
    saving::save(&directory.join("heaplens.1"), &page(command)?).map_err(cannot)?;
    Ok(Exit::Fine)
}

fn page(command: Command) -> Result<Vec<u8>, Fault> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}
