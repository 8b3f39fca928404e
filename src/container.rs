//! The container on one page: a recipe, and the system calls that it stands for.
//!
//! The narrator of a lesson never changes its own root or namespaces. It starts its own binary
//! again (`workbench enter …`), and that disposable child becomes the container: [`enter`] makes
//! the calls in the one order that works, and [`become_program`] hands over to the program.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::{prctl, signal::Signal};
use nix::unistd::{chdir, chroot, close, getegid, geteuid};

use crate::escape::Escape;
use crate::refusal::Refusal;

// ANCHOR: recipe
/// What a contained process gets of its own; everything else it shares with the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Who the process is while it is being contained.
    pub identity: Identity,
    /// The directory that becomes `/`. Without one, the host's root is shared.
    pub root: Option<PathBuf>,
    /// An attack that the contained process tries before it becomes the program.
    pub escape: Option<Escape>,
}

/// Changing the root takes CAP_SYS_CHROOT. Root has it; everyone else can be root of a user
/// namespace (user_namespaces(7)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Identity {
    /// The caller as it is.
    #[default]
    Caller,
    /// The caller, seen as user 0 in a user namespace of its own.
    RootOfUserNamespace,
}
// ANCHOR_END: recipe

// ANCHOR: enter
/// Turns this process into the container that the recipe describes.
///
/// # Errors
/// The first system call that the kernel refuses. The process is then half contained: it can
/// only report and end.
pub fn enter(recipe: &Recipe) -> Result<(), Refusal> {
    // First of all the user namespace: it is where the right to do the rest comes from.
    if recipe.identity == Identity::RootOfUserNamespace {
        become_root_of_a_user_namespace()?;
    }
    if let Some(root) = &recipe.root {
        change_root(root)?;
    }
    if let Some(escape) = recipe.escape {
        escape.attempt()?;
    }
    Ok(())
}
// ANCHOR_END: enter

// ANCHOR: user_namespace
/// `unshare --user --map-root-user`: user 0 inside is the caller outside. No other ID exists.
fn become_root_of_a_user_namespace() -> Result<(), Refusal> {
    // Asked before unshare: afterwards, and until the maps are written, we are nobody (65534).
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(Refusal::of("unshare", "CLONE_NEWUSER"))?;
    // An ordinary user may map a group only after giving up setgroups(2), by which a process
    // could drop a group that denies it something (user_namespaces(7)).
    write_map("/proc/self/setgroups", "deny")?;
    write_map("/proc/self/uid_map", &format!("0 {user} 1"))?;
    write_map("/proc/self/gid_map", &format!("0 {group} 1"))
}
// ANCHOR_END: user_namespace

fn write_map(file: &str, line: &str) -> Result<(), Refusal> {
    std::fs::write(file, line).map_err(Refusal::io("write", Path::new(file)))
}

// ANCHOR: change_root
/// `chroot DIR`: the directory becomes `/` of this process and of its children.
fn change_root(root: &Path) -> Result<(), Refusal> {
    chroot(root).map_err(Refusal::of("chroot", root.display()))?;
    // chroot(2) leaves the working directory where it was, and that is outside: a process that
    // forgets this line walks out with `cd ..`.
    chdir("/").map_err(Refusal::of("chdir", "/"))
}
// ANCHOR_END: change_root

// ANCHOR: become_program
/// Replaces this process by the program: `execve(2)`, searched for in `PATH` (execvp(3)). It
/// returns only when the kernel refuses.
pub fn become_program(argv: &[OsString]) -> Refusal {
    let Some((program, arguments)) = argv.split_first() else {
        return Refusal { call: "execve".into(), object: String::new(), errno: 2 };
    };
    let error = Command::new(program).args(arguments).exec();
    Refusal::io("execve", Path::new(program))(error)
}
// ANCHOR_END: become_program

/// Closes what was inherited, but for the three standard streams and the report. An open
/// directory of the host would be a way out of any root (`fchdir(2)`), and the shell from which
/// the workbench was started may have left one open. Where `/proc` is not mounted, and so nobody can say what is open, the numbers that a process
/// has by default are closed.
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
/// `PR_SET_PDEATHSIG`): a lesson that is killed leaves no process behind.
///
/// # Errors
/// When the kernel refuses, or when the parent has ended already: nobody reads `report` then.
pub fn die_with_parent(report: BorrowedFd) -> Result<(), Refusal> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(Refusal::of("prctl", "PR_SET_PDEATHSIG"))?;
    let mut pipe = [PollFd::new(report, PollFlags::empty())];
    poll(&mut pipe, PollTimeout::ZERO).map_err(Refusal::of("poll", "the parent's pipe"))?;
    match pipe[0].revents() {
        Some(events) if events.contains(PollFlags::POLLERR) => {
            Err(Refusal { call: "poll".into(), object: "the parent's pipe".into(), errno: 32 })
        }
        _ => Ok(()),
    }
}
