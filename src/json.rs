//! The face that programs see: one JSON document for a lesson, with everything that was
//! predicted, observed and proven. It asks nothing and waits for nothing.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use crate::face::{Event, Face, Guess, Next, Pause};
use crate::host::Unmet;
use crate::lesson::{Ending, Leaves};
use crate::observation::Observation;
use crate::proof::{Evidence, Side};
use crate::quiz::Question;

/// The version of the document's form; it changes when something is renamed or goes away.
pub const SCHEMA_VERSION: u32 = 1;

/// What became of a lesson.
#[derive(Debug, Default, Serialize)]
pub struct Document {
    schema_version: u32,
    lesson: String,
    ending: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    surprise: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unmet: Option<Unmet>,
    experiments: Vec<Experiment>,
    left_behind: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Experiment {
    id: String,
    /// Why it was left out, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    could_not_look: Option<String>,
    rounds: Vec<Round>,
    #[serde(skip_serializing_if = "Option::is_none")]
    works: Option<Works>,
    proofs: Vec<Proof>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
struct Round {
    id: String,
    #[serde(flatten)]
    attempt: Attempt,
    cause: Option<Evidence>,
    fix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix_in_the_article: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix_elsewhere: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Works {
    #[serde(flatten)]
    attempt: Attempt,
}

#[derive(Debug, Default, Serialize)]
struct Attempt {
    article: Option<String>,
    command: String,
    run: String,
    predicted: String,
    observed: Option<Observation>,
    said: String,
    matched: bool,
}

#[derive(Debug, Serialize)]
struct Proof {
    side: Side,
    #[serde(flatten)]
    evidence: Evidence,
}

/// Writes the document when the lesson has ended.
pub struct Json {
    document: Document,
}

impl Json {
    /// A document about the lesson of this name.
    pub fn new(lesson: &str) -> Self {
        let document = Document {
            schema_version: SCHEMA_VERSION,
            lesson: lesson.to_owned(),
            ..Document::default()
        };
        Self { document }
    }

    /// Writes that this host cannot run the lesson, and what would help.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn cannot_run(mut self, unmet: &Unmet) -> Result<()> {
        self.document.ending = "cannot_run_here";
        self.document.unmet = Some(unmet.clone());
        write_document(&self.document)
    }

    fn attempt(&mut self) -> Option<&mut Attempt> {
        let experiment = self.document.experiments.last_mut()?;
        match &mut experiment.works {
            Some(works) => Some(&mut works.attempt),
            None => experiment.rounds.last_mut().map(|round| &mut round.attempt),
        }
    }

    fn ended(&mut self, ending: &Ending, left_behind: &[String]) -> Result<()> {
        self.document.left_behind = left_behind.to_vec();
        self.document.ending = match ending {
            Ending::Verified => "verified",
            Ending::Surprise(_) => "surprise",
            Ending::Left { .. } | Ending::ShellClosed => "left",
        };
        if let Ending::Surprise(what) = ending {
            self.document.surprise = Some(what.clone());
        }
        write_document(&self.document)
    }
}

/// Writes one JSON document to standard output.
///
/// # Errors
/// When nobody reads any more.
pub fn write_document(document: &impl Serialize) -> Result<()> {
    // Written in one piece: an error of the stream stays an error of the stream.
    let text = serde_json::to_string_pretty(document)?;
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

impl Face for Json {
    fn show(&mut self, event: &Event) -> Result<()> {
        crate::interrupt::wait_if_ending();
        if let Event::Ended { ending, left_behind, .. } = event {
            return self.ended(ending, left_behind);
        }
        if let Event::Experiment { id } = *event {
            self.document.experiments.push(Experiment::begin(id));
        }
        if let Event::LeftOut { id, why, .. } = *event {
            // It may have begun, and come to no clear answer.
            if self.document.experiments.last().is_none_or(|last| last.id != id) {
                self.document.experiments.push(Experiment::begin(id));
            }
            if let Some(left_out) = self.document.experiments.last_mut() {
                left_out.could_not_look = Some(why.to_owned());
            }
        }
        if let Event::Trying { article, typed, run } = *event {
            if let Some(attempt) = self.attempt() {
                (attempt.article, attempt.command, attempt.run) =
                    (article.map(str::to_owned), typed.to_owned(), run.to_owned());
            }
        }
        if let Event::Observed { predict, outcome, .. } = *event {
            if let Some(attempt) = self.attempt() {
                attempt.predicted = predict.to_string();
                attempt.matched = predict.matches(&outcome.observation);
                attempt.observed = Some(outcome.observation.clone());
                attempt.said.clone_from(&outcome.said);
            }
        }
        if let Some(experiment) = self.document.experiments.last_mut() {
            experiment.hear(event);
        }
        Ok(())
    }

    fn predict(&mut self, _: &Question, _: &str) -> Result<Guess> {
        Ok(Guess::None)
    }

    fn pause(&mut self, _: &Pause) -> Result<Next> {
        Ok(Next::GoOn)
    }

    fn lend_terminal(&mut self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        work()
    }
}

impl Experiment {
    fn begin(id: &str) -> Self {
        let (rounds, proofs) = (Vec::new(), Vec::new());
        let id = id.to_owned();
        Self { id, could_not_look: None, rounds, works: None, proofs, leaves: None }
    }

    fn hear(&mut self, event: &Event) {
        match *event {
            Event::Step { works: true, .. } => self.works = Some(Works::default()),
            Event::Step { id, .. } => {
                self.rounds.push(Round { id: id.to_owned(), ..Round::default() });
            }
            Event::Cause { evidence } => {
                if let Some(round) = self.rounds.last_mut() {
                    round.cause = Some(evidence.clone());
                }
            }
            Event::Fixed { fix, .. } => {
                if let Some(round) = self.rounds.last_mut() {
                    round.fix = Some(fix.typed.clone());
                    round.fix_in_the_article = fix.article;
                    round.fix_elsewhere = fix.elsewhere.as_ref().map(|(_, typed)| typed.clone());
                }
            }
            Event::Proof { side, evidence } => {
                self.proofs.push(Proof { side, evidence: evidence.clone() });
            }
            Event::Leaves { leaves, .. } => {
                self.leaves = Some(if leaves == Leaves::Proven { "proven" } else { "open" });
            }
            _ => {}
        }
    }
}
