//! Attacks that a contained process tries on its own walls, each a short list of system calls.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use clap::ValueEnum;
use nix::unistd::{chdir, chroot};

use crate::refusal::Refusal;

/// A known way out of a root directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Escape {
    /// A second chroot, below the process's working directory.
    SecondChroot,
}

impl Escape {
    /// Tries the way out.
    ///
    /// # Errors
    /// The system call that the kernel refused; the process is then still contained.
    pub fn attempt(self) -> Result<(), Refusal> {
        match self {
            Self::SecondChroot => leave_by_second_chroot(),
        }
    }
}

// ANCHOR: leave_by_second_chroot
/// The kernel stops `..` at the root of the process, and only there (chroot(2)). Whoever stands
/// *above* its own root never meets it on the way up.
fn leave_by_second_chroot() -> Result<(), Refusal> {
    chdir("/").map_err(Refusal::of("chdir", "/"))?;
    let below = any_directory_below()?;
    // The root moves down; the working directory stays where it is, now above the root.
    chroot(&below).map_err(Refusal::of("chroot", below.display()))?;
    // Up, past the place where the wall used to be, until there is no further up.
    while identity_of(".")? != identity_of("..")? {
        chdir("..").map_err(Refusal::of("chdir", ".."))?;
    }
    // Here is the host's root. Make it ours again.
    chroot(".").map_err(Refusal::of("chroot", "."))
}
// ANCHOR_END: leave_by_second_chroot

/// Any directory will do, so none has to be made.
fn any_directory_below() -> Result<PathBuf, Refusal> {
    let here = PathBuf::from(".");
    let entries = fs::read_dir(&here).map_err(Refusal::io("open", &here))?;
    let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut directories = entries.flatten().filter(is_directory);
    directories.next().map(|entry| entry.path()).ok_or_else(|| Refusal {
        call: "open".into(),
        object: "a directory below /".into(),
        errno: nix::libc::ENOENT,
    })
}

/// A directory is the same one if device and inode are the same (inode(7)).
fn identity_of(path: &str) -> Result<(u64, u64), Refusal> {
    let path = PathBuf::from(path);
    let meta = fs::metadata(&path).map_err(Refusal::io("stat", &path))?;
    Ok((meta.dev(), meta.ino()))
}
