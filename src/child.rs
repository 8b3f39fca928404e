//! What a disposable child does before and after it is contained: it lets go of what it has
//! inherited, it does not outlive its parent, and it hands on how its own child ended.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::{ExitCode, exit};

use anyhow::{Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, close};

use crate::refusal::Refusal;

/// Closes what was inherited, but for the three standard streams and the report. An open
/// directory of the host would be a way out of any root (`fchdir(2)`), and the shell from which
/// the workbench was started may have left one open. Where `/proc` is not mounted, and so nobody
/// can say what is open, the numbers that a process has by default are closed.
pub fn close_all_but(report: Option<&OwnedFd>) {
    let entries = std::fs::read_dir("/proc/self/fd").map(|entries| {
        let names = entries.flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.parse().ok()).collect()
    });
    let open: Vec<RawFd> = entries.unwrap_or_else(|_| (3..1024).collect());
    let kept = report.map(AsRawFd::as_raw_fd);
    for number in open.into_iter().filter(|&number| number > 2 && Some(number) != kept) {
        // The one by which the list was read is closed already.
        let _ = close(number);
    }
}

/// Asks the kernel to kill this process when the one that started it ends (prctl(2),
/// `PR_SET_PDEATHSIG`): a lesson that is killed leaves no process behind. A child does not
/// inherit it, so each asks for itself.
///
/// # Errors
/// When the kernel refuses.
pub fn die_with_parent() -> Result<(), Refusal> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(Refusal::of("prctl", "PR_SET_PDEATHSIG"))
}

/// Whether somebody still reads the report. To be asked after [`die_with_parent`]: a parent that
/// ended before that has sent no signal.
///
/// # Errors
/// When the reader has gone.
pub fn somebody_waits(report: &OwnedFd) -> Result<(), Refusal> {
    let mut pipe = [PollFd::new(report.as_fd(), PollFlags::empty())];
    poll(&mut pipe, PollTimeout::ZERO).map_err(Refusal::of("poll", "the parent's pipe"))?;
    match pipe[0].revents() {
        Some(events) if events.contains(PollFlags::POLLERR) => {
            Err(Refusal { call: "poll".into(), object: "the parent's pipe".into(), errno: 32 })
        }
        _ => Ok(()),
    }
}

// ANCHOR: end_as
/// Waits for the process that lives in the new namespaces, and ends as it ended.
///
/// # Errors
/// When there is no such child.
pub fn end_as(child: Pid) -> Result<ExitCode> {
    // The keys of a terminal are meant for the program in front, which is the child.
    let mut keys = SigSet::empty();
    keys.add(Signal::SIGINT);
    keys.add(Signal::SIGQUIT);
    keys.thread_block().map_err(Refusal::of("sigprocmask", "SIG_BLOCK"))?;
    match waitpid(child, None).map_err(Refusal::of("waitpid", child))? {
        // At once: there is nothing to tidy up here, and somebody may be waiting.
        WaitStatus::Exited(_, status) => exit(status),
        WaitStatus::Signaled(_, signal, _) => {
            keys.thread_unblock().map_err(Refusal::of("sigprocmask", "SIG_UNBLOCK"))?;
            raise(signal).map_err(Refusal::of("raise", signal))?;
            // Some signals do not end us; a shell would say it with this number.
            Ok(u8::try_from(128 + signal as i32)?.into())
        }
        other => bail!("waitpid {child}: unexpected {other:?}"),
    }
}
// ANCHOR_END: end_as

/// The child's end of the pipe, taken over from the number on its command line.
///
/// # Errors
/// When there is no such descriptor.
pub fn report_writer(number: i32) -> Result<OwnedFd, Refusal> {
    // Opening the descriptor's own file gives one that `execve` closes, without `unsafe`.
    let path = PathBuf::from(format!("/proc/self/fd/{number}"));
    let file = File::options().write(true).open(&path).map_err(Refusal::io("open", &path))?;
    close(number).map_err(Refusal::of("close", number))?;
    Ok(OwnedFd::from(file))
}
