//! The one place in this program that is `unsafe`.
//!
//! A PID namespace takes in children only, so somebody has to have a child in the very moment in
//! which the container is being made. That is fork(2), and Rust calls it unsafe for a good reason:
//! of a process with several threads it copies one, and what the others were doing stays half
//! done for ever. `workbench enter` has one thread, and so nothing is half done.
#![allow(unsafe_code)]

use nix::unistd::{ForkResult, Pid};

use crate::refusal::Refusal;

/// Which of the two processes this is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fork {
    /// The one that called; the number is that of its child.
    Parent(Pid),
    /// The new one.
    Child,
}

/// Makes this process two (fork(2)). To be called while there is one thread only.
///
/// # Errors
/// When the kernel refuses: EAGAIN or ENOMEM, where no more processes are allowed.
pub fn fork() -> Result<Fork, Refusal> {
    // SAFETY: there is one thread. The kernel has checked it where it matters: to a process with
    // several, it refuses CLONE_NEWPID and CLONE_NEWUSER with EINVAL (unshare(2)).
    match unsafe { nix::unistd::fork() }.map_err(Refusal::of("fork", "a child"))? {
        ForkResult::Parent { child } => Ok(Fork::Parent(child)),
        ForkResult::Child => Ok(Fork::Child),
    }
}
