//! A prediction that is wrong must fail the lesson, at exactly its step; a proof must fail when
//! what it proves is not so.

mod common;

use std::path::{Path, PathBuf};

use anyhow::Result;
use common::WORKBENCH;
use nix::errno::Errno;
use workbench::bench::Bench;
use workbench::face::{Event, Face, Guess, Next, Pause};
use workbench::lesson::{Ending, Experiment, Round, Setting, Setup, World, perform};
use workbench::lessons::chroot::{LESSON, Parties};
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

fn ending_of(experiments: &[Experiment<Parties>]) -> Ending {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::set_up(directory.path()).unwrap();
    let setup = Setup { program: PathBuf::from(WORKBENCH), root: None };
    let parties = Parties::meet(bench, setup).unwrap();
    let table: Vec<&Experiment<Parties>> = experiments.iter().collect();
    let ending = perform(&LESSON, &table, parties, &mut Silence, None).unwrap();
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "something is left");
    ending
}

/// The table with one prediction replaced.
fn mutated(step: &str, wrong: Prediction) -> Vec<Experiment<Parties>> {
    let copies = LESSON.set_in(Setting::EmptyRoot).into_iter().map(|experiment| {
        let rounds: Vec<Round<Parties>> = experiment
            .rounds
            .iter()
            .map(|round| {
                let predict = if round.id == step { wrong } else { round.predict };
                Round { predict, ..*round }
            })
            .collect();
        let works = if experiment.id == step { wrong } else { experiment.works };
        Experiment { works, rounds: rounds.leak(), ..*experiment }
    });
    copies.collect()
}

#[test]
fn the_table_as_it_stands_is_verified() {
    // Also the control of the mutations: the same way of copying, with nothing replaced.
    assert_eq!(ending_of(&mutated("no such step", Prediction::Exits(0))), Ending::Verified);
}

#[test]
fn every_wrong_prediction_ends_the_lesson_at_its_step() {
    for step in LESSON.steps() {
        for wrong in [Prediction::Exits(42), Prediction::Refused("execve", Errno::EACCES)] {
            match ending_of(&mutated(step, wrong)) {
                Ending::Surprise(what) => {
                    assert!(what.starts_with(&format!("step {step}: predicted")), "{what}");
                }
                other => panic!("{step} with {wrong:?} ended as {other:?}"),
            }
        }
    }
}

/// Without its fix, each round fails again: the next attempt is the same, and its prediction
/// is another.
#[test]
fn a_fix_that_fixes_nothing_is_noticed() {
    let rounds = || LESSON.experiments.iter().flat_map(|experiment| experiment.rounds);
    for broken in rounds().map(|round| round.id) {
        let copies = LESSON.set_in(Setting::EmptyRoot).into_iter().map(|experiment| {
            let rounds: Vec<Round<Parties>> = experiment
                .rounds
                .iter()
                .map(|round| {
                    if round.id == broken {
                        Round { fix: no_fix, ..*round }
                    } else {
                        Round { ..*round }
                    }
                })
                .collect();
            Experiment { rounds: rounds.leak(), ..*experiment }
        });
        let ending = ending_of(&copies.collect::<Vec<_>>());
        assert!(matches!(ending, Ending::Surprise(_)), "without the fix of {broken}: {ending:?}");
    }
}

// It has the shape of every fix.
#[allow(clippy::unnecessary_wraps)]
fn no_fix(_: &mut Parties) -> Result<String> {
    Ok("true".to_owned())
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
