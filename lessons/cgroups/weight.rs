//! The weight: who gets how much when there is not enough for all.

use std::time::Duration;

use anyhow::Result;

use super::cap::{capped_already, time_of};
use super::sandbox::{Sandbox, fix_of, says};
use crate::cgroup::{Controller, Group, Limit};
use crate::container::Recipe;
use crate::job::{Job, typed_paths};
use crate::lesson::{Fit, Fix};
use crate::meter::{Meter, idlest_processor};
use crate::observation::Quantity;
use crate::proof::Evidence;

/// What is measured while both want the processor.
pub(super) const RATIO: Quantity = Quantity { what: "heavy's time, divided by light's", unit: "" };
/// What is measured while one of them does.
pub(super) const SHARE: Quantity = Quantity { what: "light's share of one processor", unit: "%" };

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    match (sandbox.can_set(&[LIGHTER]), sandbox.can(&[Controller::Cpuacct])) {
        (Fit::Here, Fit::Here) => sandbox.has(&["taskset"]),
        (Fit::Here, fit) | (fit, _) => fit,
    }
}

/// Whether a whole processor can be had at all.
pub(super) fn can_be_alone(sandbox: &Sandbox) -> Fit {
    match (can_be_performed(sandbox), capped_already(sandbox)) {
        (Fit::Here, Some(why)) => Fit::CouldNotLook(why),
        (fit, _) => fit,
    }
}

/// Both will want the same processor, the one that is the least busy now. The cap of the step
/// before is lifted: in version 2 it would slow down whatever else joins the group.
pub(super) fn two_groups_and_one_processor(sandbox: &mut Sandbox) -> Result<()> {
    if sandbox.group.file_of_limit(&Limit::NoCpuQuota)?.exists() {
        sandbox.group.set(&Limit::NoCpuQuota)?;
    }
    sandbox.heavy.create()?;
    sandbox.light.create()?;
    sandbox.processor = idlest_processor()?;
    Ok(())
}

/// Light it is, also where the comparison came to no clear answer.
pub(super) fn the_light_one_again(sandbox: &mut Sandbox) -> Result<()> {
    sandbox.light.set(&LIGHTER)
}

// ANCHOR: weight
/// Somebody in each group, both on one processor, and with an end.
pub(super) fn burn_in_both(sandbox: &Sandbox) -> Job {
    burn_in(sandbox, "heavy light")
}

fn burn_in(sandbox: &Sandbox, names: &str) -> Job {
    let lists = sandbox.light.directories().filter_map(|group| group.parent());
    let lists: Vec<_> = lists.map(|above| above.join("GROUP/cgroup.procs")).collect();
    let lists = typed_paths("", &lists).replace("GROUP", "$group");
    let line = format!(
        "for group in {names}; do \
         (me=$BASHPID; echo $me | tee {lists} > /dev/null; \
         exec timeout 8 taskset -c {} sha1sum /dev/zero) & \
         done; wait",
        sandbox.processor,
    );
    Job::bash(&Recipe::default(), &line)
}

/// How much processor time the kernel has counted for each.
pub(super) fn heavy_to_light(sandbox: &Sandbox) -> Result<Meter> {
    Ok(Meter {
        quantity: RATIO,
        counters: vec![
            time_of("heavy", &sandbox.heavy, 1.0),
            time_of("light", &sandbox.light, 1.0),
        ],
        value: Box::new(|grown, _| grown[0] / grown[1].max(1e-9)),
        // Whatever others take, they take from both.
        used: None,
        reset: Box::new(|| Ok(())),
        warm_up: Duration::from_millis(200),
        least: Duration::from_millis(800),
        most: Duration::from_secs(5),
    })
}
// ANCHOR_END: weight

// ANCHOR: alone
/// The same, but the heavy group has nothing to do.
pub(super) fn burn_in_the_light_one(sandbox: &Sandbox) -> Job {
    burn_in(sandbox, "light")
}

pub(super) fn share_of_one_processor(sandbox: &Sandbox) -> Result<Meter> {
    Ok(Meter {
        quantity: SHARE,
        counters: vec![time_of("light", &sandbox.light, 1.0)],
        value: Box::new(|grown, seconds| grown[0] / seconds * 100.0),
        used: Some(|grown| grown.iter().sum()),
        reset: Box::new(|| Ok(())),
        warm_up: Duration::from_millis(200),
        least: Duration::from_millis(500),
        most: Duration::from_secs(4),
    })
}
// ANCHOR_END: alone

// ANCHOR: equal
/// What every group begins with.
pub(super) fn they_weigh_the_same(sandbox: &Sandbox) -> Result<Evidence> {
    is_default(&sandbox.light)
}

/// A quarter of what every group has by default, and the heavy one still has.
pub(super) fn make_one_lighter(sandbox: &mut Sandbox) -> Result<Fix> {
    sandbox.light.set(&LIGHTER)?;
    fix_of(&sandbox.light, &LIGHTER, None)
}
// ANCHOR_END: equal

const LIGHTER: Limit = Limit::CpuWeight(25);

pub(super) fn their_weights_are_written_down(sandbox: &Sandbox) -> Result<Evidence> {
    is_light(&sandbox.light)
}

pub(super) fn it_is_still_light(sandbox: &Sandbox) -> Result<Evidence> {
    Ok(is_light(&sandbox.light)?.therefore("a quarter, and it got everything: nobody competed"))
}

fn is_default(group: &Group) -> Result<Evidence> {
    let evidence = says(group, &LIGHTER, |said| said == "1024" || said == "100")?;
    Ok(evidence.therefore("the default, as in the other group"))
}

fn is_light(group: &Group) -> Result<Evidence> {
    says(group, &LIGHTER, |said| said == "256" || said == "25")
}
