//! The command line, as types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::job::EnterArgs;
use crate::terminal::Pace;

/// Learn what a container is by building one, on your own kernel, step by step.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 80, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do; without it, a short welcome
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  workbench lesson chroot                        the first lesson
  workbench lesson chroot --pace none            the same, without a question
  workbench lesson chroot --shell-at files       stop there, in a shell
  workbench lesson namespaces --shell-at whole   a shell in a whole container

Exit status:
  0 verified or done, 1 a surprise, 2 a mistake in the command,
  3 this host cannot run it, 130 interrupted";

const ENTER_EXAMPLES: &str = "\
Examples:
  workbench enter --user --pid --fork -- bash -c 'echo $$'
  workbench enter --user --mount --pid --fork --pivot DIR --proc -- bash
  workbench enter --user --root DIR --escape second-chroot -- bash";

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Perform a lesson, or list them all
    Lesson(LessonArgs),
    /// Delete what a killed run has left behind
    Clean(CleanArgs),
    /// Run a command behind walls: what a lesson does for each attempt
    #[command(after_help = ENTER_EXAMPLES)]
    Enter(EnterArgs),
}

/// How a lesson is performed.
#[derive(Debug, Args)]
pub struct LessonArgs {
    /// Which lesson; without a name, a list of them
    pub name: Option<String>,
    /// How fast to go [default: enter on a terminal, none elsewhere]
    #[arg(long, value_enum)]
    pub pace: Option<Pace>,
    /// Never ask for anything
    #[arg(long)]
    pub no_input: bool,
    /// Use this prepared root (a debootstrap, say) instead of building one
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Make that root with debootstrap (as root, with a network, in a minute)
    #[arg(long, value_name = "SUITE", conflicts_with = "root")]
    pub debootstrap: Option<String>,
    /// Begin at this step: those before it are performed in silence
    #[arg(long, value_name = "ID", conflicts_with = "shell_at")]
    pub from: Option<String>,
    /// Stop at this step, and open a shell in the state in which it is
    #[arg(long, value_name = "ID", conflicts_with = "no_input")]
    pub shell_at: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For eyes: colour, lines and marks
    Human,
    /// For ears and logs: nothing but sentences
    Plain,
    /// For programs: one document
    Json,
}

/// What to delete.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Only name it
    #[arg(long)]
    pub dry_run: bool,
}
