//! Devices: who may open which node.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::Result;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::geteuid;

use super::sandbox::Sandbox;
use crate::bpf::programs_at;
use crate::cgroup::{Controller, Device, Limit, Version};
use crate::container::Recipe;
use crate::job::{Job, typed_path};
use crate::lesson::{Fit, Fix};
use crate::observation::Observation;
use crate::proof::{self, Evidence, Is};
use crate::refusal::Refusal;

/// What `/dev/null` is (null(4)).
const NULL: Device = Device { major: 1, minor: 3 };
/// What `/dev/zero` is.
const ZERO: Device = Device { major: 1, minor: 5 };

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    if let Fit::CouldNotLook(why) = sandbox.can(&[Controller::Devices]) {
        return Fit::CouldNotLook(why);
    }
    if !geteuid().is_root() {
        let why = "only root may make a device node (mknod(2)) or decide about devices";
        return Fit::CouldNotLook(format!("{why}; what helps: sudo workbench …"));
    }
    let why = why_no_node(sandbox).or_else(|| why_no_program(sandbox));
    why.or_else(|| decided_already(sandbox)).map_or(Fit::Here, Fit::CouldNotLook)
}

/// In version 1, a group inherits the list of the one above.
fn decided_already(sandbox: &Sandbox) -> Option<String> {
    let lists = sandbox.said_above(Controller::Devices, "devices.list");
    let (file, _) = lists.into_iter().find(|(_, said)| !said.starts_with("a *:* rwm"))?;
    Some(format!("{} allows only some devices already", file.display()))
}

/// In version 2, who may not ask for the programs of a group may not attach one either.
fn why_no_program(sandbox: &Sandbox) -> Option<String> {
    let tree = sandbox.hierarchies.usable(Controller::Devices).ok()?;
    let refusal = programs_at(tree.home().ok()?).err().filter(|_| tree.version == Version::V2);
    refusal.map(|refusal| format!("{refusal}: it takes CAP_NET_ADMIN and CAP_BPF"))
}

/// Tries it: a file system may be mounted so that a device node on it opens nothing.
fn why_no_node(sandbox: &Sandbox) -> Option<String> {
    let node = sandbox.bench.path().join("tried");
    let made = make_node(&node, NULL).map_err(|refusal| refusal.to_string());
    let opened = made.and_then(|()| File::open(&node).map_err(|error| error.to_string()));
    let _ = fs::remove_file(&node);
    let place = typed_path(sandbox.bench.path());
    let advice = "set TMPDIR to a directory that is not mounted nodev";
    opened.err().map(|why| format!("a device node in {place} cannot be opened: {why}; {advice}"))
}

fn node_of(sandbox: &Sandbox, device: Device) -> PathBuf {
    sandbox.bench.path().join(if device == NULL { "another-null" } else { "another-zero" })
}

fn make_node(path: &std::path::Path, device: Device) -> Result<(), Refusal> {
    let (kind, mode) = (SFlag::S_IFCHR, Mode::from_bits_truncate(0o666));
    mknod(path, kind, mode, makedev(device.major.into(), device.minor.into()))
        .map_err(Refusal::of("mknod", path.display()))
}

/// Two nodes of our own; nothing is changed in `/dev`.
pub(super) fn make_two_nodes(sandbox: &mut Sandbox) -> Result<()> {
    make_node(&node_of(sandbox, NULL), NULL)?;
    Ok(make_node(&node_of(sandbox, ZERO), ZERO)?)
}

// ANCHOR: devices
/// A node is a name for a driver. To open it is to ask the kernel for that driver.
pub(super) fn open_the_node(sandbox: &Sandbox) -> Job {
    open(sandbox, &sandbox.in_group(&[Controller::Devices]), NULL)
}
// ANCHOR_END: devices

fn open(sandbox: &Sandbox, recipe: &Recipe, device: Device) -> Job {
    let node = typed_path(&node_of(sandbox, device));
    Job::bash(recipe, &format!("exec 3< {node} && echo opened"))
}

// ANCHOR: every-device
/// Everything is allowed: version 1 says so, and version 2 has nobody to ask.
pub(super) fn nobody_decides(sandbox: &Sandbox) -> Result<Evidence> {
    decided_by(sandbox, "a *:* rwm", 0)
}

pub(super) fn deny_all(sandbox: &mut Sandbox) -> Result<Fix> {
    sandbox.set(&Limit::Devices(Vec::new()), None)
}
// ANCHOR_END: every-device

// ANCHOR: no-device
/// The list is empty, or there is a program that says no.
pub(super) fn somebody_decides(sandbox: &Sandbox) -> Result<Evidence> {
    decided_by(sandbox, "", 1)
}

pub(super) fn allow_this_one(sandbox: &mut Sandbox) -> Result<Fix> {
    sandbox.set(&Limit::Devices(vec![NULL]), None)
}
// ANCHOR_END: no-device

/// Version 1 has a list; version 2 can say how many programs it asks.
fn decided_by(sandbox: &Sandbox, list: &str, programs: u32) -> Result<Evidence> {
    let part = sandbox.group.part(Controller::Devices)?;
    if part.version == Version::V1 {
        return Ok(proof::file_says(&part.directory.join("devices.list"), |said| said == list));
    }
    let count = programs_at(&part.directory)?;
    let asked = format!("bpftool cgroup show {}", typed_path(&part.directory));
    let answer = format!("{count} programs of the kind cgroup_device");
    Ok(Evidence::new(asked, answer, Is::from(count == programs)))
}

/// One node is open, and no other.
pub(super) fn another_stays_closed(sandbox: &Sandbox) -> Result<Evidence> {
    let job = open(sandbox, &sandbox.in_group(&[Controller::Devices]), ZERO);
    let outcome = sandbox.launcher.run(&job)?;
    let is_so = outcome.observation == (Observation::Exited { status: 1 })
        && outcome.said.ends_with("Operation not permitted");
    Ok(Evidence::new(job.as_typed(), outcome.said, Is::from(is_so)))
}

/// And only for those who are in the group.
pub(super) fn outside_nothing_is_denied(sandbox: &Sandbox) -> Result<Evidence> {
    let job = open(sandbox, &Recipe::default(), ZERO);
    let outcome = sandbox.launcher.run(&job)?;
    let is_so = outcome.observation == (Observation::Exited { status: 0 });
    Ok(Evidence::new(job.as_typed(), outcome.said, Is::from(is_so)))
}
