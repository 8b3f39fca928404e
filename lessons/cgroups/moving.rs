//! A process is moved into the group, and its child is not.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::sandbox::Sandbox;
use crate::cgroup::{Controller, Limit};
use crate::container::Recipe;
use crate::job::{Job, typed_path, typed_paths};
use crate::lesson::{Fit, Fix};
use crate::proof::{self, Evidence};

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    match &sandbox.container {
        Ok(_) => Fit::Here,
        Err(why) => {
            Fit::CouldNotLook(format!("no container of the last lesson can live here: {why}"))
        }
    }
}

/// A container that was there before the group was. Its shell has a child.
pub(super) fn a_container_with_a_child(sandbox: &mut Sandbox) -> Result<()> {
    let recipe = sandbox.container.clone().map_err(anyhow::Error::msg)?;
    start(sandbox, &recipe)
}

fn start(sandbox: &mut Sandbox, recipe: &Recipe) -> Result<()> {
    let job = Job::bash(recipe, "sleep 1000 & echo ready; read -r _");
    let tenant = sandbox.launcher.hold(&job)?;
    let pid = tenant.pid();
    sandbox.tenant = Some(tenant);
    let file = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(&file).with_context(|| file.clone())?;
    let Some(child) = children.split_whitespace().next() else { bail!("{file}: nobody") };
    sandbox.child = Some(child.parse()?);
    Ok(())
}

// ANCHOR: move
/// Both the container's shell and its child?
pub(super) fn are_both_in_the_group(sandbox: &Sandbox) -> Job {
    let (shell, child) = (sandbox.tenant().unwrap_or_default(), sandbox.child.unwrap_or_default());
    let line = format!(
        "grep -q /sandbox /proc/{shell}/cgroup && echo the shell is in; \
         grep -q /sandbox /proc/{child}/cgroup && echo its child is in"
    );
    Job::bash(&Recipe::default(), &line)
}
// ANCHOR_END: move

// ANCHOR: nobody-there
/// The list of a new group.
pub(super) fn the_group_is_empty(sandbox: &Sandbox) -> Result<Evidence> {
    Ok(proof::file_says(&list_of(sandbox), str::is_empty).therefore("nobody is in the group"))
}

/// The article's own way: the host moves it, from outside.
pub(super) fn move_the_container(sandbox: &mut Sandbox) -> Result<Fix> {
    let pid = sandbox.tenant()?;
    sandbox.group.take_in(pid)?;
    let lists: Vec<_> =
        sandbox.group.directories().map(|group| group.join("cgroup.procs")).collect();
    let typed = match &lists[..] {
        [list] => format!("echo {pid} > {}", typed_path(list)),
        lists => format!("echo {pid} | tee {}", typed_paths("", lists)),
    };
    let article = Some("cgclassify -g cpu,memory,blkio,devices,freezer:sandbox <PID>");
    Ok(Fix { article, typed, elsewhere: None })
}
// ANCHOR_END: nobody-there

// ANCHOR: left-behind
/// A child begins where its parent is, and stays there.
pub(super) fn the_child_is_where_it_was(sandbox: &Sandbox) -> Result<Evidence> {
    let (shell, child) = (sandbox.tenant()?.to_string(), sandbox.child.unwrap_or_default());
    let evidence = proof::file_says(&list_of(sandbox), |said| said == shell);
    Ok(evidence.therefore(format!("the shell is listed; its child, {child}, is not")))
}

/// Whoever joins before anything else has no children yet; those that come are born inside.
pub(super) fn join_before_the_program(sandbox: &mut Sandbox) -> Result<Fix> {
    let container = sandbox.container.clone().map_err(anyhow::Error::msg)?;
    let groups = sandbox.in_group(&Controller::ALL).groups;
    let recipe = Recipe { groups, ..container };
    start(sandbox, &recipe)?;
    Ok(Job::new(&recipe, &["bash"]).as_run().into())
}
// ANCHOR_END: left-behind

/// The processes of the group, read from its own list.
pub(super) fn both_are_listed(sandbox: &Sandbox) -> Result<Evidence> {
    let both = [sandbox.tenant()?, sandbox.child.unwrap_or_default()].map(|pid| pid.to_string());
    Ok(proof::file_says(&list_of(sandbox), |said| {
        both.iter().all(|pid| said.lines().any(|line| line == pid))
    }))
}

/// A weight is what it has; a limit is what it has not.
pub(super) fn its_weight_is_the_default(sandbox: &Sandbox) -> Result<Evidence> {
    if let Some(why) = sandbox.hierarchies.usable(Controller::Cpu).err() {
        // Without that controller, there is no weight to be read; being in the group is enough.
        return Ok(proof::file_says(&list_of(sandbox), |said| !said.is_empty()).therefore(why.why));
    }
    let evidence = sandbox.says(&Limit::CpuWeight(100), |said| said == "1024" || said == "100")?;
    Ok(evidence.therefore("the default: as much as any other group"))
}

fn list_of(sandbox: &Sandbox) -> PathBuf {
    let directory = sandbox.group.directories().next().unwrap_or("/".as_ref());
    directory.join("cgroup.procs")
}
