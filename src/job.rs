//! A command and the walls around it, in the forms in which a learner meets it.

mod typed;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use shell_quote::Bash;

use crate::container::{Bind, FileSystem, Propagation, Recipe, Root};
use crate::escape::Escape;
use crate::namespace::{Namespace, Namespaces};

/// A program with its arguments, to be run in the container that the recipe describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The walls.
    pub recipe: Recipe,
    /// The program and its arguments. Without a program the walls are tried, and that is all.
    pub argv: Vec<OsString>,
}

/// The same on our own command line: `workbench enter --pid --fork --root DIR -- bash`. Where
/// unshare(1) and nsenter(1) have an option for it, it has their name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[allow(clippy::struct_excessive_bools)] // They are switches of a command line.
pub struct EnterArgs {
    /// Join this control group first, a directory such as /sys/fs/cgroup/mine
    #[arg(long, value_name = "DIR")]
    group: Vec<PathBuf>,
    /// Join the user, uts, ipc and mount namespace of this process first
    #[arg(long, value_name = "PID")]
    target: Option<u32>,
    /// Become user 0 of a new user namespace
    #[arg(long)]
    user: bool,
    /// Have a mount table of its own
    #[arg(long)]
    mount: bool,
    /// Have process numbers of its own (needs --fork)
    #[arg(long)]
    pid: bool,
    /// Have a host name of its own
    #[arg(long)]
    uts: bool,
    /// Have System V IPC objects of its own
    #[arg(long)]
    ipc: bool,
    /// Have network devices of its own
    #[arg(long)]
    net: bool,
    /// See its control group as /
    #[arg(long)]
    cgroup: bool,
    /// Have a clock of uptime of its own (needs --fork)
    #[arg(long)]
    time: bool,
    /// How far that clock is ahead
    #[arg(long, value_name = "SECONDS", requires = "time", allow_negative_numbers = true)]
    boottime: Option<i64>,
    /// Run the program as a child, the first of its namespaces
    #[arg(long)]
    fork: bool,
    /// What becomes of mounts that are made on one side
    #[arg(long, value_enum, default_value_t = Sides::Private)]
    propagation: Sides,
    /// The host name
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Let this directory of the host appear inside, at DST
    #[arg(long, value_name = "SRC:DST", value_parser = bind)]
    bind: Vec<Bind>,
    /// Make this directory the root, by chroot
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Make this directory the root, by pivot_root, and take the old one away
    #[arg(long, value_name = "DIR", conflicts_with = "root", requires = "mount")]
    pivot: Option<PathBuf>,
    /// Mount proc at /proc
    #[arg(long)]
    proc: bool,
    /// Mount sysfs at /sys
    #[arg(long)]
    sys: bool,
    /// Mount tmpfs at /tmp
    #[arg(long)]
    tmp: bool,
    /// Try an attack from inside: second-chroot, set-clock, load-module, connect:NAME,
    /// fork-bomb:NUMBER
    #[arg(long, value_name = "ATTACK")]
    escape: Option<Escape>,
    /// Report a refusal to this file descriptor instead of standard error
    #[arg(long, value_name = "FD", hide = true)]
    pub report: Option<i32>,
    /// The program to become, and its arguments
    #[arg(last = true, value_name = "CMD")]
    argv: Vec<OsString>,
}

/// [`Propagation`], as unshare(1) names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Sides {
    /// They stay there
    #[default]
    Private,
    /// What the host has set
    Unchanged,
}

/// `SRC:DST`, both as paths that begin with `/`.
fn bind(text: &str) -> Result<Bind, String> {
    match text.split_once(':') {
        Some((from, to)) if from.starts_with('/') && to.starts_with('/') => {
            Ok(Bind { from: from.into(), to: to.into() })
        }
        _ => Err("two paths are needed: /of/the/host:/inside".to_owned()),
    }
}

impl From<EnterArgs> for Job {
    fn from(args: EnterArgs) -> Self {
        let own = [args.user, args.mount, args.pid, args.uts, args.ipc, args.net, args.cgroup];
        let own = own.into_iter().chain([args.time]).zip(Namespace::ALL);
        let mounts = [args.proc, args.sys, args.tmp].into_iter().zip(FILE_SYSTEMS);
        let root = match (args.root, args.pivot) {
            (_, Some(directory)) => Root::Pivot(directory),
            (Some(directory), None) => Root::Chroot(directory),
            (None, None) => Root::Hosts,
        };
        let propagation = match args.propagation {
            Sides::Private => Propagation::Private,
            Sides::Unchanged => Propagation::Unchanged,
        };
        let recipe = Recipe {
            groups: args.group,
            host: args.target,
            own: own.filter_map(|(wanted, namespace)| wanted.then_some(namespace)).collect(),
            boottime: args.boottime,
            fork: args.fork,
            propagation,
            hostname: args.hostname,
            binds: args.bind,
            root,
            mounts: mounts.filter_map(|(wanted, kind)| wanted.then_some(kind)).collect(),
            escape: args.escape,
        };
        Self { recipe, argv: args.argv }
    }
}

const FILE_SYSTEMS: [FileSystem; 3] = [FileSystem::Proc, FileSystem::Sys, FileSystem::Tmp];

impl Job {
    /// A command with its arguments, inside the recipe's walls.
    pub fn new<S: AsRef<OsStr>>(recipe: &Recipe, argv: &[S]) -> Self {
        let argv = argv.iter().map(|word| word.as_ref().to_owned()).collect();
        Self { recipe: recipe.clone(), argv }
    }

    /// A line of shell, run by the `bash` that is found inside.
    pub fn bash(recipe: &Recipe, line: &str) -> Self {
        Self::new(recipe, &["bash", "-c", line])
    }

    /// The words that follow `workbench` when this is run.
    pub fn to_args(&self) -> Vec<OsString> {
        let groups = self.recipe.groups.iter().map(|group| {
            let mut word = OsString::from("--group=");
            word.push(group);
            word
        });
        [OsString::from("enter")]
            .into_iter()
            .chain(groups)
            .chain(self.words_after_groups())
            .collect()
    }

    fn words_after_groups(&self) -> Vec<OsString> {
        let Recipe { host, own, boottime, fork, propagation, .. } = &self.recipe;
        let mut words: Vec<OsString> = Vec::new();
        words.extend(
            host.iter()
                .flat_map(|pid| ["--target".to_owned(), pid.to_string()])
                .map(OsString::from),
        );
        words.extend(switches_of(*own));
        words.extend(boottime.iter().map(|seconds| format!("--boottime={seconds}").into()));
        words.extend(fork.then(|| "--fork".into()));
        if *propagation == Propagation::Unchanged {
            words.extend(["--propagation", "unchanged"].map(OsString::from));
        }
        words.extend(self.words_about_the_root());
        words.push("--".into());
        words.extend(self.argv.iter().cloned());
        words
    }

    fn words_about_the_root(&self) -> Vec<OsString> {
        let Recipe { hostname, binds, root, mounts, escape, .. } = &self.recipe;
        let mut words: Vec<OsString> = Vec::new();
        words.extend(hostname.iter().flat_map(|name| ["--hostname", name]).map(OsString::from));
        for Bind { from, to } in binds {
            words.extend(["--bind".into(), format!("{}:{}", from.display(), to.display()).into()]);
        }
        match root {
            Root::Hosts => {}
            Root::Chroot(directory) => words.extend(["--root".into(), directory.into()]),
            Root::Pivot(directory) => words.extend(["--pivot".into(), directory.into()]),
        }
        words.extend(mounts.iter().map(|kind| OsString::from(switch_of(*kind))));
        if let Some(escape) = escape {
            words.extend(["--escape".into(), escape.to_string().into()]);
        }
        words
    }

    /// What is really run, ready to be pasted: `workbench enter --root DIR -- bash`.
    pub fn as_run(&self) -> String {
        let groups = &self.recipe.groups;
        let groups = if groups.is_empty() { None } else { Some(typed_paths("--group=", groups)) };
        let words = [Some("workbench enter".to_owned()), groups];
        let words: Vec<String> = words.into_iter().flatten().collect();
        format!("{} {}", words.join(" "), in_shell_words(&self.words_after_groups()))
    }

    /// The same with a system's own tools: `unshare --pid --fork chroot DIR bash`. For an escape
    /// there is no tool, so it stays ours.
    pub fn as_typed(&self) -> String {
        if self.recipe.escape.is_some() { self.as_run() } else { typed::command(self) }
    }
}

/// `--pid`, `--net`: the same for us and for unshare(1).
fn switches_of(own: Namespaces) -> impl Iterator<Item = OsString> {
    own.iter().map(|namespace| format!("--{}", namespace.option()).into())
}

const fn switch_of(kind: FileSystem) -> &'static str {
    match kind {
        FileSystem::Proc => "--proc",
        FileSystem::Sys => "--sys",
        FileSystem::Tmp => "--tmp",
    }
}

/// Words joined so that bash takes them apart into the same words again.
pub fn in_shell_words<S: AsRef<OsStr>>(words: &[S]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word.as_ref())).collect();
    quoted.join(" ")
}

/// A path as it can be typed: `/tmp/a b` needs quotes, `/tmp/ab` does not.
pub fn typed_path(path: &Path) -> String {
    quoted(path.as_os_str())
}

/// Several paths as they can be typed, each with a prefix. Where one directory on the way is all
/// that differs, bash writes them out itself: `/sys/fs/cgroup/{cpu,memory}/sandbox`.
pub fn typed_paths<P: AsRef<Path>>(prefix: &str, paths: &[P]) -> String {
    let each = || paths.iter().map(|path| format!("{prefix}{}", typed_path(path.as_ref())));
    braced(&each().collect::<Vec<_>>()).unwrap_or_else(|| each().collect::<Vec<_>>().join(" "))
}

fn braced(words: &[String]) -> Option<String> {
    let parts: Vec<Vec<&str>> = words.iter().map(|word| word.split('/').collect()).collect();
    let (first, others) = parts.split_first()?;
    if others.is_empty() || others.iter().any(|other| other.len() != first.len()) {
        return None;
    }
    let differs = |place: &usize| others.iter().any(|other| other[*place] != first[*place]);
    let mut places = (0..first.len()).filter(differs);
    let (place, None) = (places.next()?, places.next()) else { return None };
    let names: Vec<&str> = parts.iter().map(|parts| parts[place]).collect();
    // A comma or a quote would mean something else between braces.
    if names.iter().any(|name| name.contains([',', '\'', '$', '{', '}'])) {
        return None;
    }
    let mut all: Vec<String> = first.iter().map(|part| (*part).to_owned()).collect();
    all[place] = format!("{{{}}}", names.join(","));
    Some(all.join("/"))
}

/// Single quotes where they suffice, because people read them more easily; bash's own `$'…'`
/// for bytes that no text can show.
fn quoted(word: &OsStr) -> String {
    match word.to_str() {
        Some("") => "''".to_owned(),
        Some(text) if text.chars().all(is_plain) => text.to_owned(),
        Some(text) if !text.contains('\'') && !text.chars().any(char::is_control) => {
            format!("'{text}'")
        }
        _ => String::from_utf8_lossy(&Bash::quote_vec(word)).into_owned(),
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "/._-+:=@%,".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_differ_in_one_place_are_written_in_braces() {
        assert_eq!(typed_paths("", &["/a/b/c"]), "/a/b/c");
        assert_eq!(typed_paths("-g=", &["/a/b/c", "/a/x/c"]), "-g=/a/{b,x}/c");
        assert_eq!(typed_paths("", &["/a/b,1/c", "/a/x/c"]), "/a/b,1/c /a/x/c");
        assert_eq!(typed_paths("", &["/a/b", "/x/y"]), "/a/b /x/y");
        assert_eq!(typed_paths("", &["/a/b b/c", "/a/x/c"]), "'/a/b b/c' /a/x/c");
    }
}
