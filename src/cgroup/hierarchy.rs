//! Which controller is where: read from the mount table, never from a path that is assumed.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::unistd::{AccessFlags, access};

use super::absent::Absent;
use crate::mounts::{Mount, mount_table};
use crate::refusal::Refusal;

// ANCHOR: kinds
/// What the kernel can count, share out or stop for a group of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// Shares out the time of the processors.
    Cpu,
    /// Counts it.
    Cpuacct,
    /// Counts and limits memory.
    Memory,
    /// Counts and limits what is read from and written to block devices.
    Io,
    /// Decides which device nodes may be opened.
    Devices,
    /// Stops all processes of a group, and lets them go on.
    Freezer,
    /// Limits how many processes there are.
    Pids,
}

impl Controller {
    /// All of them, in the article's order; it has not heard of the last.
    pub const ALL: [Self; 7] = [
        Self::Cpu,
        Self::Cpuacct,
        Self::Memory,
        Self::Io,
        Self::Devices,
        Self::Freezer,
        Self::Pids,
    ];

    /// Its names in version 1 and in version 2 (cgroups(7)). Three are no controllers any more:
    /// every group counts its time and can be frozen, and for devices there are BPF programs.
    const fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Cpu => ("cpu", Some("cpu")),
            Self::Cpuacct => ("cpuacct", None),
            Self::Memory => ("memory", Some("memory")),
            Self::Io => ("blkio", Some("io")),
            Self::Devices => ("devices", None),
            Self::Freezer => ("freezer", None),
            Self::Pids => ("pids", Some("pids")),
        }
    }
}
// ANCHOR_END: kinds

impl Controller {
    /// What this version calls it; where version 2 has no such controller, what version 1 does.
    pub const fn name(self, version: Version) -> &'static str {
        match (version, self.names()) {
            (Version::V2, (_, Some(name))) | (_, (name, _)) => name,
        }
    }

    /// The name by which version 2 hands it on, if it has to be handed on.
    pub const fn to_hand_on(self) -> Option<&'static str> {
        self.names().1
    }
}

/// The two designs that the kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A tree for each controller, or for a few of them, since 2.6.24.
    V1,
    /// One tree for all, since 4.5.
    V2,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::V1 { "v1" } else { "v2" })
    }
}

/// A tree of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Which design it has.
    pub version: Version,
    /// Where it is mounted: the highest group that can be seen from here.
    pub top: PathBuf,
    /// The group in which this process is.
    pub own: PathBuf,
    /// What can be limited here.
    pub controllers: Vec<Controller>,
    /// Whether nothing can be written here.
    pub(super) is_read_only: bool,
}

/// All the trees of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchies(pub(super) Vec<Hierarchy>);

impl Hierarchies {
    // ANCHOR: find
    /// Reads where everything is: the mounts from `/proc/self/mountinfo`, our own groups from
    /// `/proc/self/cgroup`, and what version 2 has to offer from `cgroup.controllers`.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn find() -> Result<Self> {
        let file = Path::new("/proc/self/cgroup");
        let groups = fs::read_to_string(file).map_err(Refusal::io("open", file))?;
        let mut mounts = mount_table()?;
        // A mount may be covered by another one, and then nothing of it can be seen.
        mounts.retain(|mount| mount.point.join("cgroup.procs").exists());
        let mut found = Self::of_tables(&mounts, &groups);
        for hierarchy in found.0.iter_mut().filter(|found| found.version == Version::V2) {
            let file = hierarchy.home().unwrap_or(&hierarchy.own).join("cgroup.controllers");
            // A group that was removed meanwhile has nothing to offer.
            let offered = fs::read_to_string(&file).unwrap_or_default();
            hierarchy.controllers.retain(|controller| {
                // What need not be handed on is in every group.
                let offer = |name| offered.split_whitespace().any(|word| word == name);
                controller.to_hand_on().is_none_or(offer)
            });
        }
        Ok(found)
    }
    // ANCHOR_END: find

    /// The trees that two files of `/proc` tell of. A tree that is mounted twice counts once.
    pub fn of_tables(mounts: &[Mount], groups: &str) -> Self {
        let mut found: Vec<Hierarchy> = Vec::new();
        // Of two mounts of one tree, the one that can be written.
        let is_read_only = |mount: &&Mount| mount.options.split(',').any(|option| option == "ro");
        let (closed, open): (Vec<&Mount>, Vec<&Mount>) = mounts.iter().partition(is_read_only);
        for mount in open.into_iter().chain(closed) {
            let Some(hierarchy) = Hierarchy::of_mount(mount, groups) else { continue };
            let same = |other: &Hierarchy| {
                (other.version, &other.controllers) == (hierarchy.version, &hierarchy.controllers)
            };
            if !hierarchy.controllers.is_empty() && !found.iter().any(same) {
                found.push(hierarchy);
            }
        }
        Self(found)
    }

    // ANCHOR: choose
    /// The tree in which a controller works: version 1 if it is mounted there, and else version 2.
    /// A controller is never in both.
    pub fn of(&self, controller: Controller) -> Option<&Hierarchy> {
        let has_it = |found: &&Hierarchy| found.controllers.contains(&controller);
        let (old, new) = (Version::V1, Version::V2);
        [old, new]
            .into_iter()
            .find_map(|version| self.0.iter().filter(|found| found.version == version).find(has_it))
    }
    // ANCHOR_END: choose

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Hierarchy> {
        self.0.iter()
    }

    /// The tree in which groups with this controller can be made.
    ///
    /// # Errors
    /// Why they cannot, and what helps.
    pub fn usable(&self, controller: Controller) -> Result<&Hierarchy, Absent> {
        let hierarchy = self.of(controller).ok_or_else(|| self.why_absent(controller))?;
        hierarchy.home()?;
        Ok(hierarchy)
    }
}

impl Hierarchy {
    fn of_mount(mount: &Mount, groups: &str) -> Option<Self> {
        let has = |controller: &Controller| {
            let name = controller.name(Version::V1);
            mount.system_options.split(',').any(|option| option == name)
        };
        let (version, controllers) = match mount.kind.as_str() {
            "cgroup" => (Version::V1, Controller::ALL.into_iter().filter(has).collect()),
            "cgroup2" => (Version::V2, Controller::ALL.to_vec()),
            _ => return None,
        };
        // Made outside of our cgroup namespace, a mount shows what we may not see (its root begins
        // with `/..`), and the paths of our groups mean nothing there (cgroup_namespaces(7)).
        if mount.root.starts_with("/..") {
            return None;
        }
        let own = own_group(&controllers, version, groups).unwrap_or("/");
        // A mount may show a part of the tree only: then a path of the tree begins with that part.
        let below = Path::new(own).strip_prefix(&mount.root).unwrap_or(Path::new(""));
        Some(Self {
            version,
            top: mount.point.clone(),
            own: mount.point.join(below.strip_prefix("/").unwrap_or(below)),
            controllers,
            is_read_only: mount.options.split(',').any(|option| option == "ro"),
        })
    }

    // ANCHOR: home
    /// The group below which we may make ours. That is the top of the tree for root; for others it
    /// is the group in which they are, if it was handed over to them (cgroup-v2.rst, "Delegation").
    ///
    /// # Errors
    /// What is in the way, and what helps.
    pub fn home(&self) -> Result<&Path, Absent> {
        let is_ours = |group: &&Path| {
            let mut files = vec![group.to_path_buf(), group.join("cgroup.procs")];
            files.extend(
                (self.version == Version::V2).then(|| group.join("cgroup.subtree_control")),
            );
            files.iter().all(|file| access(file, AccessFlags::W_OK).is_ok())
        };
        if self.is_read_only {
            return Err(self.read_only());
        }
        let places = [self.top.as_path(), self.own.as_path()];
        places.into_iter().find(is_ours).ok_or_else(|| self.not_ours())
    }
    // ANCHOR_END: home

    /// The groups from our home up to the top that can be seen: each of them may limit us.
    pub fn above(&self) -> impl Iterator<Item = &Path> {
        let home = self.home().unwrap_or(&self.own);
        home.ancestors().take_while(|group| group.starts_with(&self.top))
    }
}

/// The path of our group in the tree of these controllers: a line `3:cpu,cpuacct:/path`, or
/// `0::/path` for version 2 (cgroups(7), "/proc files").
fn own_group<'a>(controllers: &[Controller], version: Version, groups: &'a str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, names, path) = (parts.next()?, parts.next()?, parts.next()?);
        let is_it = match version {
            Version::V2 => number == "0" && names.is_empty(),
            Version::V1 => controllers
                .iter()
                .any(|wanted| names.split(',').any(|name| name == wanted.name(Version::V1))),
        };
        is_it.then_some(path)
    })
}
