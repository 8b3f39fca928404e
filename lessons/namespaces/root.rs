//! The article's `improved-root`, made of the host's own programs in a moment.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bench::Bench;
use crate::host::Unmet;
use crate::refusal::Refusal;
use crate::rootfs::{NewRoot, Tree, directories_of};

/// Without these, there is no lesson.
pub(super) const NEEDED: [&str; 12] =
    ["bash", "cat", "cut", "grep", "id", "ls", "mount", "readlink", "sort", "stat", "uname", "wc"];
/// A shell is a nicer place with these, and some experiments use one or another.
const WELCOME: [&str; 27] = [
    "chmod",
    "chown",
    "cp",
    "date",
    "df",
    "env",
    "head",
    "hostname",
    "ip",
    "ipcmk",
    "ipcrm",
    "ipcs",
    "kill",
    "ln",
    "mkdir",
    "mountpoint",
    "mv",
    "ps",
    "rm",
    "rmdir",
    "sleep",
    "tail",
    "touch",
    "tr",
    "true",
    "umount",
    "unshare",
];
const USERS: &str = "root:x:0:0:root:/:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUPS: &str = "root:x:0:\nnogroup:x:65534:\n";

// ANCHOR: improved_root
/// Programs with all that they need, the directories on which something will be mounted, and two
/// names for the numbers that are met inside.
pub(crate) fn improved_root(bench: &Bench) -> Result<(PathBuf, OsString)> {
    let root = NewRoot::create(&bench.path().join("improved-root"), Tree::host())?;
    let mut programs: BTreeSet<PathBuf> = BTreeSet::new();
    for name in NEEDED {
        let closure = root.install(OsStr::new(name)).map_err(|error| missing(name, &error))?;
        programs.insert(closure.program);
    }
    for name in WELCOME {
        // The host may not have it; then the container has not.
        programs.extend(root.install(OsStr::new(name)).map(|closure| closure.program));
    }
    for (name, mode) in [("dev", 0o755), ("etc", 0o755), ("mnt", 0o755), ("tmp", 0o1777)] {
        make_directory(&root.path().join(name), mode)?;
    }
    for name in ["proc", "sys"] {
        make_directory(&root.path().join(name), 0o555)?;
    }
    for (name, text) in [("etc/passwd", USERS), ("etc/group", GROUPS)] {
        let file = root.path().join(name);
        fs::write(&file, text).map_err(Refusal::io("write", &file))?;
    }
    let path = path_inside(&programs);
    Ok((root.path().to_owned(), path))
}
// ANCHOR_END: improved_root

fn make_directory(path: &Path, mode: u32) -> Result<()> {
    // Only this one: whatever is above may have been deleted by an interruption, for good.
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Refusal::io("mkdir", path)(error).into());
        }
        _ => {}
    }
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(Refusal::io("chmod", path))?)
}

fn missing(name: &str, error: &anyhow::Error) -> Unmet {
    Unmet {
        what: format!("{name}, in the new root"),
        tried: vec![format!("looked for {name} in PATH, and for what it needs")],
        why: format!("{error:#}"),
        remedy: format!("install {name}, or bring a root that has it: --root DIR"),
    }
}

/// The usual places, and those in which this host keeps the programs.
pub(super) fn path_inside(programs: &BTreeSet<PathBuf>) -> OsString {
    let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let usual = usual.map(PathBuf::from);
    let places = directories_of(programs.iter().map(PathBuf::as_path));
    let others = places.into_iter().filter(|place| !usual.contains(place));
    let all = usual.iter().cloned().chain(others);
    std::env::join_paths(all).unwrap_or_else(|_| OsString::from("/usr/sbin:/usr/bin:/sbin:/bin"))
}
