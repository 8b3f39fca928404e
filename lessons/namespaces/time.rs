//! The clock that says how long a system has been running.

use anyhow::Result;

use super::walls::Walls;
use crate::job::Job;
use crate::lesson::Fix;
use crate::namespace::Namespace;
use crate::proof::{self, Evidence};

/// Ten thousand days: longer than any host has been up since there are containers.
const FAR_AHEAD: i64 = 10_000 * 24 * 60 * 60;

// ANCHOR: time
/// How many seconds has this system been up? More than ten thousand days?
pub(super) fn ask_for_the_uptime(walls: &Walls) -> Job {
    let line = format!(
        "read -r up _ < /proc/uptime; echo \"up for ${{up%.*}} seconds\"; (( ${{up%.*}} > {FAR_AHEAD} ))"
    );
    Job::bash(&walls.party, &line)
}
// ANCHOR_END: time

// ANCHOR: hosts-uptime
/// The container was started a moment ago, and has the host's age.
pub(super) fn both_live_by_one_clock(walls: &Walls) -> Result<Evidence> {
    Ok(proof::share(std::process::id(), walls.witness()?, Namespace::Time))
}

/// A clock of its own, set before anybody lives by it.
pub(super) fn shift_the_clock(walls: &mut Walls) -> Result<Fix> {
    walls.party.boottime = Some(FAR_AHEAD);
    Ok(walls.put_up(Namespace::Time))
}
// ANCHOR_END: hosts-uptime

/// The kernel tells by how much.
pub(super) fn the_offset_is_told(walls: &Walls) -> Result<Evidence> {
    let line = "echo $(grep boottime /proc/self/timens_offsets)";
    walls.ask_inside(line, 0, |said| said == format!("boottime {FAR_AHEAD} 0"))
}

/// Two processes, two clocks.
pub(super) fn the_clocks_are_two(walls: &Walls) -> Result<Evidence> {
    Ok(proof::has_its_own(walls.witness()?, Namespace::Time))
}
