//! Process numbers: the attack that ended the first lesson, word for word.

use anyhow::Result;

use super::walls::Walls;
use crate::container::{Recipe, Root};
use crate::job::Job;
use crate::launch::Held;
use crate::lesson::Fix;
use crate::namespace::Namespace;
use crate::proof::{self, Evidence, Is};
use crate::witness::waiting_bash;

/// A second party, in a chroot, as at the end of the first lesson.
pub(super) fn a_neighbour_moves_in(walls: &mut Walls) -> Result<()> {
    let root = Root::Chroot(walls.root.clone());
    let recipe = Recipe { own: walls.rights, root, ..Recipe::default() };
    walls.neighbour = Some(walls.launcher.hold(&waiting_bash(&recipe))?);
    Ok(())
}

// ANCHOR: pid
/// From behind its walls, the first party kills a process of the second.
pub(super) fn kill_the_neighbour(walls: &Walls) -> Job {
    // Without a neighbour, a number that no process can have (proc(5), pid_max).
    let pid = walls.neighbour.as_ref().map_or(4_194_305, Held::pid);
    Job::bash(&walls.party, &format!("kill -9 {pid}"))
}
// ANCHOR_END: pid

// ANCHOR: one-list
/// A chroot hides files. There is still one list of processes for everyone.
pub(super) fn both_are_on_one_list(walls: &Walls) -> Result<Evidence> {
    Ok(proof::shares_our_pid_namespace(walls.witness()?))
}

/// The new namespace alone. Another neighbour moves in where the first one died.
pub(super) fn unshare_without_a_fork(walls: &mut Walls) -> Result<Fix> {
    a_neighbour_moves_in(walls)?;
    Ok(walls.put_up(Namespace::Pid))
}
// ANCHOR_END: one-list

// ANCHOR: no-fork
/// The shell has stayed outside. Its first child became process 1 of the new namespace, and when
/// that ended, the namespace was over: it takes in nobody any more.
pub(super) fn only_the_first_child_is_inside(walls: &Walls) -> Result<Evidence> {
    let recipe = Recipe { root: Root::Hosts, ..walls.party.clone() };
    let line = "readlink /proc/$$/ns/pid; id -u; echo done";
    let job = Job::bash(&recipe, line);
    let said = walls.launcher.run(&job)?.said;
    let ours = std::fs::read_link("/proc/self/ns/pid")?.display().to_string();
    let is_so = said.starts_with(&ours) && said.ends_with("Cannot allocate memory");
    let conclusion = "the shell lives in the host's PID namespace; its first child, readlink, \
                      opened the new one and closed it again; its second, id, cannot be born";
    Ok(Evidence::new(job.as_typed(), said, Is::from(is_so)).therefore(conclusion))
}

/// Now the shell itself is the first child.
pub(super) fn fork_as_well(walls: &mut Walls) -> Result<Fix> {
    a_neighbour_moves_in(walls)?;
    walls.party.fork = true;
    Ok(walls.as_typed())
}
// ANCHOR_END: no-fork

/// The numbers begin anew.
pub(super) fn it_is_number_one(walls: &Walls) -> Result<Evidence> {
    walls.ask_inside("echo $$", 0, |said| said == "1")
}

/// One process, two names for it: one for each namespace that it is seen from.
pub(super) fn it_has_two_numbers(walls: &Walls) -> Result<Evidence> {
    Ok(proof::numbers_of(walls.witness()?))
}

/// The kernel tells the two lists apart by their inodes.
pub(super) fn its_list_is_another(walls: &Walls) -> Result<Evidence> {
    Ok(proof::has_its_own(walls.witness()?, Namespace::Pid))
}

/// The neighbour has heard nothing of it.
pub(super) fn the_neighbour_lives(walls: &Walls) -> Result<Evidence> {
    Ok(proof::is_alive(walls.neighbour()?.pid()))
}
