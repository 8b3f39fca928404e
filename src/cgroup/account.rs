//! What the kernel has counted for a group, and where it is written down.

use super::hierarchy::{Controller, Version};
use super::limit::Device;

// ANCHOR: accounts
/// Something that the kernel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Nanoseconds of processor time.
    CpuTime,
    /// Periods in which the quota was used up.
    Throttled,
    /// The largest number of bytes that were in use at once.
    PeakMemory,
    /// Processes that were killed because the memory limit was reached.
    OutOfMemory,
    /// Bytes written to a block device.
    Written(Device),
    /// Whether everybody stands still: 1 or 0.
    Frozen,
    /// Forks that were refused.
    ForksRefused,
}

/// Where a number is: in a file, and perhaps behind a word in one of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which controller counts.
    pub controller: Controller,
    /// The file.
    pub file: &'static str,
    /// The words before the number.
    pub words: Vec<String>,
    /// What the number has to be multiplied with.
    pub unit: u64,
}

impl Account {
    /// The place of the number.
    pub fn place(self, version: Version) -> Place {
        use Version::{V1, V2};
        match (self, version) {
            (Self::CpuTime, V1) => at(Controller::Cpuacct, "cpuacct.usage", &[]),
            (Self::CpuTime, V2) => {
                Place { unit: 1_000, ..at(Controller::Cpuacct, "cpu.stat", &["usage_usec"]) }
            }
            (Self::Throttled, V1 | V2) => at(Controller::Cpu, "cpu.stat", &["nr_throttled"]),
            (Self::PeakMemory, V1) => at(Controller::Memory, "memory.max_usage_in_bytes", &[]),
            (Self::PeakMemory, V2) => at(Controller::Memory, "memory.peak", &[]),
            (Self::OutOfMemory, V1) => at(Controller::Memory, "memory.oom_control", &["oom_kill"]),
            (Self::OutOfMemory, V2) => at(Controller::Memory, "memory.events", &["oom_kill"]),
            (Self::Written(device), V1) => {
                let file = "blkio.throttle.io_service_bytes";
                at(Controller::Io, file, &[&device.to_string(), "Write"])
            }
            (Self::Written(device), V2) => {
                at(Controller::Io, "io.stat", &[&device.to_string(), "wbytes="])
            }
            (Self::Frozen, V1) => at(Controller::Freezer, "freezer.state", &["FROZEN"]),
            (Self::Frozen, V2) => at(Controller::Freezer, "cgroup.events", &["frozen"]),
            (Self::ForksRefused, V1 | V2) => at(Controller::Pids, "pids.events", &["max"]),
        }
    }
}
// ANCHOR_END: accounts

fn at(controller: Controller, file: &'static str, words: &[&str]) -> Place {
    let words = words.iter().map(|&word| word.to_owned()).collect();
    Place { controller, file, words, unit: 1 }
}

impl Place {
    /// Finds the number in the text of the file. What was never counted is not written down.
    pub fn number_in(&self, text: &str) -> u64 {
        let number = text.lines().find_map(|line| self.number_in_line(line));
        number.unwrap_or_default().saturating_mul(self.unit)
    }

    fn number_in_line(&self, line: &str) -> Option<u64> {
        let mut words = line.split_whitespace();
        for wanted in &self.words {
            if let Some(name) = wanted.strip_suffix('=') {
                return words
                    .find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
            }
            if words.next() != Some(wanted) {
                return None;
            }
        }
        // `FROZEN` stands alone: the word is the answer.
        words.next().map_or(Some(1).filter(|_| !self.words.is_empty()), |word| word.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_where_each_version_has_them() {
        let device = Device { major: 254, minor: 0 };
        let read = |account: Account, version, text| account.place(version).number_in(text);
        assert_eq!(read(Account::CpuTime, Version::V1, "1234\n"), 1234);
        assert_eq!(read(Account::CpuTime, Version::V2, "usage_usec 7\nuser_usec 3\n"), 7_000);
        let v1 = "8:0 Write 3\n254:0 Read 9\n254:0 Write 4096\nTotal 4099\n";
        assert_eq!(read(Account::Written(device), Version::V1, v1), 4096);
        let v2 = "8:0 wbytes=3\n254:0 rbytes=9 wbytes=4096 rios=1\n";
        assert_eq!(read(Account::Written(device), Version::V2, v2), 4096);
        assert_eq!(read(Account::Written(device), Version::V2, ""), 0);
        assert_eq!(read(Account::Frozen, Version::V1, "FROZEN\n"), 1);
        assert_eq!(read(Account::Frozen, Version::V1, "FREEZING\n"), 0);
        assert_eq!(read(Account::Frozen, Version::V2, "populated 1\nfrozen 0\n"), 0);
    }
}
