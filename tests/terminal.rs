//! What people do: at a real (pseudo-)terminal, with keys.

mod common;

use std::fs;

use common::learner::{
    GUESS, MENU, ends_well, ends_with, go_to_step, spawn, start, start_between_stty,
};
use common::{Sandbox, Who};

const STEPS: usize = 10;

#[test]
fn a_learner_guesses_looks_around_and_finishes() {
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        let mut learner = start_between_stty(&sandbox, 80, "lesson chroot");
        // What is no choice is asked again; a wrong guess is answered with its reason.
        learner.exp_string(GUESS).unwrap();
        learner.send_line("9").unwrap();
        learner.exp_string("Please type a number from 1 to 3, or h, or q.").unwrap();
        // A hint before the guess gives nothing away.
        learner.send_line("h").unwrap();
        learner.exp_string("aloud as the process sees it").unwrap();
        learner.send_line("1").unwrap();
        learner.exp_string("you said").unwrap();
        learner.exp_string("Not this time.").unwrap();
        learner.exp_string(MENU).unwrap();
        learner.send_line("h").unwrap();
        learner.exp_string("aloud as the process sees it").unwrap();
        learner.send_line("c").unwrap();
        learner.exp_string("// src/container.rs").unwrap();
        learner.exp_string("fn bash_is_missing(parties: &Parties)").unwrap();
        learner.send_line("x").unwrap();
        learner.exp_string("Press Enter alone").unwrap();
        learner.send_line("").unwrap();
        // The right one stands at another place for each question.
        let (_, choice) = learner.exp_regex(r"[1-4]  No such file or directory, again").unwrap();
        learner.exp_string(GUESS).unwrap();
        learner.send_line(&choice[..1]).unwrap();
        learner.exp_string("Right.").unwrap();
        learner.exp_string(MENU).unwrap();
        learner.send_line("").unwrap();
        go_to_step(&mut learner, STEPS - 2);
        learner.send_line("").unwrap();
        let rest = ends_well(&sandbox, learner, 0);
        assert!(rest.contains("What you have seen"), "{rest}");
        assert!(rest.contains("You guessed 1 of 2 right."), "{rest}");
    }
}

#[test]
fn a_learner_quits() {
    let sandbox = Sandbox::new(Who::User);
    for (quit, before_the_guess) in [("q", true), ("\x04", true), ("q", false), ("\x04", false)] {
        let mut learner = start_between_stty(&sandbox, 80, "lesson chroot");
        go_to_step(&mut learner, 2);
        if before_the_guess {
            learner.send_line("").unwrap();
            learner.exp_string(GUESS).unwrap();
        }
        learner.send_line(quit).unwrap();
        let rest = ends_well(&sandbox, learner, 130);
        assert!(rest.contains("You left early. Everything is tidied up."), "{rest}");
    }
}

#[test]
fn ctrl_c_at_each_prompt() {
    let sandbox = Sandbox::new(Who::User);
    for args in ["lesson chroot", "lesson chroot --format plain --pace enter"] {
        for step in [1, 4] {
            let mut learner = start_between_stty(&sandbox, 80, args);
            go_to_step(&mut learner, step);
            learner.send_control('c').unwrap();
            ends_well(&sandbox, learner, 130);

            let mut learner = start_between_stty(&sandbox, 80, args);
            go_to_step(&mut learner, step);
            learner.send_line("").unwrap();
            learner.exp_string(GUESS).unwrap();
            learner.send_control('c').unwrap();
            ends_well(&sandbox, learner, 130);
        }
    }
}

#[test]
fn sigterm_while_a_shell_has_the_terminal() {
    let sandbox = Sandbox::new(Who::User);
    let mut learner = start_between_stty(&sandbox, 80, "lesson chroot");
    go_to_step(&mut learner, 1);
    learner.send_line("s").unwrap();
    learner.exp_string("[host]").unwrap();
    learner.send_line("kill -TERM $PPID").unwrap();
    ends_well(&sandbox, learner, 130);
}

#[test]
fn ctrl_c_in_a_shell_ends_what_runs_there_and_nothing_else() {
    let sandbox = Sandbox::new(Who::User);
    let mut learner = start_between_stty(&sandbox, 80, "lesson chroot --shell-at tools");
    learner.exp_string("[new root] / ").unwrap();
    learner.send_line("cat; echo cat ended with $?").unwrap();
    // What cat repeats shows that it runs, and has the terminal; this one does not echo.
    learner.send_line("is it cat").unwrap();
    learner.exp_string("is it cat").unwrap();
    learner.send_control('c').unwrap();
    learner.exp_string("[new root] / ").unwrap();
    learner.send_line("echo status $?").unwrap();
    learner.exp_string("status 130").unwrap();
    learner.send_control('d').unwrap();
    let rest = ends_well(&sandbox, learner, 0);
    assert!(rest.contains("The shell is closed"), "{rest}");
}

/// At every step the shell stands in the very state that the step has shown.
#[test]
fn a_shell_at_every_step() {
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        let beside = "[ -d \"$ROOT\" ] && echo \"beside: $(ls -A $ROOT | wc -l)\"";
        let inside = "[ ! -e /etc/passwd ] && echo \"inside: ${BASH%/*/*}\"";
        for (step, typed, printed) in [
            ("empty-root", beside, "beside: 0"),
            ("no-loader", "test -e $ROOT/bin/bash && ! test -e $ROOT/lib64 && echo yes", "yes"),
            ("no-libraries", "chroot $ROOT /bin/bash; echo status $?", "status 127"),
            ("bash", inside, "inside: "),
            ("builtins-only", "ls; echo status $?", "status 127"),
            ("tools", "cat /note", "You are reading a file of the new root."),
            ("shared-root", "test -e /etc/passwd && echo yes", "yes"),
            ("files", inside, "inside: "),
            ("kill", inside, "inside: "),
            ("escape", inside, "inside: "),
        ] {
            let mut learner = start(&sandbox, &["lesson", "chroot", "--shell-at", step]);
            learner
                .exp_string(if typed == inside || step == "tools" || step == "builtins-only" {
                    "[new root] "
                } else {
                    "[host] "
                })
                .unwrap();
            learner.send_line(typed).unwrap();
            learner.exp_string(printed).unwrap_or_else(|error| panic!("{who:?} {step}: {error}"));
            learner.send_line("exit").unwrap();
            learner.exp_eof().unwrap();
            ends_with(&learner, 0);
            sandbox.assert_tidy();
        }
    }
}

/// The escape, typed by hand behind the wall.
#[test]
fn a_learner_walks_out() {
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        let mut learner = start_between_stty(&sandbox, 80, "lesson chroot --shell-at escape");
        learner.exp_string("[new root] / ").unwrap();
        learner.send_line("ls /etc/passwd; cd /usr").unwrap();
        learner.exp_string("No such file or directory").unwrap();
        learner.send_line("/workbench enter --escape second-chroot -- cat /etc/passwd").unwrap();
        learner.exp_string("root:x:0:0:").unwrap();
        learner.send_line("exit").unwrap();
        ends_well(&sandbox, learner, 0);
    }
}

/// An error in each step: at its pause, someone deletes the root on which the next one stands.
#[test]
fn an_error_in_any_step_leaves_nothing() {
    for step in 1..STEPS {
        let sandbox = Sandbox::new(Who::User);
        let mut learner = start_between_stty(&sandbox, 80, "lesson chroot");
        go_to_step(&mut learner, step);
        let bench = sandbox.leftovers().pop().unwrap();
        fs::remove_dir_all(bench.join("eg-new-root")).unwrap();
        fs::write(bench.join("eg-new-root"), "no directory any more").unwrap();
        let _ = fs::remove_file(bench.join("secret-of-the-host"));
        learner.send_line("").unwrap();
        while learner.exp_string(GUESS).is_ok_and(|_| learner.send_line("").is_ok()) {
            let menu = learner.exp_string(MENU);
            if menu.is_err() {
                break;
            }
            learner.send_line("").unwrap();
        }
        ends_with(&learner, 1);
        let settings = |name: &str| fs::read_to_string(sandbox.home().join(name)).unwrap();
        assert_eq!(settings("before"), settings("after"), "after an error in step {step}");
        sandbox.assert_tidy();
    }
}

#[test]
fn narrow_terminals_are_no_hardship() {
    let sandbox = Sandbox::new(Who::User);
    let sequence = regex::Regex::new("\x1b\\[[0-9;?]*[a-zA-Z]").unwrap();
    for columns in [40, 60, 80] {
        let learner = start_between_stty(&sandbox, columns, "lesson chroot --pace none");
        let text = ends_well(&sandbox, learner, 0);
        let bytes: Vec<u8> = text.chars().filter_map(|letter| u8::try_from(letter).ok()).collect();
        let text = String::from_utf8(bytes).expect("rexpect hands over each byte as a letter");
        let text = sequence.replace_all(&text, "");
        let labels_nothing = text.lines().zip(text.lines().skip(1));
        let mut labels_nothing = labels_nothing.filter(|(line, _)| line.trim() == "it printed");
        assert!(labels_nothing.all(|(_, next)| !next.trim().is_empty()), "a label without a text");
        for line in text.lines().map(str::trim_end) {
            // A word of a command that is wider than the terminal stays whole, so that it can be
            // copied; what a program printed is shown as it is.
            let words = line.trim().trim_end_matches(" \\");
            let is_word = words.starts_with('\'') || !words.contains(' ');
            let is_command =
                is_word || line.contains("/workbench-") || line.contains("workbench lesson");
            let is_answer = line.starts_with("             ") || line.contains("it printed ");
            let fits = line.chars().count() <= columns;
            assert!(fits || is_command || is_answer, "{columns} columns: {line:?}");
        }
    }
}

/// What a visitor leaves in the new root does not upset the lesson, nor does it get out.
#[test]
fn a_learner_makes_a_mess_in_the_shell() {
    let sandbox = Sandbox::new(Who::User);
    let precious = sandbox.path().join("precious");
    fs::write(&precious, "keep me").unwrap();
    let mut learner = start_between_stty(&sandbox, 80, "lesson chroot");
    go_to_step(&mut learner, 4);
    let bench = sandbox.leftovers().pop().unwrap();
    std::os::unix::fs::symlink(&precious, bench.join("eg-new-root/note")).unwrap();
    learner.send_line("s").unwrap();
    learner.exp_string("[new root] / ").unwrap();
    learner.send_line("echo mess > /.hidden; echo more > /visible").unwrap();
    learner.exp_string("[new root] / ").unwrap();
    learner.send_line("exit").unwrap();
    learner.exp_string(MENU).unwrap();
    assert!(!bench.join("eg-new-root/.bash_history").exists(), "the shell keeps a history");
    learner.send_line("").unwrap();
    go_to_step(&mut learner, STEPS - 4);
    learner.send_line("").unwrap();
    ends_well(&sandbox, learner, 0);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "keep me");
}

#[test]
fn a_dumb_terminal_gets_no_sequences() {
    let sandbox = Sandbox::new(Who::User);
    let mut command = sandbox.workbench(&["lesson", "chroot"]);
    command.env("TERM", "dumb");
    let mut learner = spawn(command);
    let mut seen = learner.exp_string(GUESS).unwrap();
    learner.send_line("1").unwrap();
    seen += &learner.exp_string(MENU).unwrap();
    learner.send_line("q").unwrap();
    seen += &learner.exp_eof().unwrap();
    assert!(seen.contains("Not this time."));
    assert!(!seen.contains('\x1b'), "{seen:?}");
}

#[test]
fn no_input_asks_nothing_on_a_terminal() {
    let sandbox = Sandbox::new(Who::User);
    let learner = start_between_stty(&sandbox, 80, "lesson chroot --no-input");
    let seen = ends_well(&sandbox, learner, 0);
    assert!(!seen.contains(GUESS) && !seen.contains(MENU));
}
