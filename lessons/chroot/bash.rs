//! From an empty directory to a shell: what a program needs before it can start.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::parties::{Parties, waiting_bash};
use crate::job::{Job, in_shell_words, typed_path};
use crate::proof::{self, Evidence, Is};
use crate::rootfs::Executable;

// ANCHOR: bash
/// `chroot eg-new-root bash`, asked to do no more than to say that it is there.
pub(super) fn bash_says_hello(parties: &Parties) -> Job {
    Job::bash(&parties.party(), "echo Hello from bash $BASH_VERSION")
}
// ANCHOR_END: bash

// ANCHOR: empty-root
/// The directory is empty: there is no program that could be started.
pub(super) fn bash_is_missing(parties: &Parties) -> Result<Evidence> {
    Ok(proof::is_missing(&parties.workshop.outside(&parties.bash.program)))
}

/// The article's `cp /bin/bash`: the program, and nothing that it needs.
pub(super) fn copy_bash_alone(parties: &mut Parties) -> Result<String> {
    let bash = parties.bash.program.clone();
    copy(parties, &[bash])
}
// ANCHOR_END: empty-root

// ANCHOR: no-loader
/// The ELF file names its loader (`PT_INTERP`). The kernel starts that one, and it is missing.
pub(super) fn the_loader_is_missing(parties: &Parties) -> Result<Evidence> {
    let bash = parties.workshop.outside(&parties.bash.program);
    let asked = format!("readelf -l {} | grep interpreter", typed_path(&bash));
    let loader = match parties.workshop.read(&parties.bash.program) {
        Ok(Executable::Elf(elf)) => elf.interpreter.context("bash names no loader")?,
        Ok(Executable::Script { .. }) => {
            return Ok(Evidence::new(asked, "a script", Is::Otherwise));
        }
        Err(error) => return Ok(Evidence::new(asked, format!("{error:#}"), Is::Otherwise)),
    };
    let is_there = parties.workshop.has(&loader);
    let there = if is_there { "is there" } else { "is missing inside" };
    Ok(Evidence::new(asked, format!("{} {there}", loader.display()), Is::from(!is_there)))
}

/// The line of `ldd` that has no arrow: one file, at the very path that the program names.
pub(super) fn copy_the_loader(parties: &mut Parties) -> Result<String> {
    let loader = parties.bash.interpreter.clone().context("bash names no loader")?;
    copy(parties, &[loader])
}
// ANCHOR_END: no-loader

// ANCHOR: no-libraries
/// The ELF file names its libraries (`DT_NEEDED`). The loader looks for them, inside.
pub(super) fn the_libraries_are_missing(parties: &Parties) -> Result<Evidence> {
    let bash = parties.workshop.outside(&parties.bash.program);
    let asked = format!("readelf -d {} | grep NEEDED", typed_path(&bash));
    let libraries = &parties.bash.libraries;
    let missing: Vec<String> = libraries
        .iter()
        .filter(|library| !parties.workshop.has(&library.path))
        .map(|library| {
            format!("{} is missing (the host has {})", library.name, library.path.display())
        })
        .collect();
    Ok(Evidence::new(asked, missing.join("\n"), Is::from(missing.len() == libraries.len())))
}

/// Each library to its own path: that is where the loader will look for it.
pub(super) fn copy_the_libraries(parties: &mut Parties) -> Result<String> {
    let files: Vec<PathBuf> = parties.bash.files().map(Path::to_owned).collect();
    copy(parties, &files[2..])
}
// ANCHOR_END: no-libraries

/// `cp --parents` makes the directories on the way, which is what a root needs.
pub(super) fn copy(parties: &mut Parties, files: &[PathBuf]) -> Result<String> {
    for file in files {
        parties.workshop.copy(file)?;
    }
    let mut words: Vec<OsString> = vec!["cp".into(), "--parents".into()];
    words.extend(files.iter().map(|file| file.clone().into_os_string()));
    words.push(parties.workshop.path().into());
    Ok(in_shell_words(&words))
}

/// The shell says which file it is.
pub(super) fn bash_finds_itself(parties: &Parties) -> Result<Evidence> {
    let asked = "echo $BASH";
    let answer = parties.ask_inside(asked)?;
    let is_inside = parties.workshop.has(Path::new(&answer));
    Ok(Evidence::new(asked, answer, Is::from(is_inside)))
}

/// The kernel lists every file of which a part is in the process's memory.
pub(super) fn all_its_code_is_from_the_new_root(parties: &Parties) -> Result<Evidence> {
    let waiting = parties.launcher.hold(&waiting_bash(&parties.party()))?;
    Ok(proof::maps_only_files_below(waiting.pid(), &parties.root))
}
