//! Our own corner of every tree: one group with the name of this run, and the lesson's groups in
//! it. Whatever else there is belongs to somebody else, and is left alone.
//!
//! A run holds a lock on its corners, as it does on its directory for files: what nobody holds is
//! garbage, and [`sweep_groups`](super::sweep_groups) finds it. What has to be put back when a
//! corner goes away is written down in the corner itself, in the names of groups.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::group::{Group, Part, processes_in, write};
use super::hierarchy::{Controller, Hierarchies, Hierarchy, Version};
use super::sweep::{GIVES_BACK, OUTSIDE, PATIENCE, Remains, Spot, markers_of_neighbours};
use crate::bench::is_still_at;
use crate::job::typed_path;
use crate::refusal::Refusal;

/// Our corners, one in each tree that can be used.
#[derive(Debug)]
pub struct Corner {
    spots: Vec<(Hierarchy, Spot)>,
    /// As long as we have them, the corners are ours.
    locks: Vec<Flock<File>>,
}

impl Corner {
    /// Corners of this name, in each tree in which we may have one. They are not made yet.
    pub fn plan(hierarchies: &Hierarchies, name: &str) -> Self {
        let is_chosen = |hierarchy: &Hierarchy| {
            let chosen =
                |one: &Controller| hierarchies.usable(*one).is_ok_and(|is| is == hierarchy);
            Controller::ALL.iter().any(chosen)
        };
        let spots = hierarchies.iter().filter(|hierarchy| is_chosen(hierarchy));
        let spots = spots.filter_map(|hierarchy| {
            let spot = Spot::new(hierarchy, hierarchy.home().ok()?, name);
            Some((hierarchy.clone(), spot))
        });
        Self { spots: spots.collect(), locks: Vec::new() }
    }

    /// Makes and locks them.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn claim(&mut self) -> Result<()> {
        for (_, spot) in &self.spots {
            self.locks.push(claim(&spot.directory)?);
        }
        Ok(())
    }

    /// A group of this name in our corners, with these controllers, as far as there are any. It is
    /// not made yet.
    pub fn group(&self, name: &str, controllers: &[Controller]) -> Group {
        let parts = self.spots.iter().map(|(hierarchy, spot)| Part {
            controllers: hierarchy.controllers.clone(),
            version: hierarchy.version,
            directory: spot.directory.join(name),
        });
        Group::of(parts.collect()).only(controllers)
    }

    // ANCHOR: hand_on
    /// Hands controllers on to our groups, where version 2 wants it: a group has only what the one
    /// above it has written into its `cgroup.subtree_control`. Returns what was typed.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn hand_on(&self, controllers: &[Controller]) -> Result<Vec<String>> {
        let mut typed = Vec::new();
        for (hierarchy, spot) in &self.spots {
            let has_it = |controller: &&Controller| hierarchy.controllers.contains(controller);
            let wanted = controllers.iter().filter(has_it);
            let names: Vec<&str> = wanted.filter_map(|wanted| wanted.to_hand_on()).collect();
            if hierarchy.version == Version::V2 && !names.is_empty() {
                hand_on_at_home(spot, &names, &mut typed)?;
                typed.push(hand_on_in(&spot.directory, &names)?);
            }
        }
        Ok(typed)
    }
    // ANCHOR_END: hand_on

    /// What has to be removed if nobody else does.
    pub fn remains(&self) -> Remains {
        Remains(self.spots.iter().map(|(_, spot)| spot.clone()).collect())
    }
}

impl Drop for Corner {
    fn drop(&mut self) {
        // Whoever wants to know what is left asks its remains; here the next start will sweep.
        if !self.locks.is_empty() {
            let _ = self.remains().remove();
        }
    }
}

/// Makes a group and locks it; until it is locked, a sweeping neighbour may take it for garbage.
fn claim(directory: &Path) -> Result<Flock<File>> {
    for _ in 0..100 {
        match fs::create_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(Refusal::io("mkdir", directory)(error).into());
            }
            _ => {}
        }
        let Ok(open) = File::open(directory) else { continue };
        // Whatever the caller's umask is: a tenant may have to pass.
        let _ = open.set_permissions(Permissions::from_mode(0o755));
        match Flock::lock(open, FlockArg::LockExclusiveNonblock) {
            Ok(lock) if is_still_at(&lock, directory) => return Ok(lock),
            Ok(_) | Err((_, Errno::EWOULDBLOCK)) => {}
            Err((_, errno)) => return Err(Refusal::of("flock", directory.display())(errno).into()),
        }
    }
    bail!("{} was swept a hundred times by somebody else", directory.display())
}

// ANCHOR: at_home
/// The group above ours is not ours. It may have handed on everything already; if not, it is made
/// to, and our corner has a group whose name says what to put back.
fn hand_on_at_home(spot: &Spot, names: &[&str], typed: &mut Vec<String>) -> Result<()> {
    let file = spot.home.join("cgroup.subtree_control");
    let before = fs::read_to_string(&file).map_err(Refusal::io("open", &file))?;
    let is_on = |name: &&str| before.split_whitespace().any(|word| word == *name);
    let neighbours = markers_of_neighbours(spot);
    // Another run may have handed it on, and whoever goes last puts it back.
    let is_borrowed = |name: &&str| neighbours.iter().any(|word| word == *name);
    let ours = names.iter().copied().filter(|name| !is_on(name) || is_borrowed(name));
    let ours: Vec<&str> = ours.collect();
    if ours.is_empty() {
        return Ok(());
    }
    let marker = spot.directory.join(format!("{GIVES_BACK}{}", ours.join(".")));
    fs::create_dir(&marker).map_err(Refusal::io("mkdir", &marker))?;
    // A group that hands something on must have no processes of its own (cgroup-v2.rst, "No
    // Internal Process Constraint"). They all go into a leaf, and come back at the end. Only the
    // real root of the tree, which has no `cgroup.type`, is exempt.
    let is_real_root = !spot.home.join("cgroup.type").exists();
    if !is_real_root && !processes_in(&spot.home)?.is_empty() {
        typed.push(move_everybody(&spot.home, &spot.directory.join(OUTSIDE))?);
    }
    typed.push(hand_on_in(&spot.home, &ours)?);
    Ok(())
}
// ANCHOR_END: at_home

/// All at once if the kernel takes them so, and else as many as it takes: a process of a real-time
/// class may stand in the way of one (cgroup-v2.rst, "CPU").
fn hand_on_in(group: &Path, names: &[&str]) -> Result<String, Refusal> {
    let Err(refusal) = control(group, '+', names) else {
        return Ok(typed_control(group, '+', names));
    };
    let is_taken = |name: &&&str| control(group, '+', &[**name]).is_ok();
    let taken: Vec<&str> = names.iter().filter(is_taken).copied().collect();
    if taken.is_empty() { Err(refusal) } else { Ok(typed_control(group, '+', &taken)) }
}

/// Writes `+cpu +memory` into a group's `cgroup.subtree_control`, or takes them back.
pub(super) fn control(group: &Path, sign: char, names: &[&str]) -> Result<(), Refusal> {
    write(&group.join("cgroup.subtree_control"), &signed(sign, names))
}

fn typed_control(group: &Path, sign: char, names: &[&str]) -> String {
    let file = group.join("cgroup.subtree_control");
    format!("echo '{}' > {}", signed(sign, names), typed_path(&file))
}

fn signed(sign: char, names: &[&str]) -> String {
    let words: Vec<String> = names.iter().map(|name| format!("{sign}{name}")).collect();
    words.join(" ")
}

/// Moves all processes of a group into a new one below it, also those that are born meanwhile.
fn move_everybody(from: &Path, to: &PathBuf) -> Result<String> {
    fs::create_dir(to).map_err(Refusal::io("mkdir", to))?;
    move_all(from, to)?;
    let (from, to) = (typed_path(&from.join("cgroup.procs")), typed_path(to));
    Ok(format!("mkdir {to}; for pid in $(cat {from}); do echo $pid > {to}/cgroup.procs; done"))
}

/// Moves all processes of a directory. Who has ended meanwhile is not missed; who is about to end is
/// in the list a moment longer, and nobody says when it has gone.
pub(super) fn move_all(from: &Path, to: &Path) -> Result<(), Refusal> {
    let began = Instant::now();
    loop {
        let processes = processes_in(from)?;
        if processes.is_empty() {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            let object = from.display().to_string();
            let call = "move everybody out of".to_owned();
            return Err(Refusal { call, object, errno: Errno::EBUSY as i32 });
        }
        for pid in processes {
            match write(&to.join("cgroup.procs"), &pid.to_string()) {
                Err(refusal) if refusal.errno != Errno::ESRCH as i32 => return Err(refusal),
                _ => {}
            }
        }
        if !processes_in(from)?.is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
