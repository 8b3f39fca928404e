//! What the kernel answered, and what a lesson says that it will answer.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde::Serialize;

use crate::refusal::{Refusal, errno_name, errno_sentence};

/// The answer to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Observation {
    /// The kernel refused a system call; the program never began.
    Refused {
        /// The system call.
        call: String,
        /// The error by its name, such as `ENOENT`.
        errno: String,
    },
    /// The program ended with this status.
    Exited {
        /// From 0 to 255; a shell uses 127 for "command not found".
        status: i32,
    },
    /// A signal ended the program.
    Killed {
        /// The signal by its name, such as `SIGKILL`.
        signal: String,
    },
}

impl Observation {
    /// The end that a signal brings.
    pub fn killed(signal: Signal) -> Self {
        Self::Killed { signal: signal.as_str().to_owned() }
    }
}

impl From<Refusal> for Observation {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { errno: refusal.name(), call: refusal.call }
    }
}

impl From<ExitStatus> for Observation {
    fn from(status: ExitStatus) -> Self {
        match status.signal().map(|number| (number, Signal::try_from(number))) {
            Some((_, Ok(signal))) => Self::killed(signal),
            // A real-time signal has a number, but no name (signal(7)).
            Some((number, Err(_))) => Self::Killed { signal: format!("signal {number}") },
            None => Self::Exited { status: status.code().unwrap_or_default() },
        }
    }
}

impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { call, errno } => match sentence_of(errno) {
                Some(sentence) => write!(f, "{call} is refused: {sentence} ({errno})"),
                None => write!(f, "{call} is refused: {errno}"),
            },
            Self::Exited { status: 0 } => write!(f, "it runs and ends with status 0"),
            Self::Exited { status } => write!(f, "it ends with status {status}"),
            Self::Killed { signal } => write!(f, "it was killed by {signal}"),
        }
    }
}

/// The sentence for an error that is known by its name only.
fn sentence_of(name: &str) -> Option<&'static str> {
    (1..134).find(|&number| errno_name(number) == name).map(errno_sentence)
}

/// What a lesson says before it asks. It is compared with the observation, and a prediction that
/// does not come true ends the lesson with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prediction {
    /// The kernel will refuse this call with this error.
    Refused(&'static str, Errno),
    /// The program will end with this status.
    Exits(i32),
    /// This signal will end the program.
    Killed(Signal),
}

impl Prediction {
    /// Whether this is what was observed.
    pub fn matches(self, observation: &Observation) -> bool {
        *observation == self.into()
    }
}

impl From<Prediction> for Observation {
    fn from(prediction: Prediction) -> Self {
        match prediction {
            Prediction::Refused(call, errno) => {
                Self::Refused { call: call.to_owned(), errno: errno_name(errno as i32) }
            }
            Prediction::Exits(status) => Self::Exited { status },
            Prediction::Killed(signal) => Self::killed(signal),
        }
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Observation::from(*self).fmt(f)
    }
}
