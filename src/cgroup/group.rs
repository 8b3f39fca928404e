//! A group: one directory in each tree that it needs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::account::Account;
use super::hierarchy::{Controller, Version};
use super::limit::{Limit, Touch};
use crate::job::typed_path;
use crate::refusal::Refusal;

/// A place in one tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What can be limited there.
    pub controllers: Vec<Controller>,
    /// How it is written.
    pub version: Version,
    /// The directory.
    pub directory: PathBuf,
}

/// A group of processes. It has one directory in version 2, and one for each controller, or a few
/// of them, in version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    parts: Vec<Part>,
}

impl Group {
    /// A group that has these parts.
    pub fn of(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// Its directories.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.parts.iter().map(|part| part.directory.as_path())
    }

    /// Its parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The same group, but for the trees that none of these needs.
    #[must_use]
    pub fn only(&self, controllers: &[Controller]) -> Self {
        let is_needed = |part: &&Part| part.controllers.iter().any(|has| controllers.contains(has));
        Self { parts: self.parts.iter().filter(is_needed).cloned().collect() }
    }

    /// A group inside this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        let inner = |part: &Part| Part { directory: part.directory.join(name), ..part.clone() };
        Self { parts: self.parts.iter().map(inner).collect() }
    }

    /// The part in which a controller works.
    ///
    /// # Errors
    /// When the group was made without it.
    pub fn part(&self, controller: Controller) -> Result<&Part> {
        let found = self.parts.iter().find(|part| part.controllers.contains(&controller));
        found.with_context(|| format!("the group has no {}", controller.name(Version::V1)))
    }

    /// Where a controller has its files.
    ///
    /// # Errors
    /// When the group was made without it.
    pub fn directory(&self, controller: Controller) -> Result<&Path> {
        Ok(&self.part(controller)?.directory)
    }

    // ANCHOR: make_and_remove
    /// `mkdir`, once for each tree: the kernel fills the new directories with files.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn create(&self) -> Result<(), Refusal> {
        for directory in self.directories() {
            fs::create_dir(directory).map_err(Refusal::io("mkdir", directory))?;
        }
        Ok(())
    }

    /// `rmdir`: a group that has no processes and no groups in it can be removed. Its files are no
    /// hindrance, and cannot be deleted.
    ///
    /// # Errors
    /// When the kernel refuses: EBUSY, as long as somebody is there.
    pub fn remove(&self) -> Result<(), Refusal> {
        for directory in self.directories() {
            match fs::remove_dir(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Refusal::io("rmdir", directory)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
    // ANCHOR_END: make_and_remove

    // ANCHOR: set
    /// Sets a limit: every line of it goes into its file.
    ///
    /// # Errors
    /// When the kernel refuses, or the group was made without the controller.
    pub fn set(&self, limit: &Limit) -> Result<()> {
        let Part { directory, version, .. } = self.part(limit.controller())?;
        for touch in limit.touches(*version) {
            match touch {
                Touch::Write { file, line } => write(&directory.join(file), &line)?,
                Touch::Attach(program) => program.attach_to(directory)?,
            }
        }
        Ok(())
    }

    /// Moves a process here; its children stay where they are.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn take_in(&self, pid: u32) -> Result<(), Refusal> {
        for directory in self.directories() {
            write(&directory.join("cgroup.procs"), &pid.to_string())?;
        }
        Ok(())
    }
    // ANCHOR_END: set

    /// What has to be typed for a limit.
    ///
    /// # Errors
    /// When the group was made without the controller.
    pub fn typed(&self, limit: &Limit) -> Result<String> {
        let Part { directory, version, .. } = self.part(limit.controller())?;
        let typed = |touch: &Touch| match touch {
            Touch::Write { file, line } => {
                format!("echo {} > {}", quoted(line), typed_path(&directory.join(file)))
            }
            Touch::Attach(_) => {
                format!("bpf BPF_PROG_ATTACH {} cgroup_device …", typed_path(directory))
            }
        };
        let lines = limit.touches(*version);
        Ok(lines.iter().map(typed).collect::<Vec<_>>().join("; "))
    }

    /// What would have to be typed for it if the controller were in the other version, where that
    /// differs; the directory is left out.
    ///
    /// # Errors
    /// When the group was made without the controller.
    pub fn typed_elsewhere(&self, limit: &Limit) -> Result<Option<(Version, String)>> {
        let here = self.part(limit.controller())?.version;
        let there = if here == Version::V1 { Version::V2 } else { Version::V1 };
        let lines = limit.touches(there);
        if lines == limit.touches(here) {
            return Ok(None);
        }
        let typed = |touch: &Touch| match touch {
            Touch::Write { file, line } => format!("echo {} > {file}", quoted(line)),
            Touch::Attach(_) => "a BPF program, attached to the group: there is no file".to_owned(),
        };
        Ok(Some((there, lines.iter().map(typed).collect::<Vec<_>>().join("; "))))
    }

    /// A number that the kernel has counted.
    ///
    /// # Errors
    /// When the file is not there, or the group was made without the controller.
    pub fn read(&self, account: Account) -> Result<u64> {
        let (file, place) = self.find(account)?;
        let text = fs::read_to_string(&file).map_err(Refusal::io("open", &file))?;
        Ok(place.number_in(&text))
    }

    /// How a learner reads that number.
    ///
    /// # Errors
    /// When the group was made without the controller.
    pub fn asked(&self, account: Account) -> Result<String> {
        let (file, place) = self.find(account)?;
        let file = typed_path(&file);
        Ok(match place.words.split_last() {
            None => format!("cat {file}"),
            // A name that ends with `=` stands in the middle of a line.
            Some((last, before)) if last.ends_with('=') && !before.is_empty() => {
                format!("grep '{}' {file}", before.join(" "))
            }
            Some(_) => format!("grep '{}' {file}", place.words.join(" ")),
        })
    }

    /// The line in which that number is, or the whole text if it has no other.
    pub fn is_about(&self, account: Account, line: &str) -> bool {
        let words = self.find(account).map(|(_, place)| place.words).unwrap_or_default();
        let names: Vec<&str> = words.iter().map(|word| word.trim_end_matches('=')).collect();
        let mut all = line.split_whitespace();
        match &names[..] {
            [] => true,
            [name] => all.next() == Some(name),
            [first, ..] => all.next() == Some(first) && line.contains(names[1]),
        }
    }

    /// The file into which a limit is written; with more than one, the last.
    ///
    /// # Errors
    /// When there is no such file, or the group was made without the controller.
    pub fn file_of_limit(&self, limit: &Limit) -> Result<PathBuf> {
        let Part { directory, version, .. } = self.part(limit.controller())?;
        let touches = limit.touches(*version);
        let last = touches.last().and_then(|touch| match touch {
            Touch::Write { file, .. } => Some(directory.join(file)),
            Touch::Attach(_) => None,
        });
        last.context("there is no file for this limit")
    }

    /// The file in which a number is.
    ///
    /// # Errors
    /// When the group was made without the controller.
    pub fn file_of(&self, account: Account) -> Result<PathBuf> {
        Ok(self.find(account)?.0)
    }

    fn find(&self, account: Account) -> Result<(PathBuf, super::account::Place)> {
        let asked = account.place(Version::V1).controller;
        let Part { directory, version, .. } = self.part(asked)?;
        let place = account.place(*version);
        Ok((directory.join(place.file), place))
    }

    /// The processes that are in it.
    ///
    /// # Errors
    /// When it is not there.
    pub fn processes(&self) -> Result<Vec<u32>, Refusal> {
        let mut all = Vec::new();
        for directory in self.directories() {
            all.extend(processes_in(directory)?);
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}

/// The processes of one directory. One of another PID namespace is shown as 0, and left out.
///
/// # Errors
/// When it is not there.
pub fn processes_in(directory: &Path) -> Result<Vec<u32>, Refusal> {
    let file = directory.join("cgroup.procs");
    let list = fs::read_to_string(&file).map_err(Refusal::io("open", &file))?;
    Ok(list.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid != 0).collect())
}

/// Writes one line in one piece, as the kernel wants it: a file of a group takes no second one.
///
/// # Errors
/// When the kernel refuses. What it says depends on the file; see [`crate::cgroup`].
pub fn write(file: &Path, line: &str) -> Result<(), Refusal> {
    let mut open = fs::OpenOptions::new();
    let written = open.write(true).open(file).and_then(|mut file| file.write_all(line.as_bytes()));
    written.map_err(Refusal::io(&format!("echo {} >", quoted(line)), file))
}

/// A line with a blank needs quotes.
fn quoted(line: &str) -> String {
    if line.contains([' ', '*']) { format!("'{line}'") } else { line.to_owned() }
}
