//! From an empty directory to a shell: what a program needs before it can start.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::parties::Parties;
use crate::job::{Job, in_shell_words, typed_path};
use crate::lesson::Fix;
use crate::proof::{self, Evidence, Is};
use crate::rootfs::Executable;
use crate::rootfs::elf::Elf;

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
pub(super) fn copy_bash_alone(parties: &mut Parties) -> Result<Fix> {
    let bash = parties.bash.program.clone();
    copy(parties, &[bash])
}
// ANCHOR_END: empty-root

// ANCHOR: no-loader
/// The ELF file names its loader (`PT_INTERP`). The kernel starts that one, and it is missing.
pub(super) fn the_loader_is_missing(parties: &Parties) -> Result<Evidence> {
    let (asked, elf) = match headers_of_bash(parties, "-l", "interpreter: [^]]*") {
        Ok(found) => found,
        Err(evidence) => return Ok(evidence),
    };
    let loader = elf.interpreter.context("bash names no loader")?;
    let is_missing = !parties.workshop.has(&loader);
    let there = if is_missing { "is missing" } else { "is there" };
    let conclusion = format!("{} {there}", typed_path(&parties.workshop.outside(&loader)));
    let answer = format!("interpreter: {}", loader.display());
    Ok(Evidence::new(asked, answer, Is::from(is_missing)).therefore(conclusion))
}

/// The line of `ldd` that has no arrow: one file, at the very path that the program names.
pub(super) fn copy_the_loader(parties: &mut Parties) -> Result<Fix> {
    let loader = parties.bash.interpreter.clone().context("bash names no loader")?;
    copy(parties, &[loader])
}
// ANCHOR_END: no-loader

// ANCHOR: no-libraries
/// The ELF file names its libraries (`DT_NEEDED`). The loader looks for them, inside.
pub(super) fn the_libraries_are_missing(parties: &Parties) -> Result<Evidence> {
    let (asked, elf) = match headers_of_bash(parties, "-d", "Shared library.*") {
        Ok(found) => found,
        Err(evidence) => return Ok(evidence),
    };
    let names: Vec<String> =
        elf.needed.iter().map(|name| format!("Shared library: [{name}]")).collect();
    let libraries = &parties.bash.libraries;
    let missing: Vec<String> = libraries
        .iter()
        .filter(|library| !parties.workshop.has(&library.path))
        .map(|library| {
            format!("{} is missing; on the host it is {}", library.name, library.path.display())
        })
        .collect();
    let is_so = missing.len() == libraries.len();
    Ok(Evidence::new(asked, names.join("\n"), Is::from(is_so)).therefore(missing.join("\n")))
}

/// Each library to its own path: that is where the loader will look for it.
pub(super) fn copy_the_libraries(parties: &mut Parties) -> Result<Fix> {
    let files: Vec<PathBuf> = parties.bash.files().map(Path::to_owned).collect();
    copy(parties, &files[2..])
}
// ANCHOR_END: no-libraries

/// `readelf` prints the headers that are read here; without a readable bash there are none.
fn headers_of_bash(
    parties: &Parties,
    what: &str,
    pattern: &str,
) -> Result<(String, Elf), Evidence> {
    let bash = typed_path(&parties.workshop.outside(&parties.bash.program));
    let asked = format!("readelf {what} {bash} | grep -o '{pattern}'");
    match parties.workshop.read(&parties.bash.program) {
        Ok(Executable::Elf(elf)) => Ok((asked, elf)),
        Ok(Executable::Script { .. }) => Err(Evidence::new(asked, "a script", Is::Otherwise)),
        Err(error) => Err(Evidence::new(asked, format!("{error:#}"), Is::Otherwise)),
    }
}

/// Copies files, and says how it is typed: `--parents` makes the directories on the way, and
/// with `-P` a symbolic link stays one.
pub(super) fn copy(parties: &mut Parties, files: &[PathBuf]) -> Result<Fix> {
    let mut words: Vec<OsString> = ["cp", "-P", "--parents"].map(OsString::from).to_vec();
    for file in files {
        words.extend(parties.workshop.copy(file)?.into_iter().map(PathBuf::into_os_string));
    }
    words.push(parties.workshop.path().into());
    Ok(in_shell_words(&words).into())
}

/// The shell says which file it is.
pub(super) fn bash_finds_itself(parties: &Parties) -> Result<Evidence> {
    parties.ask_inside("echo $BASH", 0, |said| {
        said.starts_with('/') && parties.workshop.has(Path::new(said))
    })
}

/// The kernel lists every file of which a part is in the process's memory.
pub(super) fn all_its_code_is_from_the_new_root(parties: &Parties) -> Result<Evidence> {
    Ok(proof::maps_only_files_below(parties.witness()?, &parties.root))
}
