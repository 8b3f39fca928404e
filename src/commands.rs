//! What each command does, in the words of the other modules.

mod lesson;

use std::os::fd::OwnedFd;
use std::process::ExitCode;

use anyhow::Result;
use nix::unistd::Pid;

use crate::bench::{Sweep, Swept, sweep};
use crate::cgroup::sweep_groups;
use crate::child::{close_all_but, die_with_parent, end_as, report_writer, somebody_waits};
use crate::cli::{CleanArgs, Cli, Command};
use crate::container::{Became, become_program, enter};
use crate::host::{leaves_the_host_as_it_is, temporary_directory};
use crate::interrupt;
use crate::job::{EnterArgs, Job};
use crate::launch::{News, tell};
use crate::lessons::CONTENTS;
use crate::progress::{Progress, Store};
use crate::refusal::Refusal;
use crate::terminal::{Look, Page};

pub use lesson::{Missing, perform_lesson, what_is_missing};

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
    // The groups first: their processes may still use the files.
    let groups = sweep_groups(what)
        .unwrap_or_else(|error| Swept { kept: vec![format!("{error:#}")], ..Swept::default() });
    let files = sweep(&temporary_directory()?, what)?;
    let garbage = [groups.garbage, files.garbage].concat();
    let kept = [groups.kept, files.kept].concat();
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
        Err(refusal) => return refused(None, refusal),
    };
    let job = Job::from(args);
    leaves_the_host_as_it_is(&job.recipe)?;
    let became = prepare(report.as_ref()).and_then(|()| enter(&job.recipe));
    let refusal = match became.and_then(|became| still_wanted(report.as_ref(), became)) {
        Ok(Became::Parent(child)) => return stay_behind(report, child),
        Ok(Became::Container) if job.argv.is_empty() => return Ok(exit::DONE.into()),
        Ok(Became::Container) => become_program(&job.argv),
        Err(refusal) => refusal,
    };
    refused(report, refusal)
}

/// What a disposable child does before anything else.
fn prepare(report: Option<&OwnedFd>) -> Result<(), Refusal> {
    close_all_but(report);
    interrupt::unwatch()?;
    // Typed into a shell, it is an ordinary command, and lives as long as any other.
    report.map_or(Ok(()), |_| die_with_parent())
}

/// A lesson that has ended meanwhile wants no container.
fn still_wanted(report: Option<&OwnedFd>, became: Became) -> Result<Became, Refusal> {
    report.map_or(Ok(()), somebody_waits).map(|()| became)
}

/// Only a child may live in a new PID namespace. Its parent says who it is, and waits.
fn stay_behind(report: Option<OwnedFd>, child: Pid) -> Result<ExitCode> {
    if let Some(report) = report {
        tell(&report, &News::Inhabitant(u32::try_from(child.as_raw())?))?;
    }
    end_as(child)
}
// ANCHOR_END: become_contained

fn refused(report: Option<OwnedFd>, refusal: Refusal) -> Result<ExitCode> {
    let code = code_of(&refusal);
    match report {
        Some(report) => tell(&report, &News::Refused(refusal))?,
        None => anstream::eprintln!("workbench: {refusal}"),
    }
    Ok(code.into())
}

/// 125, 126 and 127 mean what they mean for `docker run`, `chroot` and `env`.
fn code_of(refusal: &Refusal) -> u8 {
    match (refusal.call.as_str(), refusal.errno) {
        ("execve", nix::libc::ENOENT) => exit::NOT_FOUND,
        ("execve", _) => exit::NOT_EXECUTABLE,
        _ => exit::ENTER_FAILED,
    }
}
