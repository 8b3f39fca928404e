//! What the wall is good for: files outside have no name inside.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::parties::{Parties, Walls};
use crate::job::{Job, typed_path};
use crate::lesson::Fix;
use crate::proof::{self, Evidence};
use crate::refusal::Refusal;

/// A file of the host that the first party should not read; and no walls yet.
pub(super) fn hide_a_secret_on_the_host(parties: &mut Parties) -> Result<()> {
    parties.walls = Walls::None;
    fs::write(&parties.secret, "The host's secret: the cake is in the upper drawer.\n")
        .map_err(Refusal::io("write", &parties.secret))?;
    Ok(())
}

// ANCHOR: files
/// The first party tries to read a file of the host.
pub(super) fn read_the_secret(parties: &Parties) -> Job {
    Job::new(&parties.party(), &[OsStr::new("cat"), parties.secret.as_os_str()])
}
// ANCHOR_END: files

// ANCHOR: shared-root
/// Without walls, the party's `/` is the host's.
pub(super) fn the_root_is_ours(parties: &Parties) -> Result<Evidence> {
    Ok(proof::root_is(parties.witness()?, Path::new("/")))
}

/// From here on the party lives in the root that was built for it.
pub(super) fn give_the_party_its_own_root(parties: &mut Parties) -> Result<Fix> {
    parties.walls = Walls::OwnRoot;
    Ok(Job::new(&parties.party(), &["bash"]).as_typed().into())
}
// ANCHOR_END: shared-root

/// The answer was not "Permission denied".
pub(super) fn the_secret_has_no_name(parties: &Parties) -> Result<Evidence> {
    let asked = format!("cat {}", typed_path(&parties.secret));
    parties.ask_inside(&asked, 1, |said| said.ends_with("No such file or directory"))
}

/// The kernel stops `..` at the root: both are the same directory.
pub(super) fn above_the_root_is_the_root(parties: &Parties) -> Result<Evidence> {
    parties.ask_inside("ls -di / /..", 0, |said| {
        let inodes = said.lines().filter_map(|line| line.split_whitespace().next());
        matches!(inodes.collect::<Vec<_>>()[..], [root, above] if root == above)
    })
}

/// `/proc/PID/root` is what the kernel takes for `/` of that process.
pub(super) fn the_kernel_names_the_new_root(parties: &Parties) -> Result<Evidence> {
    Ok(proof::root_is(parties.witness()?, &parties.root))
}

/// One name, `/`, and two directories.
pub(super) fn the_two_roots_differ(parties: &Parties) -> Result<Evidence> {
    Ok(proof::root_differs_from_ours(parties.witness()?))
}
