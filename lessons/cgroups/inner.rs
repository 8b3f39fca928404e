//! Version 2: a group that hands controllers on has no processes of its own.

use anyhow::{Context, Result};

use super::sandbox::{Sandbox, member_of};
use crate::cgroup::{Controller, Group, Version};
use crate::container::Recipe;
use crate::job::{Job, typed_path};
use crate::lesson::{Fit, Fix};
use crate::proof::{self, Evidence};
use crate::witness::waiting_bash;

/// The rule is for controllers of things that processes of one group cannot compete for with
/// groups beside them. For processor time and process numbers they can ("threaded" controllers).
fn bound_by_the_rule(sandbox: &Sandbox) -> Option<Controller> {
    sandbox.first_in_version_2(&[Controller::Memory, Controller::Io])
}

pub(super) fn where_there_is_such_a_rule(sandbox: &Sandbox) -> Fit {
    match bound_by_the_rule(sandbox) {
        Some(_) => Fit::Here,
        None => Fit::Elsewhere("a host on which memory or io works in version 2"),
    }
}

fn node(sandbox: &Sandbox) -> Result<Group> {
    let controller = bound_by_the_rule(sandbox).context("there is no such rule here")?;
    Ok(sandbox.corner.group("inner", &[controller]))
}

pub(super) fn a_group_with_a_process(sandbox: &mut Sandbox) -> Result<()> {
    let node = node(sandbox)?;
    node.create()?;
    let job = waiting_bash(&member_of(&node));
    sandbox.tenant = Some(sandbox.launcher.hold(&job)?);
    Ok(())
}

// ANCHOR: inner
/// The group would hand a controller on to groups in it.
pub(super) fn hand_on_from_there(sandbox: &Sandbox) -> Job {
    let name = bound_by_the_rule(sandbox).map_or("memory", |one| one.name(Version::V2));
    let directory = node(sandbox).ok().and_then(|node| Some(node.directories().next()?.to_owned()));
    let file = directory.unwrap_or_default().join("cgroup.subtree_control");
    Job::bash(&Recipe::default(), &format!("echo +{name} > {}", typed_path(&file)))
}
// ANCHOR_END: inner

// ANCHOR: inhabited
/// One process is enough.
pub(super) fn somebody_lives_there(sandbox: &Sandbox) -> Result<Evidence> {
    let (node, pid) = (node(sandbox)?, sandbox.tenant()?.to_string());
    let file = node.directories().next().unwrap_or("/".as_ref()).join("cgroup.procs");
    Ok(proof::file_says(&file, |said| said == pid).therefore("a process lives in it"))
}

/// A leaf for whoever lives there; this is what systemd, Docker and this program do.
pub(super) fn move_them_into_a_leaf(sandbox: &mut Sandbox) -> Result<Fix> {
    let (leaf, pid) = (node(sandbox)?.below("leaf"), sandbox.tenant()?);
    leaf.create()?;
    leaf.take_in(pid)?;
    let directory = typed_path(leaf.directories().next().unwrap_or("/".as_ref()));
    Ok(format!("mkdir {directory}; echo {pid} > {directory}/cgroup.procs").into())
}
// ANCHOR_END: inhabited

pub(super) fn it_is_handed_on(sandbox: &Sandbox) -> Result<Evidence> {
    let node = node(sandbox)?;
    let file = node.directories().next().unwrap_or("/".as_ref()).join("cgroup.subtree_control");
    Ok(proof::file_says(&file, |said| !said.is_empty()))
}
