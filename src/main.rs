//! Parse, call, map to an exit code.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

use std::io;
use std::process::ExitCode;

use anyhow::Error;
use clap::Parser;
use workbench::cli::Cli;
use workbench::commands::{self, exit};
use workbench::host::{Unmet, Usage};
use workbench::interrupt;

fn main() -> ExitCode {
    let code = commands::run(Cli::parse()).unwrap_or_else(|error| code_of(&error).into());
    interrupt::wait_if_ending();
    code
}

fn code_of(error: &Error) -> u8 {
    interrupt::wait_if_ending();
    if is_closed_pipe(error) {
        // `workbench lesson chroot | head`: the reader has seen enough.
        return exit::INTERRUPTED;
    }
    anstream::eprintln!("workbench: {error:#}");
    if error.is::<Usage>() {
        exit::USAGE
    } else if error.is::<Unmet>() {
        exit::CANNOT_RUN_HERE
    } else {
        exit::SURPRISE
    }
}

fn is_closed_pipe(error: &Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
