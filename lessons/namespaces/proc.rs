//! `/proc`: a list of the processes, as the namespace sees it that mounted it.

use anyhow::Result;

use super::walls::Walls;
use crate::container::{Bind, FileSystem};
use crate::job::Job;
use crate::lesson::Fix;
use crate::proof::{self, Evidence};

/// The practice host has done its service.
pub(super) fn back_on_the_real_host(walls: &mut Walls) -> Result<()> {
    walls.stop_practice_host();
    Ok(())
}

// ANCHOR: proc
/// A shell looks itself up. `/proc/self` leads to whoever asks, `$$` is the shell's own number:
/// both are the same directory, if shell and `/proc` count alike.
pub(super) fn look_oneself_up(walls: &Walls) -> Job {
    Job::bash(&walls.party, "[ /proc/self -ef /proc/$$ ]")
}
// ANCHOR_END: proc

// ANCHOR: no-proc
/// An empty directory, and nothing is mounted on it.
pub(super) fn there_is_nothing_in_proc(walls: &Walls) -> Result<Evidence> {
    walls.ask_inside("ls -A /proc | wc -l", 0, |said| said == "0")
}

/// What seems to help, and what many a script does: the host's own `/proc` appears inside.
pub(super) fn show_the_hosts(walls: &mut Walls) -> Result<Fix> {
    walls.party.binds = vec![Bind { from: "/proc".into(), to: "/proc".into() }];
    Ok(walls.as_typed())
}
// ANCHOR_END: no-proc

// ANCHOR: hosts-proc
/// The shell counts as its namespace counts. This `/proc` counts as the host does.
pub(super) fn two_ways_to_count(walls: &Walls) -> Result<Evidence> {
    let line = "echo \"the shell is $$, the reader of /proc/self is $(readlink /proc/self)\"";
    let evidence = walls.ask_inside(line, 0, |said| {
        // In its own namespace, the reader would be the shell's first child.
        let reader = said.rsplit(' ').next().and_then(|number| number.parse::<u32>().ok());
        said.starts_with("the shell is 1,") && reader.is_some_and(|reader| reader > 2)
    })?;
    Ok(evidence.therefore("the second number is the host's"))
}

/// A `/proc` that is mounted by an inhabitant of the namespace shows that namespace.
pub(super) fn mount_ones_own(walls: &mut Walls) -> Result<Fix> {
    walls.party.binds.clear();
    walls.mount(FileSystem::Proc);
    Ok(walls.as_typed())
}
// ANCHOR_END: hosts-proc

/// The article's own question, where the root has `ps`.
pub(super) fn nobody_else_is_listed(walls: &Walls) -> Result<Evidence> {
    if !walls.has("ps")? {
        return walls.ask_inside("cd /proc && echo [0-9]*", 0, |said| said == "1");
    }
    // The last word keeps the shell from becoming `ps` itself.
    walls.ask_inside("ps -e -o pid,comm && true", 0, |said| {
        let mut rows = said.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let first = rows.next();
        first.is_some_and(|row| row == ["1", "bash"]) && rows.all(|row| row.last() == Some(&"ps"))
    })
}

/// In the host's mount table, nothing lies on that directory.
pub(super) fn the_mount_is_invisible(walls: &Walls) -> Result<Evidence> {
    Ok(proof::is_empty(&walls.party.root.outside("/proc".as_ref())))
}
