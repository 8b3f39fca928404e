//! A root file system made of the host's own programs.
//!
//! The article copies `bash` by hand, runs `ldd`, and copies what it prints. This module does the
//! same without running anything: it reads from the ELF file which loader the program names and
//! which libraries it needs ([`elf`]), finds them as the loader would ([`linker`]), and copies
//! each to its *own path* in the new root, with the symbolic links on the way ([`Tree::walk`]).
//!
//! Files are copied, never linked or bound: what a learner breaks inside cannot break the host.

pub mod elf;
pub mod linker;
mod places;
mod tree;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use nix::errno::Errno;

use crate::refusal::Refusal;

pub use elf::Executable;
pub use linker::{Closure, Library};
pub use tree::{Stop, Tree};

/// Where programs are looked for, in the order of the article's host: `/bin` before `/usr/bin`,
/// because that is how the article calls them. The caller's own `PATH` comes after these.
pub const SEARCH_PATH: [&str; 6] =
    ["/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

/// A root under construction: an empty directory, and the tree that it is filled from.
#[derive(Debug, Clone)]
pub struct NewRoot {
    path: PathBuf,
    source: Tree,
}

impl NewRoot {
    /// Makes the directory `path`, empty, to be filled from `source`.
    ///
    /// # Errors
    /// When the directory exists already or cannot be made (mkdir(2)).
    pub fn create(path: &Path, source: Tree) -> Result<Self> {
        fs::create_dir(path).map_err(Refusal::io("mkdir", path))?;
        Ok(Self { path: path.to_owned(), source })
    }

    /// A root that is there already, to be filled further from `source`.
    pub fn at(path: &Path, source: Tree) -> Self {
        Self { path: path.to_owned(), source }
    }

    /// The directory, as seen from outside.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a path of the inside lies when seen from outside.
    pub fn outside(&self, inside: &Path) -> PathBuf {
        self.path.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// Whether a path can be reached inside, each symbolic link taken as the inside takes it.
    pub fn has(&self, inside: &Path) -> bool {
        Tree::at(&self.path).resolve(inside).is_ok()
    }

    /// Reads the headers of a program that lies inside.
    ///
    /// # Errors
    /// When it is not there, or is no program.
    pub fn read(&self, inside: &Path) -> Result<Executable> {
        let tree = Tree::at(&self.path);
        let file = tree.resolve(inside).map_err(Refusal::io("open", inside))?;
        elf::read(&tree.outside(&file))
    }

    // ANCHOR: install
    /// Copies a program, its loader and every library that it needs.
    ///
    /// # Errors
    /// When something cannot be found (the error names it, and who asked for it) or copied.
    pub fn install(&self, program: &OsStr) -> Result<Closure> {
        let closure = self.closure_of(program)?;
        for file in closure.files() {
            self.copy(file)?;
        }
        Ok(closure)
    }
    // ANCHOR_END: install

    /// Copies a program, with all that it needs, to a name of its own at the top of the new root.
    ///
    /// # Errors
    /// As [`install`](Self::install).
    pub fn install_as(&self, program: &Path, name: &str) -> Result<()> {
        let closure = self.closure_of(program.as_os_str())?;
        for file in closure.files().filter(|file| *file != closure.program) {
            self.copy(file)?;
        }
        let here = self.path.join(name);
        // Whatever has the name already goes: it may be a link that leads elsewhere.
        let _ = fs::remove_file(&here);
        copy_file(program, &here)
    }

    /// What a program needs, found in the source tree; nothing is copied.
    ///
    /// # Errors
    /// When the program, its loader or a library cannot be found or read.
    pub fn closure_of(&self, program: &OsStr) -> Result<Closure> {
        let path = find_program(&self.source, program)?;
        linker::closure(&self.source, &path)
    }

    // ANCHOR: copy
    /// Copies one file to the same path in the new root, and makes again the directories and the
    /// symbolic links that lead to it: on most hosts `/bin` is a link to `usr/bin`. Returns the
    /// links and the file, as far as they were not there.
    ///
    /// # Errors
    /// When a component does not exist, or is not readable, or the disk is full.
    pub fn copy(&self, file: &Path) -> Result<Vec<PathBuf>> {
        let mut made = Vec::new();
        for stop in self.source.walk(file).map_err(Refusal::io("open", file))? {
            let inside = stop.path().to_owned();
            let here = self.outside(&inside);
            let is_there = fs::symlink_metadata(&here);
            match stop {
                Stop::Directory(_) => make_directory(&here, is_there.ok())?,
                _ if is_there.is_ok() => {}
                Stop::Link(_, target) => {
                    symlink(target, &here).map_err(Refusal::io("symlink", &here))?;
                    made.push(inside);
                }
                Stop::File(_) => {
                    copy_file(&self.source.outside(&inside), &here)?;
                    made.push(inside);
                }
            }
        }
        Ok(made)
    }
    // ANCHOR_END: copy
}

/// What is in the way must be a real directory: a link that somebody has put there would lead
/// what is copied out of the new root.
fn make_directory(path: &Path, is_there: Option<fs::Metadata>) -> Result<()> {
    match is_there {
        Some(meta) if meta.is_dir() => Ok(()),
        Some(_) => Err(Refusal::of("mkdir", path.display())(Errno::EEXIST).into()),
        None => Ok(fs::create_dir(path).map_err(Refusal::io("mkdir", path))?),
    }
}

/// Finds a program by its name, as a shell would, in [`SEARCH_PATH`] and then in `PATH`.
///
/// # Errors
/// When no directory has an executable file of that name.
pub fn find_program(tree: &Tree, program: &OsStr) -> Result<PathBuf> {
    if Path::new(program).components().count() > 1 {
        return Ok(PathBuf::from(program));
    }
    let callers = std::env::var_os("PATH").unwrap_or_default();
    let places = SEARCH_PATH.iter().map(PathBuf::from).chain(std::env::split_paths(&callers));
    for candidate in places.map(|place| place.join(program)) {
        if tree.resolve(&candidate).is_ok_and(|file| is_executable(&tree.outside(&file))) {
            return Ok(candidate);
        }
    }
    bail!("`{}` is not installed here: no directory of PATH has it", program.to_string_lossy())
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Copies a regular file with its permissions, less the set-user-ID and set-group-ID bits: a copy
/// of `mount` owned by root must not hand root to whoever finds it. The kernel shares the blocks
/// where the file system can (`copy_file_range(2)`, called by the standard library).
fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map_err(Refusal::io("cp", to))?;
    let mode = fs::metadata(to)?.permissions().mode();
    // The owner may always write: a learner wants to edit and delete what was copied.
    let mode = fs::Permissions::from_mode(mode & 0o777 | 0o200);
    Ok(fs::set_permissions(to, mode).map_err(Refusal::io("chmod", to))?)
}

/// The directories in which the given programs lie: what `PATH` has to say inside.
pub fn directories_of<'a>(programs: impl IntoIterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    programs.into_iter().filter_map(Path::parent).map(Path::to_owned).collect()
}
