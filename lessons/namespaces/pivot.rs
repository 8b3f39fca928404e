//! From chroot to pivot_root: the same escape, and nowhere to escape to.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::walls::Walls;
use crate::container::{Recipe, Root};
use crate::escape::Escape;
use crate::job::Job;
use crate::lesson::Fix;
use crate::proof::{self, Evidence, Is};
use crate::refusal::Refusal;

/// A file of the host that nobody inside should read.
pub(super) fn a_secret_on_the_host(walls: &mut Walls) -> Result<()> {
    walls.stop_practice_host();
    walls.party.binds.clear();
    let secret = secret(walls);
    fs::write(&secret, "The host's secret: the cake has moved to the lower drawer.\n")
        .map_err(Refusal::io("write", &secret))?;
    Ok(())
}

fn secret(walls: &Walls) -> PathBuf {
    walls.bench.path().join("secret-of-the-host")
}

// ANCHOR: pivot
/// The escape of the first lesson: a second chroot, then up, and up, and up.
pub(super) fn leave_and_read_the_secret(walls: &Walls) -> Job {
    Job::new(&trying_to_leave(walls), &[OsStr::new("cat"), secret(walls).as_os_str()])
}
// ANCHOR_END: pivot

pub(super) fn trying_to_leave(walls: &Walls) -> Recipe {
    Recipe { escape: Some(Escape::SecondChroot), ..walls.party.clone() }
}

// ANCHOR: old-root
/// A mount namespace has a root of its own, and after a chroot that is still the host's.
pub(super) fn the_walk_ends_in_the_hosts_root(walls: &Walls) -> Result<Evidence> {
    the_walk_ends_in(walls, Path::new("/"), "the host's own / has the same device and inode")
}

/// The new root takes the old one's place, and the old one is taken away.
pub(super) fn swap_the_roots(walls: &mut Walls) -> Result<Fix> {
    walls.party.root = Root::Pivot(walls.root.clone());
    Ok(walls.as_typed())
}
// ANCHOR_END: old-root

/// Above the new root there is nothing, so that is where the walk ends.
pub(super) fn the_walk_ends_in_the_new_root(walls: &Walls) -> Result<Evidence> {
    let conclusion = "the same device and inode as the new root's: the walk has led nowhere";
    the_walk_ends_in(walls, &walls.root, conclusion)
}

pub(super) fn the_walk_ends_in(
    walls: &Walls,
    directory: &Path,
    conclusion: &str,
) -> Result<Evidence> {
    let job = Job::new(&trying_to_leave(walls), &["stat", "-c", "%d:%i", "/"]);
    let answer = walls.launcher.run(&job)?.said;
    let (device, inode) = proof::identity(directory)?;
    let is_so = answer == format!("{device}:{inode}");
    Ok(Evidence::new(job.as_run(), answer, Is::from(is_so)).therefore(conclusion))
}

/// All that is mounted in there: what the recipe says, and nothing of the host.
pub(super) fn the_whole_mount_table(walls: &Walls) -> Result<Evidence> {
    let kinds = walls.party.mounts.iter().map(|kind| kind.point().to_owned());
    let expected: Vec<String> = std::iter::once("/".to_owned()).chain(kinds).collect();
    Ok(proof::mounts_are(walls.witness()?, &expected))
}
