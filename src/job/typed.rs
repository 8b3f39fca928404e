//! A job as it is typed with the system's own tools: nsenter, unshare, chroot, mount.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Job, in_shell_words, switches_of, typed_path, typed_paths};
use crate::container::{FileSystem, Propagation, Recipe, Root};
use crate::namespace::{Namespace, Namespaces};

/// The whole line.
pub(super) fn command(job: &Job) -> String {
    let Recipe { host, root, .. } = &job.recipe;
    let mut words: Vec<OsString> = host.iter().flat_map(|pid| nsenter(*pid)).collect();
    words.extend(unshare(&job.recipe));
    let before = before_the_root(&job.recipe);
    let inside = inside(&job.recipe);
    match root {
        Root::Pivot(_) => {
            let all = [before, inside, vec!["umount -l .".into(), "cd /".into()]].concat();
            words.extend(after(&all, &job.argv));
        }
        Root::Chroot(directory) => {
            let chroot = [OsString::from("chroot"), directory.into()];
            let program = after(&inside, &job.argv);
            words.extend(after(&before, &[&chroot[..], &program].concat()));
        }
        Root::Hosts => words.extend(after(&[before, inside].concat(), &job.argv)),
    }
    in_shell_words(&after(&joining(&job.recipe.groups), &words))
}

/// A shell moves itself into a group, and what it becomes stays there.
fn joining(groups: &[PathBuf]) -> Vec<String> {
    let lists: Vec<PathBuf> = groups.iter().map(|group| group.join("cgroup.procs")).collect();
    match &lists[..] {
        [] => Vec::new(),
        [list] => vec![format!("echo $$ > {}", typed_path(list))],
        // `tee` writes into all of them.
        lists => vec![format!("echo $$ | tee {} > /dev/null", typed_paths("", lists))],
    }
}

/// Joins the namespaces of a process. Nobody may join the user namespace in which one is already
/// (setns(2), EINVAL); where it is another, `--preserve-credentials` keeps the IDs that one has.
fn nsenter(pid: u32) -> Vec<OsString> {
    let link = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/user")).ok();
    let mut words = vec!["nsenter".to_owned(), "--target".to_owned(), pid.to_string()];
    if link("self") != link(&pid.to_string()) {
        words.extend(["--user", "--preserve-credentials"].map(str::to_owned));
    }
    words.extend(["--uts", "--ipc", "--mount"].map(str::to_owned));
    words.into_iter().map(OsString::from).collect()
}

fn unshare(recipe: &Recipe) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let Recipe { own, boottime, fork, propagation, .. } = recipe;
    if *own == Namespaces::NONE {
        return words;
    }
    words.push("unshare".into());
    if own.has(Namespace::User) {
        words.push("--map-root-user".into());
    }
    words.extend(switches_of(own.but(Namespace::User)));
    words.extend(boottime.iter().flat_map(|s| ["--boottime".into(), s.to_string().into()]));
    words.extend(fork.then(|| "--fork".into()));
    if *propagation == Propagation::Unchanged {
        words.extend(["--propagation", "unchanged"].map(OsString::from));
    }
    words
}

/// What has to be done as long as the host's files are there.
fn before_the_root(recipe: &Recipe) -> Vec<String> {
    let binds = recipe.binds.iter().map(|bind| {
        let to = recipe.root.outside(&bind.to);
        format!("mount --rbind {} {}", typed_path(&bind.from), typed_path(&to))
    });
    let mut commands: Vec<String> = binds.collect();
    if let Root::Pivot(directory) = &recipe.root {
        let root = typed_path(directory);
        commands.push(format!("mount --rbind {root} {root}"));
        commands.push(format!("cd {root}"));
        commands.push("pivot_root . .".to_owned());
    }
    commands
}

/// What is done in the new root.
fn inside(recipe: &Recipe) -> Vec<String> {
    let hostname = recipe.hostname.iter().map(|name| format!("hostname {name}"));
    let mounts = recipe
        .mounts
        .iter()
        .map(|kind: &FileSystem| format!("mount -t {} none {}", kind.kind(), kind.point()));
    hostname.chain(mounts).collect()
}

/// A program that is started after some commands. Where it is a line of shell, they become one.
fn after(commands: &[String], argv: &[OsString]) -> Vec<OsString> {
    if commands.is_empty() {
        return argv.to_vec();
    }
    let commands = commands.join(" && ");
    if let [bash, option, line] = argv {
        if let (Some("bash"), Some("-c"), Some(line)) =
            (bash.to_str(), option.to_str(), line.to_str())
        {
            return ["bash", "-c", &format!("{commands} && {line}")].map(OsString::from).to_vec();
        }
    }
    let words = in_shell_words(argv);
    if !words.contains('\'') {
        return ["bash", "-c", &format!("{commands} && exec {words}")].map(OsString::from).to_vec();
    }
    // Quotes within quotes are hard to read: the words stay outside.
    let script = format!("{commands} && exec \"$@\"");
    let shell = ["bash", "-c", &script, "bash"].map(OsString::from);
    [&shell[..], argv].concat()
}
