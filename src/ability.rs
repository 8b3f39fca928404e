//! What a container can be made of on this host: each ingredient is tried, in a disposable child.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::container::{FileSystem, Recipe, Root};
use crate::host;
use crate::job::Job;
use crate::launch::Launcher;
use crate::mounts::mount_points;
use crate::namespace::{Namespace, Namespaces};
use crate::observation::Observation;

/// A part of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ingredient {
    /// A namespace of its own.
    Own(Namespace),
    /// A file system, mounted in a root of its own.
    Mounted(FileSystem),
    /// A root that was entered by pivot_root(2).
    PivotRoot,
    /// All of it in one container.
    Everything,
}

impl Ingredient {
    /// Each of them, with what it builds on before it.
    pub const ALL: [Self; 13] = [
        Self::Own(Namespace::User),
        Self::Own(Namespace::Mount),
        Self::Own(Namespace::Pid),
        Self::Own(Namespace::Uts),
        Self::Own(Namespace::Ipc),
        Self::Own(Namespace::Net),
        Self::Own(Namespace::Cgroup),
        Self::Own(Namespace::Time),
        Self::Mounted(FileSystem::Proc),
        Self::Mounted(FileSystem::Sys),
        Self::Mounted(FileSystem::Tmp),
        Self::PivotRoot,
        Self::Everything,
    ];

    /// The smallest container that has it, for somebody who may do what `rights` give.
    fn alone(self, rights: Namespaces, root: &Path) -> Recipe {
        use Namespace::{Mount, Net, Pid, User};
        let (own, mounts): (&[Namespace], _) = match self {
            Self::Own(namespace) => (&[namespace], vec![]),
            // The lesson's container will be a guest in a user namespace, whoever starts it, and
            // a guest may be refused what the real root is given.
            Self::Mounted(FileSystem::Proc) => (&[User, Mount, Pid], vec![FileSystem::Proc]),
            Self::Mounted(FileSystem::Sys) => (&[User, Mount, Net], vec![FileSystem::Sys]),
            Self::Mounted(FileSystem::Tmp) => (&[Mount], vec![FileSystem::Tmp]),
            Self::PivotRoot => (&[Mount], vec![]),
            Self::Everything => {
                (&Namespace::ALL, vec![FileSystem::Proc, FileSystem::Sys, FileSystem::Tmp])
            }
        };
        let own = rights.with(Namespaces::of(own));
        let root = match self {
            Self::PivotRoot | Self::Everything => Root::Pivot(root.into()),
            Self::Own(_) | Self::Mounted(_) => Root::Chroot(root.into()),
        };
        Recipe { own, fork: true, root, mounts, ..Recipe::default() }
    }
}

/// What this host refuses, and how.
#[derive(Debug, Clone, Default)]
pub struct Abilities {
    refused: Vec<(Ingredient, String)>,
}

impl Abilities {
    // ANCHOR: find
    /// Tries everything at once, and only if that fails, one ingredient after the other. `root`
    /// has to have the directories `/proc`, `/sys` and `/tmp`.
    ///
    /// # Errors
    /// When no child can be started.
    pub fn find(launcher: &Launcher, rights: Namespaces, root: &Path) -> Result<Self> {
        let everything = Ingredient::Everything.alone(rights, root);
        if refusal(launcher, &everything)?.is_none() {
            return Ok(Self::default());
        }
        let mut refused = Vec::new();
        for ingredient in Ingredient::ALL {
            if let Some(answer) = refusal(launcher, &ingredient.alone(rights, root))? {
                let cause = likely_cause(ingredient, &answer).map(|cause| format!("; {cause}"));
                refused.push((ingredient, format!("{answer}{}", cause.unwrap_or_default())));
            }
        }
        Ok(Self { refused })
    }
    // ANCHOR_END: find

    /// Why an ingredient cannot be had, if it cannot.
    pub fn why_not(&self, ingredient: Ingredient) -> Option<&str> {
        let found = self.refused.iter().find(|(refused, _)| *refused == ingredient);
        found.map(|(_, why)| why.as_str())
    }
}

/// What the kernel said, or nothing if it let the container be.
fn refusal(launcher: &Launcher, recipe: &Recipe) -> Result<Option<Observation>> {
    let job = Job { recipe: recipe.clone(), argv: Vec::new() };
    match launcher.run(&job)?.observation {
        Observation::Exited { status: 0 } => Ok(None),
        answer => Ok(Some(answer)),
    }
}

/// An empty directory of `/proc`, on which distributions mount something, and which hides nothing.
const HIDES_NOTHING: &str = "/proc/sys/fs/binfmt_misc";

/// Who may have refused. Three look after a container without privileges, and each has a way of
/// its own to say no: AppArmor says EACCES, the mounts that cover `/proc` and `/sys` and the seccomp
/// filter say EPERM.
fn likely_cause(ingredient: Ingredient, answer: &Observation) -> Option<String> {
    let Observation::Refused { errno, .. } = answer else { return None };
    let cause = match (errno.as_str(), ingredient) {
        ("EACCES", _) => host::apparmor_profile().map(|profile| {
            format!("AppArmor confines this process by the profile {profile}, which forbids it")
        }),
        ("EPERM", Ingredient::Mounted(kind)) => what_is_hidden(kind).or_else(a_filter),
        ("EPERM", _) => a_filter(),
        _ => None,
    };
    cause.map(|cause| format!("{cause}, as in a container without --privileged"))
}

/// The kernel gives a user namespace no more of `/proc` and `/sys` than it can see already
/// (user_namespaces(7); `mount_too_revealing` in fs/namespace.c): all files, and the right to write.
fn what_is_hidden(kind: FileSystem) -> Option<String> {
    let here = Path::new(kind.point());
    let hides = |point: &PathBuf| {
        point.starts_with(here) && point != here && point != Path::new(HIDES_NOTHING)
    };
    // On /sys, every host has mounts that hide nothing, such as that of the control groups.
    let covers = if kind == FileSystem::Proc { mount_points().ok()? } else { Vec::new() };
    let here = here.display();
    if let Some(cover) = covers.into_iter().find(hides) {
        return Some(format!("this host's own {here} is partly covered, at {}", cover.display()));
    }
    let flags = statvfs(kind.point()).ok()?.flags();
    flags.contains(FsFlags::ST_RDONLY).then(|| format!("this host's own {here} is read-only"))
}

fn a_filter() -> Option<String> {
    host::seccomp_filters_us().then(|| "a seccomp filter judges every system call here".to_owned())
}

impl fmt::Display for Ingredient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(namespace) => write!(f, "unshare --{}", namespace.option()),
            Self::Mounted(kind) => write!(f, "mount -t {} none {}", kind.kind(), kind.point()),
            Self::PivotRoot => f.write_str("pivot_root"),
            Self::Everything => f.write_str("all of it in one container"),
        }
    }
}
