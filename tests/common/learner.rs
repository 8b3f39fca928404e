//! A learner at a real (pseudo-)terminal, with keys.

use std::fs;
use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use super::Sandbox;

pub const TEN_SECONDS: u64 = 10_000;
pub const MENU: &str = "q: quit > ";
pub const GUESS: &str = "q: quit) > ";

pub fn start(sandbox: &Sandbox, args: &[&str]) -> PtySession {
    spawn(sandbox.workbench(args))
}

pub fn spawn(command: Command) -> PtySession {
    spawn_command(command, Some(TEN_SECONDS)).unwrap()
}

/// Between `stty -g` before and after, in a shell that survives Ctrl-C.
pub fn start_between_stty(sandbox: &Sandbox, columns: usize, args: &str) -> PtySession {
    let line = format!(
        "stty cols {columns} rows 24; stty -g > {0}/home/before; trap : INT; \
         {0}/workbench {args}; code=$?; stty -g > {0}/home/after; exit $code",
        sandbox.path().display()
    );
    let mut command = sandbox.command_of("sh");
    command.args(["-c", &line]);
    spawn(command)
}

/// Reads to the end and checks the exit code, the cursor, and the terminal's settings.
#[track_caller]
pub fn ends_well(sandbox: &Sandbox, mut session: PtySession, code: i32) -> String {
    let rest = session.exp_eof().unwrap();
    ends_with(&session, code);
    let mut screen = vt100::Parser::new(24, 80, 0);
    screen.process(rest.as_bytes());
    assert!(!screen.screen().hide_cursor(), "the cursor is hidden");
    let settings = |name: &str| fs::read_to_string(sandbox.home().join(name)).unwrap();
    assert_eq!(settings("before"), settings("after"), "the terminal's settings differ");
    sandbox.assert_tidy();
    rest
}

#[track_caller]
pub fn ends_with(session: &PtySession, code: i32) {
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, ended) => assert_eq!(ended, code),
        other => panic!("{other:?}"),
    }
}

/// Goes on without guesses until the menu of a step is shown.
pub fn go_to_step(learner: &mut PtySession, step: usize) {
    for number in 1..=step {
        learner.exp_string(GUESS).unwrap();
        learner.send_line("").unwrap();
        learner.exp_string(MENU).unwrap();
        if number < step {
            learner.send_line("").unwrap();
        }
    }
}
