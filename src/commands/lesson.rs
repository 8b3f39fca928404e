//! `workbench lesson`: the list, and the performance of one.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Error, Result};
use colored::Colorize;
use serde::Serialize;
use serde_json::json;

use super::{exit, remembered};
use crate::bench::{Bench, Sweep};
use crate::cgroup::sweep_groups;
use crate::cli::{Format, LessonArgs};
use crate::debootstrap::debootstrap;
use crate::face::Face;
use crate::host::{Unmet, Usage, prepared_root, proc_is_mounted, temporary_directory};
use crate::interrupt;
use crate::json::{Json, SCHEMA_VERSION, write_document};
use crate::lesson::{Ending, Experiment, Fit, Lesson, Route, Setup, World, perform};
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
    let wanted = wanted_root(args)?;
    let is_our_own = wanted.is_none();
    let route = route(args);
    check_step(&lesson.steps(), route)?;
    let parent = temporary_directory()?;

    W::before_all()?;
    interrupt::watch()?;
    // What cannot be swept is no reason not to work; `workbench clean` tells it.
    let _ = sweep_groups(Sweep::Delete);
    let world: W = match meet(&parent, wanted) {
        Ok(world) => world,
        Err(error) => return cannot_run(lesson.name, args.format, error),
    };
    check_fit(lesson, &world, route)?;
    let mut face = face(args.format, pace, lesson.name);
    let experiments: Vec<&Experiment<W>> = lesson.experiments.iter().collect();
    let ending = perform(lesson, &experiments, world, &mut *face, route)?;
    // In a root that the learner brings, a lesson may be shorter.
    if ending == Ending::Verified && is_our_own && route == Route::Whole {
        remember(lesson.name);
    }
    Ok(code_of(&ending).into())
}
// ANCHOR_END: perform_lesson

/// The root that the command line asks for, if it does.
fn wanted_root(args: &LessonArgs) -> Result<Option<Wanted>> {
    let prepared = args.root.as_deref().map(prepared_root).transpose()?;
    let debootstrap = args.debootstrap.clone().map(Wanted::Debootstrap);
    Ok(prepared.map(Wanted::Prepared).or(debootstrap))
}

/// A root that the lesson does not make itself.
enum Wanted {
    /// It is there.
    Prepared(PathBuf),
    /// Debootstrap makes it, of this suite.
    Debootstrap(String),
}

/// Sets up the bench, and the lesson's world on it.
fn meet<W: World>(parent: &Path, wanted: Option<Wanted>) -> Result<W> {
    proc_is_mounted()?;
    let bench = interrupt::guarded(|| Bench::set_up(parent))?;
    let root = match wanted {
        Some(Wanted::Prepared(root)) => Some(root),
        Some(Wanted::Debootstrap(suite)) => {
            Some(debootstrap(Path::new(OUR_OWN_BINARY), &suite, bench.path())?)
        }
        None => None,
    };
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

fn route(args: &LessonArgs) -> Route<'_> {
    match (args.shell_at.as_deref(), args.from.as_deref()) {
        (Some(step), _) => Route::ShellAt(step),
        (None, Some(step)) => Route::From(step),
        (None, None) => Route::Whole,
    }
}

fn step_of(route: Route<'_>) -> Option<&str> {
    match route {
        Route::Whole => None,
        Route::From(step) | Route::ShellAt(step) => Some(step),
    }
}

fn check_step(known: &[&str], route: Route) -> Result<()> {
    match step_of(route) {
        Some(step) if !known.contains(&step) => Err(unknown("step", step, known).into()),
        _ => Ok(()),
    }
}

/// A step that exists may still not be one for this host, or for this caller.
fn check_fit<W: World>(lesson: &Lesson<W>, world: &W, route: Route) -> Result<()> {
    let Some(step) = step_of(route) else { return Ok(()) };
    let has_it = |experiment: &&Experiment<W>| experiment.steps().any(|known| known == step);
    let fit = lesson.experiments.iter().find(has_it).map(|experiment| (experiment.fits)(world));
    let why = match fit {
        Some(Fit::Elsewhere(why)) => why.to_owned(),
        Some(Fit::CouldNotLook(why)) => why,
        Some(Fit::Here) | None => return Ok(()),
    };
    Err(Usage(format!("the step `{step}` cannot be performed here: {why}")).into())
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
        Format::Human => Box::new(Terminal::new(Look::Human, pace, lesson, &next_command(lesson))),
        Format::Plain => Box::new(Terminal::new(Look::Plain, pace, lesson, &next_command(lesson))),
        Format::Json => Box::new(Json::new(lesson)),
    }
}

/// The lesson that follows; after the last one, a shell in the whole container.
fn next_command(name: &str) -> String {
    let next = CONTENTS.iter().skip_while(|lesson| lesson.name != name).nth(1);
    next.map_or_else(
        || format!("workbench lesson {name} --shell-at whole"),
        |next| format!("workbench lesson {}", next.name),
    )
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
        Ending::Left { .. } => exit::INTERRUPTED,
    }
}

/// What stands between this host and a lesson.
#[derive(Debug, Default)]
pub struct Missing {
    /// Why it cannot be performed at all.
    pub unmet: Option<Unmet>,
    /// The experiments that would be left out.
    pub left_out: Vec<&'static str>,
    /// How many steps are left.
    pub steps: usize,
}

/// Sets up a lesson's world and takes it down again: the surest way to know whether it can run.
///
/// # Errors
/// When there is no usable directory for temporary files.
pub fn what_is_missing<W: World>(lesson: &Lesson<W>) -> Result<Missing> {
    if W::starts_elsewhere() {
        // What is found out here does not count there.
        let steps = lesson.steps().len();
        return Ok(Missing { unmet: None, left_out: Vec::new(), steps });
    }
    let world: W = match meet(&temporary_directory()?, None) {
        Ok(world) => world,
        Err(error) => {
            let unmet = Some(error.downcast::<Unmet>()?);
            return Ok(Missing { unmet, steps: lesson.steps().len(), ..Missing::default() });
        }
    };
    let lacks =
        |experiment: &&Experiment<W>| matches!((experiment.fits)(&world), Fit::CouldNotLook(_));
    let left_out = lesson.experiments.iter().filter(lacks).map(|experiment| experiment.id);
    let here = |experiment: &&Experiment<W>| (experiment.fits)(&world) == Fit::Here;
    let steps = lesson.experiments.iter().filter(here).flat_map(Experiment::steps).count();
    Ok(Missing { unmet: None, left_out: left_out.collect(), steps })
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
    left_out: Vec<&'static str>,
}

impl Listed {
    fn new(line: &Contents, progress: &Progress) -> Result<Self> {
        let Missing { unmet, left_out, steps } = (line.missing)()?;
        Ok(Self {
            name: line.name,
            title: line.title,
            minutes: line.minutes,
            steps,
            verified: progress.times_verified(line.name),
            unmet,
            left_out,
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
        let listed = Listed::new(line, &progress)?;
        let Listed { name, title, minutes, steps, verified, unmet, left_out } = listed;
        let done = if verified > 0 { "done".green() } else { "not done yet".dimmed() };
        page.line(&format!("{:<12}{title}", name.bold()))?;
        page.line(&format!("{:<12}{steps} steps, about {minutes} minutes, {done}", ""))?;
        let host = match unmet {
            None if left_out.is_empty() => "this host can run it".to_owned(),
            None => format!("this host can run it, but for: {}", left_out.join(", ")),
            Some(unmet) => format!("this host cannot run it: {}", unmet.why),
        };
        page.line(&format!("{:<12}{host}", ""))?;
    }
    Ok(exit::DONE.into())
}
