//! The cap: so much of the processors, and no more.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::sandbox::{Sandbox, processors};
use crate::cgroup::{Account, Controller, Group, Limit};
use crate::job::Job;
use crate::lesson::{Fit, Fix};
use crate::meter::{Counter, Meter};
use crate::observation::Quantity;
use crate::proof::Evidence;

/// What is measured here.
pub(super) const SHARE: Quantity = Quantity { what: "its share of the whole machine", unit: "%" };

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    let why = quota().ok().and_then(|quota| match sandbox.can_set(&[quota]) {
        Fit::CouldNotLook(why) => Some(why),
        _ => too_few_processors().or_else(|| capped_already(sandbox)),
    });
    match (why, sandbox.can(&[Controller::Cpuacct])) {
        (Some(why), _) => Fit::CouldNotLook(why),
        (None, fit) => fit,
    }
}

/// Who may use one processor of eight cannot take a part of the machine that is worth a comparison (sched_setaffinity(2)).
fn too_few_processors() -> Option<String> {
    let (usable, all) = (thread::available_parallelism().ok()?.get(), processors().ok()?);
    (u64::try_from(usable).ok()? * 4 < all)
        .then(|| format!("this shell may use only {usable} of {all} processors"))
}

/// In a container, somebody may have set a cap above ours.
pub(super) fn capped_already(sandbox: &Sandbox) -> Option<String> {
    let files =
        ["cpu.max", "cpu.cfs_quota_us"].map(|name| sandbox.said_above(Controller::Cpu, name));
    let is_capped =
        |(_, said): &(PathBuf, String)| !said.starts_with("max") && !said.starts_with('-');
    let (file, said) = files.into_iter().flatten().find(is_capped)?;
    Some(format!("{} is {} already", file.display(), said.trim()))
}

// ANCHOR: cap
/// Somebody for each processor who calculates a sum without end. The end comes after eight seconds,
/// whatever happens.
pub(super) fn burn(sandbox: &Sandbox) -> Job {
    let line = "for cpu in $(seq $(nproc)); do timeout 8 sha1sum /dev/zero & done; wait";
    Job::bash(&sandbox.in_group(&[Controller::Cpu, Controller::Cpuacct]), line)
}

/// How much processor time the kernel has counted for the group, of all that there was.
pub(super) fn share_of_the_machine(sandbox: &Sandbox) -> Result<Meter> {
    #[allow(clippy::cast_precision_loss)]
    let all = processors()? as f64;
    Ok(Meter {
        quantity: SHARE,
        counters: vec![time_of("sandbox", &sandbox.group, all)],
        value: Box::new(move |grown, seconds| grown[0] / seconds / all * 100.0),
        used: Some(|grown| grown.iter().sum()),
        reset: Box::new(|| Ok(())),
        warm_up: Duration::from_millis(200),
        // The kernel gives out the quota every tenth of a second, and the first one in advance.
        least: Duration::from_secs(1),
        most: Duration::from_secs(6),
    })
}
// ANCHOR_END: cap

/// The processor time of a group, in seconds.
pub(super) fn time_of(label: &str, group: &Group, full: f64) -> Counter {
    let group = group.clone();
    #[allow(clippy::cast_precision_loss)] // A hundred days, to the nanosecond.
    let read = move || Ok(group.read(Account::CpuTime)? as f64 / 1e9);
    Counter { label: label.to_owned(), read: Box::new(read), full }
}

/// Five percent of every processor, in each tenth of a second.
fn quota() -> Result<Limit> {
    Ok(Limit::CpuQuota { quota: 5_000 * processors()?, period: 100_000 })
}

// ANCHOR: no-cap
/// What stands there when nobody has set one: -1, or max.
pub(super) fn there_is_no_quota(sandbox: &Sandbox) -> Result<Evidence> {
    let is_none = |said: &str| said == "-1" || said.starts_with("max ");
    Ok(sandbox.says(&quota()?, is_none)?.therefore("there is no quota"))
}

pub(super) fn set_a_quota(sandbox: &mut Sandbox) -> Result<Fix> {
    let article = "cgset -r cpu.cfs_period_us=100000 \
                   -r cpu.cfs_quota_us=$[ 5000 * $(getconf _NPROCESSORS_ONLN) ] sandbox";
    sandbox.set(&quota()?, Some(article))
}
// ANCHOR_END: no-cap

pub(super) fn the_quota_is_written_down(sandbox: &Sandbox) -> Result<Evidence> {
    let quota = (5_000 * processors()?).to_string();
    sandbox.says(&self::quota()?, |said| said.split(' ').next() == Some(&quota))
}

/// The quota was used up again and again.
pub(super) fn it_was_made_to_wait(sandbox: &Sandbox) -> Result<Evidence> {
    let evidence = sandbox.counted(Account::Throttled, |periods| periods > 2)?;
    Ok(evidence.therefore("in so many periods it had to wait for the next"))
}
