//! A container can limit itself, if somebody lets it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::Result;
use nix::unistd::{Gid, Uid, chown, geteuid};

use super::pids::{BOMB, BOUND};
use super::sandbox::{Sandbox, member_of};
use crate::cgroup::{Controller, Group, Version};
use crate::container::Recipe;
use crate::job::{Job, typed_path};
use crate::lesson::{Fit, Fix};
use crate::observation::Observation;
use crate::proof::{Evidence, Is};
use crate::refusal::Refusal;
use crate::witness;

/// The user to whom the group is handed over: `nobody`, who has nothing else.
const NOBODY: u32 = 65534;

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    match sandbox.can(&[Controller::Pids]) {
        Fit::Here if !geteuid().is_root() => {
            Fit::Elsewhere("root; yours was handed over to you: the whole lesson is the proof")
        }
        Fit::Here => sandbox.has(&["setpriv"]),
        fit => fit,
    }
}

fn group(sandbox: &Sandbox) -> Group {
    sandbox.corner.group("tenant", &[Controller::Pids])
}

fn directory(sandbox: &Sandbox) -> PathBuf {
    group(sandbox).directories().next().unwrap_or("/".as_ref()).to_owned()
}

/// The host sets the limit of the group, as always.
pub(super) fn a_group_for_a_tenant(sandbox: &mut Sandbox) -> Result<()> {
    group(sandbox).create()?;
    // Whatever the caller's umask is: the tenant has to pass.
    let mode = Permissions::from_mode(0o755);
    let directory = directory(sandbox);
    fs::set_permissions(&directory, mode).map_err(Refusal::io("chmod", &directory))?;
    group(sandbox).set(&BOUND)
}

// ANCHOR: itself
/// The tenant makes a group in its group, and sets a limit there.
pub(super) fn limit_oneself(sandbox: &Sandbox) -> Job {
    let inner = typed_path(&directory(sandbox).join("own"));
    let hand_on = hand_on(sandbox);
    as_nobody(&format!(
        "mkdir -p {inner}{hand_on} && echo 10 > {inner}/pids.max && cat {inner}/pids.max"
    ))
}
// ANCHOR_END: itself

/// In version 2, the controller has to be handed on once more.
fn hand_on(sandbox: &Sandbox) -> String {
    let group = group(sandbox);
    let is_new = group.part(Controller::Pids).is_ok_and(|part| part.version == Version::V2);
    let file = typed_path(&directory(sandbox).join("cgroup.subtree_control"));
    if is_new { format!(" && echo +pids > {file}") } else { String::new() }
}

fn as_nobody(line: &str) -> Job {
    let user = NOBODY.to_string();
    let argv =
        ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "bash", "-c", line];
    Job::new(&Recipe::default(), &argv)
}

// ANCHOR: not-its-own
/// Who made it owns it.
pub(super) fn the_group_is_roots(sandbox: &Sandbox) -> Result<Evidence> {
    let line = format!("stat -c %U {}", typed_path(&directory(sandbox)));
    witness::ask(&sandbox.launcher, &Recipe::default(), &line, 0, |said| said == "root")
}

/// The directory, the list of its processes, and what it hands on; but none of its limits.
pub(super) fn hand_it_over(sandbox: &mut Sandbox) -> Result<Fix> {
    let directory = directory(sandbox);
    let names = ["", "cgroup.procs", "cgroup.subtree_control"].map(|name| directory.join(name));
    let files = names.into_iter().filter(|file| file.exists());
    let mut words = vec![format!("chown {NOBODY}:{NOBODY}")];
    for file in files {
        let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        chown(&file, Some(user), Some(group)).map_err(Refusal::of("chown", file.display()))?;
        words.push(typed_path(&file));
    }
    Ok(words.join(" ").into())
}
// ANCHOR_END: not-its-own

/// The limit of its own group was set by somebody else, and stays theirs.
pub(super) fn but_not_what_is_above(sandbox: &Sandbox) -> Result<Evidence> {
    let line = format!("echo max > {}", typed_path(&directory(sandbox).join("pids.max")));
    let job = as_nobody(&line);
    let outcome = sandbox.launcher.run(&job)?;
    let is_so = outcome.observation == (Observation::Exited { status: 1 })
        && outcome.said.ends_with("Permission denied");
    Ok(Evidence::new(job.as_typed(), outcome.said, Is::from(is_so)).inside())
}

/// Whatever the tenant allows itself, the bomb meets the limit of the host.
pub(super) fn what_is_above_still_counts(sandbox: &Sandbox) -> Result<Evidence> {
    let own = group(sandbox).below("own");
    let file = own.directories().next().unwrap_or("/".as_ref()).join("pids.max");
    let line = format!("echo max > {}", typed_path(&file));
    sandbox.launcher.run(&as_nobody(&line))?;
    let job =
        Job::new(&Recipe { escape: Some(BOMB), ..member_of(&own) }, &["echo", "nothing stops me"]);
    let outcome = sandbox.launcher.run(&job)?;
    let refused = Observation::Refused { call: "fork".into(), errno: "EAGAIN".into() };
    let asked = format!("{}; {}", as_nobody(&line).as_typed(), job.as_run());
    let is_so = Is::from(outcome.observation == refused);
    Ok(Evidence::new(asked, outcome.observation.to_string(), is_so))
}
