//! Performing a lesson: the loop of predict, observe, explain, fix, prove.

use anyhow::{Error, Result};

use super::{Attempt, Ending, Experiment, Fit, Fix, Lesson, Round, Route, Shell, World};
use crate::face::{Event, Face, Guess, Next, Pause};
use crate::interrupt;
use crate::job::Job;
use crate::launch::Outcome;
use crate::meter::{Measured, Meter, Sample};
use crate::observation::{Observation, Prediction, in_unit};
use crate::proof::{Evidence, Verdict};
use crate::quiz::{self, Question};
use crate::words;

// ANCHOR: perform
/// Performs the experiments one after the other, as far as they fit, and tidies up whatever
/// happens.
///
/// # Errors
/// When the program fails; a surprise is an ending, not an error.
pub fn perform<W: World>(
    lesson: &Lesson<W>,
    experiments: &[&Experiment<W>],
    world: W,
    face: &mut dyn Face,
    route: Route,
) -> Result<Ending> {
    let questions = quiz::parse(lesson.quiz)?;
    let fitting = experiments.iter().filter(|experiment| (experiment.fits)(&world) == Fit::Here);
    let total = fitting.flat_map(|experiment| experiment.steps()).count();
    let mut performance = Performance {
        lesson,
        questions,
        world,
        face,
        route,
        at: "",
        is_told: false,
        total,
        step: 0,
        fixed: None,
        measured: Vec::new(),
    };
    let halted = performance.play(experiments);
    let Performance { world, face, .. } = performance;
    let left_behind = world.tear_down();
    let ending = match halted {
        Ok(()) => Ending::Verified,
        Err(Halt::Early(ending)) => ending,
        Err(Halt::TooBusy(why)) => Ending::Surprise(why),
        Err(Halt::Failed(error)) if left_behind.is_empty() => return Err(error),
        Err(Halt::Failed(error)) => return Err(error.context(left_behind.join("; "))),
    };
    // That nothing is left behind is a prediction as well.
    let is_good = matches!(ending, Ending::Verified | Ending::ShellClosed);
    let ending = if is_good && !left_behind.is_empty() {
        Ending::Surprise("something was left behind".to_owned())
    } else {
        ending
    };
    let closing = words::passage(lesson.words, "closing").unwrap_or_default();
    face.show(&Event::Ended { ending: &ending, left_behind: &left_behind, closing: &closing })?;
    Ok(ending)
}
// ANCHOR_END: perform

/// A lesson on its way.
struct Performance<'a, W: 'static> {
    lesson: &'a Lesson<W>,
    questions: Vec<Question>,
    world: W,
    face: &'a mut dyn Face,
    route: Route<'a>,
    /// The step that is being performed.
    at: &'static str,
    /// Whether it is told, or only on the way to one that is.
    is_told: bool,
    /// Its number, from 1.
    step: usize,
    total: usize,
    /// The last fix of this experiment, and its words: a step is not understood without it.
    fixed: Option<(Fix, String)>,
    /// What was measured in the steps of this experiment, and in which unit.
    measured: Vec<(&'static str, f64, String)>,
}

/// If others take more than this part of the processors, an answer need not be clear.
const TOO_BUSY: f64 = 0.5;

fn too_busy(observed: &Observation, others: f64) -> String {
    let others = in_unit(others * 100.0, "%");
    format!(
        "this machine is too busy to measure: others took {others} of its processors, and {observed}"
    )
}

impl<W: World> Performance<'_, W> {
    // ANCHOR: play
    /// The whole lesson.
    fn play(&mut self, experiments: &[&Experiment<W>]) -> Result<(), Halt> {
        let Lesson { name, title, minutes, .. } = *self.lesson;
        self.is_told = self.route == Route::Whole;
        let passage = &self.passage("opening");
        let identity = &self.passage(self.world.identity_passage());
        self.tell(&Event::Opened { name, title, minutes, passage, identity })?;
        for experiment in experiments {
            match (experiment.fits)(&self.world) {
                Fit::Here => self.tell(&Event::Experiment { id: experiment.id })?,
                Fit::Elsewhere(_) => continue,
                Fit::CouldNotLook(why) => {
                    self.leave_out(experiment, &why)?;
                    continue;
                }
            }
            match self.perform(experiment) {
                // Nothing was refuted, and nothing is proven either.
                Err(Halt::TooBusy(why)) => self.leave_out(experiment, &why)?,
                done => done?,
            }
        }
        Ok(())
    }

    /// One experiment, from its stage to its proofs.
    fn perform(&mut self, experiment: &Experiment<W>) -> Result<(), Halt> {
        (experiment.stage)(&mut self.world)?;
        (self.fixed, self.measured) = (None, Vec::new());
        for round in experiment.rounds {
            self.fail_and_fix(experiment, round)?;
        }
        self.work_and_prove(experiment)
    }

    /// What cannot be tried is not passed over in silence.
    fn leave_out(&mut self, experiment: &Experiment<W>, why: &str) -> Result<()> {
        let passage = &self.passage(experiment.id);
        self.tell(&Event::LeftOut { id: experiment.id, passage, why })
    }

    /// A failing state: the attempt, its cause, and the fix.
    fn fail_and_fix(&mut self, experiment: &Experiment<W>, round: &Round<W>) -> Result<(), Halt> {
        self.attempt(experiment, round.id, round.article, round.predict)?;
        let cause = (round.cause)(&self.world)?;
        self.tell(&Event::Cause { evidence: &cause })?;
        demand(round.id, &cause)?;
        self.explain(round.id)?;
        self.pause(experiment, round.id)?;
        let fix = (round.fix)(&mut self.world)?;
        let passage = self.passage(&format!("{}-fix", round.id));
        self.tell(&Event::Fixed { fix: &fix, passage: &passage })?;
        self.fixed = Some((fix, passage));
        Ok(())
    }

    /// The state in which nothing is left to fix: the same attempt, and the proofs.
    fn work_and_prove(&mut self, experiment: &Experiment<W>) -> Result<(), Halt> {
        let id = experiment.id;
        self.attempt(experiment, id, experiment.article, experiment.works)?;
        self.compare()?;
        // Where nothing was measured, there is nothing to prove.
        let proofs = if self.is_passed_over(experiment) { &[] } else { experiment.proofs };
        for proof in proofs {
            let evidence = (proof.ask)(&self.world)?;
            self.tell(&Event::Proof { side: proof.side, evidence: &evidence })?;
            demand(id, &evidence)?;
        }
        self.explain(id)?;
        let (leaves, passage) = (experiment.leaves, &self.passage(&format!("{id}-leaves")));
        self.tell(&Event::Leaves { leaves, passage })?;
        self.pause(experiment, id)
    }
    // ANCHOR_END: play

    /// What was measured in this experiment, for the comparison.
    fn remember(&mut self, id: &'static str, observation: &Observation) {
        if let Observation::Measured { value, unit, .. } = observation {
            self.measured.push((id, *value, unit.clone()));
        }
    }

    /// Before and after, one below the other.
    fn compare(&mut self) -> Result<()> {
        let rows = &std::mem::take(&mut self.measured);
        if rows.len() > 1 { self.tell(&Event::Compared { rows }) } else { Ok(()) }
    }

    // ANCHOR: attempt
    /// Asks the learner, then the kernel, and shows both answers side by side. An answer that
    /// nobody predicted ends the lesson.
    fn attempt(
        &mut self,
        experiment: &Experiment<W>,
        id: &'static str,
        article: Option<&'static str>,
        predict: Prediction,
    ) -> Result<(), Halt> {
        self.step += 1;
        self.at = id;
        let was_told = self.is_told;
        self.is_told = match self.route {
            Route::Whole => true,
            Route::From(first) => self.is_told || first == id,
            Route::ShellAt(only) => only == id,
        };
        if !was_told {
            if let Some((fix, passage)) = self.fixed.take() {
                self.tell(&Event::Fixed { fix: &fix, passage: &passage })?;
            }
        }
        let (number, total, passage) = (self.step, self.total, &self.passage(id));
        if self.is_passed_over(experiment) {
            return Ok(());
        }
        let works = id == experiment.id;
        self.tell(&Event::Step { number, total, id, works, passage })?;
        let job = experiment.attempt.job(&self.world);
        self.tell(&Event::Trying { article, typed: &job.as_typed(), run: &job.as_run() })?;
        let question = self.questions.iter().find(|question| question.asks_before(id)).cloned();
        let question = question.as_ref().filter(|_| self.is_told);
        let guess = question.map(|question| self.ask(id, question)).transpose()?;
        let job = self.is_the_stage_still_set(experiment, &job)?;
        let outcome = &self.observe(experiment, &job, predict)?;
        let answered = question.zip(guess);
        self.tell(&Event::Observed { id, predict, outcome, answered })?;
        self.remember(id, &outcome.observation);
        if predict.matches(&outcome.observation) {
            return Ok(());
        }
        let observed = &outcome.observation;
        surprise(format!("step {id}: predicted that {predict}, but {observed}"))
    }
    // ANCHOR_END: attempt

    /// On the way to another step, only what changes something is performed. A measurement takes
    /// its time, and leaves nothing.
    fn is_passed_over(&self, experiment: &Experiment<W>) -> bool {
        !self.is_told && matches!(experiment.attempt, Attempt::Measured(..))
    }

    // ANCHOR: observe
    /// Runs the job. A measurement that is not clear (the machine may have been busy) says so, and
    /// is repeated, three times at most in all.
    fn observe(
        &mut self,
        experiment: &Experiment<W>,
        job: &Job,
        predict: Prediction,
    ) -> Result<Outcome, Halt> {
        let Attempt::Measured(_, meter) = experiment.attempt else {
            return Ok(self.world.launcher().run(job)?);
        };
        let meter = meter(&self.world)?;
        let mut turn = 1;
        loop {
            let Measured { outcome, others } = self.measure(&meter, job, predict)?;
            // What failed instead of being measured fails again.
            let is_measured = matches!(outcome.observation, Observation::Measured { .. });
            let can_come_true = is_measured && matches!(predict, Prediction::Measures(..));
            if predict.matches(&outcome.observation) || !can_come_true {
                return Ok(outcome);
            }
            // Others can only take away. What is more than was predicted is no fault of theirs.
            if turn == 3 && others > TOO_BUSY && predict.exceeds(&outcome.observation) {
                return Err(Halt::TooBusy(too_busy(&outcome.observation, others)));
            }
            if turn == 3 {
                return Ok(outcome);
            }
            turn += 1;
            self.tell(&Event::Unclear { outcome: &outcome, others, turn })?;
        }
    }
    // ANCHOR_END: observe

    /// Measures once, and shows how it goes.
    fn measure(&mut self, meter: &Meter, job: &Job, predict: Prediction) -> Result<Measured> {
        let before = interrupt::children();
        let Self { world, face, is_told, .. } = self;
        let quantity = meter.quantity;
        let is_expected = |value: f64| match predict {
            Prediction::Measures(expected, range) => expected == quantity && range.contains(value),
            // No value can fulfil it, so there is nothing to wait for.
            _ => true,
        };
        let show = |sample: &Sample| {
            if *is_told { face.show(&Event::Sample { sample }) } else { Ok(()) }
        };
        let measured = meter.measure(world.launcher(), job, is_expected, show);
        // The job was stopped; what it had started is our child now.
        interrupt::end_all_but(&before);
        measured
    }

    fn ask(&mut self, id: &str, question: &Question) -> Result<Guess, Halt> {
        let hint = &self.passage(&format!("{id}-hint"));
        match self.face.predict(question, hint)? {
            Guess::Quit => Err(Halt::Early(Ending::Left { at: self.at })),
            guess => Ok(guess),
        }
    }

    /// While the learner thinks, they may have tried the command themselves, and what it kills or
    /// deletes is gone. Then there has to be another, and the command names that one.
    fn is_the_stage_still_set(&mut self, experiment: &Experiment<W>, shown: &Job) -> Result<Job> {
        self.world.set_the_stage_again(self.at)?;
        let job = experiment.attempt.job(&self.world);
        if job != *shown {
            let (typed, run) = (&job.as_typed(), &job.as_run());
            let passage = &self.passage("stage-set-again");
            self.tell(&Event::Why { passage })?;
            self.tell(&Event::Trying { article: None, typed, run })?;
        }
        Ok(job)
    }

    /// On the way to the step that was asked for, nothing is told.
    fn tell(&mut self, event: &Event) -> Result<()> {
        if self.is_told { self.face.show(event) } else { Ok(()) }
    }

    fn explain(&mut self, id: &str) -> Result<()> {
        let passage = &self.passage(&format!("{id}-why"));
        self.tell(&Event::Why { passage })
    }

    // ANCHOR: pause
    /// The learner may look around for as long as they like; the world waits in this very state.
    fn pause(&mut self, experiment: &Experiment<W>, id: &'static str) -> Result<(), Halt> {
        if !self.is_told {
            return Ok(());
        }
        if let Route::ShellAt(_) = self.route {
            self.open_shell()?;
            return Err(Halt::Early(Ending::ShellClosed));
        }
        let code = &self.code(experiment, id);
        let hint = &self.passage(&format!("{id}-hint"));
        let last = self.step == self.total;
        loop {
            match self.face.pause(&Pause { id, last, code, hint })? {
                Next::GoOn => return Ok(()),
                Next::Quit => return Err(Halt::Early(Ending::Left { at: self.at })),
                Next::Shell => self.open_shell()?,
            }
        }
    }
    // ANCHOR_END: pause

    fn open_shell(&mut self) -> Result<()> {
        let Shell { job, variables } = self.world.shell()?;
        let is_inside = job.recipe.root.directory().is_some();
        let passage = &self.passage(if is_inside { "shell-inside" } else { "shell-outside" });
        self.tell(&Event::ShellOpens { typed: &job.as_typed(), passage })?;
        let launcher = self.world.launcher();
        let before = interrupt::children();
        let done = self.face.lend_terminal(&mut || launcher.attend(&job, &variables).map(drop));
        // What was left running there must not outlive the state in which it was started.
        interrupt::end_all_but(&before);
        done
    }

    /// The source of the attempt, of the calls behind it, and of this step's cause and fix; each
    /// with the name of its file.
    fn code(&self, experiment: &Experiment<W>, step: &str) -> String {
        let mut anchors = vec![experiment.id];
        anchors.extend(experiment.calls);
        anchors.extend(Some(step).filter(|step| *step != experiment.id));
        let parts = anchors.iter().filter_map(|anchor| {
            self.lesson.sources.iter().find_map(|(file, text)| {
                words::passage(text, anchor).map(|code| format!("// {file}\n{code}"))
            })
        });
        parts.collect::<Vec<_>>().join("\n\n")
    }

    fn passage(&self, name: &str) -> String {
        words::passage(self.lesson.words, name).unwrap_or_default()
    }
}

/// Evidence that does not hold ends the lesson; so does a place where one could not look.
fn demand(id: &str, Evidence { asked, answer, verdict, .. }: &Evidence) -> Result<(), Halt> {
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
    /// The machine was too busy for a measurement, three times.
    TooBusy(String),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
