//! The article's whole line, the whole container, and those who can still look into it.

use std::path::Path;

use anyhow::{Context, Result};

use super::pivot::the_walk_ends_in;
use super::walls::Walls;
use crate::ability::Ingredient::{Mounted, Own};
use crate::container::{FileSystem, Recipe, Root};
use crate::job::Job;
use crate::launch::Held;
use crate::lesson::Fit;
use crate::namespace::{Namespace, Namespaces};
use crate::observation::Observation;
use crate::proof::{self, Evidence, Is, Verdict};
use crate::witness::waiting_bash;

/// What the article's line asks for.
const SIX: [Namespace; 6] = [
    Namespace::User,
    Namespace::Mount,
    Namespace::Pid,
    Namespace::Uts,
    Namespace::Ipc,
    Namespace::Net,
];

pub(super) fn the_article_can_be_performed(walls: &Walls) -> Fit {
    let mounts = [FileSystem::Proc, FileSystem::Sys, FileSystem::Tmp].map(Mounted);
    walls.can(&[&SIX.map(Own)[..], &mounts].concat())
}

/// The article's line: six namespaces, and a chroot. Nothing is mounted yet.
pub(super) fn as_the_article_has_it(walls: &mut Walls) -> Result<()> {
    let root = Root::Chroot(walls.root.clone());
    walls.stop_practice_host();
    walls.party = Recipe { own: Namespaces::of(&SIX), fork: true, root, ..Recipe::default() };
    Ok(())
}

// ANCHOR: article
/// The line of the article, and then its three mounts, typed inside.
pub(super) fn the_line_of_the_article(walls: &Walls) -> Job {
    let line = "mount -t proc none /proc && mount -t sysfs none /sys && \
                mount -t tmpfs none /tmp && echo \"I am process $$\"";
    Job::bash(&walls.party, line)
}
// ANCHOR_END: article

/// Two were forgotten.
pub(super) fn six_of_eight_are_its_own(walls: &Walls) -> Result<Evidence> {
    Ok(proof::namespaces_are(walls.witness()?, Namespaces::of(&SIX)))
}

/// And the host's root is still above.
pub(super) fn the_old_trick_still_works(walls: &Walls) -> Result<Evidence> {
    the_walk_ends_in(walls, Path::new("/"), "root has walked out, into the host's own /")
}

/// All eight namespaces, three file systems, a name, and a root with nothing above it.
pub(super) fn as_it_should_be(walls: &mut Walls) -> Result<()> {
    walls.stop_practice_host();
    walls.party = Recipe {
        own: Namespaces::of(&Namespace::ALL),
        fork: true,
        hostname: Some("inner".into()),
        root: Root::Pivot(walls.root.clone()),
        mounts: vec![FileSystem::Proc, FileSystem::Sys, FileSystem::Tmp],
        ..Recipe::default()
    };
    Ok(())
}

// ANCHOR: whole
/// Who is there, where, and as whom?
pub(super) fn introduce_oneself(walls: &Walls) -> Job {
    Job::bash(&walls.party, "echo \"I am process $$ of $(uname -n), and user $(id -u)\"")
}
// ANCHOR_END: whole

/// The host sees which namespaces are whose.
pub(super) fn all_eight_are_its_own(walls: &Walls) -> Result<Evidence> {
    Ok(proof::namespaces_are(walls.witness()?, Namespaces::of(&Namespace::ALL)))
}

/// A container is started, and its numbers are written down as long as it lives.
pub(super) fn a_container_waits(walls: &mut Walls) -> Result<()> {
    walls.stop_practice_host();
    let tenant = walls.launcher.hold(&waiting_bash(&walls.party))?;
    walls.seen = Some(proof::numbers_of(tenant.pid()));
    walls.tenant = Some(tenant);
    Ok(())
}

/// Somebody may have killed it already, out of curiosity.
pub(super) fn a_container_still_waits(walls: &mut Walls) -> Result<()> {
    let alive = walls.tenant.as_ref().map(|tenant| proof::is_alive(tenant.pid()).verdict);
    if alive == Some(Verdict::Holds) { Ok(()) } else { a_container_waits(walls) }
}

// ANCHOR: ancestor
/// From the host, by the number that it has there.
pub(super) fn kill_it_from_outside(walls: &Walls) -> Job {
    let pid = walls.tenant.as_ref().map_or(4_194_305, Held::pid);
    Job::bash(&Recipe::default(), &format!("kill -9 {pid}"))
}
// ANCHOR_END: ancestor

/// It was number 1, and had another number as well.
pub(super) fn the_host_had_its_number(walls: &Walls) -> Result<Evidence> {
    walls.seen.clone().context("nobody has looked yet")
}

/// Being number 1 protects from those who are inside, and from nobody else.
pub(super) fn it_was_killed(walls: &Walls) -> Result<Evidence> {
    let tenant = walls.tenant.as_ref().context("there is no tenant yet")?;
    let end = tenant.end()?;
    let is_so = end == (Observation::Killed { signal: "SIGKILL".into() });
    let evidence = proof::is_missing(Path::new(&format!("/proc/{}", tenant.pid())));
    let verdict = proof::both(Evidence::new("", "", Is::from(is_so)).verdict, evidence.verdict);
    Ok(Evidence { verdict, ..evidence }.therefore(end.to_string()))
}
