//! The directory in which one run of the program works, and the sweeping of what others left.
//!
//! A run marks its directory with a file, and holds a lock on it. The kernel drops the lock when
//! the process ends, however it ends, so a marked directory that nobody has locked is garbage:
//! the next start sweeps it. A directory without the mark is none of ours, whatever its name.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{AccessFlags, access, geteuid, mkdtemp};

use crate::mounts::detach_below;
use crate::refusal::Refusal;

/// All that this program makes in a directory for temporary files begins with this.
pub const PREFIX: &str = "workbench-";
/// The file that says that a directory is ours. It is locked as long as its run lives.
const MARK: &str = ".held-by-a-run";
/// While it is deleted, a directory has another name, so that nothing is added to it.
pub const AWAY: &str = "away";

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
        // What cannot be swept is no reason not to work; `workbench clean` tells it.
        sweep(parent, Sweep::Delete)?;
        for _ in 0..100 {
            let template = parent.join(format!("{PREFIX}XXXXXX"));
            let path = mkdtemp(&template).map_err(Refusal::of("mkdir", template.display()))?;
            fs::set_permissions(&path, Permissions::from_mode(0o700))
                .map_err(Refusal::io("chmod", &path))?;
            // Until the mark is locked, a sweeping neighbour may take the directory for garbage.
            if let Some(lock) = mark(&path)? {
                return Ok(Self { path, _lock: lock });
            }
        }
        bail!("a hundred directories in {} were swept by somebody else", parent.display())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes the directory, and says what could not be deleted.
    pub fn tear_down(self) -> Vec<String> {
        // A child that was just being started when its parent was killed holds the parent's lock
        // a moment longer, so what that run has left may be garbage only now.
        let _ = self.path.parent().map(|parent| sweep(parent, Sweep::Delete));
        delete(&self.path).err().map(|error| format!("{error:#}")).into_iter().collect()
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

/// What a sweep has found.
#[derive(Debug, Default)]
pub struct Swept {
    /// What was deleted, or would be.
    pub garbage: Vec<PathBuf>,
    /// What could not be deleted, and why.
    pub kept: Vec<String>,
}

/// Finds the directories of this user that no living run holds.
///
/// # Errors
/// When `parent` cannot be read.
pub fn sweep(parent: &Path, sweep: Sweep) -> Result<Swept> {
    let mut swept = Swept::default();
    for entry in fs::read_dir(parent).map_err(Refusal::io("open", parent))?.flatten() {
        let path = entry.path();
        if !has_a_name_of_ours(&path) || !is_ours(&path) {
            continue;
        }
        match sweep_one(&path, sweep) {
            Ok(true) => swept.garbage.push(path),
            Ok(false) => {}
            Err(error) => swept.kept.push(format!("{error:#}")),
        }
    }
    Ok(swept)
}

/// Whether a directory is garbage; if so, it is deleted.
fn sweep_one(path: &Path, sweep: Sweep) -> Result<bool> {
    let marked = match File::open(path.join(MARK)) {
        Ok(file) => file,
        // Killed before it could be marked, a directory is empty. Any other is not ours.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(sweep == Sweep::Delete && fs::remove_dir(path).is_ok());
        }
        Err(error) => return Err(Refusal::io("open", &path.join(MARK))(error).into()),
    };
    // The lock is held while the directory is deleted, so that nobody sweeps it twice.
    let Some(_lock) = lock(marked, path)? else { return Ok(false) };
    if sweep == Sweep::Delete {
        delete(path)?;
    }
    Ok(true)
}

/// Deletes a directory of ours with all that is below it, and nothing that is mounted there.
///
/// # Errors
/// When a mount cannot be detached or a file cannot be deleted.
pub fn delete(path: &Path) -> Result<()> {
    detach_below(path).with_context(|| format!("{} is kept", path.display()))?;
    match delete_below(path).and_then(|()| fs::remove_dir(path)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path);
            let again = delete_below(path).and_then(|()| fs::remove_dir(path));
            again.map_err(|error| failed_to_delete(path, error))
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed_to_delete(path, error)),
        _ => Ok(()),
    }
}

/// The mark goes last: as long as anything is left, the next sweep must know it for ours.
fn delete_below(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == MARK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    match fs::remove_file(path.join(MARK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed_to_delete(path: &Path, error: io::Error) -> Error {
    Refusal::io("unlink", path)(error).into()
}

/// A learner may have taken every permission from a directory. It is ours: we may give it back.
fn open_up(directory: &Path) {
    let _ = fs::set_permissions(directory, Permissions::from_mode(0o700));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// Marks a directory and locks the mark, or says that somebody has swept it meanwhile.
fn mark(path: &Path) -> Result<Option<Flock<File>>> {
    let file = path.join(MARK);
    match File::options().write(true).create_new(true).open(&file) {
        Ok(marked) => lock(marked, path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::io("open", &file)(error).into()),
    }
}

/// Locks a mark, or says that someone else has it, or that it is gone.
fn lock(marked: File, path: &Path) -> Result<Option<Flock<File>>> {
    match Flock::lock(marked, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(is_still_at(&lock, &path.join(MARK)).then_some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(Refusal::of("flock", path.display())(errno).into()),
    }
}

/// Whether what is held open is still what has this name.
pub fn is_still_at(held: &File, path: &Path) -> bool {
    match (held.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(found)) => (held.dev(), held.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

/// `workbench-` and the six letters of mkdtemp(3), perhaps on their way out.
pub fn has_a_name_of_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_suffix(&format!(".{AWAY}")).unwrap_or(&name);
    let letters = name.strip_prefix(PREFIX).unwrap_or_default();
    letters.len() == 6 && letters.chars().all(|letter| letter.is_ascii_alphanumeric())
}

fn is_ours(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir() && meta.uid() == geteuid().as_raw())
}

/// Whether files can be made in a directory.
pub fn is_writable(directory: &Path) -> bool {
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}
