//! What the wall does not stop: root, who leaves.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::parties::Parties;
use crate::container::Recipe;
use crate::escape::Escape;
use crate::job::{Job, typed_path};
use crate::proof::{self, Evidence, Is};

/// The program that leaves is put into the lesson's own root, so that the learner can run it
/// there. Into a root that the learner brings, nothing is put.
pub(super) fn a_way_out_lies_in_the_root(parties: &mut Parties) -> Result<()> {
    if parties.root == parties.workshop.path() {
        // A courtesy, which the attempt does not need: it may fail, for one when our own file has
        // been built anew meanwhile.
        let ours = std::env::current_exe()?;
        let _ = parties.workshop.install_as(&ours, "workbench");
    }
    Ok(())
}

// ANCHOR: escape
/// The first party, root behind its walls, makes a second chroot and walks out.
pub(super) fn leave_and_read_the_secret(parties: &Parties) -> Job {
    let recipe = Recipe { escape: Some(Escape::SecondChroot), ..parties.party() };
    Job::new(&recipe, &[OsStr::new("cat"), parties.secret.as_os_str()])
}
// ANCHOR_END: escape

/// After the escape, `/` is the host's `/`, by device and inode.
pub(super) fn the_root_is_the_hosts_again(parties: &Parties) -> Result<Evidence> {
    let recipe = Recipe { escape: Some(Escape::SecondChroot), ..parties.party() };
    let job = Job::new(&recipe, &["stat", "-c", "%d:%i", "/"]);
    let answer = parties.launcher.run(&job)?.said;
    let (device, inode) = proof::identity(Path::new("/"))?;
    let is_so = answer == format!("{device}:{inode}");
    let conclusion = "the host's own / has the same device and inode";
    Ok(Evidence::new(job.as_run(), answer, Is::from(is_so)).therefore(conclusion))
}

/// What came out is what the host had written.
pub(super) fn the_secret_is_read_word_for_word(parties: &Parties) -> Result<Evidence> {
    let said = parties.launcher.run(&leave_and_read_the_secret(parties))?.said;
    let secret = fs::read_to_string(&parties.secret)?;
    let asked = format!("cat {}", typed_path(&parties.secret));
    Ok(Evidence::new(asked, secret.trim_end(), Is::from(said == secret.trim_end())))
}
