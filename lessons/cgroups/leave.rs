//! The end: a group that is not removed stays.

use anyhow::Result;

use super::sandbox::Sandbox;
use crate::cgroup::Controller;
use crate::container::Recipe;
use crate::job::{Job, typed_paths};
use crate::lesson::Fix;
use crate::proof::{self, Evidence, Is};
use crate::witness::{Witnesses, waiting_bash};

/// Somebody has been forgotten there.
pub(super) fn somebody_is_still_there(sandbox: &mut Sandbox) -> Result<()> {
    sandbox.whole = None;
    sandbox.witnesses.replace(Witnesses::default());
    let recipe = sandbox.in_group(&Controller::ALL);
    sandbox.tenant = Some(sandbox.launcher.hold(&waiting_bash(&recipe))?);
    Ok(())
}

/// A learner may have removed it already.
pub(super) fn the_group_is_there(sandbox: &mut Sandbox) -> Result<()> {
    for directory in sandbox.group.directories().filter(|directory| !directory.exists()) {
        std::fs::create_dir(directory)?;
    }
    Ok(())
}

// ANCHOR: leave
/// All of them, in one command: whoever forgets one leaves it behind.
pub(super) fn remove_the_directories(sandbox: &Sandbox) -> Job {
    let all: Vec<_> = sandbox.group.directories().collect();
    Job::bash(&Recipe::default(), &format!("rmdir {}", typed_paths("", &all)))
}
// ANCHOR_END: leave

// ANCHOR: in-use
/// The list is not empty.
pub(super) fn somebody_is_listed(sandbox: &Sandbox) -> Result<Evidence> {
    let pid = sandbox.tenant()?.to_string();
    let first = sandbox.group.directories().next().unwrap_or("/".as_ref());
    Ok(proof::file_says(&first.join("cgroup.procs"), |said| said.lines().any(|line| line == pid)))
}

pub(super) fn end_them(sandbox: &mut Sandbox) -> Result<Fix> {
    let pid = sandbox.tenant()?;
    // The group is empty once the kernel has buried it; dropping waits for that.
    sandbox.tenant = None;
    Ok(format!("kill -9 {pid}").into())
}
// ANCHOR_END: in-use

/// Not one of them, in no tree.
pub(super) fn no_directory_is_left(sandbox: &Sandbox) -> Result<Evidence> {
    let all: Vec<&std::path::Path> = sandbox.group.directories().collect();
    let left = all.iter().filter(|directory| directory.exists()).count();
    let asked = format!("ls -d {}", typed_paths("", &all));
    let answer = format!("{left} of {} are left", all.len());
    Ok(Evidence::new(asked, answer, Is::from(left == 0)))
}
