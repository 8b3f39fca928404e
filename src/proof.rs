//! Questions to the kernel about a process or a root, and what counts as an answer.
//!
//! A proof says what it asked, in a form that a learner can type, what the answer was, and
//! whether that is as it should be. Where it could not look, it says so: that is never a pass.

mod walls;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::job::typed_path;

pub use walls::{
    belongs_to, both, do_not_share, has_its_own, is_alive, is_empty, mounts_are, namespaces_are,
    numbers_of, share,
};

/// A question, its answer, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// What a learner can type to ask the same.
    pub asked: String,
    /// What the kernel or the file system answered.
    pub answer: String,
    /// What follows from the answer, where it does not say so itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub therefore: Option<String>,
    /// Whether it is as it should be.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Where it was asked, if it was not the host.
    #[serde(skip)]
    pub asked_inside: bool,
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
        Self {
            asked: asked.into(),
            answer: answer.into(),
            therefore: None,
            verdict,
            asked_inside: false,
        }
    }

    /// The same, asked by a contained process.
    #[must_use]
    pub fn inside(self) -> Self {
        Self { asked_inside: true, ..self }
    }

    /// The same, with what follows from it.
    #[must_use]
    pub fn therefore(self, conclusion: impl Into<String>) -> Self {
        Self { therefore: Some(conclusion.into()), ..self }
    }

    /// Nobody could look.
    pub fn hidden(asked: impl Into<String>, why: &io::Error) -> Self {
        let verdict = Verdict::CouldNotLook(why.to_string());
        Self {
            asked: asked.into(),
            answer: String::new(),
            therefore: None,
            verdict,
            asked_inside: false,
        }
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
            let answer = format!("{}\n{}", shown(ours), shown(theirs));
            let is_so = ours != theirs;
            let conclusion = if is_so { "two directories" } else { "one directory" };
            Evidence::new(asked, answer, Is::from(is_so)).therefore(conclusion)
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
    let mut files: Vec<PathBuf> =
        maps.split(|&byte| byte == b'\n').filter_map(mapped_file).collect();
    files.sort();
    files.dedup();
    let strangers = files.iter().filter(|file| !file.starts_with(root)).count();
    let shown: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let is_so = strangers == 0 && !files.is_empty();
    let conclusion = match strangers {
        0 => "all of its code lies below the new root".to_owned(),
        _ => format!("{strangers} of these files lie outside the new root"),
    };
    Evidence::new(asked, shown.join("\n"), Is::from(is_so)).therefore(conclusion)
}
// ANCHOR_END: runs_from

fn mapped_file(line: &[u8]) -> Option<PathBuf> {
    let start = line.iter().position(|&byte| byte == b'/')?;
    Some(PathBuf::from(OsStr::from_bytes(&line[start..])))
}

// ANCHOR: same_pid_namespace
/// Whether a process has the same PID namespace as we have: then each can name the other
/// (pid_namespaces(7)).
pub fn shares_our_pid_namespace(pid: u32) -> Evidence {
    let links = ["/proc/self/ns/pid".to_owned(), format!("/proc/{pid}/ns/pid")];
    let asked = format!("readlink {}", links.join(" "));
    match (fs::read_link(&links[0]), fs::read_link(&links[1])) {
        (Ok(ours), Ok(theirs)) => {
            let answer = format!("{}\n{}", ours.display(), theirs.display());
            let is_so = ours == theirs;
            let conclusion = if is_so { "one list of processes" } else { "two lists of processes" };
            Evidence::new(asked, answer, Is::from(is_so)).therefore(conclusion)
        }
        (Err(error), _) | (_, Err(error)) => Evidence::hidden(asked, &error),
    }
}
// ANCHOR_END: same_pid_namespace

// ANCHOR: file_says
/// Whether a file says what it should.
pub fn file_says(file: &Path, is_so: impl FnOnce(&str) -> bool) -> Evidence {
    let asked = format!("cat {}", typed_path(file));
    match fs::read_to_string(file) {
        Ok(text) => {
            let text = text.trim_end();
            Evidence::new(asked, text, Is::from(is_so(text)))
        }
        Err(error) => Evidence::hidden(asked, &error),
    }
}
// ANCHOR_END: file_says

/// The lines of a file that somebody asked for, with a verdict that is known already.
pub fn answered(
    asked: String,
    file: &Path,
    is_so: Is,
    is_wanted: impl Fn(&str) -> bool,
) -> Evidence {
    match fs::read_to_string(file) {
        Ok(text) => {
            let lines: Vec<&str> = text.lines().filter(|line| is_wanted(line)).collect();
            Evidence::new(asked, lines.join("\n"), is_so)
        }
        Err(error) => Evidence::hidden(asked, &error),
    }
}

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
