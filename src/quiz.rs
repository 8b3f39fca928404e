//! Questions with several choices, read from a lesson's `quiz.toml`.
//!
//! The format is that of mdbook-quiz, so that the book asks the same questions. What the terminal
//! needs beside it stands in the table `[questions.workbench]`.

use anyhow::{Context, Result};
use serde::Deserialize;

/// A question, the right answer, and a reason for each wrong one.
#[derive(Debug, Clone, Deserialize)]
pub struct Question {
    /// Stable: progress is recorded by it.
    pub id: String,
    prompt: Prompt,
    answer: Answer,
    /// Why the right answer is right.
    pub context: String,
    workbench: Extension,
}

#[derive(Debug, Clone, Deserialize)]
struct Prompt {
    prompt: String,
    distractors: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Answer {
    answer: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Extension {
    /// The step before which the lesson asks this.
    step: Option<String>,
    /// What someone believes who answers wrongly.
    misconception: String,
    /// For each distractor, why it is wrong.
    reasons: Vec<String>,
}

/// One of the answers to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The answer.
    pub text: &'a str,
    /// Why it is wrong; the right answer has none.
    pub wrong_because: Option<&'a str>,
}

/// Reads a lesson's questions.
///
/// # Errors
/// When the file is not TOML, or a question lacks something; the error names line and column.
pub fn parse(text: &str) -> Result<Vec<Question>> {
    #[derive(Deserialize)]
    struct Quiz {
        questions: Vec<Question>,
    }
    Ok(toml::from_str::<Quiz>(text).context("quiz.toml")?.questions)
}

impl Question {
    /// What is asked.
    pub fn prompt(&self) -> &str {
        &self.prompt.prompt
    }

    /// What someone believes who answers wrongly.
    pub fn misconception(&self) -> &str {
        &self.workbench.misconception
    }

    /// Whether a lesson asks this before the given step.
    pub fn asks_before(&self, step: &str) -> bool {
        self.workbench.step.as_deref() == Some(step)
    }

    /// The choices, always in the same order for the same question, with the right answer at a
    /// place that follows from the id and so cannot be learnt from its neighbours.
    pub fn choices(&self) -> Vec<Choice<'_>> {
        let reasons = self.workbench.reasons.iter().map(|reason| Some(reason.as_str()));
        let mut choices: Vec<Choice> = self
            .prompt
            .distractors
            .iter()
            .zip(reasons)
            .map(|(text, wrong_because)| Choice { text, wrong_because })
            .collect();
        let sum: usize = self.id.bytes().map(usize::from).sum();
        let place = sum % (choices.len() + 1);
        choices.insert(place, Choice { text: &self.answer.answer, wrong_because: None });
        choices
    }

    /// Whether every distractor has its reason.
    pub fn is_complete(&self) -> bool {
        self.prompt.distractors.len() == self.workbench.reasons.len()
            && !self.workbench.misconception.is_empty()
    }
}
