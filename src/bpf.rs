//! A BPF program that decides which devices a group may open.
//!
//! Version 2 of control groups has no file for devices. It asks a program instead, which somebody
//! has attached to the group: a handful of instructions that the kernel checks before it takes
//! them (bpf(2), `BPF_PROG_TYPE_CGROUP_DEVICE`). The program dies with the group.
//!
//! There is no wrapper for bpf(2) in the C library, and so this is the second place in this
//! program that is `unsafe`: the kernel is handed addresses of our memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

use crate::cgroup::Device;
use crate::refusal::Refusal;

// ANCHOR: program
/// An instruction: what to do, with which registers, how far to jump, and a number
/// (the kernel's document `bpf/instruction-set.rst`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    code: u8,
    /// The destination in the lower half, the source in the upper (on little-endian machines).
    registers: u8,
    offset: i16,
    number: i32,
}

/// A program for the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program(Vec<Instruction>);

/// Where the kernel puts what the program may read: the address is in register 1, and there are
/// three numbers of four bytes (`struct bpf_cgroup_dev_ctx` in linux/bpf.h).
const QUESTION: u8 = 1;
const KIND: i16 = 0;
const MAJOR: i16 = 4;
const MINOR: i16 = 8;
/// A character device; the way in which it is to be opened stands above these bits.
const CHARACTER: i32 = 2;
const KIND_BITS: i32 = 0xffff;
/// What the program answers is in register 0.
const ANSWER: u8 = 0;

impl Program {
    /// Says yes to these character devices, and no to all others, of whatever kind.
    pub fn allowing(devices: &[Device]) -> Self {
        let (kind, major, minor) = (2, 3, 4);
        let mut code = vec![
            load(kind, QUESTION, KIND),
            keep_bits(kind, KIND_BITS),
            load(major, QUESTION, MAJOR),
            load(minor, QUESTION, MINOR),
        ];
        for device in devices {
            code.extend([
                // To the next device, if it is not this one.
                jump_unless(kind, CHARACTER, 4),
                jump_unless(major, same_bits(device.major), 3),
                jump_unless(minor, same_bits(device.minor), 2),
                set(ANSWER, 1),
                EXIT,
            ]);
        }
        code.extend([set(ANSWER, 0), EXIT]);
        Self(code)
    }
}
// ANCHOR_END: program

/// The kernel compares all bits, whatever they mean.
const fn same_bits(number: u32) -> i32 {
    i32::from_ne_bytes(number.to_ne_bytes())
}

const fn instruction(code: u8, registers: u8, offset: i16, number: i32) -> Instruction {
    Instruction { code, registers, offset, number }
}

/// `register = *(u32 *)(address + offset)`
const fn load(register: u8, address: u8, offset: i16) -> Instruction {
    instruction(0x61, address << 4 | register, offset, 0)
}

/// `register &= bits`
const fn keep_bits(register: u8, bits: i32) -> Instruction {
    instruction(0x57, register, 0, bits)
}

/// `if register != number goto +distance`
const fn jump_unless(register: u8, number: i32, distance: i16) -> Instruction {
    instruction(0x55, register, distance, number)
}

/// `register = number`
const fn set(register: u8, number: i32) -> Instruction {
    instruction(0xb7, register, 0, number)
}

/// `exit`
const EXIT: Instruction = instruction(0x95, 0, 0, 0);

// ANCHOR: bpf
const PROG_LOAD: libc::c_long = 5;
const PROG_ATTACH: libc::c_long = 8;
const PROG_QUERY: libc::c_long = 16;
/// The kind of the program, and the place at a group to which it is attached.
const CGROUP_DEVICE_PROGRAM: u32 = 15;
const CGROUP_DEVICE: u32 = 6;

impl Program {
    /// Has the kernel check the program, and attaches it to a group, in place of the one that was
    /// there.
    ///
    /// # Errors
    /// When the kernel refuses: it takes CAP_NET_ADMIN and CAP_BPF, or CAP_SYS_ADMIN before Linux 5.8.
    pub fn attach_to(&self, group: &Path) -> Result<(), Refusal> {
        let directory = File::open(group).map_err(Refusal::io("open", group))?;
        let program = self.load().map_err(Refusal::of("bpf", "BPF_PROG_LOAD"))?;
        let request = [descriptor(&directory), descriptor(&program), CGROUP_DEVICE, 0];
        bpf(PROG_ATTACH, request)
            .map_err(Refusal::of("bpf", format!("BPF_PROG_ATTACH {}", group.display())))?;
        Ok(())
    }

    fn load(&self) -> Result<OwnedFd, Errno> {
        /// The beginning of what bpf(2) expects; it takes the rest for zeros.
        #[repr(C)]
        struct Load {
            kind: u32,
            instructions: u32,
            code: u64,
            license: u64,
        }
        let request = Load {
            kind: CGROUP_DEVICE_PROGRAM,
            instructions: u32::try_from(self.0.len()).unwrap_or(u32::MAX),
            code: self.0.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
        };
        let number = bpf(PROG_LOAD, request)?;
        // SAFETY: the kernel has just opened this descriptor for us, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(number) })
    }
}

/// How many programs decide about the devices of a group.
///
/// # Errors
/// When the kernel refuses to tell.
pub fn programs_at(group: &Path) -> Result<u32, Refusal> {
    /// See `Load`.
    #[repr(C)]
    struct Query {
        group: u32,
        place: u32,
        flags: [u32; 2],
        ids: u64,
        count: u32,
        padding: u32,
    }
    let directory = File::open(group).map_err(Refusal::io("open", group))?;
    let mut ids = [0_u32; 64];
    let request = Query {
        group: descriptor(&directory),
        place: CGROUP_DEVICE,
        flags: [0; 2],
        ids: ids.as_mut_ptr() as u64,
        count: 64,
        padding: 0,
    };
    bpf(PROG_QUERY, request)
        .map_err(Refusal::of("bpf", format!("BPF_PROG_QUERY {}", group.display())))?;
    // The kernel numbers programs from 1.
    Ok(u32::try_from(ids.iter().filter(|id| **id != 0).count()).unwrap_or(u32::MAX))
}

fn descriptor(file: &impl AsRawFd) -> u32 {
    u32::from_ne_bytes(file.as_raw_fd().to_ne_bytes())
}

/// The kernel may write beyond what it was asked for, as newer ones do: so much room there is.
#[repr(C)]
struct Request<T> {
    asked: T,
    room: [u64; 16],
}

/// The system call itself.
fn bpf<T>(command: libc::c_long, asked: T) -> Result<i32, Errno> {
    let mut request = Request { asked, room: [0; 16] };
    let size = size_of::<Request<T>>();
    // SAFETY: the request is alive during the call, and so is whatever it holds the address of. The
    // kernel reads and writes within its size, and writes the list of `Query`.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(&mut request), size) };
    Errno::result(answer).map(|number| i32::try_from(number).unwrap_or_default())
}
// ANCHOR_END: bpf
