//! What all commands work with: the console, how results are wanted, and the client.

use std::time::Duration;

use crate::cli::Cli;
use crate::client::Client;
use crate::console::Console;
use crate::fault::Fault;

/// One call of the command.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) console: &'a mut Console,
    /// Whether results are wanted as JSON.
    pub(crate) json: bool,
    token: Option<String>,
    patience: Duration,
}

impl<'a> Session<'a> {
    pub(crate) fn new(cli: &Cli, console: &'a mut Console) -> Self {
        Session {
            console,
            json: cli.json,
            token: cli.token.clone(),
            patience: cli.timeout,
        }
    }

    /// A client for services.
    pub(crate) fn client(&self) -> Result<Client, Fault> {
        Client::new(self.token.clone(), self.patience)
    }

    /// Prints a value as JSON, on lines of its own.
    pub(crate) fn print_json(&mut self, value: &serde_json::Value) -> Result<(), Fault> {
        self.console.print(&format!("{value:#}\n"))?;
        Ok(())
    }

    /// Prints lines.
    pub(crate) fn print_lines(&mut self, lines: &[String]) -> Result<(), Fault> {
        for line in lines {
            self.console.print(line)?;
            self.console.print("\n")?;
        }
        Ok(())
    }
}
