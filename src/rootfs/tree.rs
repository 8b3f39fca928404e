//! A directory taken as if it were `/`: the host itself, or an unpacked system of any kind.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The kernel gives up after this many symbolic links in one path (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// A directory whose paths are resolved as a process would that has it as its root.
#[derive(Debug, Clone)]
pub struct Tree {
    root: PathBuf,
}

/// One thing met on the way to a file; paths are as the inside writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A real directory.
    Directory(PathBuf),
    /// A symbolic link, and what it says.
    Link(PathBuf, PathBuf),
    /// The end of the way: anything that is neither directory nor link.
    File(PathBuf),
}

impl Stop {
    /// Where it was met.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory(path) | Self::Link(path, _) | Self::File(path) => path,
        }
    }
}

impl Tree {
    /// The running system.
    pub fn host() -> Self {
        Self::at(Path::new("/"))
    }

    /// The system that lies unpacked in `root`.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a path of the inside lies when seen from outside.
    pub fn outside(&self, inside: &Path) -> PathBuf {
        self.root.join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// The file that a path leads to, without a symbolic link in it.
    ///
    /// # Errors
    /// As the kernel: ENOENT, ENOTDIR, EACCES, or ELOOP after 40 links.
    pub fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.follow(path, &mut Vec::new())
    }

    // ANCHOR: walk
    /// Every directory and symbolic link on the way to a file, and the file, in the order in
    /// which the kernel meets them (path_resolution(7)). An absolute link starts again at the
    /// root of this tree, and `..` of the root is the root: no way leads out.
    ///
    /// # Errors
    /// As the kernel: ENOENT, ENOTDIR, EACCES, or ELOOP after 40 links.
    pub fn walk(&self, path: &Path) -> io::Result<Vec<Stop>> {
        let mut stops = Vec::new();
        self.follow(path, &mut stops)?;
        Ok(stops)
    }

    /// Notes the stops, and returns where the way ends.
    fn follow(&self, path: &Path, stops: &mut Vec<Stop>) -> io::Result<PathBuf> {
        let mut ahead: VecDeque<OsString> = names(path);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&name);
            let kind = fs::symlink_metadata(self.outside(&next))?.file_type();
            if kind.is_symlink() {
                links += 1;
                if links > MOST_LINKS {
                    return Err(io::Error::from_raw_os_error(nix::libc::ELOOP));
                }
                let target = fs::read_link(self.outside(&next))?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                for name in names(&target).into_iter().rev() {
                    ahead.push_front(name);
                }
                stops.push(Stop::Link(next, target));
            } else if kind.is_dir() {
                at.clone_from(&next);
                stops.push(Stop::Directory(next));
            } else if ahead.is_empty() {
                stops.push(Stop::File(next.clone()));
                return Ok(next);
            } else {
                return Err(io::Error::from_raw_os_error(nix::libc::ENOTDIR));
            }
        }
        Ok(at)
    }
    // ANCHOR_END: walk
}

/// The components of a path that take a step: names and `..`.
fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}
