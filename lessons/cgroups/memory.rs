//! Memory: who takes too much is killed.

use std::fs;

use anyhow::Result;

use super::sandbox::Sandbox;
use crate::cgroup::{Account, Controller, Limit};
use crate::job::Job;
use crate::lesson::{Fit, Fix};
use crate::proof::{Evidence, Is};

/// 80 MiB, as in the article.
pub(super) const LIMIT: Limit = Limit::Memory(80 << 20);
/// And none of it by way of the disk.
pub(super) const NO_SWAP: Limit = Limit::NoSwap(80 << 20);
/// What the eater eats, and what has to be free before it may.
const MEAL: u64 = 200 << 20;
const FREE: u64 = 300 << 20;

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    if let Fit::CouldNotLook(why) = sandbox.can_set(&[LIMIT]) {
        return Fit::CouldNotLook(why);
    }
    let why = too_little_is_free().or_else(|| limited_already(sandbox));
    why.or_else(|| swap_is_not_counted(sandbox)).map_or(Fit::Here, Fit::CouldNotLook)
}

/// The meal may not harm anybody else.
fn too_little_is_free() -> Option<String> {
    let free = kib_of("MemAvailable")? * 1024;
    (free < FREE).then(|| {
        format!("only {} MiB of memory are available, and the eater needs 200", free >> 20)
    })
}

/// In a container, somebody may have set a limit above ours.
fn limited_already(sandbox: &Sandbox) -> Option<String> {
    let names = ["memory.max", "memory.limit_in_bytes"];
    let files = names.map(|name| sandbox.said_above(Controller::Memory, name));
    let limits = files.into_iter().flatten();
    let mut limits =
        limits.filter_map(|(file, said)| Some((file, said.trim().parse::<u64>().ok()?)));
    let (file, limit) = limits.find(|(_, limit)| *limit < FREE)?;
    let file = file.display();
    Some(format!("{file} is {limit} already, and the eater needs {MEAL}"))
}

/// Without the second limit, what is too much would be swapped and nobody would be killed. That a
/// kernel does not count swap is seen as soon as there is a group.
fn swap_is_not_counted(sandbox: &Sandbox) -> Option<String> {
    let file = sandbox.group.file_of_limit(&NO_SWAP).ok()?;
    let is_missing = file.parent()?.exists() && !file.exists();
    let has_swap = kib_of("SwapTotal").unwrap_or_default() > 0;
    (has_swap && is_missing).then(|| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        format!(
            "this kernel does not count swap ({name} is missing), so the eater would be swapped \
             and not killed; what helps: swapoff -a, or starting the kernel with swapaccount=1"
        )
    })
}

/// A line of `/proc/meminfo` (proc_meminfo(5)).
fn kib_of(name: &str) -> Option<u64> {
    let table = fs::read_to_string("/proc/meminfo").ok()?;
    let line = table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

// ANCHOR: memory
/// `tail` keeps what may be the last ten lines. In 200 MiB of zeros no line ever ends, and so it
/// keeps them all. There is no more to be had: the meal has an end.
pub(super) fn eat(sandbox: &Sandbox) -> Job {
    let line = "head -c 200M /dev/zero | tail > /dev/null";
    Job::bash(&sandbox.in_group(&[Controller::Memory]), line)
}
// ANCHOR_END: memory

// ANCHOR: no-limit
/// The kernel remembers the most that was ever in use; kernels before 5.19 do so in version 1 only.
pub(super) fn nobody_has_set_a_limit(sandbox: &Sandbox) -> Result<Evidence> {
    if sandbox.group.read(Account::PeakMemory).is_ok() {
        let evidence = sandbox.counted(Account::PeakMemory, |peak| peak >= MEAL)?;
        return Ok(evidence.therefore("all of it was in memory at once, and nobody minded"));
    }
    let is_none = |said: &str| said == "max" || said.len() > 15;
    Ok(sandbox.says(&LIMIT, is_none)?.therefore("there is no limit"))
}

/// The limit, and the same for memory and swap together.
pub(super) fn set_a_limit(sandbox: &mut Sandbox) -> Result<Fix> {
    let article = Some("cgset -r memory.limit_in_bytes=80M sandbox");
    let mut fix = sandbox.set(&LIMIT, article)?;
    // The peak so far was that of another time.
    if sandbox.group.file_of_limit(&NO_SWAP)?.exists() {
        let swap = sandbox.set(&NO_SWAP, None)?;
        fix.typed = format!("{}; {}", fix.typed, swap.typed);
        if let (Some((_, lines)), Some((_, more))) = (&mut fix.elsewhere, &swap.elsewhere) {
            *lines = format!("{lines}; {more}");
        }
    }
    Ok(fix)
}
// ANCHOR_END: no-limit

pub(super) fn the_limit_is_written_down(sandbox: &Sandbox) -> Result<Evidence> {
    sandbox.says(&LIMIT, |said| said == "83886080")
}

pub(super) fn swap_is_no_way_out(sandbox: &Sandbox) -> Result<Evidence> {
    if !sandbox.group.file_of_limit(&NO_SWAP)?.exists() {
        let evidence = Evidence::new(
            "grep SwapTotal: /proc/meminfo",
            "SwapTotal: 0 kB",
            Is::from(kib_of("SwapTotal") == Some(0)),
        );
        return Ok(evidence.therefore("this machine has nothing to swap to"));
    }
    sandbox.says(&NO_SWAP, |said| said == "83886080" || said == "0")
}

/// It was the kernel, and it has counted.
pub(super) fn the_kernel_has_killed(sandbox: &Sandbox) -> Result<Evidence> {
    sandbox.counted(Account::OutOfMemory, |killed| killed > 0)
}

/// What the article reads with cgget.
pub(super) fn the_statistics_are_there(sandbox: &Sandbox) -> Result<Evidence> {
    let file = sandbox.group.directory(Controller::Memory)?.join("memory.stat");
    let asked = format!("wc -l < {}", crate::job::typed_path(&file));
    let lines = fs::read_to_string(&file)?.lines().count();
    let evidence = Evidence::new(asked, lines.to_string(), Is::from(lines > 10));
    Ok(evidence.therefore("so many figures does the kernel keep about the group's memory"))
}
