//! Processes: so many, and no more.

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;

use super::sandbox::Sandbox;
use crate::cgroup::{Account, Controller, Limit};
use crate::container::Recipe;
use crate::escape::Escape;
use crate::job::Job;
use crate::lesson::{Fit, Fix};
use crate::proof::Evidence;

/// Enough for a shell and what it starts.
pub(super) const BOUND: Limit = Limit::Pids(20);
/// How many the bomb wants.
pub(super) const BOMB: Escape = Escape::ForkBomb(100);

/// How many the bomb wants, and a few for those who are there already.
const ENOUGH: u64 = 120;

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    match (sandbox.can_set(&[BOUND]), bounded_already(sandbox)) {
        (Fit::Here, Some(why)) => Fit::CouldNotLook(why),
        (fit, _) => fit,
    }
}

/// In a container, somebody may have set a bound above ours; and a user may have one of their own.
fn bounded_already(sandbox: &Sandbox) -> Option<String> {
    let bounds = sandbox.said_above(Controller::Pids, "pids.max");
    let taken = sandbox.said_above(Controller::Pids, "pids.current");
    let number = |said: &str| said.trim().parse::<u64>().ok();
    let room = bounds.iter().find_map(|(file, said)| {
        let current = taken.iter().find(|(other, _)| other.parent() == file.parent());
        let left = number(said)?.saturating_sub(current.and_then(|(_, said)| number(said))?);
        (left < ENOUGH).then(|| format!("{} leaves room for {left} processes", file.display()))
    });
    let own = getrlimit(Resource::RLIMIT_NPROC).ok().filter(|_| !geteuid().is_root());
    let own =
        own.filter(|(soft, _)| *soft < ENOUGH).map(|(soft, _)| format!("ulimit -u is {soft}"));
    room.or(own)
}

// ANCHOR: pids
/// A bomb of a hundred processes. It is bounded: where nothing stops it, that is all.
pub(super) fn explode(sandbox: &Sandbox) -> Job {
    let recipe = Recipe { escape: Some(BOMB), ..sandbox.in_group(&[Controller::Pids]) };
    Job::new(&recipe, &["echo", "a hundred were born, and have gone again"])
}
// ANCHOR_END: pids

// ANCHOR: no-bound
/// What stands there when nobody has set one.
pub(super) fn nobody_has_set_a_bound(sandbox: &Sandbox) -> Result<Evidence> {
    sandbox.says(&BOUND, |said| said == "max")
}

pub(super) fn set_a_bound(sandbox: &mut Sandbox) -> Result<Fix> {
    sandbox.set(&BOUND, None)
}
// ANCHOR_END: no-bound

pub(super) fn the_bound_is_written_down(sandbox: &Sandbox) -> Result<Evidence> {
    sandbox.says(&BOUND, |said| said == "20")
}

pub(super) fn the_kernel_has_refused(sandbox: &Sandbox) -> Result<Evidence> {
    sandbox.counted(Account::ForksRefused, |refused| refused > 0)
}
