//! Where the trees are, a group in them, and the controllers that it gets.

use anyhow::Result;

use super::sandbox::Sandbox;
use crate::cgroup::{Controller, Version};
use crate::container::Recipe;
use crate::interrupt;
use crate::job::{Job, typed_path, typed_paths};
use crate::lesson::{Fit, Fix};
use crate::proof::{self, Evidence, Is};
use crate::witness;

// ANCHOR: where
/// The mount table says where the trees are.
pub(super) fn look_for_the_trees(_: &Sandbox) -> Job {
    Job::bash(&Recipe::default(), "grep \" - cgroup\" /proc/self/mountinfo | cut -d\" \" -f5-")
}
// ANCHOR_END: where

/// Our own groups, and what follows for each controller.
pub(super) fn each_controller_is_in_one_tree(sandbox: &Sandbox) -> Result<Evidence> {
    let place = |controller: Controller| {
        let found = sandbox.hierarchies.of(controller)?;
        Some((controller.name(found.version), found.version))
    };
    let in_version = |wanted: Version| {
        let all = Controller::ALL.into_iter().filter_map(place);
        let names: Vec<&str> =
            all.filter(|(_, version)| *version == wanted).map(|(name, _)| name).collect();
        (!names.is_empty()).then(|| format!("{wanted}: {}", names.join(", ")))
    };
    let conclusion: Vec<String> =
        [Version::V1, Version::V2].into_iter().filter_map(in_version).collect();
    let evidence = proof::file_says("/proc/self/cgroup".as_ref(), |said| said.contains(":/"));
    Ok(evidence.therefore(conclusion.join("; ")))
}

/// Until now, nothing was touched.
pub(super) fn claim_a_corner(sandbox: &mut Sandbox) -> Result<()> {
    interrupt::claim_guarded(&mut sandbox.corner)
}

// ANCHOR: create
/// A process writes itself into the group, and asks where it is.
pub(super) fn join_the_group(sandbox: &Sandbox) -> Job {
    Job::bash(&sandbox.in_group(&Controller::ALL), "cat /proc/self/cgroup")
}
// ANCHOR_END: create

// ANCHOR: no-group
/// A group that does not exist is a directory that does not exist.
pub(super) fn there_is_no_directory(sandbox: &Sandbox) -> Result<Evidence> {
    let first = sandbox.group.directories().next().unwrap_or("/".as_ref());
    Ok(proof::is_missing(first))
}

pub(super) fn make_the_directories(sandbox: &mut Sandbox) -> Result<Fix> {
    sandbox.group.create()?;
    let directories: Vec<_> = sandbox.group.directories().collect();
    let one_or_many = match directories.len() {
        1 => ("on v1", "mkdir /sys/fs/cgroup/{cpu,memory,blkio,devices,freezer}/sandbox"),
        _ => ("on v2", "mkdir /sys/fs/cgroup/sandbox"),
    };
    Ok(Fix {
        article: Some("cgcreate -g cpu,memory,blkio,devices,freezer:/sandbox"),
        typed: format!("mkdir {}", typed_paths("", &directories)),
        elsewhere: Some((one_or_many.0.into(), one_or_many.1.into())),
    })
}
// ANCHOR_END: no-group

/// Each tree names the group by its path.
pub(super) fn inside_its_path_is_told(sandbox: &Sandbox) -> Result<Evidence> {
    let recipe = sandbox.in_group(&Controller::ALL);
    let trees = recipe.groups.len();
    witness::ask(&sandbox.launcher, &recipe, "grep -c /sandbox /proc/self/cgroup", 0, |said| {
        said == trees.to_string()
    })
}

/// Nobody has copied anything there.
pub(super) fn the_kernel_has_filled_them(sandbox: &Sandbox) -> Result<Evidence> {
    let first = sandbox.group.directories().next().unwrap_or("/".as_ref());
    let count = std::fs::read_dir(first)?.count();
    let asked = format!("ls {} | wc -l", typed_path(first));
    Ok(Evidence::new(asked, count.to_string(), Is::from(count > 5)))
}

/// The controllers that version 2 hands on, where the lesson's groups are in it.
fn handed_on(sandbox: &Sandbox) -> Option<Controller> {
    use Controller::{Cpu, Io, Memory, Pids};
    sandbox.first_in_version_2(&[Memory, Pids, Io, Cpu])
}

pub(super) fn where_controllers_are_handed_on(sandbox: &Sandbox) -> Fit {
    match handed_on(sandbox) {
        Some(_) => Fit::Here,
        None => Fit::Elsewhere("a host on which a controller works in version 2"),
    }
}

// ANCHOR: controllers
/// Is there a file for a limit?
pub(super) fn look_for_a_limit(sandbox: &Sandbox) -> Job {
    let controller = handed_on(sandbox).unwrap_or(Controller::Memory);
    let directory = sandbox.group.directory(controller).unwrap_or("/".as_ref());
    let file = match controller {
        Controller::Memory => "memory.max",
        Controller::Io => "io.max",
        Controller::Cpu => "cpu.max",
        _ => "pids.max",
    };
    let file = typed_path(&directory.join(file));
    Job::bash(&Recipe::default(), &format!("cat {file} && echo there it is"))
}
// ANCHOR_END: controllers

// ANCHOR: not-handed-on
/// The group above ours has not handed anything on.
pub(super) fn nothing_is_handed_on(sandbox: &Sandbox) -> Result<Evidence> {
    let controller = handed_on(sandbox).unwrap_or(Controller::Memory);
    let directory = sandbox.group.directory(controller)?;
    let above = directory.parent().unwrap_or(directory).join("cgroup.subtree_control");
    Ok(proof::file_says(&above, str::is_empty)
        .therefore("nothing is handed on to the groups in it"))
}

pub(super) fn hand_them_on(sandbox: &mut Sandbox) -> Result<Fix> {
    let controllers = sandbox.available(&Controller::ALL);
    let typed = interrupt::undisturbed(|| sandbox.corner.hand_on(&controllers))?;
    let elsewhere =
        ("on v1".to_owned(), "nothing: each controller has a tree of its own".to_owned());
    Ok(Fix { article: None, typed: typed.join("; "), elsewhere: Some(elsewhere) })
}
// ANCHOR_END: not-handed-on

pub(super) fn the_group_has_controllers(sandbox: &Sandbox) -> Result<Evidence> {
    let controller = handed_on(sandbox).unwrap_or(Controller::Memory);
    let name = controller.name(Version::V2);
    let file = sandbox.group.directory(controller)?.join("cgroup.controllers");
    Ok(proof::file_says(&file, |said| said.split_whitespace().any(|word| word == name)))
}
