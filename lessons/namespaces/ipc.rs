//! Message queues, semaphores and shared memory: they have numbers, and belong to no directory.

use anyhow::{Result, bail};

use super::walls::Walls;
use crate::ability::Ingredient::{Mounted, Own};
use crate::container::FileSystem;
use crate::job::Job;
use crate::lesson::{Fit, Fix};
use crate::namespace::Namespace;
use crate::proof::{self, Evidence, Verdict};
use crate::rootfs::{Tree, find_program};
use crate::witness;

/// Beside the namespace it takes the programs that make, list and delete a queue.
pub(super) fn can_be_performed(walls: &Walls) -> Fit {
    if find_program(&Tree::host(), "ipcmk".as_ref()).is_err() {
        return Fit::CouldNotLook("`ipcmk` is not installed on this host".into());
    }
    let missing = ["ipcs", "ipcrm"].into_iter().find(|name| !walls.has(name).unwrap_or(false));
    if let Some(name) = missing {
        return Fit::CouldNotLook(format!("`{name}` is not in the container's root"));
    }
    walls.can(&[
        Own(Namespace::Mount),
        Own(Namespace::Uts),
        Own(Namespace::Ipc),
        Mounted(FileSystem::Proc),
    ])
}

/// On the practice host, a neighbour makes a message queue.
pub(super) fn a_neighbour_makes_a_queue(walls: &mut Walls) -> Result<()> {
    walls.start_practice_host()?;
    let job = Job::new(&walls.on_practice_host(), &["ipcmk", "--queue"]);
    let said = walls.launcher.run(&job)?.said;
    match said.rsplit_once(' ') {
        Some((_, number)) => walls.queue = Some(number.to_owned()),
        None => bail!("{} printed: {said}", job.as_typed()),
    }
    Ok(())
}

/// Somebody may have deleted it already, out of curiosity.
pub(super) fn there_is_a_queue(walls: &mut Walls) -> Result<()> {
    let host = walls.on_practice_host();
    let is_one = |said: &str| said == "1";
    let found = witness::ask(&walls.launcher, &host, COUNT_QUEUES, 0, is_one)?;
    if found.verdict == Verdict::Holds { Ok(()) } else { a_neighbour_makes_a_queue(walls) }
}

// ANCHOR: ipc
/// From behind its walls, the first party deletes the neighbour's queue.
pub(super) fn delete_the_queue(walls: &Walls) -> Job {
    let number = walls.queue.as_deref().unwrap_or("0");
    Job::new(&walls.party, &["ipcrm", "-q", number])
}
// ANCHOR_END: ipc

// ANCHOR: one-queue
/// Both processes point to the same set of objects.
pub(super) fn both_see_the_same_objects(walls: &Walls) -> Result<Evidence> {
    Ok(proof::share(walls.practice_host()?, walls.witness()?, Namespace::Ipc))
}

/// The neighbour makes another queue, and the party has a set of objects of its own.
pub(super) fn unshare_the_objects(walls: &mut Walls) -> Result<Fix> {
    walls.put_up(Namespace::Ipc);
    a_neighbour_makes_a_queue(walls)?;
    Ok(walls.as_typed())
}
// ANCHOR_END: one-queue

/// A line of `ipcs` for each queue begins with its key.
const COUNT_QUEUES: &str = "ipcs -q | grep -c ^0x";

/// Inside, there is no queue at all.
pub(super) fn there_is_no_queue_inside(walls: &Walls) -> Result<Evidence> {
    // `grep -c` ends with status 1 if it has counted nothing.
    walls.ask_inside(COUNT_QUEUES, 1, |said| said == "0")
}

/// Outside, the neighbour's queue has survived.
pub(super) fn the_queue_is_still_there(walls: &Walls) -> Result<Evidence> {
    let host = walls.on_practice_host();
    let is_one = |said: &str| said == "1";
    let evidence = witness::ask(&walls.launcher, &host, COUNT_QUEUES, 0, is_one)?;
    let asked = Job::bash(&host, COUNT_QUEUES).as_typed();
    Ok(Evidence { asked, asked_inside: false, ..evidence })
}
