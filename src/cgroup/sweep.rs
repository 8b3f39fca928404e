//! Removing groups, those of this run at its end and those that a killed run has left.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

use super::corner::{control, move_all};
use super::group::write;
use super::hierarchy::{Hierarchies, Hierarchy, Version};
use super::limit::{Limit, Touch};
use crate::bench::{Sweep, Swept, has_a_name_of_ours, is_still_at};
use crate::refusal::Refusal;

/// The group into which those go who were in the way.
pub(super) const OUTSIDE: &str = "outside";
/// The rest of such a group's name says which controllers have to be taken back from the group
/// above: `gives-back.cpu.memory`.
pub(super) const GIVES_BACK: &str = "gives-back.";
/// The kernel needs a moment until a process that has ended is in no group any more, and in
/// version 1 it tells nobody.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A corner in one tree, as far as it takes to remove it.
#[derive(Debug, Clone)]
pub struct Spot {
    version: Version,
    /// The group above it, which is not ours.
    pub(super) home: PathBuf,
    /// The group in which this process was when it came.
    own: PathBuf,
    /// The corner itself.
    pub(super) directory: PathBuf,
}

/// Corners that have to be removed.
#[derive(Debug, Clone, Default)]
pub struct Remains(pub(super) Vec<Spot>);

impl Remains {
    /// Lets everybody go on who was frozen: a frozen process of version 1 cannot even be killed.
    pub fn thaw(&self) {
        for spot in &self.0 {
            for group in groups_below(&spot.directory) {
                thaw(&group, spot.version);
            }
        }
    }

    /// Removes every group, puts back what was changed above, and says what could not be removed.
    pub fn remove(&self) -> Vec<String> {
        // What another run still needs, that one will remove at its end.
        let is_left_to_another = |spot: &&Spot| !markers_of_neighbours(spot).is_empty();
        let (others, ours): (Vec<_>, Vec<_>) = self.0.iter().partition(is_left_to_another);
        let failed = |spot: &&Spot| spot.remove().err().map(|error| format!("{error:#}"));
        let left = ours.iter().filter_map(failed).collect();
        for spot in others {
            let _ = spot.remove();
        }
        left
    }
}

/// Finds the corners of this user that no living run holds.
///
/// # Errors
/// When `/proc` is not mounted.
pub fn sweep_groups(sweep: Sweep) -> Result<Swept> {
    let mut swept = Swept::default();
    for hierarchy in Hierarchies::find()?.iter() {
        let Ok(home) = hierarchy.home() else { continue };
        for name in names_in(home).filter(|name| has_a_name_of_ours(Path::new(name))) {
            let spot = Spot::new(hierarchy, home, &name);
            match spot.sweep(sweep) {
                Ok(true) => swept.garbage.push(spot.directory),
                Ok(false) => {}
                Err(error) => swept.kept.push(format!("{error:#}")),
            }
        }
    }
    Ok(swept)
}

/// What the other runs at the same home will put back.
pub(super) fn markers_of_neighbours(spot: &Spot) -> Vec<String> {
    let corners = names_in(&spot.home).filter(|name| has_a_name_of_ours(Path::new(name)));
    corners
        .map(|name| spot.home.join(name))
        .filter(|corner| *corner != spot.directory)
        .flat_map(|corner| markers_in(&corner))
        .collect()
}

impl Spot {
    /// The corner of this name in a tree.
    pub(super) fn new(hierarchy: &Hierarchy, home: &Path, name: &str) -> Self {
        Self {
            version: hierarchy.version,
            home: home.to_owned(),
            own: hierarchy.own.clone(),
            directory: home.join(name),
        }
    }

    /// Whether it is garbage; if so, it is removed.
    fn sweep(&self, sweep: Sweep) -> Result<bool> {
        let is_ours = |meta: fs::Metadata| meta.uid() == geteuid().as_raw();
        if !fs::metadata(&self.directory).is_ok_and(is_ours) {
            return Ok(false);
        }
        let open = File::open(&self.directory).map_err(Refusal::io("open", &self.directory))?;
        // The lock is held while the groups are removed, so that nobody sweeps them twice.
        let lock = match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(false),
            Err((_, errno)) => {
                return Err(Refusal::of("flock", self.directory.display())(errno).into());
            }
        };
        if !is_still_at(&lock, &self.directory) {
            return Ok(false);
        }
        if sweep == Sweep::Delete {
            self.remove()?;
        }
        Ok(true)
    }

    // ANCHOR: remove
    /// Removes the corner: the lesson's groups first, then what was handed on is taken back, and
    /// then those who had to leave come back.
    fn remove(&self) -> Result<()> {
        let outside = self.directory.join(OUTSIDE);
        for group in groups_below(&self.directory) {
            if group != outside && group != self.directory {
                thaw(&group, self.version);
                self.empty(&group)?;
                remove_group(&group)?;
            }
        }
        let is_taken_back = self.take_back()?;
        if outside.exists() {
            if !is_taken_back {
                return Err(self.is_needed());
            }
            move_all(&outside, &self.home)?;
            remove_group(&outside)?;
        }
        for marker in markers_as_names(&self.directory) {
            remove_group(&self.directory.join(marker))?;
        }
        self.empty(&self.directory)?;
        remove_group(&self.directory)
    }
    // ANCHOR_END: remove

    /// Those who had to leave cannot come back as long as somebody else hands controllers on.
    fn is_needed(&self) -> Error {
        let (outside, home) = (self.directory.join(OUTSIDE), self.home.display());
        let outside = outside.display();
        anyhow!(
            "{outside} is kept: another run, or Docker, still uses what was handed on in {home}; \
             when it has ended, `workbench clean` brings back who is there"
        )
    }

    /// A learner may have moved a shell of theirs into a group. It goes where we came from.
    fn empty(&self, group: &Path) -> Result<()> {
        let outside = self.directory.join(OUTSIDE);
        let refuge = if outside.exists() { &outside } else { &self.own };
        if group.exists() {
            move_all(group, refuge).with_context(|| format!("{} is in use", group.display()))?;
        }
        Ok(())
    }

    /// What was handed on for us is taken back, unless somebody else needs it by now: another run,
    /// or Docker. Says whether it could be.
    fn take_back(&self) -> Result<bool> {
        let mut is_taken_back = true;
        for name in markers_in(&self.directory) {
            // Ours first: above, nothing can be taken back that is handed on further down.
            let _ = control(&self.directory, '-', &[&name]);
            match control(&self.home, '-', &[&name]) {
                Err(refusal) if refusal.errno == Errno::EBUSY as i32 => is_taken_back = false,
                done => drop(done?),
            }
        }
        Ok(is_taken_back)
    }
}

/// All groups at or below a directory, the deepest first; without those that only carry a name.
fn groups_below(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for name in names_in(directory).filter(|name| !name.starts_with(GIVES_BACK)) {
        all.extend(groups_below(&directory.join(name)));
    }
    all.push(directory.to_owned());
    all
}

fn thaw(group: &Path, version: Version) {
    for touch in Limit::Thawed.touches(version) {
        if let Touch::Write { file, line } = touch {
            // Most groups have no such file; none but ours is ever frozen.
            let file = group.join(file);
            let _ = file.exists().then(|| write(&file, &line));
        }
    }
}

fn remove_group(group: &Path) -> Result<()> {
    let began = Instant::now();
    loop {
        match fs::remove_dir(group) {
            Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => {
                if began.elapsed() > PATIENCE {
                    return Err(Refusal::io("rmdir", group)(error).into());
                }
                thread::sleep(Duration::from_millis(5));
            }
            Err(error) if error.raw_os_error() != Some(Errno::ENOENT as i32) => {
                return Err(Refusal::io("rmdir", group)(error).into());
            }
            _ => return Ok(()),
        }
    }
}

fn markers_as_names(corner: &Path) -> Vec<String> {
    names_in(corner).filter(|name| name.starts_with(GIVES_BACK)).collect()
}

/// The controllers that a corner's markers name.
fn markers_in(corner: &Path) -> Vec<String> {
    let markers = markers_as_names(corner);
    let names = markers.iter().filter_map(|marker| marker.strip_prefix(GIVES_BACK));
    names.flat_map(|names| names.split('.')).map(str::to_owned).collect()
}

/// The names of the groups directly below a group.
fn names_in(group: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    let is_group = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_group).filter_map(|entry| {
        let name = entry.file_name();
        OsStr::to_str(&name).map(str::to_owned)
    })
}
