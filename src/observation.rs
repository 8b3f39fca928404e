//! What the kernel answered, and what a lesson says that it will answer.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde::Serialize;

use crate::refusal::{Refusal, errno_name, errno_sentence};

/// The answer to an attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// While the program ran, this was read from the kernel's counters.
    Measured {
        /// The quantity.
        what: String,
        /// How much of it.
        value: f64,
        /// In which unit; empty for a ratio.
        unit: String,
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
            Self::Measured { what, value, unit } => write!(f, "{what}: {}", in_unit(*value, unit)),
        }
    }
}

/// A measured number as people read it: `99.6 %`, `4.0`.
pub fn in_unit(value: f64, unit: &str) -> String {
    format!("{value:.1} {unit}").trim_end().to_owned()
}

/// The sentence for an error that is known by its name only.
fn sentence_of(name: &str) -> Option<&'static str> {
    (1..134).find(|&number| errno_name(number) == name).map(errno_sentence)
}

/// What a lesson says before it asks. It is compared with the observation, and a prediction that
/// does not come true ends the lesson with an error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Prediction {
    /// The kernel will refuse this call with this error.
    Refused(&'static str, Errno),
    /// The program will end with this status.
    Exits(i32),
    /// This signal will end the program.
    Killed(Signal),
    /// While the program runs, so much of something will be measured.
    Measures(Quantity, Range),
}

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    /// Its name.
    pub what: &'static str,
    /// Its unit; empty for a ratio.
    pub unit: &'static str,
}

/// Where a measured value is expected. The margins were chosen from measurements on hosts that had
/// other things to do as well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Range {
    /// Not less than this.
    AtLeast(f64),
    /// Not more than this.
    AtMost(f64),
    /// This, give or take that.
    About(f64, f64),
}

impl Range {
    /// Whether a value lies within.
    pub fn contains(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::About(middle, margin) => (value - middle).abs() <= margin,
        }
    }

    /// Whether a value is less than was expected.
    pub fn falls_short(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value < least,
            Self::AtMost(_) => false,
            Self::About(middle, margin) => value < middle - margin,
        }
    }
}

impl Prediction {
    /// Whether this is what was observed.
    pub fn matches(self, observation: &Observation) -> bool {
        match (self, observation) {
            (Self::Measures(quantity, range), Observation::Measured { what, value, .. }) => {
                what == quantity.what && range.contains(*value)
            }
            _ => self.as_observation().as_ref() == Some(observation),
        }
    }

    /// Whether what was measured is less than this.
    pub fn exceeds(self, observation: &Observation) -> bool {
        match (self, observation) {
            (Self::Measures(_, range), Observation::Measured { value, .. }) => {
                range.falls_short(*value)
            }
            _ => false,
        }
    }

    /// The one observation that fulfils it; a range has many.
    fn as_observation(self) -> Option<Observation> {
        match self {
            Self::Refused(call, errno) => Some(Observation::Refused {
                call: call.to_owned(),
                errno: errno_name(errno as i32),
            }),
            Self::Exits(status) => Some(Observation::Exited { status }),
            Self::Killed(signal) => Some(Observation::killed(signal)),
            Self::Measures(..) => None,
        }
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(observation) = self.as_observation() {
            return observation.fmt(f);
        }
        let Self::Measures(Quantity { what, unit }, range) = self else { return Ok(()) };
        match range {
            Range::AtLeast(least) => write!(f, "{what}: {} or more", with_unit(*least, unit)),
            Range::AtMost(most) => write!(f, "{what}: {} or less", with_unit(*most, unit)),
            Range::About(middle, margin) => {
                write!(f, "{what}: {}, give or take {margin}", with_unit(*middle, unit))
            }
        }
    }
}

/// A number that somebody has chosen, as it was chosen.
fn with_unit(value: f64, unit: &str) -> String {
    format!("{value} {unit}").trim_end().to_owned()
}
