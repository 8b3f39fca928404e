//! A system call that the kernel refused: the call, its object, and the errno.

use std::fmt;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// What the kernel said no to. Shown as a learner would have typed it:
/// `chroot /tmp/new-root: Operation not permitted (EPERM)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The system call, by the name of its manual page in section 2.
    pub call: String,
    /// What it was asked about: a path, a flag, a number.
    pub object: String,
    /// The number of the error (errno(3)).
    pub errno: i32,
}

impl Refusal {
    /// Names the call and its object for an errno of `nix`.
    pub fn of(call: &str, object: impl fmt::Display) -> impl FnOnce(Errno) -> Self {
        move |errno| Self { call: call.into(), object: object.to_string(), errno: errno as i32 }
    }

    /// Names the call and its path for an error of the standard library.
    pub fn io(call: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let object = path.display().to_string();
        move |error| Self {
            call: call.into(),
            object,
            errno: error.raw_os_error().unwrap_or(nix::libc::EINVAL),
        }
    }

    /// The errno by its name: `ENOENT`.
    pub fn name(&self) -> String {
        errno_name(self.errno)
    }
}

/// The symbolic name of an error number (errno(3)).
pub fn errno_name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}

/// The sentence that programs print for an error number (strerror(3)).
pub fn errno_sentence(errno: i32) -> &'static str {
    match Errno::from_raw(errno) {
        // `nix` has another sentence for it than the C library, and so than every program.
        Errno::EAGAIN => "Resource temporarily unavailable",
        other => other.desc(),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = errno_sentence(self.errno);
        write!(f, "{} {}: {sentence} ({})", self.call, self.object, self.name())
    }
}

impl std::error::Error for Refusal {}
