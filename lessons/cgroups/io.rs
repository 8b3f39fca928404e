//! Disks: so many bytes in a second.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::disk::Disk;
use super::sandbox::Sandbox;
use crate::cgroup::{Account, Controller, Limit};
use crate::job::{Job, typed_path};
use crate::lesson::{Fit, Fix};
use crate::meter::{Counter, Meter};
use crate::observation::Quantity;
use crate::proof::Evidence;
use crate::refusal::Refusal;

/// What is measured here.
pub(super) const RATE: Quantity = Quantity { what: "written to the disk", unit: "MiB/s" };
/// In bytes.
const MIB: u32 = 1 << 20;

pub(super) fn can_be_performed(sandbox: &Sandbox) -> Fit {
    match &sandbox.disk {
        Ok(disk) => sandbox.can_set(&[Limit::WriteRate(disk.device, MIB.into())]),
        Err(why) => match sandbox.can(&[Controller::Io]) {
            Fit::Here => Fit::CouldNotLook(why.clone()),
            fit => fit,
        },
    }
}

// ANCHOR: io
/// 6 MiB, in pieces of 128 KiB, each of them past the cache and onto the disk.
pub(super) fn write_past_the_cache(sandbox: &Sandbox) -> Job {
    let file = sandbox.disk.as_ref().map_or("/nowhere".as_ref(), |disk| disk.file.as_path());
    let argv = format!("dd if=/dev/zero of={} bs=128K count=48 oflag=direct", typed_path(file));
    Job::bash(&sandbox.in_group(&[Controller::Io]), &argv)
}

/// What is written past the cache makes the file longer only when it is on the disk.
pub(super) fn bytes_in_a_second(sandbox: &Sandbox) -> Result<Meter> {
    let file = disk(sandbox)?.file.clone();
    let (written, old) = (file.clone(), file);
    #[allow(clippy::cast_precision_loss)] // There are no such disks.
    let read = move || Ok(length(&written)? as f64 / f64::from(MIB));
    Ok(Meter {
        quantity: RATE,
        counters: vec![Counter { label: "of 1 GiB/s".into(), read: Box::new(read), full: 1024.0 }],
        value: Box::new(|grown, seconds| grown[0] / seconds),
        used: None,
        reset: Box::new(move || Ok(File::create(&old).map(drop)?)),
        warm_up: Duration::from_millis(200),
        least: Duration::from_secs(1),
        most: Duration::from_secs(3),
    })
}
// ANCHOR_END: io

fn length(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).map_err(Refusal::io("stat", file))?.len())
}

fn disk(sandbox: &Sandbox) -> Result<&Disk> {
    sandbox.disk.as_ref().ok().context("there is no disk")
}

fn rate(sandbox: &Sandbox) -> Result<Limit> {
    Ok(Limit::WriteRate(disk(sandbox)?.device, MIB.into()))
}

// ANCHOR: no-brake
/// A file without a line.
pub(super) fn nobody_has_set_a_rate(sandbox: &Sandbox) -> Result<Evidence> {
    let name = &disk(sandbox)?.name;
    let evidence = sandbox.says(&rate(sandbox)?, str::is_empty)?;
    Ok(evidence.therefore(format!("nobody slows down what is written to {name}")))
}

pub(super) fn set_a_rate(sandbox: &mut Sandbox) -> Result<Fix> {
    sandbox.set(&rate(sandbox)?, None)
}
// ANCHOR_END: no-brake

pub(super) fn the_rate_is_written_down(sandbox: &Sandbox) -> Result<Evidence> {
    let device = disk(sandbox)?.device.to_string();
    sandbox.says(&rate(sandbox)?, |said| said.starts_with(&device) && said.contains("1048576"))
}

/// The kernel has counted for the group what it let through.
pub(super) fn the_kernel_has_counted(sandbox: &Sandbox) -> Result<Evidence> {
    sandbox.counted(Account::Written(disk(sandbox)?.device), |bytes| bytes > 0)
}
