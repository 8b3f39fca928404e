//! A prediction that is wrong must fail the lesson, at exactly its step; a proof must fail when
//! what it proves is not so.

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use common::WORKBENCH;
use nix::errno::Errno;
use workbench::bench::Bench;
use workbench::face::{Event, Face, Guess, Next, Pause};
use workbench::lesson::{
    Ending, Experiment, Fit, Fix, Lesson, Round, Route, Setup, World, perform,
};
use workbench::observation::Prediction;
use workbench::proof::{self, Verdict};
use workbench::quiz::Question;

/// Hears nothing, asks nothing.
struct Silence;

impl Face for Silence {
    fn show(&mut self, _: &Event) -> Result<()> {
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

/// Lessons are performed one after the other here: in one process, what a thread is just writing
/// is open in the child that another one starts, and a program that is open for writing cannot be
/// run (execve(2), ETXTBSY).
static STAGE: Mutex<()> = Mutex::new(());

fn meet<W: World>(directory: &Path) -> W {
    let bench = Bench::set_up(directory).unwrap();
    W::meet(bench, Setup { program: PathBuf::from(WORKBENCH), root: None }).unwrap()
}

fn ending_of<W: World>(lesson: &Lesson<W>, experiments: &[Experiment<W>]) -> Ending {
    let _alone = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().unwrap();
    let world: W = meet(directory.path());
    let table: Vec<&Experiment<W>> = experiments.iter().collect();
    let ending = perform(lesson, &table, world, &mut Silence, Route::Whole).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "something is left");
    ending
}

/// The experiments that this host, and this user, can perform.
fn performed<W: World>(lesson: &Lesson<W>) -> Vec<&'static Experiment<W>> {
    let _alone = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().unwrap();
    let world: W = meet(directory.path());
    let here = |experiment: &&Experiment<W>| (experiment.fits)(&world) == Fit::Here;
    lesson.experiments.iter().filter(here).collect()
}

/// The table, with each failing state as `change` makes it.
fn changed<W>(lesson: &Lesson<W>, change: impl Fn(&Round<W>) -> Round<W>) -> Vec<Experiment<W>> {
    let copies = lesson.experiments.iter().map(|experiment| {
        let rounds: Vec<Round<W>> = experiment.rounds.iter().map(&change).collect();
        Experiment { rounds: rounds.leak(), ..*experiment }
    });
    copies.collect()
}

/// The table with one prediction replaced.
fn mutated<W>(lesson: &Lesson<W>, step: &str, wrong: Prediction) -> Vec<Experiment<W>> {
    let mut copies = changed(lesson, |round| {
        let predict = if round.id == step { wrong } else { round.predict };
        Round { predict, ..*round }
    });
    for copy in copies.iter_mut().filter(|copy| copy.id == step) {
        copy.works = wrong;
    }
    copies
}

/// What is measured takes its time, and most experiments of the third lesson stand on the group
/// alone.
fn as_far_as_needed<W>(table: Vec<Experiment<W>>, experiment: &str) -> Vec<Experiment<W>> {
    let is_of_groups = table.iter().any(|experiment| experiment.id == "controllers");
    let needed = match experiment {
        "alone" => vec!["create", "controllers", "weight", "alone"],
        _ => vec!["create", "controllers", experiment],
    };
    table.into_iter().filter(|one| !is_of_groups || needed.contains(&one.id)).collect()
}

fn the_table_as_it_stands_is_verified<W: World>(lesson: &Lesson<W>) {
    // Also the control of the mutations: the same way of copying, with nothing replaced.
    let copy = mutated(lesson, "no such step", Prediction::Exits(0));
    assert_eq!(ending_of(lesson, &copy), Ending::Verified);
}

fn every_wrong_prediction_ends_the_lesson_at_its_step<W: World>(lesson: &Lesson<W>) {
    let mut tried = 0;
    for experiment in performed(lesson) {
        for step in experiment.steps() {
            let wrongs = [Prediction::Exits(42), Prediction::Refused("execve", Errno::EACCES)];
            // What is measured takes its time: there, one has to do.
            let enough = if lesson.name == "cgroups" { 1 } else { 2 };
            for wrong in wrongs.into_iter().take(enough) {
                let table = as_far_as_needed(mutated(lesson, step, wrong), experiment.id);
                match ending_of(lesson, &table) {
                    Ending::Surprise(what) => {
                        assert!(what.starts_with(&format!("step {step}: predicted")), "{what}");
                    }
                    other => panic!("{step} with {wrong:?} ended as {other:?}"),
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 10, "only {tried} mutations were tried");
}

/// Without its fix, each round fails again: the next attempt is the same, and its prediction
/// is another; or the proofs notice it.
fn a_fix_that_fixes_nothing_is_noticed<W: World>(lesson: &Lesson<W>) {
    for experiment in performed(lesson) {
        for broken in experiment.rounds.iter().map(|round| round.id) {
            let copies = changed(lesson, |round| {
                let fix = if round.id == broken { no_fix } else { round.fix };
                Round { fix, ..*round }
            });
            let ending = ending_of(lesson, &as_far_as_needed(copies, experiment.id));
            let steps: Vec<&str> = experiment.steps().collect();
            let Ending::Surprise(what) = &ending else { panic!("without {broken}: {ending:?}") };
            // It is noticed in the same experiment, at a later step.
            let place = steps.iter().position(|step| *step == broken).unwrap();
            let later = steps[place + 1..].iter();
            let is_there =
                later.map(|step| format!("step {step}: ")).any(|at| what.starts_with(&at));
            assert!(is_there, "without the fix of {broken}: {what}");
        }
    }
}

// It has the shape of every fix.
#[allow(clippy::unnecessary_wraps)]
fn no_fix<W>(_: &mut W) -> Result<Fix> {
    Ok("true".to_owned().into())
}

mod of_chroot {
    use workbench::lessons::chroot::LESSON;

    #[test]
    fn the_table_as_it_stands_is_verified() {
        super::the_table_as_it_stands_is_verified(&LESSON);
    }

    #[test]
    fn every_wrong_prediction_ends_the_lesson_at_its_step() {
        super::every_wrong_prediction_ends_the_lesson_at_its_step(&LESSON);
    }

    #[test]
    fn a_fix_that_fixes_nothing_is_noticed() {
        super::a_fix_that_fixes_nothing_is_noticed(&LESSON);
    }
}

mod of_namespaces {
    use workbench::lessons::namespaces::LESSON;

    #[test]
    fn the_table_as_it_stands_is_verified() {
        super::the_table_as_it_stands_is_verified(&LESSON);
    }

    #[test]
    fn every_wrong_prediction_ends_the_lesson_at_its_step() {
        super::every_wrong_prediction_ends_the_lesson_at_its_step(&LESSON);
    }

    #[test]
    fn a_fix_that_fixes_nothing_is_noticed() {
        super::a_fix_that_fixes_nothing_is_noticed(&LESSON);
    }
}

mod of_cgroups {
    use super::common;
    use workbench::lessons::cgroups::LESSON;

    #[test]
    fn the_table_as_it_stands_is_verified() {
        if common::can_limit("of_cgroups::the_table_as_it_stands_is_verified") {
            super::the_table_as_it_stands_is_verified(&LESSON);
        }
    }

    #[test]
    fn every_wrong_prediction_ends_the_lesson_at_its_step() {
        if common::can_limit("of_cgroups::every_wrong_prediction_ends_the_lesson_at_its_step") {
            super::every_wrong_prediction_ends_the_lesson_at_its_step(&LESSON);
        }
    }

    #[test]
    fn a_fix_that_fixes_nothing_is_noticed() {
        if common::can_limit("of_cgroups::a_fix_that_fixes_nothing_is_noticed") {
            super::a_fix_that_fixes_nothing_is_noticed(&LESSON);
        }
    }
}

#[test]
fn proofs_about_a_process_fail_for_one_that_is_not_contained() {
    let ourselves = std::process::id();
    let elsewhere = Path::new("/usr");
    assert_eq!(proof::root_is(ourselves, elsewhere).verdict, Verdict::Fails);
    assert_eq!(proof::root_is(ourselves, Path::new("/")).verdict, Verdict::Holds);
    assert_eq!(proof::root_differs_from_ours(ourselves).verdict, Verdict::Fails);
    assert_eq!(proof::maps_only_files_below(ourselves, elsewhere).verdict, Verdict::Fails);
    assert_eq!(proof::shares_our_pid_namespace(ourselves).verdict, Verdict::Holds);
    assert_eq!(proof::is_missing(Path::new("/proc/self/status")).verdict, Verdict::Fails);
    assert_eq!(proof::is_missing(Path::new("/nowhere")).verdict, Verdict::Holds);
}

#[test]
fn where_nobody_can_look_nothing_is_proven() {
    // No process has this number: it is above the largest that the kernel gives out (proc(5)).
    let nobody = 4_194_305;
    for evidence in [
        proof::root_is(nobody, Path::new("/")),
        proof::root_differs_from_ours(nobody),
        proof::maps_only_files_below(nobody, Path::new("/")),
        proof::shares_our_pid_namespace(nobody),
    ] {
        assert!(matches!(evidence.verdict, Verdict::CouldNotLook(_)), "{evidence:?}");
    }
}
