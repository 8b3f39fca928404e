//! What each command does, in the words of the other modules.

mod lesson;

use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use anyhow::Result;

use crate::bench::{Sweep, Swept, sweep};
use crate::cli::{CleanArgs, Cli, Command};
use crate::container::{become_program, close_all_but, die_with_parent, enter};
use crate::host::temporary_directory;
use crate::interrupt;
use crate::job::{EnterArgs, Job};
use crate::launch::report_writer;
use crate::lessons::CONTENTS;
use crate::progress::{Progress, Store};
use crate::refusal::Refusal;
use crate::terminal::{Look, Page};

pub use lesson::{perform_lesson, what_is_missing};

/// Exit codes, as the manual promises them.
pub mod exit {
    /// Verified, correct, done.
    pub const DONE: u8 = 0;
    /// A surprise, or a failure of the program.
    pub const SURPRISE: u8 = 1;
    /// The caller asked for something that cannot be meant.
    pub const USAGE: u8 = 2;
    /// This host cannot run it.
    pub const CANNOT_RUN_HERE: u8 = 3;
    /// `workbench enter` itself failed, as `docker run` has it.
    pub const ENTER_FAILED: u8 = 125;
    /// The program was found and could not be started.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// The program was not found.
    pub const NOT_FOUND: u8 = 127;
    /// The learner left, or a signal did it for them.
    pub const INTERRUPTED: u8 = 130;
}

/// Runs a command.
///
/// # Errors
/// A [`Usage`](crate::host::Usage), an [`Unmet`](crate::host::Unmet), or whatever failed.
pub fn run(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        None => welcome(),
        Some(Command::Lesson(args)) => lesson::lesson(&args),
        Some(Command::Clean(args)) => clean(&args),
        Some(Command::Enter(args)) => become_contained(args),
    }
}

/// Where you are, and the next step.
fn welcome() -> Result<ExitCode> {
    let mut page = Page::new(Look::Human);
    page.prose("workbench: build a container by hand, on your own kernel, and see why it works.")?;
    let progress = remembered(&mut page)?;
    let next = CONTENTS.iter().find(|lesson| progress.times_verified(lesson.name) == 0);
    if let Some(lesson) = next {
        let so_far = if progress.is_empty() { "Start here" } else { "Your next lesson" };
        page.prose(&format!("{so_far}: *{}*, {} minutes.", lesson.title, lesson.minutes))?;
        page.prose(&format!("    workbench lesson {}", lesson.name))?;
    } else {
        page.prose("You have been through every lesson that there is so far.")?;
        page.prose("    workbench lesson")?;
    }
    page.prose("All commands: `workbench --help`")?;
    Ok(exit::DONE.into())
}

/// What is remembered; a file that cannot be read is told, and no reason to stop.
fn remembered(page: &mut Page) -> Result<Progress> {
    match Store::find().and_then(|store| store.load()) {
        Ok(progress) => Ok(progress),
        Err(error) => {
            page.prose(&format!("Your progress is not known: {error:#}"))?;
            Ok(Progress::default())
        }
    }
}

/// `workbench clean`: what no living run holds.
fn clean(args: &CleanArgs) -> Result<ExitCode> {
    let what = if args.dry_run { Sweep::List } else { Sweep::Delete };
    let Swept { garbage, kept } = sweep(&temporary_directory()?, what)?;
    let mut page = Page::new(Look::Plain);
    let verb = if args.dry_run { "would delete" } else { "deleted" };
    for path in &garbage {
        page.line(&format!("{verb} {}", path.display()))?;
    }
    for why in &kept {
        page.line(&format!("not deleted: {why}"))?;
    }
    if garbage.is_empty() && kept.is_empty() {
        page.line("nothing to clean: no killed run has left anything")?;
    }
    Ok(if kept.is_empty() { exit::DONE.into() } else { exit::SURPRISE.into() })
}

// ANCHOR: become_contained
/// `workbench enter`: the disposable child of a lesson. It ends as the program that it becomes,
/// or with a report of what the kernel refused.
fn become_contained(args: EnterArgs) -> Result<ExitCode> {
    let report = match args.report.map(report_writer).transpose() {
        Ok(report) => report,
        Err(refusal) => return refused(None, &refusal),
    };
    let job = Job::from(args);
    let refusal = match prepare(report.as_ref()).and_then(|()| enter(&job.recipe)) {
        Ok(()) if job.argv.is_empty() => return Ok(exit::DONE.into()),
        Ok(()) => become_program(&job.argv),
        Err(refusal) => refusal,
    };
    refused(report, &refusal)
}

/// What a disposable child does before anything else.
fn prepare(report: Option<&OwnedFd>) -> Result<(), Refusal> {
    close_all_but(report);
    interrupt::unwatch()?;
    report.map_or(Ok(()), |report| die_with_parent(report.as_fd()))
}
// ANCHOR_END: become_contained

fn refused(report: Option<OwnedFd>, refusal: &Refusal) -> Result<ExitCode> {
    match report {
        Some(pipe) => serde_json::to_writer(std::fs::File::from(pipe), refusal)?,
        None => anstream::eprintln!("workbench: {refusal}"),
    }
    Ok(code_of(refusal).into())
}

/// 125, 126 and 127 mean what they mean for `docker run`, `chroot` and `env`.
fn code_of(refusal: &Refusal) -> u8 {
    match (refusal.call.as_str(), refusal.errno) {
        ("execve", nix::libc::ENOENT) => exit::NOT_FOUND,
        ("execve", _) => exit::NOT_EXECUTABLE,
        _ => exit::ENTER_FAILED,
    }
}
