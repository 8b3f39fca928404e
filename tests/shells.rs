//! Behind each wall, at a real terminal: a shell that is really inside.

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::learner::{GUESS, MENU, ends_well, ends_with, go_to_step, start, start_between_stty};
use common::{Sandbox, Who};
use workbench::lessons::namespaces::LESSON;

/// Steps that only the other kind of user meets.
fn is_for(who: Who, step: &str) -> bool {
    match step {
        "real-root" | "mapped-root" => who == Who::Root && common::is_root(),
        "no-rights" | "user" => who == Who::User,
        "hosts-path" | "cgroup" => common::has_a_group_of_its_own(),
        _ => true,
    }
}

#[test]
fn at_every_step_the_shell_is_really_there() {
    if !common::can_make_everything("at_every_step_the_shell_is_really_there", Who::User) {
        return;
    }
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        let steps = LESSON.steps();
        let place = |name: &str| steps.iter().position(|step| *step == name).unwrap();
        for step in steps.iter().copied().filter(|step| is_for(who, step)) {
            let mut learner = start(&sandbox, &["lesson", "namespaces", "--shell-at", step]);
            let on_host = step == "no-rights";
            learner.exp_string(if on_host { "[host] " } else { "[container] " }).unwrap();
            // Its own number is 1 as soon as there is a PID namespace with a first child.
            learner.send_line("echo \"number=$$.\"").unwrap();
            let (_, number) = learner.exp_regex(r"number=\d+\.").unwrap();
            let is_first = place(step) >= place("pid") && !on_host;
            assert_eq!(number == "number=1.", is_first, "{who:?} {step}: {number}");
            learner.send_line("echo \"name=$(uname -n).\"").unwrap();
            let (_, name) = learner.exp_regex(r"name=[^$.]+\.").unwrap();
            // The article gives no name, and on the host there is the host's.
            let is_named = place(step) >= place("one-name") && step != "article" && !on_host;
            assert_eq!(name == "name=inner.", is_named, "{who:?} {step}: {name}");
            // Real root could rename this machine, so it visits one that it may rename.
            if who == Who::Root && place(step) < place("one-name") {
                assert_eq!(name, "name=practice-host.", "{step}");
            }
            learner.send_control('d').unwrap();
            let rest = learner.exp_eof().unwrap();
            assert!(rest.contains("The shell is closed"), "{step}: {rest}");
            ends_with(&learner, 0);
            sandbox.assert_tidy();
        }
    }
}

#[test]
fn ctrl_c_ends_what_runs_in_the_container_and_not_the_container() {
    if !common::can_make_everything(
        "ctrl_c_ends_what_runs_in_the_container_and_not_the_container",
        Who::User,
    ) {
        return;
    }
    let sandbox = Sandbox::new(Who::User);
    let mut learner = start_between_stty(&sandbox, 80, "lesson namespaces --shell-at whole");
    learner.exp_string("[container] / ").unwrap();
    learner.send_line("cat; echo cat ended with $?").unwrap();
    learner.send_line("is it cat").unwrap();
    learner.exp_string("is it cat").unwrap();
    learner.send_control('c').unwrap();
    learner.exp_string("[container] / ").unwrap();
    learner.send_line("echo status $?, number $$").unwrap();
    learner.exp_string("status 130, number 1").unwrap();
    // Job control works as in any shell: stop it, and bring it back.
    learner.send_line("cat").unwrap();
    learner.send_line("still cat").unwrap();
    learner.exp_string("still cat").unwrap();
    learner.send_control('z').unwrap();
    learner.exp_string("Stopped").unwrap();
    learner.send_line("fg").unwrap();
    learner.send_line("cat again").unwrap();
    learner.exp_string("cat again").unwrap();
    learner.send_control('c').unwrap();
    learner.exp_string("[container] / ").unwrap();
    learner.send_line("exit").unwrap();
    ends_well(&sandbox, learner, 0);
}

#[test]
fn a_learner_goes_through_all_walls_and_visits_the_last() {
    if !common::can_make_everything(
        "a_learner_goes_through_all_walls_and_visits_the_last",
        Who::User,
    ) {
        return;
    }
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        let steps: Vec<&str> =
            LESSON.steps().into_iter().filter(|step| is_for(who, step)).collect();
        let mut learner = start_between_stty(&sandbox, 80, "lesson namespaces");
        go_to_step(&mut learner, steps.len() - 1);
        learner.send_line("s").unwrap();
        learner.exp_string("[container] / ").unwrap();
        learner.send_line("echo $$ of $(uname -n); ls /sys/class/net; exit").unwrap();
        learner.exp_string("1 of inner").unwrap();
        learner.exp_string("lo").unwrap();
        learner.exp_string(MENU).unwrap();
        learner.send_line("").unwrap();
        // A right guess at the end, by its place.
        let (_, choice) = learner.exp_regex(r"[1-4]  It dies").unwrap();
        learner.exp_string(GUESS).unwrap();
        learner.send_line(&choice[..1]).unwrap();
        learner.exp_string("Right.").unwrap();
        learner.exp_string(MENU).unwrap();
        learner.send_line("").unwrap();
        let rest = ends_well(&sandbox, learner, 0);
        assert!(rest.contains("You guessed 1 of 1 right."), "{rest}");
    }
}

/// What a visitor of a container leaves running ends with it, also in the background.
#[test]
fn what_was_started_in_a_container_ends_with_it() {
    if !common::can_make_everything("what_was_started_in_a_container_ends_with_it", Who::User) {
        return;
    }
    let sandbox = Sandbox::new(Who::User);
    let mut learner = start_between_stty(&sandbox, 80, "lesson namespaces --shell-at whole");
    learner.exp_string("[container] / ").unwrap();
    learner.send_line("sleep 1000 & disown; setsid sleep 1000 & echo started").unwrap();
    learner.exp_string("started\r").unwrap();
    learner.send_line("exit").unwrap();
    ends_well(&sandbox, learner, 0);
}

#[test]
fn a_lesson_goes_on_where_it_was_left() {
    if !common::can_make_everything("a_lesson_goes_on_where_it_was_left", Who::User) {
        return;
    }
    let sandbox = Sandbox::new(Who::User);
    let mut learner = start_between_stty(&sandbox, 80, "lesson namespaces");
    go_to_step(&mut learner, 2);
    learner.send_line("q").unwrap();
    let rest = ends_well(&sandbox, learner, 130);
    assert!(rest.contains("workbench lesson namespaces --from no-fork"), "{rest}");

    let mut learner = start_between_stty(&sandbox, 80, "lesson namespaces --from whole");
    // What comes before is performed in silence, and asks nothing.
    let before = learner.exp_regex("Step (26|28) of (27|29)").unwrap().0;
    assert_eq!(before.replace("\u{1b}[1m", "").trim(), "");
    learner.exp_string("3  ").unwrap();
    learner.exp_string(GUESS).unwrap();
    learner.send_line("9").unwrap();
    learner.send_line("2").unwrap();
    learner.exp_string(MENU).unwrap();
    learner.send_line("").unwrap();
    learner.exp_regex("Step (27|29) of (27|29)").unwrap();
    learner.exp_string(GUESS).unwrap();
    learner.send_line("").unwrap();
    learner.exp_string(MENU).unwrap();
    learner.send_line("").unwrap();
    let rest = ends_well(&sandbox, learner, 0);
    assert!(rest.contains("What you have seen"), "{rest}");
}

/// Who pastes the command into another terminal before guessing has deleted the queue, or killed
/// the container, that the lesson was about to.
#[test]
fn what_a_learner_has_tried_already_is_set_up_again() {
    if !common::can_make_everything("what_a_learner_has_tried_already_is_set_up_again", Who::User) {
        return;
    }
    let sandbox = Sandbox::new(Who::User);
    let sequence = regex::Regex::new("\x1b\\[[0-9;?]*[a-zA-Z]").unwrap();
    let killed = regex::Regex::new(r"kill -9 (\d+)").unwrap();
    for step in ["one-queue", "ancestor"] {
        let line = format!("lesson namespaces --from {step}");
        let mut learner = start_between_stty(&sandbox, 80, &line);
        let shown = learner.exp_string(GUESS).unwrap();
        let shown = sequence.replace_all(&shown, "").replace('\r', "");
        let (from, to) = (shown.find("today").unwrap() + 5, shown.find("we run").unwrap());
        let pasted = sandbox.command_of("bash").args(["-c", shown[from..to].trim()]).status();
        assert!(pasted.unwrap().success(), "{step}: {}", &shown[from..to]);
        // Who was killed needs a moment to go.
        if let Some(number) = killed.captures(&shown[from..to]) {
            let process = format!("/proc/{}", &number[1]);
            let deadline = Instant::now() + Duration::from_secs(30);
            while Path::new(&process).exists() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        learner.send_line("").unwrap();
        learner.exp_string("Somebody has tried it already").unwrap();
        learner.exp_string(MENU).unwrap();
        learner.send_line("q").unwrap();
        ends_well(&sandbox, learner, 130);
    }
}
