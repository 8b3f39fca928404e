//! The directory in which one run of the program works, and the sweeping of what others left.
//!
//! A run holds a lock on its directory. The kernel drops the lock when the process ends, however
//! it ends, so a directory that nobody has locked is garbage: the next start sweeps it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{AccessFlags, access, geteuid, mkdtemp};

use crate::mounts::detach_below;
use crate::refusal::Refusal;

/// All that this program ever makes in a directory for temporary files begins with this.
pub const PREFIX: &str = "workbench-";

/// A directory of our own, held by a lock, and deleted when the run ends.
#[derive(Debug)]
pub struct Bench {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Bench {
    /// Sweeps what killed runs have left in `parent`, and makes a new directory there.
    ///
    /// # Errors
    /// When the directory for temporary files is full, read-only or not there.
    pub fn set_up(parent: &Path) -> Result<Self> {
        sweep(parent, Sweep::Delete)?;
        loop {
            let path = mkdtemp(&parent.join(format!("{PREFIX}XXXXXX")))
                .map_err(Refusal::of("mkdir", parent.join(PREFIX).display()))?;
            // Between mkdir and the lock a sweeping neighbour may have taken it for garbage.
            if let Some(lock) = lock(&path)? {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes the directory, and says what could not be deleted.
    pub fn tear_down(self) -> Vec<String> {
        // A child that was just being started when its parent was killed holds the parent's lock
        // a moment longer, so what that run has left may be garbage only now.
        let swept =
            self.path.parent().map_or(Ok(Vec::new()), |parent| sweep(parent, Sweep::Delete));
        let mut left: Vec<String> =
            swept.err().map(|error| format!("{error:#}")).into_iter().collect();
        if let Err(error) = delete(&self.path) {
            left.push(format!("{}: {error:#}", self.path.display()));
        }
        left
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Whoever wants to know what is left calls `tear_down`; here the next start will sweep.
        let _ = delete(&self.path);
    }
}

/// What to do with a directory that no living run holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sweep {
    /// Only name it.
    List,
    /// Delete it.
    Delete,
}

/// Finds the directories of this user that no living run holds, and returns them.
///
/// # Errors
/// When `parent` cannot be read, or a directory cannot be deleted.
pub fn sweep(parent: &Path, sweep: Sweep) -> Result<Vec<PathBuf>> {
    let mut garbage = Vec::new();
    let entries = fs::read_dir(parent).map_err(Refusal::io("open", parent))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) || !is_ours(&path) {
            continue;
        }
        // The lock is held while the directory is deleted, so that nobody sweeps it twice.
        let Some(_lock) = lock(&path)? else { continue };
        if sweep == Sweep::Delete {
            delete(&path)?;
        }
        garbage.push(path);
    }
    Ok(garbage)
}

/// Deletes a directory of ours with all that is below it, and nothing that is mounted there.
///
/// # Errors
/// When a mount cannot be detached or a file cannot be deleted.
pub fn delete(path: &Path) -> Result<()> {
    detach_below(path).with_context(|| format!("{} is kept", path.display()))?;
    let first = fs::remove_dir_all(path);
    match first.as_ref().map_err(io::Error::kind) {
        Ok(()) | Err(io::ErrorKind::NotFound) => Ok(()),
        Err(io::ErrorKind::PermissionDenied) => {
            open_up(path);
            fs::remove_dir_all(path).map_err(|error| Refusal::io("unlink", path)(error).into())
        }
        Err(_) => first.map_err(|error| Refusal::io("unlink", path)(error).into()),
    }
}

/// A learner may have taken every permission from a directory. It is ours: we may give it back.
fn open_up(directory: &Path) {
    let _ = fs::set_permissions(directory, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// Locks a directory, or says that someone else has it, or that it is gone.
fn lock(path: &Path) -> Result<Option<Flock<File>>> {
    let Ok(directory) = File::open(path) else { return Ok(None) };
    match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(is_still_at(&lock, path).then_some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(Refusal::of("flock", path.display())(errno).into()),
    }
}

fn is_still_at(directory: &File, path: &Path) -> bool {
    match (directory.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(found)) => (held.dev(), held.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw())
}

/// Whether files can be made in a directory.
pub fn is_writable(directory: &Path) -> bool {
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}
