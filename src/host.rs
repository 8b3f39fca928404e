//! What this host can do, found by trying, and why it cannot do the rest.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::sys::statvfs::{FsFlags, statvfs};
use serde::Serialize;

use crate::bench::is_writable;
use crate::container::{Identity, Recipe};
use crate::job::Job;
use crate::launch::Launcher;
use crate::mounts::mount_points;
use crate::observation::Observation;
use crate::refusal::{Refusal, errno_name, errno_sentence};

/// Something that this host lacks. It ends the program with exit code 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// What is needed.
    pub what: String,
    /// What was tried, and what the kernel said, one line each.
    pub tried: Vec<String>,
    /// The likely cause.
    pub why: String,
    /// What helps against that cause.
    pub remedy: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for Unmet {}

/// A mistake in what the caller asked for. It ends the program with exit code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Room for the largest root that a lesson builds, in bytes.
const ROOM: u64 = 48 << 20;

/// The directory for temporary files: there, writable, with room, and programs may run from it.
///
/// # Errors
/// A [`Usage`] that names the directory and says what is wrong with it.
pub fn temporary_directory() -> Result<PathBuf> {
    // An empty TMPDIR is as good as none (Rust takes it at its word).
    let named = Some(env::temp_dir()).filter(|path| !path.as_os_str().is_empty());
    let named = named.unwrap_or_else(|| PathBuf::from("/tmp"));
    let name = named.display();
    let advice = "set TMPDIR to a directory of yours, such as TMPDIR=$HOME";
    let wrong = |what: &str| Usage(format!("the temporary directory {name} {what}; {advice}"));
    let directory = named.canonicalize().map_err(|error| wrong(&unusable(&error)))?;
    if !directory.is_dir() {
        return Err(wrong("is not a directory").into());
    }
    if !is_writable(&directory) {
        return Err(wrong("is not writable").into());
    }
    let system = statvfs(&directory).map_err(Refusal::of("statvfs", name.to_string()))?;
    if system.flags().contains(FsFlags::ST_NOEXEC) {
        return Err(wrong("is mounted noexec, so no program may start there").into());
    }
    if system.blocks_available().saturating_mul(system.fragment_size()) < ROOM {
        return Err(wrong("has less than 48 MiB of room").into());
    }
    Ok(directory)
}

/// The lessons read their evidence from `/proc`, and start themselves again from there.
///
/// # Errors
/// An [`Unmet`] where it is not mounted.
pub fn proc_is_mounted() -> Result<()> {
    let file = "/proc/self/exe";
    let Err(error) = fs::read_link(file) else { return Ok(()) };
    Err(Unmet {
        what: "reading /proc".into(),
        tried: vec![Refusal::io("readlink", Path::new(file))(error).to_string()],
        why: "/proc is not mounted here".into(),
        remedy: "mount -t proc proc /proc, as root".into(),
    }
    .into())
}

// ANCHOR: identity
/// As whom this caller may change its root: as it is, or as root of a user namespace.
///
/// # Errors
/// An [`Unmet`] with what was tried, the likely cause and its remedy.
pub fn identity_that_may_chroot(launcher: &Launcher, root: &Path) -> Result<Identity> {
    let mut tried = Vec::new();
    for identity in [Identity::Caller, Identity::RootOfUserNamespace] {
        let recipe = Recipe { identity, root: Some(root.to_owned()), escape: None };
        // Without a program only the walls are tried.
        let job = Job { recipe, argv: Vec::new() };
        let outcome = launcher.run(&job)?;
        if outcome.observation == (Observation::Exited { status: 0 }) {
            return Ok(identity);
        }
        tried.push(format!("{}: {}", job.as_typed(), outcome.observation));
    }
    let (why, remedy) = why_no_user_namespace();
    Err(Unmet { what: "changing the root directory".into(), tried, why, remedy }.into())
}
// ANCHOR_END: identity

/// A switch of the kernel by which a host refuses user namespaces to ordinary users.
struct Switch {
    file: &'static str,
    refuses_at: &'static str,
    why: &'static str,
    remedy: &'static str,
}

const SWITCHES: [Switch; 3] = [
    Switch {
        file: "/proc/sys/user/max_user_namespaces",
        refuses_at: "0",
        why: "no user namespace may be made",
        remedy: "sudo sysctl user.max_user_namespaces=15000",
    },
    Switch {
        file: "/proc/sys/kernel/unprivileged_userns_clone",
        refuses_at: "0",
        why: "only root may make user namespaces",
        remedy: "sudo sysctl kernel.unprivileged_userns_clone=1",
    },
    Switch {
        file: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        refuses_at: "1",
        why: "AppArmor gives no capabilities in new user namespaces",
        remedy: "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    },
];

/// The likely cause for a refused user namespace, read from what refuses it, and its remedy.
fn why_no_user_namespace() -> (String, String) {
    let is_set = |switch: &&Switch| read_line(switch.file).as_deref() == Some(switch.refuses_at);
    let (why, remedy) = if let Some(switch) = SWITCHES.iter().find(is_set) {
        (format!("{} is {}: {}", switch.file, switch.refuses_at, switch.why), switch.remedy)
    } else if is_in_a_chroot() {
        let why = "this shell is itself in a chroot, and there the kernel makes no user namespaces \
                   (unshare(2), EPERM)";
        (why.to_owned(), "leave the chroot")
    } else if is_in_a_container() || seccomp_filters_us() {
        let why = "this is a container without privileges: its seccomp filter or its missing \
                   capabilities refuse the call";
        (why.to_owned(), "start it with more rights: docker run -it --rm --privileged …")
    } else {
        let why = "the kernel refuses, and no switch that is known here says why";
        (why.to_owned(), "ask who runs this host")
    };
    (why, format!("{remedy}, or run it as root: sudo workbench …"))
}

/// A mount table without `/` is that of a process whose root is no mount point.
fn is_in_a_chroot() -> bool {
    mount_points().is_ok_and(|points| !points.iter().any(|point| point == Path::new("/")))
}

fn is_in_a_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists())
}

/// `Seccomp: 2` in `/proc/self/status` means that a filter judges every system call.
fn seccomp_filters_us() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]))
}

fn read_line(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn unusable(error: &io::Error) -> String {
    let errno = error.raw_os_error().unwrap_or_default();
    format!("cannot be used: {} ({})", errno_sentence(errno), errno_name(errno))
}

/// A root that the learner brings: a directory that can be read, and not the host's own.
///
/// # Errors
/// A [`Usage`] with one sentence.
pub fn prepared_root(path: &Path) -> Result<PathBuf> {
    let name = path.display();
    let wrong = |what: &str| Usage(format!("--root {name} {what}"));
    let real = path.canonicalize().map_err(|error| wrong(&unusable(&error)))?;
    if !real.is_dir() {
        return Err(wrong("is not a directory").into());
    }
    if real == Path::new("/") {
        return Err(wrong("is the root that you have already; name another directory").into());
    }
    if fs::read_dir(&real).is_err() {
        return Err(wrong("cannot be read by this user").into());
    }
    Ok(real)
}
