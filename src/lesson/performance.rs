//! Performing a lesson: the loop of predict, observe, explain, fix, prove.

use anyhow::{Error, Result};

use super::{Ending, Experiment, Lesson, Round, World};
use crate::face::{Event, Face, Next, Pause};
use crate::observation::Prediction;
use crate::proof::{Evidence, Verdict};
use crate::quiz::{self, Question};
use crate::words;

// ANCHOR: perform
/// Performs the experiments one after the other, and tidies up whatever happens.
///
/// # Errors
/// When the program fails; a surprise is an ending, not an error.
pub fn perform<W: World>(
    lesson: &Lesson<W>,
    experiments: &[&Experiment<W>],
    world: W,
    face: &mut dyn Face,
    shell_at: Option<&str>,
) -> Result<Ending> {
    let questions = quiz::parse(lesson.quiz)?;
    let total = experiments.iter().flat_map(|experiment| experiment.steps()).count();
    let mut performance = Performance { lesson, questions, world, face, shell_at, total, step: 0 };
    let halted = performance.play(experiments);
    let Performance { world, face, .. } = performance;
    let left_behind = world.tear_down();
    let ending = match halted {
        Ok(()) => Ending::Verified,
        Err(Halt::Early(ending)) => ending,
        Err(Halt::Failed(error)) => return Err(error),
    };
    let closing = words::passage(lesson.words, "closing").unwrap_or_default();
    face.show(&Event::Ended { ending: &ending, left_behind: &left_behind, closing: &closing })?;
    Ok(ending)
}
// ANCHOR_END: perform

struct Performance<'a, W: 'static> {
    lesson: &'a Lesson<W>,
    questions: Vec<Question>,
    world: W,
    face: &'a mut dyn Face,
    shell_at: Option<&'a str>,
    step: usize,
    total: usize,
}

impl<W: World> Performance<'_, W> {
    // ANCHOR: play
    /// The whole lesson.
    fn play(&mut self, experiments: &[&Experiment<W>]) -> Result<(), Halt> {
        let Lesson { name, title, minutes, .. } = *self.lesson;
        let passage = &self.passage("opening");
        let identity = &self.passage(self.world.identity_passage());
        self.face.show(&Event::Opened { name, title, minutes, passage, identity })?;
        for experiment in experiments {
            self.face.show(&Event::Experiment { id: experiment.id })?;
            (experiment.stage)(&mut self.world)?;
            for round in experiment.rounds {
                self.fail_and_fix(experiment, round)?;
            }
            self.work_and_prove(experiment)?;
        }
        Ok(())
    }

    /// A failing state: the attempt, its cause, and the fix.
    fn fail_and_fix(&mut self, experiment: &Experiment<W>, round: &Round<W>) -> Result<(), Halt> {
        self.attempt(experiment, round.id, round.article, round.predict)?;
        let cause = (round.cause)(&self.world)?;
        self.face.show(&Event::Cause { evidence: &cause })?;
        demand(round.id, &cause)?;
        self.explain(round.id)?;
        self.pause(experiment, round.id)?;
        let typed = &(round.fix)(&mut self.world)?;
        let passage = &self.passage(&format!("{}-fix", round.id));
        self.face.show(&Event::Fixed { typed, passage })?;
        Ok(())
    }

    /// The state in which nothing is left to fix: the same attempt, and the proofs.
    fn work_and_prove(&mut self, experiment: &Experiment<W>) -> Result<(), Halt> {
        let id = experiment.id;
        self.attempt(experiment, id, experiment.article, experiment.works)?;
        for proof in experiment.proofs {
            let evidence = (proof.ask)(&self.world)?;
            self.face.show(&Event::Proof { side: proof.side, evidence: &evidence })?;
            demand(id, &evidence)?;
        }
        self.explain(id)?;
        let (leaves, passage) = (experiment.leaves, &self.passage(&format!("{id}-leaves")));
        self.face.show(&Event::Leaves { leaves, passage })?;
        self.pause(experiment, id)
    }
    // ANCHOR_END: play

    // ANCHOR: attempt
    /// Asks the learner, then the kernel, and shows both answers side by side. An answer that
    /// nobody predicted ends the lesson.
    fn attempt(
        &mut self,
        experiment: &Experiment<W>,
        id: &'static str,
        article: &'static str,
        predict: Prediction,
    ) -> Result<(), Halt> {
        self.step += 1;
        let (number, total, passage) = (self.step, self.total, &self.passage(id));
        let works = id == experiment.id;
        self.face.show(&Event::Step { number, total, id, works, passage })?;
        let job = (experiment.attempt)(&self.world);
        self.face.show(&Event::Trying { article, typed: &job.as_typed(), run: &job.as_run() })?;
        let question = self.questions.iter().find(|question| question.asks_before(id));
        let guess = question.map(|question| self.face.predict(question)).transpose()?.flatten();
        let outcome = &self.world.launcher().run(&job)?;
        self.face.show(&Event::Observed { predict, outcome, guess, question })?;
        if predict.matches(&outcome.observation) {
            return Ok(());
        }
        let observed = &outcome.observation;
        surprise(format!("step {id}: predicted that {predict}, but {observed}"))
    }
    // ANCHOR_END: attempt

    fn explain(&mut self, id: &str) -> Result<()> {
        let passage = &self.passage(&format!("{id}-why"));
        self.face.show(&Event::Why { passage })
    }

    // ANCHOR: pause
    /// The learner may look around for as long as they like; the world waits in this very state.
    fn pause(&mut self, experiment: &Experiment<W>, id: &'static str) -> Result<(), Halt> {
        if self.shell_at == Some(id) {
            self.open_shell()?;
            return Err(Halt::Early(Ending::ShellClosed));
        }
        let code = &self.code(experiment.id, id);
        let hint = &self.passage(&format!("{id}-hint"));
        let last = self.step == self.total;
        loop {
            match self.face.pause(&Pause { id, last, code, hint })? {
                Next::GoOn => return Ok(()),
                Next::Quit => return Err(Halt::Early(Ending::Left)),
                Next::Shell => self.open_shell()?,
            }
        }
    }
    // ANCHOR_END: pause

    fn open_shell(&mut self) -> Result<()> {
        let (job, variables) = self.world.shell();
        self.face.show(&Event::ShellOpens { typed: &job.as_typed() })?;
        let launcher = self.world.launcher();
        self.face.lend_terminal(&mut || launcher.attend(&job, &variables).map(drop))
    }

    /// The source of the attempt, and of this step's own cause and fix.
    fn code(&self, attempt: &str, step: &str) -> String {
        let mut anchors = vec![attempt, step];
        anchors.dedup();
        let parts = anchors.iter().filter_map(|id| words::passage(self.lesson.source, id));
        parts.collect::<Vec<_>>().join("\n\n")
    }

    fn passage(&self, name: &str) -> String {
        words::passage(self.lesson.words, name).unwrap_or_default()
    }
}

/// Evidence that does not hold ends the lesson; so does a place where one could not look.
fn demand(id: &str, Evidence { asked, answer, verdict }: &Evidence) -> Result<(), Halt> {
    match verdict {
        Verdict::Holds => Ok(()),
        Verdict::Fails => surprise(format!("step {id}: `{asked}` answered: {answer}")),
        Verdict::CouldNotLook(why) => {
            surprise(format!("step {id}: could not look, because {why}: `{asked}`"))
        }
    }
}

fn surprise(what: String) -> Result<(), Halt> {
    Err(Halt::Early(Ending::Surprise(what)))
}

/// Why a performance stops: an ending before the end, or a failure of the program.
enum Halt {
    Early(Ending),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
