//! What this host can do, found by trying, and why it cannot do the rest.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::geteuid;
use serde::Serialize;

use crate::bench::is_writable;
use crate::container::Recipe;
use crate::job::Job;
use crate::launch::Launcher;
use crate::mounts::mount_points;
use crate::namespace::{Namespace, Namespaces};
use crate::observation::Observation;
use crate::proof::{Verdict, has_its_own};
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

// ANCHOR: rights
/// What it takes for this caller to have the right to a container: nothing, or a user namespace
/// in which it is root.
///
/// # Errors
/// An [`Unmet`] with what was tried, the likely cause and its remedy.
pub fn rights_to(what: &str, launcher: &Launcher, recipe: &Recipe) -> Result<Namespaces> {
    let mut tried = Vec::new();
    for rights in [Namespaces::NONE, Namespaces::of(&[Namespace::User])] {
        let recipe = Recipe { own: recipe.own.with(rights), ..recipe.clone() };
        // Without a program only the walls are tried.
        let job = Job { recipe, argv: Vec::new() };
        let outcome = launcher.run(&job)?;
        if outcome.observation == (Observation::Exited { status: 0 }) {
            return Ok(rights);
        }
        tried.push(format!("{}: {}", job.as_typed(), outcome.observation));
    }
    let (why, remedy) = why_no_user_namespace();
    Err(Unmet { what: what.into(), tried, why, remedy }.into())
}
// ANCHOR_END: rights

/// Refuses a recipe that would rename this host or mount something in its table: what is typed
/// by mistake must change nothing.
///
/// # Errors
/// A [`Usage`] that names the missing flag.
pub fn leaves_the_host_as_it_is(recipe: &Recipe) -> Result<(), Usage> {
    let mounts = !recipe.mounts.is_empty() || !recipe.binds.is_empty();
    let wishes = [
        (mounts, Namespace::Mount, "would mount something on this host"),
        (recipe.hostname.is_some(), Namespace::Uts, "would rename this host"),
    ];
    for (wish, namespace, what) in wishes {
        let is_its_own = recipe.own.has(namespace)
            || recipe.host.is_some_and(|pid| has_its_own(pid, namespace).verdict == Verdict::Holds);
        if wish && !is_its_own {
            let flag = namespace.option();
            return Err(Usage(format!("this {what}; add --{flag}, and it stays inside")));
        }
    }
    Ok(())
}

/// The passage that says as whom a lesson works, which took `rights`.
pub fn identity_passage(rights: Namespaces) -> &'static str {
    match (rights.is_empty(), geteuid().is_root()) {
        (true, _) => "as-root",
        (false, true) => "as-root-without-rights",
        (false, false) => "as-user",
    }
}

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
    // A container shows the switches of its host, but its own filter refuses before they count.
    let switch = SWITCHES.iter().find(is_set).filter(|_| !is_in_a_filtered_container());
    let as_root = if geteuid().is_root() { "" } else { ", or run it as root: sudo workbench …" };
    let (why, remedy, or_else) = if let Some(switch) = switch {
        let why = format!("{} is {}: {}", switch.file, switch.refuses_at, switch.why);
        (why, switch.remedy, as_root)
    } else if is_in_a_chroot() {
        let why = "this shell is itself in a chroot, and there the kernel makes no user namespaces \
                   (unshare(2), EPERM)";
        (why.to_owned(), "leave the chroot", as_root)
    } else if is_in_a_container() || seccomp_filters_us() {
        let why = "this is a container without privileges: its seccomp filter or its missing \
                   capabilities refuse the call";
        // Root of such a container is refused like everybody else in it.
        (why.to_owned(), "start it with more rights: docker run -it --rm --privileged …", "")
    } else {
        let why = "the kernel refuses, and no switch that is known here says why";
        (why.to_owned(), "ask who runs this host", as_root)
    };
    (why, format!("{remedy}{or_else}"))
}

fn is_in_a_filtered_container() -> bool {
    is_in_a_container() && seccomp_filters_us()
}

/// A mount table without `/` is that of a process whose root is no mount point.
fn is_in_a_chroot() -> bool {
    mount_points().is_ok_and(|points| !points.iter().any(|point| point == Path::new("/")))
}

fn is_in_a_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists())
}

/// The AppArmor profile by which this process is confined, if it is (apparmor(7)).
pub fn apparmor_profile() -> Option<String> {
    // The second file is that of whichever security module is the first; only AppArmor says how
    // it applies what it names.
    let files = ["/proc/self/attr/apparmor/current", "/proc/self/attr/current"];
    let profile = files.iter().find_map(|file| read_line(file))?;
    Some(profile.strip_suffix(" (enforce)")?.to_owned())
}

/// `Seccomp: 2` in `/proc/self/status` means that a filter judges every system call.
pub fn seccomp_filters_us() -> bool {
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
