//! Who is root, and of what.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use anyhow::Result;

use super::walls::Walls;
use crate::ability::Ingredient::Own;
use crate::container::{Bind, Recipe};
use crate::escape::Escape;
use crate::job::Job;
use crate::lesson::{Fit, Fix};
use crate::namespace::{Namespace, Namespaces};
use crate::observation::Observation;
use crate::proof::{self, Evidence, Is};
use crate::refusal::Refusal;
use crate::witness;

/// The experiment for those who are root.
pub(super) fn as_real_root(walls: &Walls) -> Fit {
    if !walls.rights.is_empty() {
        return Fit::Elsewhere("it is for root; yours is `user`");
    }
    if !another_user_exists() {
        let why = "this root is root of a user namespace already, in which no other user exists";
        return Fit::CouldNotLook(why.into());
    }
    walls.can(&[Own(Namespace::User), Own(Namespace::Mount)])
}

/// Whether user 1 has a number here: on a host it has, in a rootless container it may not.
fn another_user_exists() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
        let (first, count) = (numbers.next().unwrap_or(0), numbers.nth(1).unwrap_or(0));
        (first..first.saturating_add(count)).contains(&1)
    })
}

/// The experiment for everyone else: without a user namespace there is not even a chroot.
pub(super) fn as_an_ordinary_user(walls: &Walls) -> Fit {
    if walls.rights.is_empty() {
        return Fit::Elsewhere("it is for ordinary users; yours is `mapped-root`");
    }
    // To whom the number 0 is mapped from 0, nothing of what belongs to the host's root is strange.
    if nix::unistd::geteuid().is_root() {
        let why = "you are called root already, and so nothing changes when you become user 0";
        return Fit::CouldNotLook(why.into());
    }
    if closed_file().is_none() {
        return Fit::CouldNotLook("this user may read every file, so none is closed to it".into());
    }
    Fit::Here
}

/// One file belongs to a customer with the number 1, the other to root. The container has the
/// directory at `/mnt`.
pub(super) fn two_files_of_the_host(walls: &mut Walls) -> Result<()> {
    walls.stop_practice_host();
    let shelf = walls.bench.path().join("shelf");
    fs::create_dir(&shelf).map_err(Refusal::io("mkdir", &shelf))?;
    for (name, owner) in [("customers", 1), ("roots", 0)] {
        let file = shelf.join(name);
        let text = format!("This file belongs to user {owner} of the host.\n");
        fs::write(&file, text).map_err(Refusal::io("write", &file))?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))
            .map_err(Refusal::io("chmod", &file))?;
        chown(&file, Some(owner), Some(owner)).map_err(Refusal::io("chown", &file))?;
    }
    walls.party.binds = vec![Bind { from: shelf, to: "/mnt".into() }];
    Ok(())
}

/// As it would be without the namespace that the lesson has used all along.
pub(super) fn without_a_user_namespace(walls: &mut Walls) -> Result<()> {
    walls.stop_practice_host();
    walls.party.own = walls.party.own.but(Namespace::User);
    Ok(())
}

// ANCHOR: mapped-root
/// Root of the container reads a file that is none of its business.
pub(super) fn read_a_customers_file(walls: &Walls) -> Job {
    Job::new(&walls.party, &["cat", "/mnt/customers"])
}
// ANCHOR_END: mapped-root

// ANCHOR: user
/// Who am I, in here?
pub(super) fn ask_who_one_is(walls: &Walls) -> Job {
    Job::new(&walls.party, &["id", "-u"])
}
// ANCHOR_END: user

// ANCHOR: real-root
/// Without a namespace of its own, each number inside is the same number outside.
pub(super) fn every_id_is_itself(walls: &Walls) -> Result<Evidence> {
    let map = "/proc/self/uid_map";
    let whole = fs::read_to_string(map)?;
    let answer = whole.split_whitespace().collect::<Vec<_>>().join(" ");
    let pid = walls.witness()?;
    let theirs = fs::read_to_string(format!("/proc/{pid}/uid_map"))?;
    let is_so = theirs == whole && answer.starts_with("0 ");
    let conclusion = "from 0 on, every number is itself: root inside is root outside";
    Ok(Evidence::new(format!("cat /proc/{pid}/uid_map"), answer, Is::from(is_so))
        .therefore(conclusion))
}

/// A user namespace in which one number exists: 0, and that is the caller.
pub(super) fn become_root_of_a_namespace(walls: &mut Walls) -> Result<Fix> {
    Ok(walls.put_up(Namespace::User))
}
// ANCHOR_END: real-root

// ANCHOR: no-rights
/// All other namespaces take CAP_SYS_ADMIN, and an ordinary process has no capability at all.
pub(super) fn there_are_no_capabilities(_: &Walls) -> Result<Evidence> {
    let asked = "grep CapEff /proc/self/status";
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("CapEff:")).unwrap_or_default();
    let bits = line.rsplit('\t').next().and_then(|bits| u64::from_str_radix(bits, 16).ok());
    // The right to make the others: bit 21 (capabilities(7)).
    let is_so = bits.is_some_and(|bits| bits & (1 << 21) == 0);
    let conclusion = "the bit of CAP_SYS_ADMIN is not set";
    Ok(Evidence::new(asked, line.replace('\t', " "), Is::from(is_so)).therefore(conclusion))
}
// ANCHOR_END: no-rights

/// Inside, outside, how many: the whole map.
pub(super) fn one_id_is_mapped(walls: &Walls) -> Result<Evidence> {
    let asked = format!("cat /proc/{}/uid_map", walls.witness()?);
    let map = fs::read_to_string(&asked[4..])?;
    let answer = map.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_so = answer == format!("0 {} 1", nix::unistd::geteuid());
    Ok(Evidence::new(asked, answer, Is::from(is_so)))
}

/// What has no number inside is shown as 65534.
pub(super) fn the_owner_is_nobody(walls: &Walls) -> Result<Evidence> {
    walls.ask_inside("stat -c %u /mnt/customers", 0, |said| said == "65534")
}

/// What belongs to the real root has no number in a user namespace of ours.
pub(super) fn the_owner_of_the_kernels_files_is_nobody(walls: &Walls) -> Result<Evidence> {
    ask_with_the_hosts_root(walls, "stat -c %u /proc/sys", 0, |said| said == "65534")
}

/// The clock belongs to the machine.
pub(super) fn the_clock_is_not_its_own(walls: &Walls) -> Result<Evidence> {
    is_refused(walls, Escape::SetClock, &["EPERM"])
}

/// So does the kernel. Some are built without modules, and then nobody can load one.
pub(super) fn the_kernel_is_not_its_own(walls: &Walls) -> Result<Evidence> {
    is_refused(walls, Escape::LoadModule, &["EPERM", "ENOSYS"])
}

/// Asked from outside, it is the caller, and nobody else.
pub(super) fn outside_it_is_the_caller(walls: &Walls) -> Result<Evidence> {
    Ok(proof::belongs_to(walls.witness()?, nix::unistd::geteuid().as_raw()))
}

/// 0 is mapped to 0: what belongs to the host's root belongs to the container's.
pub(super) fn roots_files_are_open_to_it(walls: &Walls) -> Result<Evidence> {
    walls.ask_inside("cat /mnt/roots", 0, |said| said.ends_with("user 0 of the host."))
}

/// With the host's files before it, root of the container cannot read more than its user can.
pub(super) fn a_file_of_another_user_is_closed(walls: &Walls) -> Result<Evidence> {
    let file = closed_file().unwrap_or("/etc/shadow");
    let is_closed = |said: &str| said.ends_with("Permission denied");
    ask_with_the_hosts_root(walls, &format!("cat {file}"), 1, is_closed)
}

/// A user namespace, and nothing else: the host's files are all there.
fn ask_with_the_hosts_root(
    walls: &Walls,
    line: &str,
    status: i32,
    is_so: impl FnOnce(&str) -> bool,
) -> Result<Evidence> {
    let recipe = Recipe { own: Namespaces::of(&[Namespace::User]), ..Recipe::default() };
    let evidence = witness::ask(&walls.launcher, &recipe, line, status, is_so)?;
    Ok(Evidence { asked: Job::bash(&recipe, line).as_typed(), asked_inside: false, ..evidence })
}

/// A file that exists on every host, or nearly, and is only for others.
fn closed_file() -> Option<&'static str> {
    ["/etc/shadow", "/etc/gshadow", "/proc/1/environ"].into_iter().find(|file| {
        let opened = File::open(Path::new(file));
        opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    })
}

/// An attack that the kernel has to refuse with one of these errors.
fn is_refused(walls: &Walls, attack: Escape, errors: &[&str]) -> Result<Evidence> {
    let recipe = Recipe { escape: Some(attack), ..walls.party.clone() };
    let job = Job { recipe, argv: Vec::new() };
    let observed = walls.launcher.run(&job)?.observation;
    let is_so = matches!(&observed,
        Observation::Refused { errno, .. } if errors.contains(&errno.as_str()));
    let evidence = Evidence::new(job.as_run(), observed.to_string(), Is::from(is_so));
    let nobody_can = matches!(&observed, Observation::Refused { errno, .. } if errno == "ENOSYS");
    Ok(if nobody_can {
        evidence.therefore("this kernel has no such call for anybody")
    } else {
        evidence
    })
}
