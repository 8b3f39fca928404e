//! The parts of a recipe that are more than a name or a number.

use std::path::{Path, PathBuf};

use nix::mount::MsFlags;

// ANCHOR: parts
/// The root directory, and the system call that makes it one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Root {
    /// The host's.
    #[default]
    Hosts,
    /// This one, by chroot(2): the host's root is still there, above it.
    Chroot(PathBuf),
    /// This one, by pivot_root(2): the host's root is taken away.
    Pivot(PathBuf),
}

/// What becomes of a mount that was made on one side only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// It stays on that side: `mount --make-rprivate /`.
    #[default]
    Private,
    /// Whatever the host has set: on most hosts, it appears on the other side as well.
    Unchanged,
}

/// A directory that is seen in a second place: what Docker calls a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// As the host calls it.
    pub from: PathBuf,
    /// As it is called inside.
    pub to: PathBuf,
}

/// A file system that a container wants to see at its usual place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// The processes of the PID namespace, at `/proc` (proc(5)).
    Proc,
    /// Devices, among them those of the network namespace, at `/sys` (sysfs(5)).
    Sys,
    /// Memory that is forgotten with the container, at `/tmp` (tmpfs(5)).
    Tmp,
}
// ANCHOR_END: parts

impl FileSystem {
    /// The name of the type (filesystems(5)).
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Proc => "proc",
            Self::Sys => "sysfs",
            Self::Tmp => "tmpfs",
        }
    }

    /// Where every program expects it.
    pub const fn point(self) -> &'static str {
        match self {
            Self::Proc => "/proc",
            Self::Sys => "/sys",
            Self::Tmp => "/tmp",
        }
    }

    /// People do run what they have put into `/tmp`.
    pub(super) const fn noexec(self) -> MsFlags {
        match self {
            Self::Proc | Self::Sys => MsFlags::MS_NOEXEC,
            Self::Tmp => MsFlags::empty(),
        }
    }
}

impl Root {
    /// The directory, if it is not the host's.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Hosts => None,
            Self::Chroot(directory) | Self::Pivot(directory) => Some(directory),
        }
    }

    /// Where a path of the inside lies when seen from outside.
    pub fn outside(&self, inside: &Path) -> PathBuf {
        match self.directory() {
            Some(directory) => directory.join(inside.strip_prefix("/").unwrap_or(inside)),
            None => inside.to_owned(),
        }
    }
}
