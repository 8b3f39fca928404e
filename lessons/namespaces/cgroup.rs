//! The control group that a process is told it is in.

use anyhow::Result;

use super::walls::Walls;
use crate::ability::Ingredient::{Mounted, Own};
use crate::container::FileSystem;
use crate::job::Job;
use crate::lesson::{Fit, Fix};
use crate::namespace::Namespace;
use crate::proof::{self, Evidence, Is};
use crate::refusal::Refusal;

/// Something can leak only where this process is not at the top already.
pub(super) fn can_be_performed(walls: &Walls) -> Fit {
    match groups_below_the_top(std::process::id()) {
        Ok(groups) if groups.is_empty() => Fit::CouldNotLook(
            "the control group of this shell is / already, so there is no path to hide".into(),
        ),
        Ok(_) => walls.can(&[Own(Namespace::Cgroup), Mounted(FileSystem::Proc)]),
        Err(error) => Fit::CouldNotLook(error.to_string()),
    }
}

// ANCHOR: cgroup
/// One line for each hierarchy, and its last field is a path. Those that are only `/` are left out.
pub(super) fn ask_for_ones_group(walls: &Walls) -> Job {
    Job::bash(&walls.party, "grep -v \":/$\" /proc/self/cgroup")
}
// ANCHOR_END: cgroup

// ANCHOR: hosts-path
/// What it is told is where the host has put it.
pub(super) fn it_is_told_as_the_host_tells_it(walls: &Walls) -> Result<Evidence> {
    let inside = walls.launcher.run(&ask_for_ones_group(walls))?.said;
    let pid = walls.witness()?;
    let outside = groups_below_the_top(pid)?.join("\n");
    let asked = format!("grep -v ':/$' /proc/{pid}/cgroup");
    let is_so = inside == outside;
    let conclusion = "inside and outside read the same path";
    Ok(Evidence::new(asked, outside, Is::from(is_so)).therefore(conclusion))
}

/// From here on, the group in which it starts is what it calls `/`.
pub(super) fn unshare_the_view(walls: &mut Walls) -> Result<Fix> {
    Ok(walls.put_up(Namespace::Cgroup))
}
// ANCHOR_END: hosts-path

/// Every path is `/`.
pub(super) fn inside_it_is_the_top(walls: &Walls) -> Result<Evidence> {
    walls.ask_inside("cut -d: -f3 /proc/self/cgroup | sort -u", 0, |said| said == "/")
}

/// For the host, the process is where it was.
pub(super) fn outside_nothing_has_moved(walls: &Walls) -> Result<Evidence> {
    let pid = walls.witness()?;
    let asked = format!("grep -v ':/$' /proc/{pid}/cgroup");
    let theirs = groups_below_the_top(pid)?;
    let is_so = !theirs.is_empty() && theirs == groups_below_the_top(std::process::id())?;
    let evidence = Evidence::new(asked, theirs.join("\n"), Is::from(is_so));
    let view = proof::has_its_own(pid, Namespace::Cgroup);
    let conclusion = "only the view has changed: the group is the same";
    Ok(Evidence { verdict: proof::both(evidence.verdict, view.verdict), ..evidence }
        .therefore(conclusion))
}

/// The lines of `/proc/PID/cgroup` that do not end with `:/` (cgroups(7)).
fn groups_below_the_top(pid: u32) -> Result<Vec<String>, Refusal> {
    let file = std::path::PathBuf::from(format!("/proc/{pid}/cgroup"));
    let text = std::fs::read_to_string(&file).map_err(Refusal::io("open", &file))?;
    Ok(text.lines().filter(|line| !line.ends_with(":/")).map(str::to_owned).collect())
}
