//! Finding libraries as the loader would, without running it.
//!
//! `ldd` answers the same question, but it may do so by executing the program (ldd(1),
//! "Security"), it must itself be installed, and it cannot look into a root of another machine.
//! The rules are those of ld.so(8) for glibc, and of its path file for musl.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;

use super::elf::{self, Elf, Executable, Machine};
use super::places::{configured_directories, default_directories, is_musl, musl_path_file};
use super::tree::Tree;
use crate::refusal::Refusal;

/// A program and all that has to lie beside it before it can start.
#[derive(Debug, Clone)]
pub struct Closure {
    /// The program itself.
    pub program: PathBuf,
    /// The loader that the program names (`PT_INTERP`), or the interpreter of a script.
    pub interpreter: Option<PathBuf>,
    /// The libraries, each once, in the order in which the loader meets them.
    pub libraries: Vec<Library>,
    /// Files that tell the loader where to look, where a library lies off the default paths.
    pub maps: Vec<PathBuf>,
}

/// A library, and why it is needed.
#[derive(Debug, Clone)]
pub struct Library {
    /// The name that was asked for (`DT_NEEDED`).
    pub name: String,
    /// Where the loader finds it.
    pub path: PathBuf,
    /// The file that asked for it first.
    pub wanted_by: PathBuf,
}

impl Closure {
    /// Every file of the closure: program, loader, libraries, and the loader's map if needed.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let libraries = self.libraries.iter().map(|library| &library.path);
        let rest = self.interpreter.iter().chain(libraries).chain(&self.maps);
        std::iter::once(&self.program).chain(rest).map(PathBuf::as_path)
    }
}

// ANCHOR: closure
/// The whole closure of a program that lies in `tree`.
///
/// # Errors
/// When a file cannot be found or read; the error names the library and who asked for it.
pub fn closure(tree: &Tree, program: &Path) -> Result<Closure> {
    closure_of_depth(tree, program, 0)
}

/// The interpreter of a script may be a script itself; the kernel gives up after five.
fn closure_of_depth(tree: &Tree, program: &Path, depth: u32) -> Result<Closure> {
    if depth > 5 {
        return Err(Refusal::of("execve", program.display())(Errno::ELOOP).into());
    }
    let file = tree.resolve(program).map_err(Refusal::io("open", program))?;
    match elf::read(&tree.outside(&file))? {
        Executable::Elf(elf) => Search::start(tree, program, file, elf)?.run(),
        Executable::Script { interpreter } => {
            let mut closure = closure_of_depth(tree, &interpreter, depth + 1)
                .with_context(|| format!("{} is a script", program.display()))?;
            closure.maps.extend(closure.interpreter.take());
            closure.interpreter = Some(std::mem::replace(&mut closure.program, program.to_owned()));
            Ok(closure)
        }
    }
}
// ANCHOR_END: closure

/// A file that was loaded: its headers, where it lies, and who asked for it.
struct Loaded {
    path: PathBuf,
    elf: Elf,
    asked_by: Option<usize>,
}

struct Search<'a> {
    tree: &'a Tree,
    machine: Machine,
    musl: bool,
    /// What ldconfig or the administrator added to the loader's directories.
    configured: Vec<PathBuf>,
    /// The directories that are compiled into the loader.
    defaults: Vec<PathBuf>,
    loaded: Vec<Loaded>,
    closure: Closure,
}

impl<'a> Search<'a> {
    fn start(tree: &'a Tree, program: &Path, file: PathBuf, elf: Elf) -> Result<Self> {
        let interpreter = elf.interpreter.clone();
        if let Some(loader) = &interpreter {
            let refusal = tree.resolve(loader).map_err(Refusal::io("open", loader));
            refusal.with_context(|| format!("{} names its loader", program.display()))?;
        }
        let musl = interpreter.as_deref().is_some_and(is_musl);
        let machine = elf.machine;
        Ok(Self {
            tree,
            machine,
            musl,
            configured: configured_directories(tree, interpreter.as_deref(), musl),
            defaults: default_directories(machine, musl),
            closure: Closure {
                program: program.to_owned(),
                interpreter,
                libraries: Vec::new(),
                maps: Vec::new(),
            },
            // `$ORIGIN` of a program is where it really lies, without symbolic links.
            loaded: vec![Loaded { path: file, elf, asked_by: None }],
        })
    }

    // ANCHOR: breadth_first
    /// Breadth first, as the loader goes: the program's own needs, then the needs of those.
    /// A name that is already loaded, under its file name or its SONAME, is not looked for again.
    fn run(mut self) -> Result<Closure> {
        let mut known = self.names_of_the_loader();
        known.extend(self.loaded[0].elf.soname.clone());
        let mut queue = VecDeque::from([0]);
        while let Some(asker) = queue.pop_front() {
            for name in self.loaded[asker].elf.needed.clone() {
                if !known.insert(name.clone()) || self.is_the_loader_itself(&name) {
                    continue;
                }
                let (path, elf) = self.find(&name, asker)?;
                known.extend(elf.soname.clone());
                queue.push_back(self.loaded.len());
                self.remember(name, path, elf, asker);
            }
        }
        Ok(self.closure)
    }
    // ANCHOR_END: breadth_first

    /// The C library needs the loader by name as well; it is in the closure already.
    fn names_of_the_loader(&self) -> HashSet<String> {
        let name = self.closure.interpreter.as_deref().and_then(Path::file_name);
        name.map(|name| name.to_string_lossy().into_owned()).into_iter().collect()
    }

    fn remember(&mut self, name: String, path: PathBuf, elf: Elf, asker: usize) {
        let wanted_by = self.loaded[asker].path.clone();
        self.closure.libraries.push(Library { name, path: path.clone(), wanted_by });
        self.loaded.push(Loaded { path, elf, asked_by: Some(asker) });
    }

    /// musl is one file: loader, C library, threads and mathematics.
    fn is_the_loader_itself(&self, name: &str) -> bool {
        const PARTS: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];
        let stem = name.strip_prefix("lib").and_then(|rest| rest.split('.').next());
        self.musl && stem.is_some_and(|stem| PARTS.contains(&stem))
    }

    // ANCHOR: find
    /// The order of ld.so(8): RPATH of the asker and of those who asked for it, or RUNPATH of
    /// the asker alone; then what is configured; then the defaults. A file for another machine
    /// is passed over. `LD_LIBRARY_PATH` does not count: nothing of it is set inside.
    fn find(&mut self, name: &str, asker: usize) -> Result<(PathBuf, Elf)> {
        if name.contains('/') {
            let written = [name.to_owned()];
            let paths = self.expand(&written, &self.loaded[asker].path);
            let found = paths.iter().find_map(|path| self.usable(path));
            return found.with_context(|| self.not_found(name, asker));
        }
        for directory in self.own_directories(asker) {
            if let Some(found) = self.usable(&directory.join(name)) {
                return Ok(found);
            }
        }
        for directory in self.configured.clone() {
            if let Some(found) = self.usable(&directory.join(name)) {
                self.tell_the_loader_about(&directory);
                return Ok(found);
            }
        }
        if self.loaded[asker].elf.no_default_directories {
            bail!(self.not_found(name, asker));
        }
        let found = self.defaults.iter().find_map(|place| self.usable(&place.join(name)));
        found.with_context(|| self.not_found(name, asker))
    }
    // ANCHOR_END: find

    fn own_directories(&self, asker: usize) -> Vec<PathBuf> {
        let mut directories = Vec::new();
        let asks = &self.loaded[asker];
        // musl treats both alike, and both are inherited.
        if asks.elf.runpath.is_empty() || self.musl {
            let mut next = Some(asker);
            while let Some(index) = next {
                let file = &self.loaded[index];
                if file.elf.runpath.is_empty() || self.musl {
                    directories.extend(self.expand(&file.elf.rpath, &file.path));
                }
                if self.musl {
                    directories.extend(self.expand(&file.elf.runpath, &file.path));
                }
                next = file.asked_by;
            }
        } else {
            directories.extend(self.expand(&asks.elf.runpath, &asks.path));
        }
        directories
    }

    /// `$ORIGIN` is the directory of the file that says it, `$LIB` depends on the system, and
    /// `$PLATFORM` is the machine's name (ld.so(8), "Dynamic string tokens").
    fn expand(&self, directories: &[String], file: &Path) -> Vec<PathBuf> {
        let origin = file.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let machine = self.machine.name();
        let libs = [format!("lib/{machine}-linux-gnu"), "lib64".to_owned(), "lib".to_owned()];
        let mut expanded = Vec::new();
        for directory in directories {
            let known = replace(&replace(directory, "ORIGIN", &origin), "PLATFORM", machine);
            for lib in &libs {
                let path = PathBuf::from(replace(&known, "LIB", lib));
                if !expanded.contains(&path) {
                    expanded.push(path);
                }
            }
        }
        expanded
    }

    fn usable(&self, path: &Path) -> Option<(PathBuf, Elf)> {
        let file = self.tree.resolve(path).ok()?;
        match elf::read(&self.tree.outside(&file)) {
            Ok(Executable::Elf(elf)) if elf.machine == self.machine => Some((path.to_owned(), elf)),
            _ => None,
        }
    }

    /// A library that lies off the defaults is found inside only if the loader's own list of
    /// directories is there too.
    fn tell_the_loader_about(&mut self, directory: &Path) {
        let list = match (&self.closure.interpreter, self.musl) {
            (Some(loader), true) => musl_path_file(loader),
            _ => PathBuf::from("/etc/ld.so.cache"),
        };
        let is_default = self.defaults.iter().any(|place| place == directory);
        if !is_default && !self.closure.maps.contains(&list) && self.tree.resolve(&list).is_ok() {
            self.closure.maps.push(list);
        }
    }

    fn not_found(&self, name: &str, asker: usize) -> String {
        let asker = self.loaded[asker].path.display();
        format!("the library {name} was not found; {asker} asks for it (DT_NEEDED)")
    }
}

fn replace(text: &str, token: &str, value: &str) -> String {
    text.replace(&format!("${{{token}}}"), value).replace(&format!("${token}"), value)
}
