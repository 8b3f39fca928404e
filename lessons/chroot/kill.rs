//! What the wall does not stop: processes.

use std::ffi::OsStr;

use anyhow::Result;

use super::parties::{Neighbour, Parties};
use crate::container::{Recipe, Root};
use crate::job::Job;
use crate::observation::Observation;
use crate::proof::{self, Evidence, Is};
use crate::rootfs::{NewRoot, Tree};
use crate::witness::waiting_bash;

/// A second party, behind walls of its own, with nothing in its root but bash.
pub(super) fn a_neighbour_moves_in(parties: &mut Parties) -> Result<()> {
    let home = NewRoot::create(&parties.bench.path().join("neighbour-root"), Tree::host())?;
    home.install(OsStr::new("bash"))?;
    let root = Root::Chroot(home.path().to_owned());
    let recipe = Recipe { own: parties.rights, root, ..Recipe::default() };
    let process = parties.launcher.hold(&waiting_bash(&recipe))?;
    let root = proof::root_is(process.pid(), home.path());
    parties.neighbour = Some(Neighbour { process, root });
    Ok(())
}

// ANCHOR: kill
/// From behind its walls, the first party kills a process of the second.
pub(super) fn kill_the_neighbour(parties: &Parties) -> Job {
    // Without a neighbour, a number that no process can have (proc(5), pid_max).
    let pid = parties.neighbour.as_ref().map_or(4_194_305, |neighbour| neighbour.process.pid());
    Job::bash(&parties.party(), &format!("kill -9 {pid}"))
}
// ANCHOR_END: kill

/// Both parties were walled in, each in its own directory.
pub(super) fn the_neighbour_had_its_own_root(parties: &Parties) -> Result<Evidence> {
    Ok(parties.neighbour()?.root.clone())
}

/// The walls hide files, and nothing else: there is one PID namespace for everyone.
pub(super) fn both_share_one_list_of_processes(parties: &Parties) -> Result<Evidence> {
    Ok(proof::shares_our_pid_namespace(parties.witness()?))
}

/// The neighbour's parent, which is this program, learns how it ended.
pub(super) fn the_neighbour_is_dead(parties: &Parties) -> Result<Evidence> {
    let neighbour = &parties.neighbour()?.process;
    let end = neighbour.end()?;
    let is_so = end == (Observation::Killed { signal: "SIGKILL".into() });
    // Until its parent, which is this program, has reaped it, its number is still on the list.
    let asked = format!("grep -o 'zombie' /proc/{}/status", neighbour.pid());
    Ok(Evidence::new(asked, "zombie", Is::from(is_so)).therefore(end.to_string()))
}
