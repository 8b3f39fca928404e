//! The name of the system: the smallest of all namespaces.

use anyhow::Result;

use super::walls::{PRACTICE_HOST, Walls};
use crate::job::Job;
use crate::lesson::Fix;
use crate::namespace::Namespace;
use crate::proof::{self, Evidence};
use crate::witness::waiting_bash;

/// A tenant of the practice host gives the system a name of its own choice.
pub(super) fn a_tenant_names_its_system(walls: &mut Walls) -> Result<()> {
    walls.start_practice_host()?;
    walls.party.hostname = Some("inner".into());
    walls.tenant = Some(walls.launcher.hold(&waiting_bash(&walls.party))?);
    Ok(())
}

// ANCHOR: uts
/// The practice host asks whether its name is still its own.
pub(super) fn the_host_asks_for_its_name(walls: &Walls) -> Job {
    let line = format!("name=$(uname -n); echo $name; [ $name = {PRACTICE_HOST} ]");
    Job::bash(&walls.on_practice_host(), &line)
}
// ANCHOR_END: uts

// ANCHOR: one-name
/// Both processes point to the same name.
pub(super) fn both_have_one_name(walls: &Walls) -> Result<Evidence> {
    Ok(proof::share(walls.practice_host()?, walls.tenant()?, Namespace::Uts))
}

/// The practice host gets its name back, and the tenant one of its own.
pub(super) fn unshare_the_name(walls: &mut Walls) -> Result<Fix> {
    walls.put_up(Namespace::Uts);
    a_tenant_names_its_system(walls)?;
    Ok(walls.as_typed())
}
// ANCHOR_END: one-name

/// Inside, the system is called what the tenant called it.
pub(super) fn inside_it_has_its_name(walls: &Walls) -> Result<Evidence> {
    walls.ask_inside("uname -n", 0, |said| said == "inner")
}

/// Two processes, two names.
pub(super) fn the_names_are_two(walls: &Walls) -> Result<Evidence> {
    Ok(proof::do_not_share(walls.practice_host()?, walls.tenant()?, Namespace::Uts))
}
