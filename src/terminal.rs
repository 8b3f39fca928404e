//! The face that people see: text on a terminal, or in a log. This module and [`crate::json`]
//! are the only ones that print what was asked for.

mod command_line;
pub mod markdown;
mod prompt;

use std::io::{self, IsTerminal, Stdout, Write};
use std::thread;
use std::time::Duration;

use anstream::AutoStream;
use anyhow::Result;
use clap::ValueEnum;
use colored::Colorize;

use crate::face::{Event, Face, Next, Pause};
use crate::interrupt;
use crate::launch::Outcome;
use crate::lesson::{Ending, Leaves};
use crate::observation::Prediction;
use crate::proof::{Evidence, Side, Verdict};
use crate::quiz::Question;
use crate::words;
use markdown::{Quotation, wrap};

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

/// For whom the text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// For eyes: lines, marks, colour.
    Human,
    /// For ears and logs: nothing but sentences.
    Plain,
}

/// A terminal, or what stands in for one.
pub struct Terminal {
    out: AutoStream<Stdout>,
    look: Look,
    pace: Pace,
    width: usize,
    /// What is still to be read before the next pause.
    unread: String,
    remains: Vec<(Leaves, String)>,
    /// The command that the last line of a lesson recommends.
    next: String,
}

/// No line is longer than this, however wide the terminal: long lines tire.
const WIDEST: usize = 80;
const NARROWEST: usize = 20;
/// Where the second column begins.
const COLUMN: usize = 13;

impl Terminal {
    /// Writes to standard output. Colour follows NO_COLOR, CLICOLOR_FORCE, TERM and the stream,
    /// as `anstream` decides.
    pub fn new(look: Look, pace: Pace, next: &str) -> Self {
        colored::control::set_override(look == Look::Human);
        let columns = if io::stdout().is_terminal() { textwrap::termwidth() } else { WIDEST };
        Self {
            out: AutoStream::auto(io::stdout()),
            look,
            pace,
            width: columns.clamp(NARROWEST, WIDEST),
            unread: String::new(),
            remains: Vec::new(),
            next: next.to_owned(),
        }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn line(&mut self, text: &str) -> Result<()> {
        interrupt::wait_if_ending();
        self.unread.push_str(text);
        self.unread.push(' ');
        Ok(writeln!(self.out, "{}", text.trim_end())?)
    }

    /// Writes Markdown, with a blank line before it.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn prose(&mut self, markdown: &str) -> Result<()> {
        if markdown.is_empty() {
            return Ok(());
        }
        let quotation = if self.look == Look::Human { Quotation::Bar } else { Quotation::Word };
        self.line("")?;
        for line in markdown::render(markdown, self.width, quotation) {
            self.line(&line)?;
        }
        Ok(())
    }

    fn heading(&mut self, left: &str, right: &str) -> Result<()> {
        self.line("")?;
        let used = textwrap::core::display_width(left) + textwrap::core::display_width(right);
        if self.look == Look::Plain || used + 2 > self.width {
            for line in wrap(&format!("{} ({right})", left.bold()), self.width, "", "") {
                self.line(&line)?;
            }
        } else {
            let gap = " ".repeat(self.width - used);
            self.line(&format!("{}{gap}{}", left.bold(), right.dimmed()))?;
        }
        if self.look == Look::Human {
            self.line(&"─".repeat(self.width).dimmed().to_string())?;
        }
        Ok(())
    }

    /// A label and what belongs to it, in two columns; a label without a line is a new row.
    fn row(&mut self, label: &str, text: &str) -> Result<()> {
        match (self.look, label) {
            (Look::Human, _) => self.line(&format!("  {} {text}", format!("{label:<10}").dimmed())),
            (Look::Plain, "") => self.line(text),
            (Look::Plain, _) => self.line(&format!("{label}: {text}")),
        }
    }

    /// A label and a command, which can be copied even where it takes several lines.
    fn command(&mut self, label: &str, command: &str, mark: &str) -> Result<()> {
        let room = self.width.saturating_sub(COLUMN);
        let lines = match self.look {
            Look::Human => command_line::fold(command, room),
            Look::Plain => vec![command.to_owned()],
        };
        let last = lines.len() - 1;
        for (place, line) in lines.iter().enumerate() {
            let label = if place == 0 { label } else { "" };
            let indent = if place == 0 { "" } else { "  " };
            let mark = if place == last { mark } else { "" };
            self.row(label, &format!("{indent}{}{mark}", line.cyan()))?;
        }
        Ok(())
    }

    /// A label and a text, which may take several lines.
    fn text(&mut self, label: &str, text: &str) -> Result<()> {
        let room = self.width.saturating_sub(COLUMN).max(NARROWEST);
        let mut label = label;
        for line in text.lines().flat_map(|line| wrap(line, room, "", "")) {
            self.row(label, &line)?;
            label = "";
        }
        Ok(())
    }

    /// A label and what a program printed, line for line.
    fn verbatim(&mut self, label: &str, text: &str) -> Result<()> {
        for (place, line) in text.lines().enumerate() {
            self.row(if place == 0 { label } else { "" }, line)?;
        }
        Ok(())
    }

    fn trying(&mut self, article: &str, typed: &str, run: &str) -> Result<()> {
        self.line("")?;
        self.command("article", article, "")?;
        self.command("today", typed, "")?;
        if run != typed {
            self.command("we run", run, "")?;
        }
        Ok(())
    }

    fn observed(&mut self, predict: Prediction, outcome: &Outcome) -> Result<()> {
        let mark = if predict.matches(&outcome.observation) {
            self.mark("✓", "as predicted").green()
        } else {
            self.mark("✗", "NOT as predicted").red().bold()
        };
        self.text("predicted", &predict.to_string())?;
        self.text("observed", &format!("{}  {mark}", outcome.observation))?;
        self.verbatim("it printed", &outcome.said)
    }

    fn answer(&mut self, question: &Question, guess: Option<usize>) -> Result<()> {
        let choices = question.choices();
        let reason = guess.and_then(|place| choices.get(place)).map(|choice| choice.wrong_because);
        match reason {
            Some(None) => self.prose(&format!("**Right.** {}", question.context)),
            Some(Some(why)) => {
                self.prose(&format!("**Not this time.** {why}\n\n{}", question.context))
            }
            None => self.prose(&question.context),
        }
    }

    fn evidence(
        &mut self,
        label: &str,
        Evidence { asked, answer, verdict }: &Evidence,
    ) -> Result<()> {
        let mark = match verdict {
            Verdict::Holds => self.mark("✓", "holds").green(),
            Verdict::Fails => self.mark("✗", "DOES NOT HOLD").red().bold(),
            Verdict::CouldNotLook(_) => self.mark("?", "could not look").yellow(),
        };
        self.command(label, asked, &format!("  {mark}"))?;
        match verdict {
            Verdict::CouldNotLook(why) => self.verbatim("", why),
            _ => self.verbatim("", answer),
        }
    }

    fn ended(&mut self, ending: &Ending, left_behind: &[String], closing: &str) -> Result<()> {
        match ending {
            Ending::Verified => self.summary(closing)?,
            Ending::Surprise(what) => {
                self.heading("A surprise", "the lesson ends here")?;
                self.prose(&format!(
                    "{what}\n\nEither this host is unusual or the lesson is wrong. Both are worth \
                     knowing: please report what `workbench lesson NAME --format json` prints."
                ))?;
            }
            Ending::Left => self.prose("You left early. Everything is tidied up.")?,
            Ending::ShellClosed => {
                self.prose("The shell is closed, and everything is tidied up.")?;
            }
        }
        for what in left_behind {
            self.line(&format!("{} {what}", "left behind:".red()))?;
        }
        Ok(())
    }

    fn summary(&mut self, closing: &str) -> Result<()> {
        self.heading("What you have seen", "all predictions came true")?;
        self.prose(closing)?;
        for (leaves, title) in [(Leaves::Proven, "Proven"), (Leaves::Open, "Still open")] {
            self.line("")?;
            self.line(&title.bold().to_string())?;
            for (_, text) in self.remains.clone().into_iter().filter(|(kind, _)| *kind == leaves) {
                for line in markdown::render(&format!("- {text}"), self.width, Quotation::Bar) {
                    self.line(&line)?;
                }
            }
        }
        self.line("")?;
        self.line(&format!("{} {}", "Next:".bold(), self.next.clone().cyan()))
    }

    fn mark(&self, sign: &'static str, words: &'static str) -> &'static str {
        if self.look == Look::Human { sign } else { words }
    }
}

impl Face for Terminal {
    fn show(&mut self, event: &Event) -> Result<()> {
        match *event {
            Event::Opened { name, title, minutes, passage, identity } => {
                let right = format!("about {minutes} minutes");
                self.heading(&format!("{name}: {title}"), &right)?;
                self.prose(passage)?;
                self.prose(identity)
            }
            Event::Experiment { .. } => Ok(()),
            Event::Step { number, total, id, passage, .. } => {
                let (title, text) = words::split_heading(passage);
                let title = title.unwrap_or(id);
                self.line("")?;
                self.heading(&format!("Step {number} of {total}: {title}"), id)?;
                self.prose(text)
            }
            Event::Trying { article, typed, run } => self.trying(article, typed, run),
            Event::Observed { predict, outcome, guess, question } => {
                self.line("")?;
                if let Some((question, place)) = question.zip(guess) {
                    let choices = question.choices();
                    self.text("you said", choices.get(place).map_or("", |choice| choice.text))?;
                }
                self.observed(predict, outcome)?;
                match question {
                    Some(question) if self.pace == Pace::Enter => self.answer(question, guess),
                    _ => Ok(()),
                }
            }
            Event::Cause { evidence } => {
                self.line("")?;
                self.evidence("because", evidence)
            }
            Event::Why { passage } => self.prose(passage),
            Event::Fixed { typed, passage } => {
                self.line("")?;
                self.command("fix", typed, "")?;
                self.prose(passage)
            }
            Event::Proof { side, evidence } => {
                self.line("")?;
                let label = if side == Side::Inside { "inside" } else { "outside" };
                self.evidence(label, evidence)
            }
            Event::Leaves { leaves, passage } => {
                self.remains.push((leaves, passage.to_owned()));
                let word = if leaves == Leaves::Proven { "Proven" } else { "Still open" };
                self.prose(&format!("**{word}.** {passage}"))
            }
            Event::ShellOpens { typed } => {
                self.line("")?;
                self.command("shell", typed, "")?;
                self.text("", "$ROOT is the new root; exit or Ctrl-D brings you back.")
            }
            Event::Ended { ending, left_behind, closing } => {
                self.ended(ending, left_behind, closing)
            }
        }
    }

    fn predict(&mut self, question: &Question) -> Result<Option<usize>> {
        if self.pace != Pace::Enter {
            return Ok(None);
        }
        self.ask_for_a_prediction(question)
    }

    fn pause(&mut self, pause: &Pause) -> Result<Next> {
        match self.pace {
            Pace::None => Ok(Next::GoOn),
            Pace::Auto => {
                thread::sleep(time_to_read(&std::mem::take(&mut self.unread)));
                Ok(Next::GoOn)
            }
            Pace::Enter => self.ask_what_next(pause),
        }
    }

    fn lend_terminal(&mut self, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        self.out.flush()?;
        let done = work();
        interrupt::restore_terminal();
        done
    }
}

/// 200 words a minute, and never longer than half a minute: this is for an audience.
fn time_to_read(text: &str) -> Duration {
    let words = u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX);
    Duration::from_millis(words.saturating_mul(300).clamp(1_000, 30_000))
}
