//! Questions about namespaces, and about what is seen through them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Evidence, Is, Verdict};
use crate::job::typed_path;
use crate::namespace::{Namespace, Namespaces};

// ANCHOR: share
/// Whether two processes live in the same namespace: then the links in their directories name the
/// same inode (namespaces(7), "The /proc/pid/ns/ directory").
pub fn share(one: u32, other: u32, namespace: Namespace) -> Evidence {
    compare(one, other, namespace, |same| same)
}

/// Whether two processes live in different namespaces of this kind.
pub fn do_not_share(one: u32, other: u32, namespace: Namespace) -> Evidence {
    compare(one, other, namespace, |same| !same)
}

/// Whether a process has a namespace that is not ours.
pub fn has_its_own(pid: u32, namespace: Namespace) -> Evidence {
    do_not_share(std::process::id(), pid, namespace)
}

fn compare(one: u32, other: u32, kind: Namespace, is_so: impl FnOnce(bool) -> bool) -> Evidence {
    let [first, second] = [one, other].map(|pid| link(pid, kind));
    let asked = format!("readlink {} {}", first.display(), second.display());
    match (fs::read_link(&first), fs::read_link(&second)) {
        (Ok(theirs), Ok(others)) => {
            let same = theirs == others;
            let answer = format!("{}\n{}", theirs.display(), others.display());
            let many = if same { "one namespace for both" } else { "two namespaces" };
            Evidence::new(asked, answer, Is::from(is_so(same))).therefore(many)
        }
        (Err(error), _) | (_, Err(error)) => Evidence::hidden(asked, &error),
    }
}
// ANCHOR_END: share

/// Where the kernel names a namespace of a process. Our own number means nothing to a learner who
/// types it later, and `self` means the same there.
fn link(pid: u32, namespace: Namespace) -> PathBuf {
    let file = namespace.file();
    if pid == std::process::id() {
        PathBuf::from(format!("/proc/self/ns/{file}"))
    } else {
        PathBuf::from(format!("/proc/{pid}/ns/{file}"))
    }
}

// ANCHOR: namespaces_are
/// Whether exactly these namespaces of a process are its own. The answer is a table of all eight:
/// ours on the left, those of the process on the right.
pub fn namespaces_are(pid: u32, own: Namespaces) -> Evidence {
    let files = Namespace::ALL.map(Namespace::file).join(",");
    let asked =
        format!("cd /proc; paste <(readlink self/ns/{{{files}}}) <(readlink {pid}/ns/{{{files}}})");
    let (mut rows, mut shared) = (Vec::new(), Vec::new());
    for namespace in Namespace::ALL {
        let links = [std::process::id(), pid].map(|pid| fs::read_link(link(pid, namespace)));
        let [Ok(ours), Ok(theirs)] = links else {
            let error = links.into_iter().find_map(Result::err);
            return Evidence::hidden(asked, &error.unwrap_or_else(|| io::ErrorKind::Other.into()));
        };
        shared.extend((ours == theirs).then_some(namespace));
        rows.push(format!("{}\t{}", ours.display(), theirs.display()));
    }
    let expected = Namespace::ALL.into_iter().filter(|namespace| !own.has(*namespace));
    let is_so = Is::from(shared.iter().copied().eq(expected));
    let shared: Vec<&str> = shared.into_iter().map(Namespace::file).collect();
    let conclusion = match shared.len() {
        0 => "left the host's, right the container's: all eight are its own".to_owned(),
        _ => format!("left the host's, right the container's: shared are {}", shared.join(", ")),
    };
    Evidence::new(asked, rows.join("\n"), is_so).therefore(conclusion)
}
// ANCHOR_END: namespaces_are

// ANCHOR: numbers_of
/// Whether a process is number 1 of an inner PID namespace, and what it is called outside
/// (proc_pid_status(5), `NSpid`).
pub fn numbers_of(pid: u32) -> Evidence {
    ask_status(pid, "NSpid", |numbers| numbers.len() > 1 && numbers.last() == Some(&"1"))
        .therefore("the first number is the host's, the last is its own")
}
// ANCHOR_END: numbers_of

// ANCHOR: belongs_to
/// Whether a process has this user ID in all four places (credentials(7)), seen from outside.
pub fn belongs_to(pid: u32, user: u32) -> Evidence {
    let user = user.to_string();
    ask_status(pid, "Uid", |ids| ids.len() == 4 && ids.iter().all(|id| *id == user))
}
// ANCHOR_END: belongs_to

/// Whether a process lives. One that has ended and was not buried is a zombie, state Z.
pub fn is_alive(pid: u32) -> Evidence {
    ask_status(pid, "State", |state| state.first().is_some_and(|state| !"ZX".contains(state)))
}

/// One line of `/proc/PID/status`, taken apart.
fn ask_status(pid: u32, field: &str, is_so: impl FnOnce(&[&str]) -> bool) -> Evidence {
    let file = format!("/proc/{pid}/status");
    let asked = format!("grep {field}: {file}");
    let status = match fs::read_to_string(&file) {
        Ok(status) => status,
        Err(error) => return Evidence::hidden(asked, &error),
    };
    let name = format!("{field}:");
    let line = status.lines().find(|line| line.starts_with(&name)).unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    Evidence::new(asked, format!("{name} {}", words.join(" ")), Is::from(is_so(&words)))
}

// ANCHOR: mounts_are
/// Whether these are all the mount points of a process (proc_pid_mountinfo(5)).
pub fn mounts_are(pid: u32, expected: &[String]) -> Evidence {
    let file = format!("/proc/{pid}/mountinfo");
    let asked = format!("cut -d' ' -f5 {file}");
    match fs::read_to_string(&file) {
        Ok(table) => {
            let points = table.lines().filter_map(|line| line.split(' ').nth(4));
            let points: Vec<&str> = points.collect();
            let is_so = Is::from(points == expected);
            let conclusion = format!("{} mounts, and none of the host's", points.len());
            Evidence::new(asked, points.join("\n"), is_so).therefore(conclusion)
        }
        Err(error) => Evidence::hidden(asked, &error),
    }
}
// ANCHOR_END: mounts_are

/// Whether nothing is in a directory.
pub fn is_empty(directory: &Path) -> Evidence {
    let asked = format!("ls -A {} | wc -l", typed_path(directory));
    match fs::read_dir(directory) {
        Ok(entries) => {
            let count = entries.count();
            Evidence::new(asked, count.to_string(), Is::from(count == 0))
        }
        Err(error) => Evidence::hidden(asked, &error),
    }
}

/// Two verdicts as one: what was not looked at is not made good by the other.
pub fn both(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Holds, other) => other,
        (one, Verdict::Holds) => one,
        (Verdict::Fails, _) | (_, Verdict::Fails) => Verdict::Fails,
        (hidden, _) => hidden,
    }
}
