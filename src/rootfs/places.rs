//! The directories in which a loader looks for libraries, on the system that lies in a tree.

use std::fs;
use std::path::{Path, PathBuf};

use super::elf::Machine;
use super::tree::Tree;

/// Whether this is musl's loader.
pub fn is_musl(loader: &Path) -> bool {
    loader.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-musl-"))
}

/// `/lib/ld-musl-x86_64.so.1` reads `/etc/ld-musl-x86_64.path`.
pub fn musl_path_file(loader: &Path) -> PathBuf {
    let name = loader.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into());
    PathBuf::from(format!("/etc/{}.path", name.trim_end_matches(".so")))
}

/// The directories that are compiled into the loader.
pub fn default_directories(machine: Machine, musl: bool) -> Vec<PathBuf> {
    if musl {
        return ["/lib", "/usr/local/lib", "/usr/lib"].map(PathBuf::from).to_vec();
    }
    let triplet = match machine.name() {
        "arm" => "arm-linux-gnueabihf".to_owned(),
        name => format!("{name}-linux-gnu"),
    };
    let mut places = vec![format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")];
    if machine.is_64_bit {
        places.extend(["/lib64".to_owned(), "/usr/lib64".to_owned()]);
    }
    places.extend(["/lib".to_owned(), "/usr/lib".to_owned()]);
    places.into_iter().map(PathBuf::from).collect()
}

/// What the administrator added to them. The loader itself reads ldconfig's cache; whoever adds
/// a directory runs ldconfig afterwards (ldconfig(8)), so the two agree.
pub fn configured_directories(tree: &Tree, loader: Option<&Path>, musl: bool) -> Vec<PathBuf> {
    match loader {
        Some(loader) if musl => {
            let text = read_text(tree, &musl_path_file(loader)).unwrap_or_default();
            text.split([':', '\n']).filter(|part| !part.is_empty()).map(PathBuf::from).collect()
        }
        _ => listed_in(tree, Path::new("/etc/ld.so.conf"), 0),
    }
}

/// The directories of ld.so.conf and of the files that it includes (ldconfig(8)).
fn listed_in(tree: &Tree, conf: &Path, depth: usize) -> Vec<PathBuf> {
    let text = read_text(tree, conf).unwrap_or_default();
    let mut directories = Vec::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include") {
            Some(pattern) if depth < 8 => {
                for file in matching(tree, conf, pattern.trim()) {
                    directories.extend(listed_in(tree, &file, depth + 1));
                }
            }
            None if !line.is_empty() => directories.push(PathBuf::from(line)),
            _ => {}
        }
    }
    directories
}

/// The files that an `include` names. Every distribution writes `DIRECTORY/*.conf`.
fn matching(tree: &Tree, conf: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = conf.parent().unwrap_or(Path::new("/")).join(pattern);
    let (Some(directory), Some(name)) = (pattern.parent(), pattern.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let Some((start, end)) = name.split_once('*') else { return vec![pattern.clone()] };
    let entries = tree.resolve(directory).and_then(|real| fs::read_dir(tree.outside(&real)));
    let fits = |name: &str| name.starts_with(start) && name.ends_with(end);
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| fits(&entry.file_name().to_string_lossy()))
        .map(|entry| directory.join(entry.file_name()))
        .collect();
    files.sort();
    files
}

fn read_text(tree: &Tree, path: &Path) -> Option<String> {
    let file = tree.resolve(path).ok()?;
    Some(String::from_utf8_lossy(&fs::read(tree.outside(&file)).ok()?).into_owned())
}
