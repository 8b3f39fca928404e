//! What the learner has done so far, kept under the XDG state directory.
//!
//! The file belongs to the person who called, under sudo too. It is written to a new file and
//! then renamed, so that a crash leaves the old one or the new one, never half of each.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;
use nix::unistd::{Uid, User, geteuid};
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;

/// The version of the file's form.
const VERSION: u32 = 1;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    schema_version: u32,
    /// By the lesson's name.
    lessons: BTreeMap<String, LessonProgress>,
}

/// What is remembered of a lesson.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonProgress {
    /// How often it was performed to the end, with everything proven.
    pub verified: u32,
}

/// A place for the file, and whom it belongs to.
#[derive(Debug, Clone)]
pub struct Store {
    file: PathBuf,
    /// Set under sudo: the person who called.
    owner: Option<User>,
}

impl Store {
    /// Finds the place: `$XDG_STATE_HOME/workbench`, or `~/.local/state/workbench`. Under sudo
    /// it is the home of the person who called.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn find() -> Result<Self> {
        let owner = caller_under_sudo();
        let directory = if let Some(user) = &owner {
            user.dir.join(".local/state")
        } else {
            let home = Xdg::new().context("no home directory")?;
            home.state_dir().unwrap_or_else(|| home.home_dir().join(".local/state"))
        };
        Ok(Self { file: directory.join("workbench/progress.json"), owner })
    }

    /// Reads what is remembered; nothing yet is no error.
    ///
    /// # Errors
    /// When the file cannot be read, or is of a newer version. A damaged one is kept aside.
    pub fn load(&self) -> Result<Progress> {
        let name = self.file.display();
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Progress::default()),
            Err(error) => return Err(Refusal::io("open", &self.file)(error).into()),
        };
        match serde_json::from_str::<Progress>(&text) {
            Ok(progress) if progress.schema_version <= VERSION => Ok(progress),
            Ok(_) => anyhow::bail!("{name} was written by a newer workbench; it is left alone"),
            Err(error) => {
                let aside = self.file.with_extension("json.damaged");
                fs::rename(&self.file, &aside)?;
                let aside = aside.display();
                anyhow::bail!("{name} is damaged ({error}); it was moved to {aside}")
            }
        }
    }

    /// Remembers that a lesson was performed to its end.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn record_verified(&self, lesson: &str) -> Result<()> {
        let mut progress = self.load()?;
        progress.schema_version = VERSION;
        progress.lessons.entry(lesson.to_owned()).or_default().verified += 1;
        self.save(&progress)
    }

    fn save(&self, progress: &Progress) -> Result<()> {
        let directory = self.file.parent().context("no directory for the progress")?;
        self.make_directories(directory)?;
        let new = self.file.with_extension(format!("json.{}", std::process::id()));
        let text = serde_json::to_string_pretty(progress)? + "\n";
        // Under sudo, somebody else's directory: whatever stands there under this name goes, and
        // no link is followed.
        let _ = fs::remove_file(&new);
        let file = File::options().write(true).create_new(true).open(&new);
        let written = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        if let Err(error) = written {
            let _ = fs::remove_file(&new);
            return Err(Refusal::io("write", &new)(error).into());
        }
        self.give_to_owner(&new)?;
        Ok(fs::rename(&new, &self.file).map_err(Refusal::io("rename", &new))?)
    }

    /// Each directory that is made belongs to the caller as well.
    fn make_directories(&self, directory: &Path) -> Result<()> {
        if directory.is_dir() {
            return Ok(());
        }
        if let Some(parent) = directory.parent() {
            self.make_directories(parent)?;
        }
        fs::create_dir(directory).map_err(Refusal::io("mkdir", directory))?;
        self.give_to_owner(directory)
    }

    fn give_to_owner(&self, path: &Path) -> Result<()> {
        let Some(owner) = &self.owner else { return Ok(()) };
        let (user, group) = (owner.uid.as_raw(), owner.gid.as_raw());
        Ok(lchown(path, Some(user), Some(group)).map_err(Refusal::io("lchown", path))?)
    }
}

impl Progress {
    /// Whether nothing was done yet.
    pub fn is_empty(&self) -> bool {
        self.lessons.is_empty()
    }

    /// How often a lesson was performed to its end.
    pub fn times_verified(&self, lesson: &str) -> u32 {
        self.lessons.get(lesson).map_or(0, |progress| progress.verified)
    }
}

/// sudo(8) says who called in `SUDO_UID`.
fn caller_under_sudo() -> Option<User> {
    let uid: u32 = env::var("SUDO_UID").ok()?.parse().ok()?;
    if !geteuid().is_root() || uid == 0 {
        return None;
    }
    User::from_uid(Uid::from_raw(uid)).ok().flatten()
}
