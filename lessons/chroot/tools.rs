//! What a shell can do itself, and what it cannot.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::bash::copy;
use super::parties::Parties;
use crate::job::{Job, typed_path};
use crate::proof::{Evidence, Is};
use crate::refusal::Refusal;

/// Something to list and to read.
pub(super) fn leave_a_note(parties: &mut Parties) -> Result<()> {
    let note = parties.root.join("note");
    fs::write(&note, "You are reading a file of the new root.\n")
        .map_err(Refusal::io("write", &note))?;
    Ok(())
}

// ANCHOR: tools
/// One builtin, two programs.
pub(super) fn look_around(parties: &Parties) -> Job {
    Job::bash(&parties.party(), "pwd; ls /; cat /note")
}
// ANCHOR_END: tools

// ANCHOR: builtins-only
/// `pwd` is a part of bash; `ls` and `cat` are files that are not there.
pub(super) fn ls_and_cat_are_no_builtins(parties: &Parties) -> Result<Evidence> {
    let asked = "type -t pwd ls cat";
    let answer = parties.ask_inside(asked)?;
    // For what it cannot find, `type -t` prints nothing.
    let is_so = answer == "builtin";
    Ok(Evidence::new(asked, format!("{answer} (pwd), nothing for ls and cat"), Is::from(is_so)))
}

/// The same cure: the program, its loader, its libraries.
pub(super) fn copy_ls_and_cat(parties: &mut Parties) -> Result<String> {
    let mut files: Vec<PathBuf> = Vec::new();
    for program in ["ls", "cat"] {
        let closure = parties.workshop.closure_of(OsStr::new(program))?;
        files.extend(closure.files().map(Path::to_owned));
    }
    files.retain(|file| !parties.workshop.has(file));
    files.sort();
    files.dedup();
    copy(parties, &files)
}
// ANCHOR_END: builtins-only

/// Asked again, bash finds files for both.
pub(super) fn each_tool_is_found_where_it_should_be(parties: &Parties) -> Result<Evidence> {
    let asked = "type -t pwd ls cat";
    let answer = parties.ask_inside(asked)?.replace('\n', ", ");
    let is_so = answer == "builtin, file, file";
    Ok(Evidence::new(asked, answer, Is::from(is_so)))
}

/// A root is no secret: the host looks into it as into any directory.
pub(super) fn the_host_sees_the_same_files(parties: &Parties) -> Result<Evidence> {
    let mut outside: Vec<String> = fs::read_dir(&parties.root)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    outside.sort();
    let asked = format!("ls {}", typed_path(&parties.root));
    let mut inside: Vec<String> = parties.ask_inside("ls /")?.lines().map(str::to_owned).collect();
    inside.sort();
    Ok(Evidence::new(asked, outside.join(" "), Is::from(inside == outside)))
}
