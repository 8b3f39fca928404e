//! The freezer: everybody stands still, and goes on.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::sandbox::Sandbox;
use crate::cgroup::{Account, Controller, Limit};
use crate::container::Recipe;
use crate::job::{Job, typed_path};
use crate::lesson::Fix;
use crate::proof::{self, Evidence};

fn ticks(sandbox: &Sandbox) -> PathBuf {
    sandbox.bench.path().join("ticks")
}

/// A process in the group adds a dot to a file, fifty times in a second, as long as it lives.
pub(super) fn somebody_counts(sandbox: &mut Sandbox) -> Result<()> {
    let file = typed_path(&ticks(sandbox));
    // `read` ends with a status above 128 when its time is up, and below when nobody is there.
    let line = format!(
        "printf . > {file}; echo ready; \
         until read -rt 0.02 _; [ $? -lt 128 ]; do printf . >> {file}; done"
    );
    let job = Job::bash(&sandbox.in_group(&[Controller::Freezer]), &line);
    sandbox.tenant = Some(sandbox.launcher.hold(&job)?);
    Ok(())
}

// ANCHOR: freezer
/// Does the file grow?
pub(super) fn does_it_count(sandbox: &Sandbox) -> Job {
    let file = typed_path(&ticks(sandbox));
    let line = format!(
        "a=$(stat -c %s {file}); sleep 0.3; b=$(stat -c %s {file}); echo $a dots, then $b; ((b > a))"
    );
    Job::bash(&Recipe::default(), &line)
}
// ANCHOR_END: freezer

// ANCHOR: running
/// The kernel says of the whole group whether it stands still.
pub(super) fn nobody_is_frozen(sandbox: &Sandbox) -> Result<Evidence> {
    is_frozen(sandbox, 0)
}

pub(super) fn freeze(sandbox: &mut Sandbox) -> Result<Fix> {
    let fix = sandbox.set(&Limit::Frozen, None)?;
    wait_until(sandbox, 1)?;
    Ok(fix)
}
// ANCHOR_END: running

// ANCHOR: frozen
/// The same question.
pub(super) fn everybody_is_frozen(sandbox: &Sandbox) -> Result<Evidence> {
    is_frozen(sandbox, 1)
}

pub(super) fn thaw(sandbox: &mut Sandbox) -> Result<Fix> {
    let fix = sandbox.set(&Limit::Thawed, None)?;
    wait_until(sandbox, 0)?;
    Ok(fix)
}
// ANCHOR_END: frozen

/// The kernel freezes each process at the next moment at which it can, and then says so.
fn wait_until(sandbox: &Sandbox, frozen: u64) -> Result<()> {
    let began = Instant::now();
    while sandbox.group.read(Account::Frozen)? != frozen {
        if began.elapsed() > Duration::from_secs(5) {
            bail!("the group did not become {}", if frozen == 1 { "frozen" } else { "thawed" });
        }
        // Version 1 tells nobody when it is done.
        thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn is_frozen(sandbox: &Sandbox, wanted: u64) -> Result<Evidence> {
    let file = sandbox.group.file_of(Account::Frozen)?;
    let is_so = sandbox.group.read(Account::Frozen)? == wanted;
    Ok(proof::file_says(&file, |_| is_so))
}

/// It was not started again.
pub(super) fn it_is_the_same_process(sandbox: &Sandbox) -> Result<Evidence> {
    Ok(proof::is_alive(sandbox.tenant()?).therefore("it has gone on where it stood"))
}
