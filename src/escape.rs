//! Attacks that a contained process tries on its own walls, each a short list of system calls.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::fcntl::OFlag;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::sys::wait::wait;
use nix::time::{ClockId, clock_gettime, clock_settime};
use nix::unistd::{chdir, chroot, pipe2};

use crate::fork::{Fork, fork};
use crate::refusal::Refusal;

/// A way out, or into what is not one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Escape {
    /// Out of the root directory: a second chroot, below the process's working directory.
    SecondChroot,
    /// Into the host's clock: it is set, to what it shows.
    SetClock,
    /// Into the kernel: a module is loaded, from a file that is none.
    LoadModule,
    /// Into a service of the host that listens on this abstract UNIX socket (unix(7)).
    Connect(String),
    /// Out of all proportion: so many processes at once.
    ForkBomb(u32),
}

/// As they are typed.
const ATTACKS: &str = "second-chroot, set-clock, load-module, connect:NAME, fork-bomb:NUMBER";

/// A bomb is never larger than this, so that it does no harm where nothing stops it.
const LARGEST_BOMB: u32 = 200;

impl Escape {
    /// Tries the way out.
    ///
    /// # Errors
    /// The system call that the kernel refused; the process is then still contained.
    pub fn attempt(&self) -> Result<(), Refusal> {
        match self {
            Self::SecondChroot => leave_by_second_chroot(),
            Self::SetClock => set_the_clock(),
            Self::LoadModule => load_a_module(),
            Self::Connect(name) => connect_to(name),
            Self::ForkBomb(count) => explode(*count),
        }
    }
}

// ANCHOR: leave_by_second_chroot
/// The kernel stops `..` at the root of the process, and only there (chroot(2)). Whoever stands
/// *above* its own root never meets it on the way up.
fn leave_by_second_chroot() -> Result<(), Refusal> {
    chdir("/").map_err(Refusal::of("chdir", "/"))?;
    let below = any_directory_below()?;
    // The root moves down; the working directory stays where it is, now above the root.
    chroot(&below).map_err(Refusal::of("chroot", below.display()))?;
    // Up, past the place where the wall used to be, until there is no further up.
    while identity_of(".")? != identity_of("..")? {
        chdir("..").map_err(Refusal::of("chdir", ".."))?;
    }
    // Here is the host's root. Make it ours again.
    chroot(".").map_err(Refusal::of("chroot", "."))
}
// ANCHOR_END: leave_by_second_chroot

// ANCHOR: set_the_clock
/// `date --set now`: there is one clock for the date, and it is in no namespace
/// (time_namespaces(7)). Were it allowed, it would do no harm: it sets what it has just read.
fn set_the_clock() -> Result<(), Refusal> {
    let clock = ClockId::CLOCK_REALTIME;
    let now = clock_gettime(clock).map_err(Refusal::of("clock_gettime", "CLOCK_REALTIME"))?;
    clock_settime(clock, now).map_err(Refusal::of("clock_settime", "CLOCK_REALTIME"))
}
// ANCHOR_END: set_the_clock

// ANCHOR: load_a_module
/// `insmod FILE`. The right to it is asked for before the file is read, and this file is a
/// directory: no kernel would load it.
fn load_a_module() -> Result<(), Refusal> {
    let file = File::open("/").map_err(Refusal::io("open", Path::new("/")))?;
    finit_module(&file, c"", ModuleInitFlags::empty()).map_err(Refusal::of("finit_module", "/"))
}
// ANCHOR_END: load_a_module

// ANCHOR: connect_to
/// An abstract socket has a name, but no file: no root directory and no mount hides it (unix(7)).
fn connect_to(name: &str) -> Result<(), Refusal> {
    let shown = PathBuf::from(format!("@{name}"));
    let address = SocketAddr::from_abstract_name(name).map_err(Refusal::io("connect", &shown))?;
    UnixStream::connect_addr(&address).map_err(Refusal::io("connect", &shown))?;
    Ok(())
}
// ANCHOR_END: connect_to

// ANCHOR: explode
/// A fork bomb doubles until nothing else fits into the machine. This one counts instead, and its
/// children do nothing but wait for its end, which is theirs: a pipe tells them.
fn explode(count: u32) -> Result<(), Refusal> {
    let (fuse, end) = pipe2(OFlag::O_CLOEXEC).map_err(Refusal::of("pipe2", "O_CLOEXEC"))?;
    let mut answer = Ok(());
    for _ in 0..count {
        match fork() {
            Ok(Fork::Parent(_)) => {}
            Ok(Fork::Child) => {
                drop(end);
                let _ = File::from(fuse).read(&mut [0]);
                std::process::exit(0);
            }
            Err(refusal) => {
                answer = Err(refusal);
                break;
            }
        }
    }
    drop(end);
    while wait().is_ok() {}
    answer
}
// ANCHOR_END: explode

/// Any directory will do, so none has to be made.
fn any_directory_below() -> Result<PathBuf, Refusal> {
    let here = PathBuf::from(".");
    let entries = fs::read_dir(&here).map_err(Refusal::io("open", &here))?;
    let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let mut directories = entries.flatten().filter(is_directory);
    directories.next().map(|entry| entry.path()).ok_or_else(|| Refusal {
        call: "open".into(),
        object: "a directory below /".into(),
        errno: nix::libc::ENOENT,
    })
}

/// A directory is the same one if device and inode are the same (inode(7)).
fn identity_of(path: &str) -> Result<(u64, u64), Refusal> {
    let path = PathBuf::from(path);
    let meta = fs::metadata(&path).map_err(Refusal::io("stat", &path))?;
    Ok((meta.dev(), meta.ino()))
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondChroot => f.write_str("second-chroot"),
            Self::SetClock => f.write_str("set-clock"),
            Self::LoadModule => f.write_str("load-module"),
            Self::Connect(name) => write!(f, "connect:{name}"),
            Self::ForkBomb(count) => write!(f, "fork-bomb:{count}"),
        }
    }
}

impl FromStr for Escape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "second-chroot" => Ok(Self::SecondChroot),
            None if text == "set-clock" => Ok(Self::SetClock),
            None if text == "load-module" => Ok(Self::LoadModule),
            Some(("connect", name)) if !name.is_empty() => Ok(Self::Connect(name.to_owned())),
            Some(("fork-bomb", count)) => match count.parse() {
                Ok(count @ 1..=LARGEST_BOMB) => Ok(Self::ForkBomb(count)),
                _ => Err(format!("a fork bomb has from 1 to {LARGEST_BOMB} processes")),
            },
            _ => Err(format!("there is: {ATTACKS}")),
        }
    }
}
