#![forbid(unsafe_code)]
//! `heaplens`: see the library of this package.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut console = heaplens_cli::Console::of_process();
    heaplens_cli::run(std::env::args_os(), &mut console).into()
}
