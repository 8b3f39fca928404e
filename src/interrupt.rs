//! Ctrl-C at any moment: children die, the terminal is restored, the directory is deleted.
//!
//! The signals are blocked in every thread, and one thread waits for them (sigwait(3)). So no
//! code runs inside a signal handler, and none of it needs `unsafe`.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Result;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpgrp, tcsetpgrp};

use crate::bench;
use crate::refusal::Refusal;

/// The exit code of a run that was interrupted.
pub const INTERRUPTED: i32 = 130;

static IS_ENDING: AtomicBool = AtomicBool::new(false);
static TO_TIDY_UP: Mutex<Tidy> = Mutex::new(Tidy { directory: None, terminal: None });

struct Tidy {
    directory: Option<PathBuf>,
    terminal: Option<Termios>,
}

// ANCHOR: watch
/// Starts to watch for SIGINT, SIGTERM, SIGHUP and SIGQUIT. To be called once, before any other
/// thread or process is started.
///
/// # Errors
/// When the kernel refuses to block the signals.
pub fn watch() -> Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        signals.add(signal);
    }
    let mut blocked = signals;
    // After a shell we may be in the background; to take the terminal back must not stop us.
    blocked.add(Signal::SIGTTOU);
    blocked.thread_block().map_err(Refusal::of("sigprocmask", "SIG_BLOCK"))?;
    // An orphan of our children becomes our child, so that it can be found (prctl(2)).
    prctl::set_child_subreaper(true).map_err(Refusal::of("prctl", "PR_SET_CHILD_SUBREAPER"))?;
    tidy().terminal = tcgetattr(io::stdin()).ok();
    thread::spawn(move || {
        if signals.wait().is_ok() {
            end_now();
        }
    });
    Ok(())
}
// ANCHOR_END: watch

/// Unblocks the signals in a child, which inherits the mask of its parent: the program that it
/// becomes must feel Ctrl-C as any other does.
///
/// # Errors
/// When the kernel refuses.
pub fn unwatch() -> Result<()> {
    SigSet::all().thread_unblock().map_err(Refusal::of("sigprocmask", "SIG_UNBLOCK"))?;
    Ok(())
}

/// From now on an interruption deletes this directory.
pub fn deletes(directory: &Path) {
    tidy().directory = Some(directory.to_owned());
}

// ANCHOR: end_now
/// Ends the program at once, with everything tidied up.
pub fn end_now() -> ! {
    IS_ENDING.store(true, Ordering::SeqCst);
    let directory = tidy().directory.take();
    // Under another name, so that nothing can be added to it by what still runs.
    let doomed = directory.map(|path| {
        let away = path.with_extension("away");
        fs::rename(&path, &away).map_or(path, |()| away)
    });
    end_children();
    restore_terminal();
    if let Some(Err(error)) = doomed.as_deref().map(bench::delete) {
        complain(&format!("not deleted: {error:#}"));
    }
    std::process::exit(INTERRUPTED)
}
// ANCHOR_END: end_now

/// Keeps the caller from going on while another thread ends the program.
pub fn wait_if_ending() {
    while IS_ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// Gives the terminal the settings that it had at the start, the cursor, and our process group.
pub fn restore_terminal() {
    let stdin = io::stdin();
    if let Some(settings) = &tidy().terminal {
        // All of this is a courtesy: where the terminal has gone, nobody misses it.
        let _ = tcsetpgrp(&stdin, getpgrp());
        let _ = tcsetattr(&stdin, SetArg::TCSADRAIN, settings);
        if io::stdout().is_terminal() {
            let _ = io::stdout().write_all(b"\x1b[?25h\r\n");
            let _ = io::stdout().flush();
        }
    }
}

/// Kills our children until there are none: what a learner has started in a shell of ours and
/// left behind has become our child in turn.
pub fn end_children() {
    loop {
        // A child that has taken another identity, such as sudo, is not ours to kill.
        let killed: Vec<Pid> =
            children().into_iter().filter(|&child| kill(child, Signal::SIGKILL).is_ok()).collect();
        if killed.is_empty() {
            return;
        }
        for child in killed {
            let _ = waitpid(child, None);
        }
    }
}

/// Our children, of whichever thread (proc_tid_children(5)).
fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let all: Vec<String> = lists.collect();
    let pids = all.iter().flat_map(|list| list.split_whitespace());
    pids.filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect()
}

fn complain(what: &str) {
    let _ = writeln!(io::stderr(), "workbench: {what}");
}

fn tidy() -> std::sync::MutexGuard<'static, Tidy> {
    TO_TIDY_UP.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
