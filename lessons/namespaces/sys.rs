//! `/sys`: devices, and among them those of a network.

use anyhow::Result;

use super::walls::Walls;
use crate::container::FileSystem;
use crate::job::Job;
use crate::lesson::Fix;
use crate::namespace::Namespace;
use crate::proof::{self, Evidence};

/// The container goes back to the host's network, and wants to see `/sys`.
pub(super) fn with_the_hosts_network(walls: &mut Walls) -> Result<()> {
    walls.stop_practice_host();
    walls.party.binds.clear();
    walls.party.own = walls.party.own.but(Namespace::Net);
    walls.mount(FileSystem::Sys);
    Ok(())
}

// ANCHOR: sys
/// Mounting it is a part of the attempt.
pub(super) fn list_the_devices(walls: &Walls) -> Job {
    Job::new(&walls.party, &["ls", "/sys/class/net"])
}
// ANCHOR_END: sys

// ANCHOR: foreign-network
/// `/sys` shows the devices of a network namespace, and this one is not the container's.
pub(super) fn the_network_is_the_hosts(walls: &Walls) -> Result<Evidence> {
    let mut without_sys = walls.party.clone();
    without_sys.mounts.retain(|kind| *kind != FileSystem::Sys);
    let pid = walls.witness_of(&without_sys)?;
    Ok(proof::share(std::process::id(), pid, Namespace::Net))
}

/// With a network of its own, there is something of its own to show.
pub(super) fn unshare_the_network_again(walls: &mut Walls) -> Result<Fix> {
    Ok(walls.put_up(Namespace::Net))
}
// ANCHOR_END: foreign-network

/// Bit 0 of the flags means "up", and bit 3 means "loopback" (netdevice(7)).
pub(super) fn the_only_device_is_down(walls: &Walls) -> Result<Evidence> {
    let evidence = walls.ask_inside("cat /sys/class/net/lo/flags", 0, |said| said == "0x8")?;
    Ok(evidence.therefore("a loopback device (8), and not up (1)"))
}

/// In the host's mount table, nothing lies on that directory.
pub(super) fn the_mount_is_invisible(walls: &Walls) -> Result<Evidence> {
    Ok(proof::is_empty(&walls.party.root.outside("/sys".as_ref())))
}
