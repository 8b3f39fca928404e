//! Questions to the kernel about a process or a root, and what counts as an answer.
//!
//! A proof says what it asked, in a form that a learner can type, what the answer was, and
//! whether that is as it should be. Where it could not look, it says so: that is never a pass.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::job::typed_path;

/// A question, its answer, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What a learner can type to ask the same.
    pub asked: String,
    /// What the kernel or the file system answered.
    pub answer: String,
    /// Whether it is as it should be.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Whether something is as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Holds,
    /// It is not.
    Fails,
    /// Nobody could look, for this reason.
    CouldNotLook(String),
}

/// The side from which a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// By the contained process itself.
    Inside,
    /// By the host.
    Outside,
}

impl Evidence {
    /// Evidence that holds if `is_so`.
    pub fn new(asked: impl Into<String>, answer: impl Into<String>, is_so: Is) -> Self {
        let verdict = match is_so {
            Is::AsItShouldBe => Verdict::Holds,
            Is::Otherwise => Verdict::Fails,
        };
        Self { asked: asked.into(), answer: answer.into(), verdict }
    }

    /// Nobody could look.
    pub fn hidden(asked: impl Into<String>, why: &io::Error) -> Self {
        let verdict = Verdict::CouldNotLook(why.to_string());
        Self { asked: asked.into(), answer: String::new(), verdict }
    }
}

/// A comparison's result, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// As it should be.
    AsItShouldBe,
    /// Not as it should be.
    Otherwise,
}

impl From<bool> for Is {
    fn from(as_it_should_be: bool) -> Self {
        if as_it_should_be { Self::AsItShouldBe } else { Self::Otherwise }
    }
}

// ANCHOR: is_missing
/// Whether a file is not there.
pub fn is_missing(path: &Path) -> Evidence {
    let asked = format!("ls {}", typed_path(path));
    match fs::symlink_metadata(path) {
        Ok(_) => Evidence::new(asked, "it is there", Is::Otherwise),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Evidence::new(asked, "No such file or directory", Is::AsItShouldBe)
        }
        Err(error) => Evidence::hidden(asked, &error),
    }
}
// ANCHOR_END: is_missing

// ANCHOR: root_of
/// Whether the root of a process, seen from outside, is the given directory (proc_pid_root(5)).
pub fn root_is(pid: u32, root: &Path) -> Evidence {
    let link = PathBuf::from(format!("/proc/{pid}/root"));
    let asked = format!("readlink {}", link.display());
    match fs::read_link(&link) {
        Ok(target) => Evidence::new(asked, typed_path(&target), Is::from(target == root)),
        Err(error) => Evidence::hidden(asked, &error),
    }
}

/// Whether the root of a process is another directory than ours: two directories are the same
/// only if device and inode are the same (inode(7)).
pub fn root_differs_from_ours(pid: u32) -> Evidence {
    let theirs = PathBuf::from(format!("/proc/{pid}/root/."));
    let asked = format!("stat -c %d:%i / {}", theirs.display());
    match (identity(Path::new("/")), identity(&theirs)) {
        (Ok(ours), Ok(theirs)) => {
            let answer = format!("{} outside, {} inside", shown(ours), shown(theirs));
            Evidence::new(asked, answer, Is::from(ours != theirs))
        }
        (Err(error), _) | (_, Err(error)) => Evidence::hidden(asked, &error),
    }
}
// ANCHOR_END: root_of

// ANCHOR: runs_from
/// Whether every file that a process has mapped as code or library lies below `root`
/// (proc_pid_maps(5)): nothing of it comes from the host's own directories.
pub fn maps_only_files_below(pid: u32, root: &Path) -> Evidence {
    let file = format!("/proc/{pid}/maps");
    let asked = format!("grep -o '/.*' {file} | sort -u");
    let maps = match fs::read(&file) {
        Ok(maps) => maps,
        Err(error) => return Evidence::hidden(asked, &error),
    };
    let maps = String::from_utf8_lossy(&maps).into_owned();
    let mut files: Vec<&str> = maps.lines().filter_map(mapped_file).collect();
    files.sort_unstable();
    files.dedup();
    let root_as_text = root.to_string_lossy();
    let strangers: Vec<&str> =
        files.iter().copied().filter(|file| !file.starts_with(&*root_as_text)).collect();
    let answer = match strangers.first() {
        Some(stranger) => format!("{stranger} lies outside"),
        None => format!("{} files, all below {}", files.len(), typed_path(root)),
    };
    Evidence::new(asked, answer, Is::from(strangers.is_empty() && !files.is_empty()))
}
// ANCHOR_END: runs_from

fn mapped_file(line: &str) -> Option<&str> {
    line.find('/').map(|start| line[start..].trim_end_matches(" (deleted)"))
}

// ANCHOR: same_pid_namespace
/// Whether a process has the same PID namespace as we have: then each can name the other
/// (pid_namespaces(7)).
pub fn shares_our_pid_namespace(pid: u32) -> Evidence {
    let links = ["/proc/self/ns/pid".to_owned(), format!("/proc/{pid}/ns/pid")];
    let asked = format!("readlink {}", links.join(" "));
    match (fs::read_link(&links[0]), fs::read_link(&links[1])) {
        (Ok(ours), Ok(theirs)) => {
            let answer = format!("{} and {}", ours.display(), theirs.display());
            Evidence::new(asked, answer, Is::from(ours == theirs))
        }
        (Err(error), _) | (_, Err(error)) => Evidence::hidden(asked, &error),
    }
}
// ANCHOR_END: same_pid_namespace

/// Device and inode.
///
/// # Errors
/// As stat(2).
pub fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
}

fn shown((device, inode): (u64, u64)) -> String {
    format!("{device}:{inode}")
}
