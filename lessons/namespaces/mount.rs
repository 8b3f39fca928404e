//! The mount table: who sees what somebody mounts.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::walls::Walls;
use crate::container::{FileSystem, Propagation};
use crate::job::{Job, typed_path};
use crate::lesson::Fix;
use crate::namespace::Namespace;
use crate::proof::{Evidence, Is};
use crate::refusal::Refusal;

const NOTE: &str = "written inside, to memory";

/// A tenant of the practice host starts, mounts a tmpfs in its root, and writes a note into it.
pub(super) fn a_tenant_mounts_a_tmpfs(walls: &mut Walls) -> Result<()> {
    walls.start_practice_host()?;
    walls.mount(FileSystem::Tmp);
    let line = format!("echo {NOTE} > /tmp/note; echo ready; read -r _");
    walls.tenant = Some(walls.launcher.hold(&Job::bash(&walls.party, &line))?);
    Ok(())
}

// ANCHOR: mount
/// The practice host looks for the note.
pub(super) fn the_host_looks_into_it(walls: &Walls) -> Job {
    let note = walls.root.join("tmp/note");
    Job::new(&walls.on_practice_host(), &[Path::new("cat"), &note])
}
// ANCHOR_END: mount

// ANCHOR: one-table
/// There is one mount table, and the tenant's mount is a line of it.
pub(super) fn the_host_has_the_mount(walls: &Walls) -> Result<Evidence> {
    count_mounts(walls, "1", "the practice host has the tenant's mount")
}

/// A mount table of its own: a copy. What becomes of later mounts is left as the host has it.
pub(super) fn unshare_the_mount_table(walls: &mut Walls) -> Result<Fix> {
    walls.party.propagation = Propagation::Unchanged;
    let typed = walls.put_up(Namespace::Mount);
    a_tenant_mounts_a_tmpfs(walls)?;
    Ok(typed)
}
// ANCHOR_END: one-table

// ANCHOR: shared-mounts
/// `shared:N` is the number of a group of peers: each repeats what another one mounts.
pub(super) fn the_copies_are_peers(walls: &Walls) -> Result<Evidence> {
    let files =
        [walls.practice_host()?, walls.tenant()?].map(|pid| format!("/proc/{pid}/mountinfo"));
    let asked = format!("grep -oh 'shared:[0-9]*' {}", files.join(" "));
    let [ours, theirs] = [peers_in(&files[0])?, peers_in(&files[1])?];
    let is_so = !ours.is_empty() && ours == theirs;
    let lines = [ours, theirs].concat();
    let conclusion = "in both tables the same groups of peers: the root, and what is mounted in it";
    Ok(Evidence::new(asked, lines.join("\n"), Is::from(is_so)).therefore(conclusion))
}

/// The same, but for the first thing that happens inside: `mount --make-rprivate /`.
pub(super) fn make_the_copy_private(walls: &mut Walls) -> Result<Fix> {
    walls.party.propagation = Propagation::Private;
    a_tenant_mounts_a_tmpfs(walls)?;
    Ok(walls.as_typed())
}
// ANCHOR_END: shared-mounts

/// What the shell says about `/tmp`.
pub(super) fn tmp_is_memory(walls: &Walls) -> Result<Evidence> {
    walls.ask_inside("stat -f -c %T /tmp", 0, |said| said == "tmpfs")
}

/// Asked again, the practice host has no such line.
pub(super) fn the_host_has_no_such_mount(walls: &Walls) -> Result<Evidence> {
    count_mounts(walls, "0", "the practice host has heard nothing of it")
}

/// The mount exists, and whoever may look through the process's own eyes sees it.
pub(super) fn through_the_process_it_is_found(walls: &Walls) -> Result<Evidence> {
    // The root of a process is its `/`, from which its own mounts are seen (proc_pid_root(5)).
    let note = PathBuf::from(format!("/proc/{}/root/tmp/note", walls.tenant()?));
    let asked = format!("cat {}", note.display());
    Ok(match std::fs::read_to_string(&note) {
        Ok(text) => Evidence::new(asked, text.trim_end(), Is::from(text.trim_end() == NOTE)),
        Err(error) => Evidence::hidden(asked, &error),
    })
}

/// How many lines of the practice host's mount table are about the tenant's `/tmp`.
fn count_mounts(walls: &Walls, expected: &str, conclusion: &str) -> Result<Evidence> {
    let point = walls.root.join("tmp");
    let file = format!("/proc/{}/mountinfo", walls.practice_host()?);
    let asked = format!("grep -c {} {file}", typed_path(&point));
    let table = std::fs::read_to_string(&file).map_err(Refusal::io("open", Path::new(&file)))?;
    let about = |line: &&str| line.contains(&*point.to_string_lossy());
    let answer = table.lines().filter(about).count().to_string();
    let is_so = Is::from(answer == expected);
    Ok(Evidence::new(asked, answer, is_so).therefore(conclusion))
}

/// The groups of peers in a mount table, as `grep -o` cuts them out (mount_namespaces(7)).
fn peers_in(file: &str) -> Result<Vec<String>> {
    let table = std::fs::read_to_string(file).map_err(Refusal::io("open", Path::new(file)))?;
    let words = table.split_whitespace().filter(|word| word.starts_with("shared:"));
    Ok(words.map(str::to_owned).collect())
}
