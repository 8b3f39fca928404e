//! The lesson engine: predict, observe, explain, fix, prove.
//!
//! A lesson is a table of [`Experiment`]s. Each has one `attempt`, written once: it is run before
//! and after every fix, so a fix cannot cheat by trying something else. Before every attempt
//! stands a prediction. If the kernel answers otherwise, the lesson ends as a surprise: an error
//! of the program, never something to gloss over.

mod performance;

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;

use crate::bench::Bench;
use crate::job::Job;
use crate::launch::Launcher;
use crate::meter::Meter;
use crate::observation::Prediction;
use crate::proof::{Evidence, Side};

pub use performance::perform;

// ANCHOR: types
/// A lesson: its table of experiments, and the texts that belong to it.
pub struct Lesson<W: 'static> {
    /// As typed: `workbench lesson NAME`.
    pub name: &'static str,
    /// As read.
    pub title: &'static str,
    /// How long it takes with reading and guessing.
    pub minutes: u32,
    /// The experiments in the article's order.
    pub experiments: &'static [Experiment<W>],
    /// Every word that the lesson speaks: `words.md`.
    pub words: &'static str,
    /// The questions: `quiz.toml`.
    pub quiz: &'static str,
    /// The lesson's own source, shown by anchor: file names and texts.
    pub sources: &'static [(&'static str, &'static str)],
}

/// One thing that is tried, the states in which it fails, and the state in which it works.
pub struct Experiment<W: 'static> {
    /// The name of the step in which the attempt works, and of its passages.
    pub id: &'static str,
    /// The article's own command, if it has one.
    pub article: Option<&'static str>,
    /// Anchors of the system calls behind the attempt.
    pub calls: &'static [&'static str],
    /// Whether it can be performed here.
    pub fits: fn(&W) -> Fit,
    /// Sets the stage once, before the first attempt.
    pub stage: fn(&mut W) -> Result<()>,
    /// The attempt: the same before and after every fix.
    pub attempt: Attempt<W>,
    /// The failing states, each with its cause and its fix.
    pub rounds: &'static [Round<W>],
    /// What happens once nothing is left to fix.
    pub works: Prediction,
    /// What shows, from inside and from outside, that it really is so.
    pub proofs: &'static [Proof<W>],
    /// What remains, for good or for ill.
    pub leaves: Leaves,
}

/// What is tried.
pub enum Attempt<W: 'static> {
    /// How it ends is the answer.
    Runs(fn(&W) -> Job),
    /// What the kernel counts meanwhile is the answer.
    Measured(fn(&W) -> Job, fn(&W) -> Result<Meter>),
}

/// A failing state.
pub struct Round<W: 'static> {
    /// The name of the step, and of its passages.
    pub id: &'static str,
    /// The article's own command, if it has one.
    pub article: Option<&'static str>,
    /// How the attempt will fail.
    pub predict: Prediction,
    /// Why it fails, read from the kernel or the file system.
    pub cause: fn(&W) -> Result<Evidence>,
    /// What mends it; returns the fix as it would be typed.
    pub fix: fn(&mut W) -> Result<Fix>,
}

/// What mends a failing state, as it would be typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fix {
    /// The article's own command, if it has one.
    pub article: Option<&'static str>,
    /// What was done, here and now.
    pub typed: String,
    /// What would be typed on another kind of host, and on which.
    pub elsewhere: Option<(String, String)>,
}

impl From<String> for Fix {
    fn from(typed: String) -> Self {
        Self { typed, ..Self::default() }
    }
}

/// A question put to the kernel, and the side from which it is asked.
pub struct Proof<W: 'static> {
    /// From inside or from outside.
    pub side: Side,
    /// Asks.
    pub ask: fn(&W) -> Result<Evidence>,
}

/// Whether an experiment can be performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// It can.
    Here,
    /// It is meant for another case, which is described, and nothing is missing here.
    Elsewhere(&'static str),
    /// This host lacks something that it needs. It is left out, and counts as not looked at.
    CouldNotLook(String),
}

/// What an experiment leaves the learner with; each is told in a passage of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Something that now works and is proven.
    Proven,
    /// A hole that this lesson does not close.
    Open,
}
// ANCHOR_END: types

/// The things that a lesson works on. They are tidied up when they are dropped.
pub trait World: Sized {
    /// What has to happen before anything else, such as starting this program again elsewhere.
    ///
    /// # Errors
    /// When it cannot be started there.
    fn before_all() -> Result<()> {
        Ok(())
    }
    /// Whether that would start this program again elsewhere.
    fn starts_elsewhere() -> bool {
        false
    }
    /// Gathers what the lesson needs, and finds out what this host allows.
    ///
    /// # Errors
    /// An [`Unmet`](crate::host::Unmet) where the host cannot run the lesson.
    fn meet(bench: Bench, setup: Setup) -> Result<Self>;
    /// The passage that says as whom the lesson works, such as `as-root`.
    fn identity_passage(&self) -> &'static str;
    /// What starts the attempts.
    fn launcher(&self) -> &Launcher;
    /// A shell in the state in which the world is now.
    ///
    /// # Errors
    /// When that state cannot be set up.
    fn shell(&mut self) -> Result<Shell>;
    /// Sees to it that what the attempt of this step kills or deletes is there.
    ///
    /// # Errors
    /// When it cannot be made again.
    fn set_the_stage_again(&mut self, _step: &str) -> Result<()> {
        Ok(())
    }
    /// Deletes everything, and says what could not be deleted.
    fn tear_down(self) -> Vec<String>;
}

/// A shell that is lent to the learner.
#[derive(Debug)]
pub struct Shell {
    /// How it is started.
    pub job: Job,
    /// The variables that it gets.
    pub variables: Vec<(&'static str, OsString)>,
}

/// What a world is made from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Our own binary, which the attempts are run by.
    pub program: PathBuf,
    /// A root that the learner brings.
    pub root: Option<PathBuf>,
}

/// What of a lesson is told. Whatever comes before is performed in silence, because each step
/// stands on those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// All of it.
    Whole,
    /// This step, and all that follow.
    From(&'a str),
    /// This step, and then a shell.
    ShellAt(&'a str),
}

/// How a performance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every prediction came true and every proof holds.
    Verified,
    /// The kernel answered otherwise, or a proof did not hold: which, and where.
    Surprise(String),
    /// The learner left before the end.
    Left {
        /// At this step.
        at: &'static str,
    },
    /// The shell that was asked for with `--shell-at` was opened and closed.
    ShellClosed,
}

impl<W> Lesson<W> {
    /// The ids of all steps, in their order.
    pub fn steps(&self) -> Vec<&'static str> {
        self.experiments.iter().flat_map(Experiment::steps).collect()
    }
}

// Not derived: that would ask the same of the world.
impl<W> Copy for Attempt<W> {}
impl<W> Clone for Attempt<W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Attempt<W> {
    /// The job that is run.
    pub fn job(&self, world: &W) -> Job {
        let (Self::Runs(job) | Self::Measured(job, _)) = self;
        job(world)
    }
}

impl<W> Experiment<W> {
    /// The ids of the failing states, and of the one that works.
    pub fn steps(&self) -> impl Iterator<Item = &'static str> {
        self.rounds.iter().map(|round| round.id).chain([self.id])
    }
}
