//! Why a controller cannot be used here, and what helps.

use std::fmt;
use std::fs;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, geteuid};

use super::hierarchy::{Controller, Hierarchies, Hierarchy, Version};

/// Why a controller cannot be used, and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Which one, and what is in its way.
    pub why: String,
    /// What helps.
    pub remedy: String,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; what helps: {}", self.why, self.remedy)
    }
}

impl Hierarchies {
    /// A controller that is in no tree, or was not handed on.
    pub(super) fn why_absent(&self, controller: Controller) -> Absent {
        let name = controller.name(Version::V2);
        let Some(found) = self.0.iter().find(|found| found.version == Version::V2) else {
            return self.why_not_mounted(controller);
        };
        let home = match found.home() {
            Ok(home) => home,
            Err(absent) => return absent,
        };
        if home == found.top || geteuid().is_root() {
            return self.why_not_mounted(controller);
        }
        Absent {
            why: format!(
                "the controller {name} was not handed on to you: the cgroup.controllers of your group \
                 lacks it"
            ),
            remedy:
                "run the lesson with sudo, or write `[Service]` and `Delegate=cpu cpuset io memory \
                 pids` into /etc/systemd/system/user@.service.d/delegate.conf, and log in anew"
                    .into(),
        }
    }

    fn why_not_mounted(&self, controller: Controller) -> Absent {
        let table = fs::read_to_string("/proc/cgroups").unwrap_or_default();
        let name = controller.name(Version::V1);
        let line = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let is_known = line.clone().any(|words| words.first() == Some(&name));
        let is_off =
            line.clone().any(|words| words.first() == Some(&name) && words.last() == Some(&"0"));
        let (why, remedy) = if self.0.is_empty() {
            ("no control groups are mounted here".to_owned(), no_mount_remedy())
        } else if is_off {
            let why =
                format!("this kernel was started without the controller {name} (/proc/cgroups)");
            let on_a_pi = format!("on a Raspberry Pi, with cgroup_enable={name}");
            (why, format!("start it without cgroup_disable={name}; {on_a_pi}"))
        } else if is_known {
            let why =
                format!("the controller {name} is in no tree that is mounted here (/proc/cgroups)");
            (why, format!("mount -t cgroup -o {name} cgroup /sys/fs/cgroup/{name}, as root"))
        } else {
            let why = format!("this kernel has no controller {name} (/proc/cgroups)");
            (why, "another kernel".to_owned())
        };
        Absent { why, remedy }
    }
}

fn no_mount_remedy() -> String {
    "mount -t cgroup2 cgroup2 /sys/fs/cgroup, as root".to_owned()
}

impl Hierarchy {
    /// Nobody can write there.
    pub(super) fn read_only(&self) -> Absent {
        let top = self.top.display();
        Absent {
            why: format!("{top} is mounted read-only, as in a container without --privileged"),
            remedy: "start the container with more rights: docker run -it --rm --privileged …"
                .into(),
        }
    }

    /// We cannot.
    pub(super) fn not_ours(&self) -> Absent {
        let (top, own) = (self.top.display(), self.own.display());
        if access(&self.top, AccessFlags::W_OK) == Err(Errno::EROFS) {
            return self.read_only();
        }
        let why = match self.version {
            Version::V1 => format!("only root may make groups below {top}"),
            Version::V2 => format!("neither {top} nor your own group {own} was handed over to you"),
        };
        let remedy = match self.version {
            Version::V1 => "run it as root: sudo workbench …",
            Version::V2 => {
                "run it as root: sudo workbench …; or, where systemd looks after your session: \
                 systemd-run --user --scope -p Delegate=yes workbench …"
            }
        };
        Absent { why, remedy: remedy.into() }
    }
}
