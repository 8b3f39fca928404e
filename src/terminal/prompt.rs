//! Questions to a person at a terminal. Everything is answered with a number or a letter and
//! Enter; what the learner types stays on the screen.

use std::io::{self, BufRead, Write};

use anyhow::Result;
use colored::Colorize;
use dialoguer::Input;
use dialoguer::console::Term;
use dialoguer::theme::Theme;

use super::page::{Look, Page, is_dumb};
use crate::face::{Guess, Next, Pause};
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
    /// Asks a question; a guess is an offer, and so is the hint.
    pub(super) fn ask_for_a_prediction(
        &mut self,
        question: &Question,
        hint: &str,
    ) -> Result<Guess> {
        let choices = question.choices();
        self.prose(question.prompt())?;
        self.gap()?;
        for (place, choice) in choices.iter().enumerate() {
            let number = format!("  {}  ", place + 1);
            for line in wrap(choice.text, self.width(), &number, "     ") {
                self.line(&line)?;
            }
        }
        self.gap()?;
        let last = choices.len();
        let long = format!("Your prediction (1 to {last}, Enter: none, h: hint, q: quit) > ");
        let prompt = self.that_fits(&long, &format!("1 to {last}, Enter, h, q > "));
        loop {
            let Answer::Line(line) = self.ask(&prompt)? else { return Ok(Guess::Quit) };
            match (line.trim(), line.trim().parse::<usize>()) {
                ("", _) => return Ok(Guess::None),
                ("q", _) => return Ok(Guess::Quit),
                ("h", _) => {
                    self.prose(hint)?;
                    self.gap()?;
                }
                (_, Ok(number)) if (1..=last).contains(&number) => {
                    return Ok(Guess::Choice(number - 1));
                }
                _ => self.line(&format!("Please type a number from 1 to {last}, or h, or q."))?,
            }
        }
    }

    /// Shows code or hint as often as they are wanted, and returns what leads on.
    pub(super) fn ask_what_next(&mut self, pause: &Pause) -> Result<Next> {
        let on = if pause.last { "finish" } else { "go on" };
        let long = format!("Enter: {on}, c: code, s: shell, h: hint, q: quit > ");
        let prompt = self.that_fits(&long, "Enter, c, s, h, q > ");
        self.gap()?;
        loop {
            let Answer::Line(line) = self.ask(&prompt)? else { return Ok(Next::Quit) };
            match line.trim() {
                "" => return Ok(Next::GoOn),
                "s" => return Ok(Next::Shell),
                "q" => return Ok(Next::Quit),
                "h" => self.prose(pause.hint)?,
                "c" => self.code(pause.code)?,
                _ => self.line("Press Enter alone, or type c, s, h or q, and then Enter.")?,
            }
            self.gap()?;
        }
    }

    fn that_fits(&self, long: &str, short: &str) -> String {
        let fits = long.len() + 2 <= self.width();
        if fits { long.to_owned() } else { short.to_owned() }
    }

    fn code(&mut self, code: &str) -> Result<()> {
        self.gap()?;
        for line in code.lines() {
            let text = line.trim_start();
            let indent = " ".repeat(2 + line.len() - text.len());
            let comment = text.split_whitespace().next().filter(|word| word.starts_with("//"));
            let again = comment.map_or("    ".to_owned(), |slashes| format!("{slashes} "));
            for part in wrap(text, self.width(), &indent, &format!("{indent}{again}")) {
                let is_comment = text.starts_with("//");
                self.line(&if is_comment { part.dimmed().to_string() } else { part })?;
            }
        }
        Ok(())
    }

    fn ask(&mut self, prompt: &str) -> Result<Answer> {
        self.out.flush()?;
        self.unread.clear();
        if self.look == Look::Plain || is_dumb() {
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
