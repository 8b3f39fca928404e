//! What a shell can do itself, and what it cannot.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::bash::copy;
use super::parties::Parties;
use crate::job::{Job, typed_path};
use crate::lesson::Fix;
use crate::proof::{Evidence, Is};
use crate::refusal::Refusal;

/// Something to list and to read. A learner may have put a link in its place, so whatever is
/// there goes first, and nothing is followed.
pub(super) fn leave_a_note(parties: &mut Parties) -> Result<()> {
    let note = parties.root.join("note");
    let _ = fs::remove_file(&note);
    let file = File::options().write(true).create_new(true).open(&note);
    let written =
        file.and_then(|mut file| file.write_all(b"You are reading a file of the new root.\n"));
    Ok(written.map_err(Refusal::io("write", &note))?)
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
    // For what it cannot find, `type -t` prints nothing, and ends with status 1.
    let evidence = parties.ask_inside("type -t pwd ls cat", 1, |said| said == "builtin")?;
    Ok(evidence.therefore("pwd is a part of bash; for ls and cat there is no file"))
}

/// The same cure: the program, its loader, its libraries.
pub(super) fn copy_ls_and_cat(parties: &mut Parties) -> Result<Fix> {
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
    parties.ask_inside("type -t pwd ls cat", 0, |said| said == "builtin\nfile\nfile")
}

/// A root is no secret: the host looks into it as into any directory.
pub(super) fn the_host_sees_the_same_files(parties: &Parties) -> Result<Evidence> {
    let entries = fs::read_dir(&parties.root).map_err(Refusal::io("open", &parties.root))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let outside: BTreeSet<String> = names.collect();
    let said = parties.launcher.run(&Job::bash(&parties.party(), "ls -A /"))?.said;
    let inside: BTreeSet<String> = said.lines().map(str::to_owned).collect();
    let asked = format!("ls -A {}", typed_path(&parties.root));
    let answer = outside.iter().cloned().collect::<Vec<_>>().join("\n");
    let conclusion = "the same names as inside";
    Ok(Evidence::new(asked, answer, Is::from(inside == outside)).therefore(conclusion))
}
