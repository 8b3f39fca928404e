//! What a lesson tells, and whom it tells it: a terminal, or a JSON document.

use anyhow::Result;

use crate::launch::Outcome;
use crate::lesson::{Ending, Fix, Leaves};
use crate::meter::Sample;
use crate::observation::Prediction;
use crate::proof::{Evidence, Side};
use crate::quiz::Question;

/// Something that a lesson tells. Passages are Markdown.
pub enum Event<'a> {
    /// The lesson begins.
    Opened {
        /// As typed.
        name: &'a str,
        /// As read.
        title: &'a str,
        /// How long it takes.
        minutes: u32,
        /// What it is about.
        passage: &'a str,
        /// As whom it works here.
        identity: &'a str,
    },
    /// An experiment begins.
    Experiment {
        /// Its name.
        id: &'a str,
    },
    /// An experiment cannot be performed here.
    LeftOut {
        /// Its name.
        id: &'a str,
        /// What it would have been about; it begins with a heading.
        passage: &'a str,
        /// What is missing.
        why: &'a str,
    },
    /// A step begins.
    Step {
        /// From 1.
        number: usize,
        /// How many there are.
        total: usize,
        /// Its name.
        id: &'a str,
        /// Whether this is the state in which the attempt works.
        works: bool,
        /// What is about to be tried; it begins with a heading.
        passage: &'a str,
    },
    /// The command, in the three forms in which a learner meets it.
    Trying {
        /// As the article has it, if it does.
        article: Option<&'a str>,
        /// As it can be typed here and now.
        typed: &'a str,
        /// As this program runs it.
        run: &'a str,
    },
    /// The answer, beside the prediction and the learner's guess.
    Observed {
        /// The step.
        id: &'a str,
        /// What the lesson predicted.
        predict: Prediction,
        /// What came.
        outcome: &'a Outcome,
        /// What the learner was asked, and has guessed.
        answered: Option<(&'a Question, Guess)>,
    },
    /// Why it failed, as evidence.
    Cause {
        /// The evidence.
        evidence: &'a Evidence,
    },
    /// The same in words.
    Why {
        /// The words.
        passage: &'a str,
    },
    /// Something is being measured.
    Sample {
        /// How it stands.
        sample: &'a Sample,
    },
    /// A measurement was disturbed, and is repeated.
    Unclear {
        /// What came of it.
        outcome: &'a Outcome,
        /// The part of the processors that others took, from 0 to 1.
        others: f64,
        /// Which attempt comes now, from 2.
        turn: usize,
    },
    /// What was measured in the steps of an experiment: the step, the value and its unit.
    Compared {
        /// In their order.
        rows: &'a [(&'static str, f64, String)],
    },
    /// What was done about it.
    Fixed {
        /// As it would be typed.
        fix: &'a Fix,
        /// In words.
        passage: &'a str,
    },
    /// What shows that it is so.
    Proof {
        /// From inside or from outside.
        side: Side,
        /// The evidence.
        evidence: &'a Evidence,
    },
    /// What remains of an experiment.
    Leaves {
        /// For good or for ill.
        leaves: Leaves,
        /// In one sentence.
        passage: &'a str,
    },
    /// A shell is about to open.
    ShellOpens {
        /// As it would be typed.
        typed: &'a str,
        /// Where one stands in it.
        passage: &'a str,
    },
    /// The lesson is over and all is tidied up.
    Ended {
        /// How.
        ending: &'a Ending,
        /// What could not be tidied up.
        left_behind: &'a [String],
        /// The last words.
        closing: &'a str,
    },
}

/// A place where the learner may stop and look around.
pub struct Pause<'a> {
    /// The step.
    pub id: &'a str,
    /// Whether it is the last.
    pub last: bool,
    /// The code that just ran.
    pub code: &'a str,
    /// A hint.
    pub hint: &'a str,
}

/// What the learner says when asked for a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    /// The place of the choice, from 0.
    Choice(usize),
    /// Nothing: a guess is an offer.
    None,
    /// No more.
    Quit,
}

/// What the learner wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next step.
    GoOn,
    /// A shell in the state of this one.
    Shell,
    /// No more.
    Quit,
}

/// Whom a lesson tells its events, and asks its questions.
pub trait Face {
    /// Shows an event.
    ///
    /// # Errors
    /// When nobody reads any more.
    fn show(&mut self, event: &Event) -> Result<()>;

    /// Asks for a prediction, and gives a hint if one is wanted.
    ///
    /// # Errors
    /// When nobody answers any more.
    fn predict(&mut self, question: &Question, hint: &str) -> Result<Guess>;

    /// Waits until the learner wants to go on.
    ///
    /// # Errors
    /// When nobody answers any more.
    fn pause(&mut self, pause: &Pause) -> Result<Next>;

    /// Lends the terminal to someone else, and takes it back in the state in which it was.
    ///
    /// # Errors
    /// Those of `work`.
    fn lend_terminal(&mut self, work: &mut dyn FnMut() -> Result<()>) -> Result<()>;
}
