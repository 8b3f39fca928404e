//! `workbench lesson`: the list, and the performance of one.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result};
use colored::Colorize;
use serde::Serialize;
use serde_json::json;

use super::{exit, remembered};
use crate::bench::Bench;
use crate::cli::{Format, LessonArgs};
use crate::face::Face;
use crate::host::{Unmet, Usage, prepared_root, proc_is_mounted, temporary_directory};
use crate::interrupt;
use crate::json::{Json, SCHEMA_VERSION, write_document};
use crate::lesson::{Ending, Experiment, Lesson, Setting, Setup, World, perform};
use crate::lessons::{CONTENTS, Contents};
use crate::progress::{Progress, Store};
use crate::terminal::{Look, Pace, Page, Terminal};

/// The kernel's name for the file that is running: also when it has been moved or deleted.
const OUR_OWN_BINARY: &str = "/proc/self/exe";

/// `workbench lesson [NAME]`.
pub(super) fn lesson(args: &LessonArgs) -> Result<ExitCode> {
    let Some(name) = args.name.as_deref() else { return list(args.format) };
    let known: Vec<&str> = CONTENTS.iter().map(|lesson| lesson.name).collect();
    match CONTENTS.iter().find(|lesson| lesson.name == name) {
        Some(lesson) => (lesson.perform)(args),
        None => Err(unknown("lesson", name, &known).into()),
    }
}

// ANCHOR: perform_lesson
/// Checks what was asked for, takes a directory to work in, finds out what this host allows,
/// and performs. Until the checks are over, nothing is touched.
///
/// # Errors
/// A [`Usage`], or whatever failed.
pub fn perform_lesson<W: World>(lesson: &Lesson<W>, args: &LessonArgs) -> Result<ExitCode> {
    let pace = pace(args)?;
    let root = args.root.as_deref().map(prepared_root).transpose()?;
    let setting = if root.is_some() { Setting::AnyRoot } else { Setting::EmptyRoot };
    let experiments = lesson.set_in(setting);
    check_step(&experiments, args.shell_at.as_deref())?;
    let parent = temporary_directory()?;

    interrupt::watch()?;
    let world = match meet(&parent, root) {
        Ok(world) => world,
        Err(error) => return cannot_run(lesson.name, args.format, error),
    };
    let mut face = face(args.format, pace, lesson.name);
    let ending = perform(lesson, &experiments, world, &mut *face, args.shell_at.as_deref())?;
    if ending == Ending::Verified && args.root.is_none() {
        remember(lesson.name);
    }
    Ok(code_of(&ending).into())
}
// ANCHOR_END: perform_lesson

/// Sets up the bench, and the lesson's world on it.
fn meet<W: World>(parent: &Path, root: Option<PathBuf>) -> Result<W> {
    proc_is_mounted()?;
    let bench = interrupt::guarded(|| Bench::set_up(parent))?;
    W::meet(bench, Setup { program: OUR_OWN_BINARY.into(), root })
}

/// Prompts need a terminal for the questions and for the answers.
fn pace(args: &LessonArgs) -> Result<Pace> {
    let on_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let wants_prompts = args.pace == Some(Pace::Enter);
    let wrong = |why: &str| Usage(format!("--pace enter asks questions, {why}; use --pace none"));
    if args.format == Format::Json {
        if wants_prompts {
            return Err(wrong("and --format json has no place for them").into());
        }
        if args.shell_at.is_some() {
            let why = "--shell-at opens a shell, and --format json has no place for it";
            return Err(Usage(format!("{why}; use --format human or plain")).into());
        }
        return Ok(Pace::None);
    }
    if wants_prompts && args.no_input {
        return Err(wrong("and --no-input forbids them").into());
    }
    if wants_prompts && !on_terminal {
        return Err(wrong("and there is no terminal to ask on").into());
    }
    // On the way to a shell that was asked for, nothing holds anyone up.
    let usual = on_terminal && !args.no_input && args.shell_at.is_none();
    Ok(args.pace.unwrap_or(if usual { Pace::Enter } else { Pace::None }))
}

fn check_step<W>(experiments: &[&Experiment<W>], step: Option<&str>) -> Result<()> {
    let known: Vec<&str> = experiments.iter().flat_map(|experiment| experiment.steps()).collect();
    match step {
        Some(step) if !known.contains(&step) => Err(unknown("step", step, &known).into()),
        _ => Ok(()),
    }
}

/// One sentence, with the nearest of the names that exist.
fn unknown(kind: &str, name: &str, known: &[&str]) -> Usage {
    let likeness = |candidate: &str| strsim::jaro_winkler(name, candidate);
    let nearest = known
        .iter()
        .filter(|candidate| likeness(candidate) > 0.7)
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let hint = nearest.map_or(String::new(), |nearest| format!(" Did you mean `{nearest}`?"));
    let list = known.join(", ");
    Usage(format!("there is no {kind} `{name}`; there is: {list}.{hint}"))
}

fn face(format: Format, pace: Pace, lesson: &str) -> Box<dyn Face> {
    match format {
        Format::Human => Box::new(Terminal::new(Look::Human, pace, &next_command(lesson))),
        Format::Plain => Box::new(Terminal::new(Look::Plain, pace, &next_command(lesson))),
        Format::Json => Box::new(Json::new(lesson)),
    }
}

/// The lesson that follows, or a way to go on with this one by hand.
fn next_command(name: &str) -> String {
    let mut rest = CONTENTS.iter().skip_while(|lesson| lesson.name != name);
    let this = rest.next();
    match (rest.next(), this.and_then(|lesson| (lesson.steps)().last().copied())) {
        (Some(next), _) => format!("workbench lesson {}", next.name),
        (None, Some(step)) => format!("workbench lesson {name} --shell-at {step}"),
        (None, None) => "workbench lesson".to_owned(),
    }
}

/// Not here: what was tried, why not, and what helps. Everything else that failed is an error.
fn cannot_run(lesson: &str, format: Format, error: Error) -> Result<ExitCode> {
    let unmet = error.downcast::<Unmet>()?;
    // A child that was killed by an interruption is no answer of the host.
    interrupt::wait_if_ending();
    if format == Format::Json {
        Json::new(lesson).cannot_run(&unmet)?;
        return Ok(exit::CANNOT_RUN_HERE.into());
    }
    let Unmet { what, tried, why, remedy } = unmet;
    anstream::eprintln!("workbench: this host does not allow it: {what}");
    for line in tried {
        anstream::eprintln!("  {} {line}", "tried: ".dimmed());
    }
    anstream::eprintln!("  {} {why}", "why:   ".dimmed());
    anstream::eprintln!("  {} {remedy}", "remedy:".dimmed());
    Ok(exit::CANNOT_RUN_HERE.into())
}

/// A success that cannot be remembered is still a success.
fn remember(lesson: &str) {
    if let Err(error) = Store::find().and_then(|store| store.record_verified(lesson)) {
        anstream::eprintln!("workbench: your progress was not recorded: {error:#}");
    }
}

fn code_of(ending: &Ending) -> u8 {
    match ending {
        Ending::Verified | Ending::ShellClosed => exit::DONE,
        Ending::Surprise(_) => exit::SURPRISE,
        Ending::Left => exit::INTERRUPTED,
    }
}

/// Sets up a lesson's world and takes it down again: the surest way to know whether it can run.
///
/// # Errors
/// When there is no usable directory for temporary files.
pub fn what_is_missing<W: World>() -> Result<Option<Unmet>> {
    match meet::<W>(&temporary_directory()?, None) {
        Ok(world) => {
            drop(world);
            Ok(None)
        }
        Err(error) => Ok(Some(error.downcast::<Unmet>()?)),
    }
}

/// A line of the list, as programs see it.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    title: &'static str,
    minutes: u32,
    steps: usize,
    verified: u32,
    unmet: Option<Unmet>,
}

impl Listed {
    fn new(line: &Contents, progress: &Progress) -> Result<Self> {
        Ok(Self {
            name: line.name,
            title: line.title,
            minutes: line.minutes,
            steps: (line.steps)().len(),
            verified: progress.times_verified(line.name),
            unmet: (line.missing)()?,
        })
    }
}

/// The table of contents.
fn list(format: Format) -> Result<ExitCode> {
    if format == Format::Json {
        let progress = Store::find().and_then(|store| store.load()).unwrap_or_default();
        let lines = CONTENTS.iter().map(|line| Listed::new(line, &progress));
        let lessons = lines.collect::<Result<Vec<_>>>()?;
        write_document(&json!({ "schema_version": SCHEMA_VERSION, "lessons": lessons }))?;
        return Ok(exit::DONE.into());
    }
    let look = if format == Format::Plain { Look::Plain } else { Look::Human };
    let mut page = Page::new(look);
    let progress = remembered(&mut page)?;
    for line in CONTENTS {
        let Listed { name, title, minutes, steps, verified, unmet } = Listed::new(line, &progress)?;
        let done = if verified > 0 { "done".green() } else { "not done yet".dimmed() };
        page.line(&format!("{:<12}{title}", name.bold()))?;
        page.line(&format!("{:<12}{steps} steps, about {minutes} minutes, {done}", ""))?;
        let host = match unmet {
            None => "this host can run it".to_owned(),
            Some(unmet) => format!("this host cannot run it: {}", unmet.why),
        };
        page.line(&format!("{:<12}{host}", ""))?;
    }
    Ok(exit::DONE.into())
}
