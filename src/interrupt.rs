//! Ctrl-C at any moment: children die, the directory is deleted, the terminal is restored.
//!
//! The signals are blocked in every thread, and one thread waits for them (sigwait(3)). So no
//! code runs inside a signal handler, and none of it needs `unsafe`.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::mem::take;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Result;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

use crate::bench::{self, AWAY, Bench, Sweep};
use crate::cgroup::{Corner, Remains, sweep_groups};
use crate::refusal::Refusal;
use crate::terminal::page::is_dumb;

/// The exit code of a run that was interrupted.
pub const INTERRUPTED: i32 = 130;

static IS_ENDING: AtomicBool = AtomicBool::new(false);
static TO_TIDY_UP: Mutex<Tidy> = Mutex::new(Tidy {
    directories: Vec::new(),
    groups: None,
    terminal: None,
    not_ours: Vec::new(),
});

struct Tidy {
    directories: Vec<PathBuf>,
    /// Control groups.
    groups: Option<Remains>,
    /// The terminal's settings at the start, if it was ours to set.
    terminal: Option<Termios>,
    /// Children that we had before we began: a shell may `exec` us after starting some.
    not_ours: Vec<Pid>,
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
    let is_in_front = tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp());
    tidy().terminal = tcgetattr(io::stdin()).ok().filter(|_| is_in_front);
    tidy().not_ours = children();
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
pub fn unwatch() -> Result<(), Refusal> {
    SigSet::all().thread_unblock().map_err(Refusal::of("sigprocmask", "SIG_UNBLOCK"))
}

/// Sets up a bench so that from its first moment on an interruption deletes it.
///
/// # Errors
/// Those of `set_up`.
pub fn guarded(set_up: impl FnOnce() -> Result<Bench>) -> Result<Bench> {
    let mut tidy = tidy_unless_ending();
    let bench = set_up()?;
    tidy.directories.push(bench.path().to_owned());
    Ok(bench)
}

/// Claims control groups in the same way.
///
/// # Errors
/// Those of the kernel.
pub fn claim_guarded(corner: &mut Corner) -> Result<()> {
    let mut tidy = tidy_unless_ending();
    tidy.groups = Some(corner.remains());
    corner.claim()
}

/// Does something that must not be left half done: an interruption waits for its end.
pub fn undisturbed<T>(work: impl FnOnce() -> T) -> T {
    let _tidy = tidy_unless_ending();
    work()
}

// ANCHOR: end_now
/// Ends the program at once, with everything tidied up.
pub fn end_now() -> ! {
    if IS_ENDING.swap(true, Ordering::SeqCst) {
        wait_if_ending();
    }
    let (directories, groups, not_ours) = {
        let mut tidy = tidy();
        (take(&mut tidy.directories), tidy.groups.take(), tidy.not_ours.clone())
    };
    let groups = groups.unwrap_or_default();
    // A frozen process cannot be killed before it is thawed (cgroup-v1/freezer-subsystem.rst).
    groups.thaw();
    end_all_but(&not_ours);
    let mut left = groups.remove();
    // A run that ended before us may have left to us what we still needed.
    let _ = sweep_groups(Sweep::Delete);
    left.extend(directories.into_iter().filter_map(delete));
    restore_terminal();
    match left.is_empty() {
        false => complain(&format!("interrupted; not deleted: {}", left.join("; "))),
        true if io::stderr().is_terminal() => complain("interrupted; everything is tidied up"),
        true => {}
    }
    std::process::exit(INTERRUPTED)
}
// ANCHOR_END: end_now

/// Deletes a directory, or says why not.
fn delete(directory: PathBuf) -> Option<String> {
    // Under another name, so that nothing can be added to it by what still runs.
    let away = directory.with_extension(AWAY);
    let doomed = fs::rename(&directory, &away).map_or(directory, |()| away);
    bench::delete(&doomed).err().map(|error| format!("{error:#}"))
}

/// Keeps the caller from going on while another thread ends the program.
pub fn wait_if_ending() {
    while IS_ENDING.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// Gives the terminal back to our process group, with the settings that it had at the start.
pub fn restore_terminal() {
    let tidy = tidy();
    let Some(settings) = &tidy.terminal else { return };
    // All of this is a courtesy: where the terminal has gone, nobody misses it.
    let _ = tcsetpgrp(io::stdin(), getpgrp());
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, settings);
    if io::stdout().is_terminal() {
        let cursor = if is_dumb() { "\r\n" } else { "\x1b[?25h\r\n" };
        let _ = io::stdout().write_all(cursor.as_bytes());
        let _ = io::stdout().flush();
    }
}

/// Kills our children, but for those that are named, until no others are left: what a learner
/// has started in a shell of ours and left behind has become our child in turn.
pub fn end_all_but(spared: &[Pid]) {
    loop {
        let others = children().into_iter().filter(|child| !spared.contains(child));
        // A child that has taken another identity, such as sudo, is not ours to kill.
        let killed: Vec<Pid> =
            others.filter(|&child| kill(child, Signal::SIGKILL).is_ok()).collect();
        if killed.is_empty() {
            return;
        }
        for child in killed {
            let _ = waitpid(child, None);
        }
    }
}

/// Our children, of whichever thread (proc_tid_children(5)).
pub fn children() -> Vec<Pid> {
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

/// Whoever comes when the program is ending already must not begin anything.
fn tidy_unless_ending() -> MutexGuard<'static, Tidy> {
    let tidy = tidy();
    if IS_ENDING.load(Ordering::SeqCst) {
        // Not while we have it: it is needed for the end.
        drop(tidy);
        wait_if_ending();
        return self::tidy();
    }
    tidy
}

fn tidy() -> MutexGuard<'static, Tidy> {
    TO_TIDY_UP.lock().unwrap_or_else(PoisonError::into_inner)
}
