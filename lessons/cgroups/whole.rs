//! The three lessons in one line: a root, walls and limits.

use anyhow::{Context, Result};

use super::cap;
use super::memory::{self, LIMIT, NO_SWAP};
use super::pids::{BOMB, BOUND};
use super::sandbox::Sandbox;
use crate::cgroup::{Controller, Limit};
use crate::container::Recipe;
use crate::job::Job;
use crate::lesson::Fit;
use crate::namespace::{Namespace, Namespaces};
use crate::observation::Observation;
use crate::proof::{self, Evidence, Is};
use crate::witness;

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    if let Err(why) = &sandbox.container {
        return Fit::CouldNotLook(why.clone());
    }
    match memory::can_be_performed(sandbox) {
        Fit::Here => sandbox.can_set(&[BOUND]),
        fit => fit,
    }
}

/// The limits may have been set already; the container of this experiment needs them all.
pub(super) fn all_limits_at_once(sandbox: &mut Sandbox) -> Result<()> {
    sandbox.tenant = None;
    let group = &sandbox.group;
    group.set(&LIMIT)?;
    if group.file_of_limit(&NO_SWAP)?.exists() {
        group.set(&NO_SWAP)?;
    }
    group.set(&BOUND)?;
    if cap::can_be_performed(sandbox) == Fit::Here {
        // With the article's 5 %, it would take its time to introduce itself.
        group.set(&Limit::CpuQuota { quota: 50_000, period: 100_000 })?;
    }
    sandbox.whole = Some(container(sandbox));
    Ok(())
}

/// The container of the last lesson, born in the group of this one.
fn container(sandbox: &Sandbox) -> Recipe {
    let groups = sandbox.in_group(&sandbox.available(&Controller::ALL)).groups;
    Recipe { groups, ..sandbox.container.clone().unwrap_or_default() }
}

// ANCHOR: whole
/// Who is there, where, and as whom?
pub(super) fn introduce_oneself(sandbox: &Sandbox) -> Job {
    let line = "echo \"I am process $$ of $(uname -n), and user $(id -u)\"";
    Job::bash(&container(sandbox), line)
}
// ANCHOR_END: whole

fn ask(
    sandbox: &Sandbox,
    line: &str,
    status: i32,
    is_so: impl FnOnce(&str) -> bool,
) -> Result<Evidence> {
    witness::ask(&sandbox.launcher, &container(sandbox), line, status, is_so)
}

/// It joined first, and then got a view of its own.
pub(super) fn its_group_is_the_top(sandbox: &Sandbox) -> Result<Evidence> {
    ask(sandbox, "grep -c sandbox /proc/self/cgroup", 1, |said| said == "0")
}

pub(super) fn it_cannot_explode(sandbox: &Sandbox) -> Result<Evidence> {
    let recipe = Recipe { escape: Some(BOMB), ..container(sandbox) };
    let job = Job::new(&recipe, &["true"]);
    let observed = sandbox.launcher.run(&job)?.observation;
    let refused = Observation::Refused { call: "fork".into(), errno: "EAGAIN".into() };
    Ok(Evidence::new(job.as_run(), observed.to_string(), Is::from(observed == refused)))
}

/// A word that is doubled 27 times is 128 MiB long, and was half as long just before.
pub(super) fn it_cannot_eat_too_much(sandbox: &Sandbox) -> Result<Evidence> {
    let line = "x=x; for i in {1..27}; do x=$x$x; done; echo full";
    let job = Job::bash(&container(sandbox), line);
    let observed = sandbox.launcher.run(&job)?.observation;
    let killed = Observation::Killed { signal: "SIGKILL".into() };
    Ok(Evidence::new(line, observed.to_string(), Is::from(observed == killed)).inside())
}

fn witness(sandbox: &Sandbox) -> Result<u32> {
    sandbox.witnesses.borrow().of(&sandbox.launcher, &container(sandbox))
}

/// The walls of the last lesson.
pub(super) fn all_eight_are_its_own(sandbox: &Sandbox) -> Result<Evidence> {
    Ok(proof::namespaces_are(witness(sandbox)?, Namespaces::of(&Namespace::ALL)))
}

/// What is written there is what was promised.
pub(super) fn its_limits_are_written_down(sandbox: &Sandbox) -> Result<Evidence> {
    if cap::can_be_performed(sandbox) == Fit::Here {
        let is_half = |said: &str| said.split(' ').next() == Some("50000");
        return sandbox.says(&Limit::CpuQuota { quota: 50_000, period: 100_000 }, is_half);
    }
    sandbox.says(&BOUND, |said| said == "20")
}

/// And the limits of this one.
pub(super) fn it_is_in_the_group(sandbox: &Sandbox) -> Result<Evidence> {
    let pid = witness(sandbox)?;
    let file = format!("/proc/{pid}/cgroup");
    let name = sandbox.group.directory(Controller::Memory)?.parent();
    let name = name.and_then(|corner| corner.file_name()).context("no corner")?;
    let wanted = format!("/{}/sandbox", name.to_string_lossy());
    let trees = container(sandbox).groups.len();
    Ok(proof::file_says(file.as_ref(), |said| {
        said.lines().filter(|line| line.ends_with(&wanted)).count() >= trees
    }))
}
