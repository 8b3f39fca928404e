//! Contained processes that live on, so that the kernel can be asked about them.

use std::cell::RefCell;

use anyhow::Result;

use crate::container::Recipe;
use crate::job::Job;
use crate::launch::{Held, Launcher, Outcome};
use crate::observation::Observation;
use crate::proof::{Evidence, Is};

/// One process for each recipe that somebody has asked about. A learner can ask it as well, for
/// as long as the lesson lasts.
#[derive(Debug, Default)]
pub struct Witnesses(RefCell<Vec<(Recipe, Held)>>);

impl Witnesses {
    /// A process that lives by this recipe, and waits; its number as the host sees it.
    ///
    /// # Errors
    /// When the kernel refuses a call of the recipe.
    pub fn of(&self, launcher: &Launcher, recipe: &Recipe) -> Result<u32> {
        let mut witnesses = self.0.borrow_mut();
        if let Some((_, witness)) = witnesses.iter().find(|(theirs, _)| theirs == recipe) {
            return Ok(witness.pid());
        }
        let witness = launcher.hold(&waiting_bash(recipe))?;
        let pid = witness.pid();
        witnesses.push((recipe.clone(), witness));
        Ok(pid)
    }
}

/// A shell that says that it is ready, and waits for the end of its input.
pub fn waiting_bash(recipe: &Recipe) -> Job {
    Job::bash(recipe, "echo ready; read -r _")
}

/// Runs a line of shell by this recipe. What it answers is evidence only if it ends with the
/// status that the question has.
///
/// # Errors
/// When the job cannot be started.
pub fn ask(
    launcher: &Launcher,
    recipe: &Recipe,
    line: &str,
    status: i32,
    is_so: impl FnOnce(&str) -> bool,
) -> Result<Evidence> {
    let Outcome { observation, said } = launcher.run(&Job::bash(recipe, line))?;
    if observation == (Observation::Exited { status }) {
        return Ok(Evidence::new(line, said.clone(), Is::from(is_so(&said))).inside());
    }
    Ok(Evidence::new(line, format!("{observation}\n{said}"), Is::Otherwise).inside())
}
