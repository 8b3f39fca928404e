//! One table from a limit to the files and words of version 1 and version 2.

use std::fmt;

use super::hierarchy::{Controller, Version};
use crate::bpf::Program;

/// A device node (mknod(2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

// ANCHOR: limits
/// What a group may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// So many microseconds of processor time in each period of so many.
    CpuQuota {
        /// For all processors together.
        quota: u64,
        /// How often it is given out.
        period: u64,
    },
    /// As much processor time as there is.
    NoCpuQuota,
    /// The part of the processors that it gets when others want them too, in percent of what a
    /// group gets by default.
    CpuWeight(u64),
    /// Bytes of memory.
    Memory(u64),
    /// The same, but nothing may be swapped instead. It has to come after [`Limit::Memory`].
    NoSwap(u64),
    /// Bytes in a second that may be written to a block device.
    WriteRate(Device, u64),
    /// The character devices that may be opened: these and no others.
    Devices(Vec<Device>),
    /// Nobody moves.
    Frozen,
    /// Everybody does.
    Thawed,
    /// Processes and threads.
    Pids(u64),
}
// ANCHOR_END: limits

/// What has to be done to a group for a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touch {
    /// A line is written into a file.
    Write {
        /// The file, in the directory of the group.
        file: &'static str,
        /// The line.
        line: String,
    },
    /// A BPF program is attached, which is asked whenever a device is opened.
    Attach(Program),
}

impl Limit {
    /// Which controller sees to it.
    pub const fn controller(&self) -> Controller {
        match self {
            Self::CpuQuota { .. } | Self::NoCpuQuota | Self::CpuWeight(_) => Controller::Cpu,
            Self::Memory(_) | Self::NoSwap(_) => Controller::Memory,
            Self::WriteRate(..) => Controller::Io,
            Self::Devices(_) => Controller::Devices,
            Self::Frozen | Self::Thawed => Controller::Freezer,
            Self::Pids(_) => Controller::Pids,
        }
    }

    // ANCHOR: table
    /// The words for it (cgroup-v1/*.rst and cgroup-v2.rst of the kernel's documentation).
    pub fn touches(&self, version: Version) -> Vec<Touch> {
        use Version::{V1, V2};
        match (self, version) {
            (Self::CpuQuota { quota, period }, V1) => {
                vec![write("cpu.cfs_period_us", period), write("cpu.cfs_quota_us", quota)]
            }
            (Self::CpuQuota { quota, period }, V2) => {
                vec![write("cpu.max", format!("{quota} {period}"))]
            }

            (Self::NoCpuQuota, V1) => vec![write("cpu.cfs_quota_us", -1)],
            (Self::NoCpuQuota, V2) => vec![write("cpu.max", "max")],

            // The defaults are 1024 and 100.
            (Self::CpuWeight(percent), V1) => vec![write("cpu.shares", 1024 * percent / 100)],
            (Self::CpuWeight(percent), V2) => vec![write("cpu.weight", percent)],

            (Self::Memory(bytes), V1) => vec![write("memory.limit_in_bytes", bytes)],
            (Self::Memory(bytes), V2) => vec![write("memory.max", bytes)],

            // Version 1 limits the sum of memory and swap, version 2 swap alone.
            (Self::NoSwap(bytes), V1) => vec![write("memory.memsw.limit_in_bytes", bytes)],
            (Self::NoSwap(_), V2) => vec![write("memory.swap.max", 0)],

            (Self::WriteRate(device, rate), V1) => {
                vec![write("blkio.throttle.write_bps_device", format!("{device} {rate}"))]
            }
            (Self::WriteRate(device, rate), V2) => {
                vec![write("io.max", format!("{device} wbps={rate}"))]
            }

            (Self::Devices(allowed), V1) => {
                let node = |device| write("devices.allow", format!("c {device} rwm"));
                let nothing = write("devices.deny", "a");
                [nothing].into_iter().chain(allowed.iter().map(node)).collect()
            }
            (Self::Devices(allowed), V2) => vec![Touch::Attach(Program::allowing(allowed))],

            (Self::Frozen, V1) => vec![write("freezer.state", "FROZEN")],
            (Self::Frozen, V2) => vec![write("cgroup.freeze", 1)],
            (Self::Thawed, V1) => vec![write("freezer.state", "THAWED")],
            (Self::Thawed, V2) => vec![write("cgroup.freeze", 0)],

            (Self::Pids(number), V1 | V2) => vec![write("pids.max", number)],
        }
    }
    // ANCHOR_END: table
}

fn write(file: &'static str, line: impl fmt::Display) -> Touch {
    Touch::Write { file, line: line.to_string() }
}
