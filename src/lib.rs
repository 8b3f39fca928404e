//! Learn what a container is by building one, on your own kernel, step by step.
//!
//! The way in: [`lessons`] are tables of experiments, [`lesson`] performs them, [`container`] is
//! the list of system calls behind each attempt, [`rootfs`] builds the root that they need.

// A kernel's answer is never unwrapped, and what is printed goes through the faces. Tests may.
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

pub mod ability;
pub mod bench;
pub mod bpf;
pub mod cgroup;
pub mod child;
pub mod cli;
pub mod commands;
pub mod container;
pub mod debootstrap;
pub mod escape;
pub mod face;
mod fork;
pub mod host;
pub mod interrupt;
pub mod job;
pub mod json;
pub mod launch;
pub mod lesson;
#[path = "../lessons/mod.rs"]
pub mod lessons;
pub mod meter;
pub mod mounts;
pub mod namespace;
pub mod observation;
pub mod progress;
pub mod proof;
pub mod quiz;
pub mod refusal;
pub mod rootfs;
pub mod terminal;
pub mod witness;
pub mod words;
