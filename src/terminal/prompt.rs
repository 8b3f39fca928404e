//! Questions to a person at a terminal. Everything is answered with a number or a letter and
//! Enter; what the learner types stays on the screen.

use std::io::{self, BufRead, Write};

use anyhow::Result;
use colored::Colorize;
use dialoguer::Input;
use dialoguer::console::Term;
use dialoguer::theme::Theme;

use super::page::{Look, Page};
use crate::face::{Next, Pause};
use crate::interrupt;
use crate::quiz::Question;
use crate::terminal::markdown::wrap;

/// What a person answers.
enum Answer {
    Line(String),
    /// The end of the input: Ctrl-D, or a terminal that has gone.
    End,
}

impl Page {
    /// Asks a question and returns the place of the choice, or none: a guess is an offer.
    pub(super) fn ask_for_a_prediction(&mut self, question: &Question) -> Result<Option<usize>> {
        let choices = question.choices();
        self.prose(question.prompt())?;
        self.gap()?;
        for (place, choice) in choices.iter().enumerate() {
            let number = format!("  {}  ", place + 1);
            for line in wrap(choice.text, self.width, &number, "     ") {
                self.line(&line)?;
            }
        }
        self.gap()?;
        let prompt = format!("Your prediction (1 to {}, or Enter for none): ", choices.len());
        loop {
            let Answer::Line(line) = self.ask(&prompt)? else { return Ok(None) };
            match line.trim().parse::<usize>() {
                _ if line.trim().is_empty() => return Ok(None),
                Ok(number) if (1..=choices.len()).contains(&number) => return Ok(Some(number - 1)),
                _ => self.line(&format!("Please type a number from 1 to {}.", choices.len()))?,
            }
        }
    }

    /// Shows code or hint as often as they are wanted, and returns what leads on.
    pub(super) fn ask_what_next(&mut self, pause: &Pause) -> Result<Next> {
        let on = if pause.last { "finish" } else { "go on" };
        let prompt = format!("Enter: {on}, c: code, s: shell, h: hint, q: quit > ");
        self.gap()?;
        loop {
            let Answer::Line(line) = self.ask(&prompt)? else { return Ok(Next::Quit) };
            match line.trim() {
                "" => return Ok(Next::GoOn),
                "s" => return Ok(Next::Shell),
                "q" => return Ok(Next::Quit),
                "h" => self.prose(pause.hint)?,
                "c" => self.code(pause.code)?,
                _ => self.line("Please press Enter, or type c, s, h or q first.")?,
            }
            self.gap()?;
        }
    }

    fn code(&mut self, code: &str) -> Result<()> {
        self.gap()?;
        for line in code.lines() {
            let text = line.trim_start();
            let indent = " ".repeat(2 + line.len() - text.len());
            let again = if text.starts_with("///") { "/// " } else { "    " };
            for part in wrap(text, self.width, &indent, &format!("{indent}{again}")) {
                let is_comment = text.starts_with("//");
                self.line(&if is_comment { part.dimmed().to_string() } else { part })?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, prompt: &str) -> Result<Answer> {
        self.out.flush()?;
        self.unread.clear();
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
        if self.look == Look::Plain || is_dumb {
            self.ask_by_line(prompt)
        } else {
            ask_by_key(prompt)
        }
    }

    /// Nothing moves and nothing is redrawn.
    fn ask_by_line(&mut self, prompt: &str) -> Result<Answer> {
        write!(self.out, "{prompt}")?;
        self.out.flush()?;
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line)? {
            0 => Ok(Answer::End),
            _ => Ok(Answer::Line(line)),
        }
    }
}

fn ask_by_key(prompt: &str) -> Result<Answer> {
    let input = Input::<String>::with_theme(&Quiet).with_prompt(prompt).allow_empty(true);
    match input.interact_on(&Term::stdout()) {
        Ok(line) if line.contains('\x04') => Ok(Answer::End),
        Ok(line) => Ok(Answer::Line(line)),
        // Ctrl-C, which the terminal in raw mode hands over as a character.
        Err(dialoguer::Error::IO(error)) if error.kind() == io::ErrorKind::Interrupted => {
            interrupt::end_now()
        }
        Err(dialoguer::Error::IO(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Answer::End)
        }
        Err(dialoguer::Error::IO(error)) => Err(error.into()),
    }
}

/// A prompt in bold, and the answer as it was typed.
struct Quiet;

impl Theme for Quiet {
    fn format_input_prompt(
        &self,
        out: &mut dyn std::fmt::Write,
        prompt: &str,
        _default: Option<&str>,
    ) -> std::fmt::Result {
        write!(out, "{}", prompt.bold())
    }

    fn format_input_prompt_selection(
        &self,
        out: &mut dyn std::fmt::Write,
        prompt: &str,
        answer: &str,
    ) -> std::fmt::Result {
        write!(out, "{prompt}{answer}")
    }
}
