//! Processes: so many, and no more.

use anyhow::Result;

use super::sandbox::Sandbox;
use crate::cgroup::{Account, Controller, Limit};
use crate::container::Recipe;
use crate::escape::Escape;
use crate::job::Job;
use crate::lesson::Fix;
use crate::proof::Evidence;

/// Enough for a shell and what it starts.
pub(super) const BOUND: Limit = Limit::Pids(20);
/// How many the bomb wants.
pub(super) const BOMB: Escape = Escape::ForkBomb(100);

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
