//! The table of contents: one line for each lesson.

use std::process::ExitCode;

use anyhow::Result;

use crate::cli::LessonArgs;
use crate::commands::{Missing, perform_lesson, what_is_missing};
use crate::lesson::Lesson;

#[path = "cgroups/lesson.rs"]
pub mod cgroups;
#[path = "chroot/lesson.rs"]
pub mod chroot;
#[path = "namespaces/lesson.rs"]
pub mod namespaces;

/// The lessons in the order in which they build on each other.
pub const CONTENTS: &[Contents] = &[
    line_of(
        &chroot::LESSON,
        || chroot::LESSON.steps(),
        || what_is_missing(&chroot::LESSON),
        |args| perform_lesson(&chroot::LESSON, args),
    ),
    line_of(
        &namespaces::LESSON,
        || namespaces::LESSON.steps(),
        || what_is_missing(&namespaces::LESSON),
        |args| perform_lesson(&namespaces::LESSON, args),
    ),
    line_of(
        &cgroups::LESSON,
        || cgroups::LESSON.steps(),
        || what_is_missing(&cgroups::LESSON),
        |args| perform_lesson(&cgroups::LESSON, args),
    ),
];

/// A line of the table of contents: a lesson, whatever world it works on.
pub struct Contents {
    /// As typed: `workbench lesson NAME`.
    pub name: &'static str,
    /// As read.
    pub title: &'static str,
    /// How long it takes, in minutes.
    pub minutes: u32,
    /// The ids of its steps.
    pub steps: fn() -> Vec<&'static str>,
    /// Finds out by trying whether this host can run it.
    pub missing: fn() -> Result<Missing>,
    /// Performs it, and returns the exit code.
    pub perform: fn(&LessonArgs) -> Result<ExitCode>,
}

const fn line_of<W>(
    lesson: &Lesson<W>,
    steps: fn() -> Vec<&'static str>,
    missing: fn() -> Result<Missing>,
    perform: fn(&LessonArgs) -> Result<ExitCode>,
) -> Contents {
    let Lesson { name, title, minutes, .. } = *lesson;
    Contents { name, title, minutes, steps, missing, perform }
}
