#![forbid(unsafe_code)]
//! The `heaplens` command, as a library: [`run`] does what a command line says.
//!
//! | Module | What |
//! |---|---|
//! | `cli` | what can be written on the command line |
//! | `commands` | one module a command |
//! | `source`, `format` | profiles from services and files, in any format |
//! | `address`, `client` | services: their addresses, and one request within bounds |
//! | `ranking`, `origin` | samples put together, and whose functions they are |
//! | `maps_page`, `leaks_page` | what services answer, as far as it is shown |
//! | `console`, `style`, `table`, `text`, `amount` | results as people read them |
//! | `saving` | files that are whole or not there |
//! | `fault`, `exit` | why a command cannot go on, and its exit code |

mod address;
mod amount;
mod cli;
mod client;
mod commands;
mod console;
mod exit;
mod fault;
mod format;
mod leaks_page;
mod maps_page;
mod ranking;
mod saving;
mod session;
mod source;
mod style;
mod table;
mod text;

use std::ffi::OsString;

use clap::Parser;

pub use cli::Cli;
pub use console::Console;
pub use exit::Exit;

use session::Session;

/// Does what the arguments say; the first one is the name of the program. Results
/// go to the console's output, remarks and the reason of a failure, one line, to
/// its error output.
pub fn run(arguments: impl IntoIterator<Item = OsString>, console: &mut Console) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return refused(&error, console),
    };
    let mut session = Session::new(&cli, console);
    let done = commands::run(cli.command, &mut session);
    let flushed = console
        .flush()
        .map_err(|error| fault::Fault::of_output(&error));
    match done.and_then(|exit| flushed.map(|()| exit)) {
        Ok(exit) => exit,
        Err(fault) => {
            if !fault.is_silent() {
                console.remark(&fault.to_string());
            }
            fault.exit()
        }
    }
}

/// What clap answers by itself: help and version, which are results, and errors.
fn refused(error: &clap::Error, console: &mut Console) -> Exit {
    let text = error.render().to_string();
    if error.use_stderr() {
        console.complain(&text);
        return Exit::Usage;
    }
    // Nobody is there to hear that help cannot be shown.
    let _ = console.print(&text).and_then(|()| console.flush());
    Exit::Fine
}
