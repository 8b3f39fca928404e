//! The container on one page: a recipe, and the system calls that it stands for.
//!
//! The narrator of a lesson never changes its own root or namespaces. It starts its own binary
//! again (`workbench enter …`), and that disposable child becomes the container: [`enter`] makes
//! the calls in the one order that works, and [`become_program`] hands over to the program.

mod parts;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Pid, chdir, chroot, getegid, geteuid, pivot_root, sethostname};

use crate::child::die_with_parent;
use crate::escape::Escape;
use crate::fork::{Fork, fork};
use crate::namespace::{Namespace, Namespaces};
use crate::refusal::Refusal;

pub use parts::{Bind, FileSystem, Propagation, Root};

// ANCHOR: recipe
/// What a contained process gets of its own; everything else it shares with the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipe {
    /// The control groups that it joins, as directories: what it may use is limited there.
    pub groups: Vec<PathBuf>,
    /// A process whose namespaces are joined first: it stands in for the host.
    pub host: Option<u32>,
    /// The namespaces of its own. An ordinary user needs [`Namespace::User`] among them, and that
    /// is all the difference between a container of root's and a rootless one.
    pub own: Namespaces,
    /// How far its clock of uptime is ahead of the host's, in seconds.
    pub boottime: Option<i64>,
    /// Whether the program is a child: only a child gets the new PID and time namespace.
    pub fork: bool,
    /// Whether it and the host hear of each other's mounts.
    pub propagation: Propagation,
    /// The name that the system has for it.
    pub hostname: Option<String>,
    /// Directories of the host that appear in the new root as well.
    pub binds: Vec<Bind>,
    /// The directory that becomes `/`.
    pub root: Root,
    /// What is mounted for it once it has its root, in this order.
    pub mounts: Vec<FileSystem>,
    /// An attack that the contained process tries before it becomes the program.
    pub escape: Option<Escape>,
}
// ANCHOR_END: recipe

/// Which process comes back from [`enter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// The one inside: it has yet to become its program.
    Container,
    /// The one that has stayed behind, to wait for this child.
    Parent(Pid),
}

// ANCHOR: enter
/// Turns this process, or a child of it, into the container that the recipe describes.
///
/// # Errors
/// The first system call that the kernel refuses. The process is then half contained: it can
/// only report and end.
pub fn enter(recipe: &Recipe) -> Result<Became, Refusal> {
    // The limits before everything else: children are born into the group of their parent, but
    // those that are there already stay where they are. And a cgroup namespace will take as its
    // top whatever group this process is in.
    for group in &recipe.groups {
        join_group(group)?;
    }
    if let Some(pid) = recipe.host {
        join_namespaces(pid)?;
    }
    // The walls, all at once. The kernel puts up the user namespace first, and that is where the
    // right to the others comes from.
    let caller = (geteuid(), getegid());
    unshare(recipe.own.flags()).map_err(Refusal::of("unshare", recipe.own.flag_names()))?;
    if recipe.own.has(Namespace::User) {
        map_root_to(caller)?;
    }
    // A clock can be set as long as nobody lives by it, so it comes before the first child.
    if let Some(seconds) = recipe.boottime {
        set_boottime(seconds)?;
    }
    // Two of the new namespaces have no inhabitant yet. The child is the first, and number 1.
    if recipe.fork {
        if let Fork::Parent(child) = fork()? {
            return Ok(Became::Parent(child));
        }
        die_with_parent()?;
    }
    // Before the first mount, or the host would get it as well.
    if recipe.own.has(Namespace::Mount) && recipe.propagation == Propagation::Private {
        make_mounts_private()?;
    }
    if let Some(name) = &recipe.hostname {
        sethostname(name).map_err(Refusal::of("sethostname", name))?;
    }
    for bind in &recipe.binds {
        bind_mount(bind, &recipe.root)?;
    }
    match &recipe.root {
        Root::Hosts => {}
        Root::Chroot(directory) => change_root(directory)?,
        Root::Pivot(directory) => swap_root(directory)?,
    }
    // From inside, so that a link in the new root cannot lead a mount astray. And while the old
    // root can be seen: the kernel shows a user namespace no /proc if it sees none already.
    for file_system in &recipe.mounts {
        mount_file_system(*file_system)?;
    }
    if matches!(recipe.root, Root::Pivot(_)) {
        detach_old_root()?;
    }
    if let Some(escape) = &recipe.escape {
        escape.attempt()?;
    }
    Ok(Became::Container)
}
// ANCHOR_END: enter

// ANCHOR: join_group
/// `echo $$ > GROUP/cgroup.procs`. To the kernel, 0 is whoever writes.
fn join_group(group: &Path) -> Result<(), Refusal> {
    let path = group.join("cgroup.procs");
    let mut file = File::options().write(true).open(&path).map_err(Refusal::io("open", &path))?;
    file.write_all(b"0").map_err(Refusal::io("write", &path))
}
// ANCHOR_END: join_group

// ANCHOR: user_namespace
/// `--map-root-user`: user 0 inside is the caller outside. No other ID exists.
fn map_root_to((user, group): (nix::unistd::Uid, nix::unistd::Gid)) -> Result<(), Refusal> {
    // An ordinary user may map a group only after giving up setgroups(2), by which a process
    // could drop a group that denies it something (user_namespaces(7)).
    write("/proc/self/setgroups", "deny")?;
    write("/proc/self/uid_map", &format!("0 {user} 1"))?;
    write("/proc/self/gid_map", &format!("0 {group} 1"))
}
// ANCHOR_END: user_namespace

// ANCHOR: set_boottime
/// `--boottime SECONDS`: how far the new time namespace is ahead (time_namespaces(7)).
fn set_boottime(seconds: i64) -> Result<(), Refusal> {
    write("/proc/self/timens_offsets", &format!("boottime {seconds} 0"))
}
// ANCHOR_END: set_boottime

// ANCHOR: make_mounts_private
/// `mount --make-rprivate /`: what is mounted from here on stays here, and the other way round.
/// A new mount namespace is a *copy* of the mount table, and the copies may go on telling each
/// other (mount_namespaces(7), "Shared subtrees").
fn make_mounts_private() -> Result<(), Refusal> {
    let nothing = None::<&str>;
    mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)
        .map_err(Refusal::of("mount", "--make-rprivate /"))
}
// ANCHOR_END: make_mounts_private

// ANCHOR: change_root
/// `chroot DIR`: the directory becomes `/` of this process and of its children.
fn change_root(root: &Path) -> Result<(), Refusal> {
    chroot(root).map_err(Refusal::of("chroot", root.display()))?;
    // chroot(2) leaves the working directory where it was, and that is outside: a process that
    // forgets this line walks out with `cd ..`.
    chdir("/").map_err(Refusal::of("chdir", "/"))
}
// ANCHOR_END: change_root

// ANCHOR: swap_root
/// `pivot_root . .`: the directory becomes the root of the whole mount namespace, and the old
/// root lies on top of it, to be taken away by [`detach_old_root`] (pivot_root(2), NOTES).
fn swap_root(root: &Path) -> Result<(), Refusal> {
    // Only a mount can become the root, so the directory is mounted on itself.
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(root), root, None::<&str>, bind, None::<&str>)
        .map_err(Refusal::of("mount", format!("--rbind {0} {0}", root.display())))?;
    chdir(root).map_err(Refusal::of("chdir", root.display()))?;
    pivot_root(".", ".").map_err(Refusal::of("pivot_root", root.display()))
}

/// `umount -l .`: the host's files are in no path any more, neither below the root nor above it.
fn detach_old_root() -> Result<(), Refusal> {
    umount2(".", MntFlags::MNT_DETACH).map_err(Refusal::of("umount2", "the old root"))?;
    chdir("/").map_err(Refusal::of("chdir", "/"))
}
// ANCHOR_END: swap_root

// ANCHOR: bind
/// `mount --rbind FROM ROOT/TO`: with everything that is mounted below it.
fn bind_mount(bind: &Bind, root: &Root) -> Result<(), Refusal> {
    let (from, to) = (&bind.from, root.outside(&bind.to));
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(from), &to, None::<&str>, flags, None::<&str>)
        .map_err(Refusal::of("mount", format!("--rbind {} {}", from.display(), to.display())))
}
// ANCHOR_END: bind

// ANCHOR: mount_file_system
/// `mount -t TYPE none POINT`: nothing of what is there may be a device or a way to more rights.
fn mount_file_system(kind: FileSystem) -> Result<(), Refusal> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | kind.noexec();
    mount(Some("none"), kind.point(), Some(kind.kind()), flags, None::<&str>)
        .map_err(Refusal::of("mount", format!("-t {} none {}", kind.kind(), kind.point())))
}
// ANCHOR_END: mount_file_system

// ANCHOR: join_namespaces
/// `nsenter --target PID --user --uts --ipc --mount`: becomes an inhabitant of namespaces that
/// exist already (setns(2)), where they are not ours anyway.
fn join_namespaces(pid: u32) -> Result<(), Refusal> {
    // The user namespace first, for the right to the others; the mount namespace last, because
    // afterwards another /proc may be in this place.
    for namespace in [Namespace::User, Namespace::Uts, Namespace::Ipc, Namespace::Mount] {
        let [theirs, ours] = [format!("{pid}"), "self".to_owned()]
            .map(|process| PathBuf::from(format!("/proc/{process}/ns/{}", namespace.file())));
        let is_shared = fs::read_link(&theirs).ok() == fs::read_link(&ours).ok();
        if !is_shared {
            let door = File::open(&theirs).map_err(Refusal::io("open", &theirs))?;
            setns(door, CloneFlags::empty()).map_err(Refusal::of("setns", theirs.display()))?;
        }
    }
    Ok(())
}
// ANCHOR_END: join_namespaces

fn write(file: &str, line: &str) -> Result<(), Refusal> {
    fs::write(file, line).map_err(Refusal::io("write", Path::new(file)))
}

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
