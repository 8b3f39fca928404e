//! The face that people see: text on a terminal, or in a log. This module and [`crate::json`]
//! are the only ones that print what was asked for.

mod command_line;
mod live;
pub mod markdown;
pub mod page;
mod prompt;

use std::io::Write;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use colored::Colorize;

use crate::face::{Event, Face, Guess, Next, Pause};
use crate::interrupt;
use crate::launch::Outcome;
use crate::lesson::{Ending, Fix, Leaves};
use crate::observation::{Prediction, in_unit};
use crate::proof::{Evidence, Side, Verdict};
use crate::quiz::{Choice, Question};
use crate::words;
use live::Live;
pub use page::{Look, Mark, Page};

/// How fast a lesson goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// Asks for a prediction before each attempt, and waits after it
    Enter,
    /// Asks nothing, and waits after each step as long as it takes to read it
    Auto,
    /// Asks nothing and waits for nothing
    None,
}

/// A terminal, or what stands in for one.
pub struct Terminal {
    page: Page,
    pace: Pace,
    /// What the experiments have left, for the summary.
    remains: Vec<(Leaves, String)>,
    /// The titles of the experiments that could not be performed.
    left_out: Vec<String>,
    /// The steps before which the learner has guessed, and whether the guess came true.
    guesses: Vec<(String, bool)>,
    /// The lesson, as typed.
    lesson: String,
    /// The command that the last line of a lesson recommends.
    next: String,
    /// What is redrawn while something is measured.
    live: Live,
}

impl Terminal {
    /// A terminal on which a lesson is told at this pace.
    pub fn new(look: Look, pace: Pace, lesson: &str, next: &str) -> Self {
        Self {
            page: Page::new(look),
            pace,
            remains: Vec::new(),
            left_out: Vec::new(),
            guesses: Vec::new(),
            lesson: lesson.to_owned(),
            next: next.to_owned(),
            live: Live::default(),
        }
    }

    fn step(&mut self, number: usize, total: usize, id: &str, passage: &str) -> Result<()> {
        let (title, text) = words::split_heading(passage);
        let title = title.unwrap_or(id);
        self.page.gap()?;
        self.page.heading(&format!("Step {number} of {total}: {title}"), id)?;
        self.page.prose(text)
    }

    fn left_out(&mut self, id: &str, passage: &str, why: &str) -> Result<()> {
        let title = words::split_heading(passage).0.unwrap_or(id);
        self.left_out.push(title.to_owned());
        self.page.gap()?;
        self.page.heading(&format!("Left out: {title}"), id)?;
        self.page.text(Mark::Unclear("could not look"), "because", why)
    }

    fn trying(&mut self, article: Option<&str>, typed: &str, run: &str) -> Result<()> {
        self.page.gap()?;
        if let Some(article) = article {
            self.page.command(Mark::None, "article", article)?;
        }
        self.page.command(Mark::None, "today", typed)?;
        if run != typed {
            self.page.command(Mark::None, "we run", run)?;
        }
        Ok(())
    }

    /// Guess, prediction and observation, one below the other.
    fn observed(
        &mut self,
        id: &str,
        predict: Prediction,
        outcome: &Outcome,
        answered: Option<(&Question, Guess)>,
    ) -> Result<()> {
        self.page.gap()?;
        let chosen = answered.and_then(|(question, guess)| match guess {
            Guess::Choice(place) => question.choices().get(place).copied(),
            _ => None,
        });
        if let Some(choice) = chosen {
            self.page.text(Mark::None, "you said", choice.text)?;
            self.guesses.push((id.to_owned(), choice.wrong_because.is_none()));
        }
        let came_true = predict.matches(&outcome.observation);
        let mark = if came_true { Mark::Good("as predicted") } else { Mark::Bad("a surprise") };
        self.page.text(Mark::None, "we predict", &predict.to_string())?;
        self.page.text(mark, "observed", &outcome.observation.to_string())?;
        self.page.verbatim("it printed", &outcome.said)?;
        match answered {
            Some((question, _)) if self.pace == Pace::Enter => self.answer(question, chosen),
            _ => Ok(()),
        }
    }

    /// A guess is answered with a reason, right or wrong.
    fn answer(&mut self, question: &Question, chosen: Option<Choice>) -> Result<()> {
        let context = &question.context;
        match chosen.map(|choice| choice.wrong_because) {
            Some(None) => self.page.prose(&format!("**Right.** {context}")),
            Some(Some(why)) => self.page.prose(&format!("**Not this time.** {why}\n\n{context}")),
            None => self.page.prose(context),
        }
    }

    /// A busy machine is no surprise, and no excuse either: the same is measured again.
    fn unclear(&mut self, outcome: &Outcome, others: f64, turn: usize) -> Result<()> {
        let observed = &outcome.observation;
        let others = in_unit(others * 100.0, "%");
        let turn = if turn == 2 { "second" } else { "third" };
        self.page.gap()?;
        let why = format!(
            "{observed}; other processes took {others} of the processors meanwhile: measuring \
             again, for the {turn} time"
        );
        self.page.text(Mark::Unclear("unclear"), "measured", &why)
    }

    /// The fix in the article's words, in those of this host, and in those of another.
    fn fixed(&mut self, fix: &Fix, passage: &str) -> Result<()> {
        self.page.gap()?;
        if let Some(article) = fix.article {
            self.page.command(Mark::None, "article", article)?;
        }
        self.page.command(Mark::None, "fixed by", &fix.typed)?;
        if let Some((place, typed)) = &fix.elsewhere {
            self.page.command(Mark::None, place, typed)?;
        }
        self.page.prose(passage)
    }

    /// A cause may have been asked for inside, where a command has another meaning.
    fn cause(&mut self, evidence: &Evidence) -> Result<()> {
        if !evidence.asked_inside {
            return self.evidence("because", evidence);
        }
        let asked = format!("inside: {}", evidence.asked);
        self.evidence("because", &Evidence { asked, ..evidence.clone() })
    }

    fn evidence(&mut self, label: &str, evidence: &Evidence) -> Result<()> {
        let Evidence { asked, answer, therefore, verdict, .. } = evidence;
        let (mark, answer) = match verdict {
            Verdict::Holds => (Mark::Good("holds"), answer),
            Verdict::Fails => (Mark::Bad("does not hold"), answer),
            Verdict::CouldNotLook(why) => (Mark::Unclear("could not look"), why),
        };
        self.page.gap()?;
        self.page.command(mark, label, asked)?;
        let answer = if answer.is_empty() { "(nothing)" } else { answer };
        self.page.verbatim("", answer)?;
        match therefore {
            Some(conclusion) => self.page.text(Mark::None, "so", conclusion),
            None => Ok(()),
        }
    }

    fn leaves(&mut self, leaves: Leaves, passage: &str) -> Result<()> {
        self.remains.push((leaves, passage.to_owned()));
        let word = if leaves == Leaves::Proven { "Proven." } else { "Still open." };
        self.page.prose(&format!("**{word}** {passage}"))
    }

    fn ended(&mut self, ending: &Ending, left_behind: &[String], closing: &str) -> Result<()> {
        let tidied = if left_behind.is_empty() { "Everything is tidied up." } else { "" };
        match ending {
            Ending::Verified => self.summary(closing)?,
            Ending::Surprise(what) => {
                self.page.heading("A surprise", "the lesson ends here")?;
                self.page.prose(what)?;
                self.page.prose(SURPRISE)?;
            }
            Ending::Left { at } => {
                self.page.prose(&format!("You left early. {tidied} To go on from there:"))?;
                self.command(at)?;
            }
            Ending::ShellClosed => self.page.prose(&format!("The shell is closed. {tidied}"))?,
        }
        for what in left_behind {
            self.page.text(Mark::Bad("not deleted"), "left", what)?;
        }
        Ok(())
    }

    /// The command that begins at a step.
    fn command(&mut self, step: &str) -> Result<()> {
        let command = format!("workbench lesson {} --from {step}", self.lesson);
        self.page.gap()?;
        self.page.line(&format!("  {}", command.cyan()))
    }

    /// How often the learner guessed right, and where to look again.
    fn score(&self) -> String {
        let right = self.guesses.iter().filter(|(_, right)| *right).count();
        let wrong = self.guesses.iter().filter(|(_, right)| !right);
        let again: Vec<String> = wrong.map(|(id, _)| format!("`{id}`")).collect();
        match (self.guesses.len(), again.is_empty()) {
            (0, _) => String::new(),
            (all, true) => format!("You guessed {right} of {all} right."),
            (all, false) => {
                format!(
                    "You guessed {right} of {all} right. Worth another look: {}.",
                    again.join(", ")
                )
            }
        }
    }

    fn summary(&mut self, closing: &str) -> Result<()> {
        self.page.heading("What you have seen", "it all came as we predicted")?;
        self.page.prose(closing)?;
        self.page.prose(&self.score())?;
        if let Some((step, _)) = self.guesses.iter().find(|(_, right)| !right).cloned() {
            self.command(&step)?;
        }
        for (kind, title) in [(Leaves::Proven, "Proven"), (Leaves::Open, "Still open")] {
            if !self.remains.iter().any(|(leaves, _)| *leaves == kind) {
                continue;
            }
            self.page.prose(&format!("**{title}**"))?;
            for (_, text) in self.remains.iter().filter(|(leaves, _)| *leaves == kind) {
                self.page.passage(&format!("- {text}"))?;
            }
        }
        if !self.left_out.is_empty() {
            self.page.prose("**Not looked at on this host**")?;
            for title in &self.left_out {
                self.page.passage(&format!("- {title}"))?;
            }
        }
        self.page.prose("**Next**")?;
        self.page.line(&format!("  {}", self.next.cyan()))
    }
}

const SURPRISE: &str = "Either something was changed meanwhile (in a shell of this lesson, or by a \
    command of it that was pasted elsewhere), \
    or this host is unusual, or the lesson is wrong. Run it again; if it surprises you again, \
    its `--format json` says everything that a report needs.";

impl Face for Terminal {
    fn show(&mut self, event: &Event) -> Result<()> {
        match *event {
            Event::Opened { name, title, minutes, passage, identity } => {
                let right = format!("about {minutes} minutes");
                self.page.heading(&format!("{name}: {title}"), &right)?;
                self.page.prose(passage)?;
                self.page.prose(identity)?;
                self.page.prose(&how_to_call_us())
            }
            Event::Experiment { .. } => Ok(()),
            Event::LeftOut { id, passage, why } => self.left_out(id, passage, why),
            Event::Step { number, total, id, passage, .. } => self.step(number, total, id, passage),
            Event::Trying { article, typed, run } => self.trying(article, typed, run),
            Event::Observed { id, predict, outcome, answered } => {
                self.observed(id, predict, outcome, answered)
            }
            Event::Cause { evidence } => self.cause(evidence),
            Event::Why { passage } => self.page.prose(passage),
            Event::Sample { sample } => self.live.show(&mut self.page, sample),
            Event::Unclear { outcome, others, turn } => self.unclear(outcome, others, turn),
            Event::Compared { rows } => live::compare(&mut self.page, rows),
            Event::Fixed { fix, passage } => self.fixed(fix, passage),
            Event::Proof { side: Side::Inside, evidence } => self.evidence("inside", evidence),
            Event::Proof { side: Side::Outside, evidence } => self.evidence("outside", evidence),
            Event::Leaves { leaves, passage } => self.leaves(leaves, passage),
            Event::ShellOpens { typed, passage } => {
                self.page.gap()?;
                self.page.command(Mark::None, "shell", typed)?;
                self.page.prose(passage)
            }
            Event::Ended { ending, left_behind, closing } => {
                self.ended(ending, left_behind, closing)
            }
        }
    }

    fn predict(&mut self, question: &Question, hint: &str) -> Result<Guess> {
        match self.pace {
            Pace::Enter => self.page.ask_for_a_prediction(question, hint),
            _ => Ok(Guess::None),
        }
    }

    fn pause(&mut self, pause: &Pause) -> Result<Next> {
        match self.pace {
            Pace::None => Ok(Next::GoOn),
            Pace::Auto => {
                thread::sleep(time_to_read(&std::mem::take(&mut self.page.unread)));
                Ok(Next::GoOn)
            }
            Pace::Enter => self.page.ask_what_next(pause),
        }
    }

    fn lend_terminal(&mut self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.page.out.flush()?;
        let done = work();
        interrupt::restore_terminal();
        done
    }
}

/// Where the shell would not find `workbench`, what it has to be called instead.
fn how_to_call_us() -> String {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_found = std::env::split_paths(&paths).any(|place| place.join("workbench").is_file());
    match std::env::current_exe() {
        Ok(program) if !is_found => {
            format!("In what follows, `workbench` is `{}`.", program.display())
        }
        _ => String::new(),
    }
}

/// 200 words a minute, and never longer than half a minute: this is for an audience.
fn time_to_read(text: &str) -> Duration {
    let words = u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX);
    Duration::from_millis(words.saturating_mul(300).clamp(1_000, 30_000))
}
