//! What it means to be process 1.

use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::walls::Walls;
use crate::job::Job;
use crate::proof::{self, Evidence};
use crate::refusal::Refusal;

// ANCHOR: init
/// The strongest signal there is, sent by process 1 to itself.
pub(super) fn kill_oneself(walls: &Walls) -> Job {
    Job::bash(&walls.party, "kill -9 $$; echo \"process $$ is still here\"")
}
// ANCHOR_END: init

/// The host ends process 1 of a namespace in which another process lives.
pub(super) fn with_its_init_everything_ends(walls: &Walls) -> Result<Evidence> {
    // The background job reads from the same pipe, because there is no /dev/null in here.
    let job = Job::bash(&walls.party, "sleep 600 <&0 & echo ready; read -r _");
    let family = walls.launcher.hold(&job)?;
    let init = family.pid();
    let list = PathBuf::from(format!("/proc/{init}/task/{init}/children"));
    let children = std::fs::read_to_string(&list).map_err(Refusal::io("open", &list))?;
    let child: u32 = children.trim().parse().context("process 1 should have one child")?;
    let was_alive = proof::is_alive(child);
    kill(Pid::from_raw(i32::try_from(init)?), Signal::SIGKILL)
        .map_err(Refusal::of("kill", init))?;
    // Waits for the end of process 1, before which the kernel has ended all others.
    drop(family);
    let evidence = proof::is_missing(&PathBuf::from(format!("/proc/{child}")));
    let asked = format!("{}; kill -9 {init}; {}", was_alive.asked, evidence.asked);
    let answer = format!("{}\n{}", was_alive.answer, evidence.answer);
    let conclusion = "process 1 has taken its namespace with it";
    let verdict = proof::both(was_alive.verdict, evidence.verdict);
    Ok(Evidence { asked, answer, therefore: Some(conclusion.into()), verdict, ..evidence })
}
