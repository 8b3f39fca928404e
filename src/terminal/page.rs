//! Setting text: lines, headings, prose, and rows of two columns.

use std::io::{self, IsTerminal, Stdout, Write};

use anstream::{AutoStream, ColorChoice};
use anyhow::Result;
use colored::{ColoredString, Colorize};
use textwrap::core::display_width;

use super::command_line;
use super::markdown::{self, Quotation, wrap};
use crate::interrupt;

/// For whom the text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// For eyes: lines, marks, colour.
    Human,
    /// For ears and logs: nothing but sentences.
    Plain,
}

/// What is said of a row: a sign in its margin, or words after its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    None,
    /// It is as it should be.
    Good(&'static str),
    /// It is not.
    Bad(&'static str),
    /// Nobody knows.
    Unclear(&'static str),
}

impl Mark {
    fn sign(self) -> ColoredString {
        match self {
            Self::None => " ".normal(),
            Self::Good(_) => "✓".green(),
            Self::Bad(_) => "✗".red().bold(),
            Self::Unclear(_) => "?".yellow(),
        }
    }

    fn words(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Good(words) | Self::Bad(words) | Self::Unclear(words) => format!(", {words}"),
        }
    }
}

/// Standard output, and how text is set there.
pub struct Page {
    pub(super) out: AutoStream<Stdout>,
    pub(super) look: Look,
    /// What was written since somebody last looked up.
    pub(super) unread: String,
}

/// Whether the terminal understands no sequences: neither colours nor movements of the cursor.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty())
}

/// No line is longer than this, however wide the terminal: long lines tire.
const WIDEST: usize = 80;
const NARROWEST: usize = 20;
/// Where the second column begins.
const COLUMN: usize = 13;
/// Below this width there is one column only: labels stand on lines of their own.
const TWO_COLUMNS: usize = 60;
/// Where the only column begins then.
const INDENT: usize = 4;

impl Page {
    /// Writes to standard output. Colour follows NO_COLOR, CLICOLOR_FORCE, TERM and the stream,
    /// as `anstream` decides.
    pub fn new(look: Look) -> Self {
        colored::control::set_override(look == Look::Human);
        let stdout = io::stdout();
        // `anstream` colours a dumb terminal where `CI` is set; a dumb terminal stays dumb.
        let is_forced = std::env::var_os("CLICOLOR_FORCE").is_some();
        let choice = match AutoStream::choice(&stdout) {
            ColorChoice::Auto | ColorChoice::Always if is_dumb() && !is_forced => {
                ColorChoice::Never
            }
            choice => choice,
        };
        Self { out: AutoStream::new(stdout, choice), look, unread: String::new() }
    }

    /// How wide a line may be. A window can change its size at any time, so it is asked anew.
    #[allow(clippy::unused_self)] // It is the width of this page.
    pub(super) fn width(&self) -> usize {
        let columns = if io::stdout().is_terminal() { textwrap::termwidth() } else { WIDEST };
        columns.clamp(NARROWEST, WIDEST)
    }

    /// Writes one line.
    ///
    /// # Errors
    /// When nobody reads any more; so do all that follow.
    pub fn line(&mut self, text: &str) -> Result<()> {
        interrupt::wait_if_ending();
        self.unread.push_str(text);
        self.unread.push(' ');
        Ok(writeln!(self.out, "{}", text.trim_end())?)
    }

    /// Writes an empty line.
    pub fn gap(&mut self) -> Result<()> {
        self.line("")
    }

    /// Writes Markdown, with an empty line before it.
    pub fn prose(&mut self, markdown: &str) -> Result<()> {
        if markdown.is_empty() {
            return Ok(());
        }
        self.gap()?;
        self.passage(markdown)
    }

    /// Writes Markdown.
    pub fn passage(&mut self, markdown: &str) -> Result<()> {
        let quotation = if self.look == Look::Human { Quotation::Bar } else { Quotation::Word };
        for line in markdown::render(markdown, self.width(), quotation) {
            self.line(&line)?;
        }
        Ok(())
    }

    /// Writes a heading, with a remark at its right.
    pub fn heading(&mut self, left: &str, right: &str) -> Result<()> {
        self.gap()?;
        let used = display_width(left) + display_width(right);
        if self.look == Look::Plain || used + 2 > self.width() {
            for line in wrap(&format!("{left} ({right})"), self.width(), "", "") {
                self.line(&line.bold().to_string())?;
            }
        } else {
            let gap = " ".repeat(self.width() - used);
            self.line(&format!("{}{gap}{}", left.bold(), right.dimmed()))?;
        }
        if self.look == Look::Human {
            self.line(&"─".repeat(self.width()).dimmed().to_string())?;
        }
        Ok(())
    }

    /// A label and a command, which can be copied even where it takes several lines.
    pub fn command(&mut self, mark: Mark, label: &str, command: &str) -> Result<()> {
        let lines = match self.look {
            Look::Human => command_line::fold(command, self.room()),
            Look::Plain => vec![command.to_owned()],
        };
        let hang = |(place, line): (usize, &String)| {
            let indent = if place == 0 { "" } else { "  " };
            format!("{indent}{}", line.cyan())
        };
        self.rows(mark, label, lines.iter().enumerate().map(hang).collect())
    }

    /// A label and a text, which may take several lines.
    pub fn text(&mut self, mark: Mark, label: &str, text: &str) -> Result<()> {
        let room = self.room();
        self.rows(mark, label, text.lines().flat_map(|line| wrap(line, room, "", "")).collect())
    }

    /// A label and what a program printed, line for line; for eyes, a long line is broken.
    pub fn verbatim(&mut self, label: &str, text: &str) -> Result<()> {
        match self.look {
            Look::Human => self.text(Mark::None, label, text),
            Look::Plain => self.rows(Mark::None, label, text.lines().map(str::to_owned).collect()),
        }
    }

    fn room(&self) -> usize {
        let column = if self.width() < TWO_COLUMNS { INDENT } else { COLUMN };
        self.width().saturating_sub(column)
    }

    /// Mark and label stand at the first line only.
    fn rows(&mut self, mark: Mark, label: &str, lines: Vec<String>) -> Result<()> {
        let narrow = self.width() < TWO_COLUMNS;
        if self.look == Look::Human && narrow && !label.is_empty() && !lines.is_empty() {
            self.line(&format!("{} {}", mark.sign(), label.dimmed()))?;
        }
        for (place, line) in lines.into_iter().enumerate() {
            let (mark, label) = if place == 0 { (mark, label) } else { (Mark::None, "") };
            match (self.look, label) {
                (Look::Human, _) if narrow => self.line(&format!("    {line}"))?,
                (Look::Human, _) => {
                    let label = format!("{label:<10}").dimmed();
                    self.line(&format!("{} {label} {line}", mark.sign()))?;
                }
                (Look::Plain, "") => self.line(&line)?,
                (Look::Plain, _) => self.line(&format!("{label}{}: {line}", mark.words()))?,
            }
        }
        Ok(())
    }
}
