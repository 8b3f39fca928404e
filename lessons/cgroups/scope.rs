//! A group from systemd, for those who are not root.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use nix::unistd::geteuid;

use crate::cgroup::{Hierarchies, Hierarchy, Version};
use crate::refusal::Refusal;

/// Set in the program that runs in a scope: to ask again would be of no use.
const IN_SCOPE: &str = "WORKBENCH_IN_SCOPE";

// ANCHOR: ask_for_one
/// Where systemd looks after a user's session, it makes a group for whoever asks, and hands it
/// over: `systemd-run --user --scope -p Delegate=yes`. This program then starts again in there,
/// as the same process. Where that is not possible, it goes on as it is.
///
/// # Errors
/// When the program cannot be started again.
pub(super) fn ask_for_one() -> Result<()> {
    if !is_needed_and_to_be_had() {
        return Ok(());
    }
    let program = env::current_exe()?;
    let error = Command::new(SCOPE[0])
        .args(&SCOPE[1..])
        .arg(&program)
        .args(env::args_os().skip(1))
        .env(IN_SCOPE, "1")
        .exec();
    Err(Refusal::io("execve", Path::new(SCOPE[0]))(error).into())
}
// ANCHOR_END: ask_for_one

/// As it would be typed.
const SCOPE: [&str; 7] =
    ["systemd-run", "--user", "--scope", "--quiet", "--collect", "-p", "Delegate=yes"];

/// Not for root. And not where version 1 alone is mounted: there systemd has nothing to hand over.
/// A group that is ours by accident, such as a terminal's own scope, was handed over to nobody.
fn could_help() -> bool {
    let is_new = |tree: &Hierarchy| tree.version == Version::V2;
    // Without /proc nobody knows; the lesson will say so.
    let has_new = Hierarchies::find().is_ok_and(|found| found.iter().any(is_new));
    has_new && !geteuid().is_root() && env::var_os(IN_SCOPE).is_none()
}

/// Whether a group would be of use, and there is a systemd that gives us one.
pub(super) fn is_needed_and_to_be_had() -> bool {
    could_help() && systemd_answers()
}

fn systemd_answers() -> bool {
    let tried = Command::new(SCOPE[0]).args(&SCOPE[1..]).arg("true").output();
    tried.is_ok_and(|output| output.status.success())
}
