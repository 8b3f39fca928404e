//! The eight kinds of namespaces: their names, and sets of them.

use nix::libc;
use nix::sched::CloneFlags;
use serde::Serialize;

// ANCHOR: namespaces
/// A part of the system that a process can have to itself (namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Namespace {
    /// User and group IDs, and what root may do (user_namespaces(7)).
    User,
    /// The mount table (mount_namespaces(7)).
    Mount,
    /// Process numbers (pid_namespaces(7)).
    Pid,
    /// Host name and NIS domain name (uts_namespaces(7)).
    Uts,
    /// System V IPC objects and POSIX message queues (ipc_namespaces(7)).
    Ipc,
    /// Network devices, addresses, ports, abstract UNIX sockets (network_namespaces(7)).
    Net,
    /// Which control group is seen as `/` (cgroup_namespaces(7)).
    Cgroup,
    /// How long the system has been running (time_namespaces(7)).
    Time,
}

impl Namespace {
    /// All of them. The user namespace comes first: it is where the right to the others is from.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Mount,
        Self::Pid,
        Self::Uts,
        Self::Ipc,
        Self::Net,
        Self::Cgroup,
        Self::Time,
    ];

    /// Its names: for unshare(1), in the directory `/proc/PID/ns`, and for the system calls
    /// clone(2), unshare(2) and setns(2), whose flag is also a number.
    const fn names(self) -> (&'static str, &'static str, &'static str, CloneFlags) {
        match self {
            Self::User => ("user", "user", "CLONE_NEWUSER", CloneFlags::CLONE_NEWUSER),
            Self::Mount => ("mount", "mnt", "CLONE_NEWNS", CloneFlags::CLONE_NEWNS),
            Self::Pid => ("pid", "pid", "CLONE_NEWPID", CloneFlags::CLONE_NEWPID),
            Self::Uts => ("uts", "uts", "CLONE_NEWUTS", CloneFlags::CLONE_NEWUTS),
            Self::Ipc => ("ipc", "ipc", "CLONE_NEWIPC", CloneFlags::CLONE_NEWIPC),
            Self::Net => ("net", "net", "CLONE_NEWNET", CloneFlags::CLONE_NEWNET),
            Self::Cgroup => ("cgroup", "cgroup", "CLONE_NEWCGROUP", CloneFlags::CLONE_NEWCGROUP),
            Self::Time => ("time", "time", "CLONE_NEWTIME", CLONE_NEWTIME),
        }
    }
}
// ANCHOR_END: namespaces

/// Younger than the list in `nix`.
const CLONE_NEWTIME: CloneFlags = CloneFlags::from_bits_retain(libc::CLONE_NEWTIME);

impl Namespace {
    /// What unshare(1) calls it: `mount`.
    pub const fn option(self) -> &'static str {
        self.names().0
    }

    /// What the directory `/proc/PID/ns` calls it: `mnt`.
    pub const fn file(self) -> &'static str {
        self.names().1
    }

    /// What the system calls name it: `CLONE_NEWNS`.
    pub const fn flag_name(self) -> &'static str {
        self.names().2
    }

    /// The same for the system calls themselves.
    pub const fn flag(self) -> CloneFlags {
        self.names().3
    }
}

/// Some of the eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespaces(CloneFlags);

impl Namespaces {
    /// None of them.
    pub const NONE: Self = Self(CloneFlags::empty());

    /// These.
    pub fn of(namespaces: &[Namespace]) -> Self {
        namespaces.iter().copied().collect()
    }

    /// Whether this one is among them.
    pub const fn has(self, namespace: Namespace) -> bool {
        self.0.contains(namespace.flag())
    }

    /// These, and one more.
    #[must_use]
    pub const fn and(self, namespace: Namespace) -> Self {
        Self(self.0.union(namespace.flag()))
    }

    /// These, but for one.
    #[must_use]
    pub const fn but(self, namespace: Namespace) -> Self {
        Self(self.0.difference(namespace.flag()))
    }

    /// These, and those.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0.union(others.0))
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// As a system call wants them.
    pub const fn flags(self) -> CloneFlags {
        self.0
    }

    /// One after the other, in the order of [`Namespace::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Namespace> {
        Namespace::ALL.into_iter().filter(move |namespace| self.has(*namespace))
    }

    /// The flags by their names: `CLONE_NEWNS|CLONE_NEWPID`.
    pub fn flag_names(self) -> String {
        self.iter().map(Namespace::flag_name).collect::<Vec<_>>().join("|")
    }
}

impl Default for Namespaces {
    fn default() -> Self {
        Self::NONE
    }
}

impl FromIterator<Namespace> for Namespaces {
    fn from_iter<I: IntoIterator<Item = Namespace>>(namespaces: I) -> Self {
        namespaces.into_iter().fold(Self::NONE, Self::and)
    }
}
