//! Control groups: what a group of processes may use, and what it has used (cgroups(7)).
//!
//! A group is a directory, a limit is a line in a file, and moving a process is one more line in
//! another: there is hardly any system call of their own (clone3(2) can put a new process into one). What differs from host to host is where the
//! files are and what they are called. Version 1 has a tree of groups for each controller, version
//! 2 one tree for all, and a hybrid host has both, so the version is chosen for each controller:
//! [`Hierarchies`] finds where it is, and [`Limit`] knows what to write there. No other part of
//! this program asks for a version.

mod absent;
mod account;
mod corner;
mod group;
mod hierarchy;
mod limit;
mod sweep;

pub use absent::Absent;
pub use account::Account;
pub use corner::Corner;
pub use group::Group;
pub use hierarchy::{Controller, Hierarchies, Hierarchy, Version};
pub use limit::{Device, Limit, Touch};
pub use sweep::{Remains, sweep_groups};
