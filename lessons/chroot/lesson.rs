//! Lesson 1: a process gets a root directory of its own, and what that is worth.
//!
//! The table reads like the article; below it stand the functions that it names, step by step.
//! The words are in `words.md`, the questions in `quiz.toml`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::bench::Bench;
use crate::container::{Identity, Recipe};
use crate::escape::Escape;
use crate::host::{self, Unmet, Usage};
use crate::job::{Job, in_shell_words, typed_path};
use crate::launch::{Held, Launcher};
use crate::lesson::{Experiment, Leaves, Lesson, Proof, Round, Setting, Setup, World};
use crate::observation::{Observation, Prediction};
use crate::proof::{self, Evidence, Is, Side};
use crate::rootfs::elf::{self, Executable};
use crate::rootfs::{Closure, NewRoot, Tree, directories_of};

// ANCHOR: table
/// The lesson.
pub const LESSON: Lesson<Parties> = Lesson {
    name: "chroot",
    title: "A root of one's own",
    minutes: 20,
    experiments: &[BASH, TOOLS, FILES, KILL, ESCAPE],
    words: include_str!("words.md"),
    quiz: include_str!("quiz.toml"),
    source: include_str!("lesson.rs"),
};

const BASH: Experiment<Parties> = Experiment {
    id: "bash",
    article: "chroot /eg-new-root bash",
    setting: Setting::EmptyRoot,
    stage: nothing_to_prepare,
    attempt: bash_says_hello,
    rounds: &[
        Round {
            id: "empty-root",
            article: "mkdir eg-new-root && cd eg-new-root && chroot . bash",
            predict: Prediction::Refused("execve", Errno::ENOENT),
            cause: bash_is_missing,
            fix: copy_bash_alone,
        },
        Round {
            id: "no-loader",
            article: "cp /bin/bash /eg-new-root/bin/ && chroot /eg-new-root bash",
            predict: Prediction::Refused("execve", Errno::ENOENT),
            cause: the_loader_is_missing,
            fix: copy_the_loader,
        },
        Round {
            id: "no-libraries",
            article: "ldd /bin/bash",
            predict: Prediction::Exits(127),
            cause: the_libraries_are_missing,
            fix: copy_the_libraries,
        },
    ],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: bash_finds_itself },
        Proof { side: Side::Outside, ask: all_its_code_is_from_the_new_root },
    ],
    leaves: Leaves::Proven,
};

const TOOLS: Experiment<Parties> = Experiment {
    id: "tools",
    article: "ldd /bin/ls; ldd /bin/cat",
    setting: Setting::EmptyRoot,
    stage: leave_a_note,
    attempt: look_around,
    rounds: &[Round {
        id: "builtins-only",
        article: "pwd; ls; cat",
        predict: Prediction::Exits(127),
        cause: ls_and_cat_are_no_builtins,
        fix: copy_ls_and_cat,
    }],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: each_tool_is_found_where_it_should_be },
        Proof { side: Side::Outside, ask: the_host_sees_the_same_files },
    ],
    leaves: Leaves::Proven,
};

const FILES: Experiment<Parties> = Experiment {
    id: "files",
    article: "(said, not shown)",
    setting: Setting::AnyRoot,
    stage: hide_a_secret_on_the_host,
    attempt: read_the_secret,
    rounds: &[Round {
        id: "shared-root",
        article: "(not in the article)",
        predict: Prediction::Exits(0),
        cause: the_root_is_ours,
        fix: give_the_party_its_own_root,
    }],
    works: Prediction::Exits(1),
    proofs: &[
        Proof { side: Side::Inside, ask: above_the_root_is_the_root },
        Proof { side: Side::Outside, ask: the_kernel_names_the_new_root },
        Proof { side: Side::Outside, ask: the_two_roots_differ },
    ],
    leaves: Leaves::Proven,
};

const KILL: Experiment<Parties> = Experiment {
    id: "kill",
    article: "(feared, not shown)",
    setting: Setting::AnyRoot,
    stage: a_neighbour_moves_in,
    attempt: kill_the_neighbour,
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Outside, ask: the_neighbour_had_its_own_root },
        Proof { side: Side::Outside, ask: both_share_one_list_of_processes },
        Proof { side: Side::Outside, ask: the_neighbour_is_dead },
    ],
    leaves: Leaves::Open,
};

const ESCAPE: Experiment<Parties> = Experiment {
    id: "escape",
    article: "(not in the article)",
    setting: Setting::AnyRoot,
    stage: nothing_to_prepare,
    attempt: leave_and_read_the_secret,
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: the_root_is_the_hosts_again },
        Proof { side: Side::Outside, ask: the_secret_is_read_word_for_word },
    ],
    leaves: Leaves::Open,
};
// ANCHOR_END: table

// ANCHOR: world
/// Two parties on one host, and the bench on which their roots are built.
pub struct Parties {
    neighbour: Option<Neighbour>,
    launcher: Launcher,
    identity: Identity,
    /// The first party's root, as a path of the host.
    root: PathBuf,
    /// The same while it is being built; a root that the learner brings is only used.
    workshop: NewRoot,
    /// What bash needs, found before anything is tried.
    bash: Closure,
    /// Whether the first party has its own root already.
    walls: Walls,
    /// The host's file that nobody inside should read.
    secret: PathBuf,
    /// Dropped last: it deletes the directory.
    bench: Bench,
}

/// A process of the second party.
struct Neighbour {
    process: Held,
    /// Asked while it was alive: a dead process has no root.
    root: Evidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Walls {
    /// The root is being built; attempts use it, and it may hold nothing yet.
    Building,
    /// The first party lives with the host's root.
    None,
    /// The first party lives in its own root.
    OwnRoot,
}
// ANCHOR_END: world

impl Parties {
    /// The first party as it lives now.
    fn party(&self) -> Recipe {
        let root = (self.walls != Walls::None).then(|| self.root.clone());
        Recipe { identity: self.identity, root, escape: None }
    }

    fn neighbour(&self) -> Result<&Neighbour> {
        self.neighbour.as_ref().context("there is no neighbour yet")
    }

    /// Runs a line of shell as the first party, and returns what it printed.
    fn ask_inside(&self, line: &str) -> Result<String> {
        Ok(self.launcher.run(&Job::bash(&self.party(), line))?.said)
    }
}

impl World for Parties {
    /// Finds bash and what it needs, and makes an empty directory to be filled.
    fn meet(bench: Bench, setup: Setup) -> Result<Self> {
        let workshop = NewRoot::create(&bench.path().join("eg-new-root"), Tree::host())?;
        let bash = closure_of_bash(&workshop)?;
        let launcher = Launcher::new(setup.program, path_inside(&bash.program));
        let identity = host::identity_that_may_chroot(&launcher, workshop.path())?;
        if let Some(root) = &setup.root {
            check_prepared_root(&launcher, identity, root)?;
        }
        let secret = bench.path().join("secret-of-the-host");
        let walls = if setup.root.is_some() { Walls::OwnRoot } else { Walls::Building };
        let root = setup.root.unwrap_or_else(|| workshop.path().to_owned());
        let neighbour = None;
        Ok(Self { neighbour, launcher, identity, root, workshop, bash, walls, secret, bench })
    }

    fn identity_passage(&self) -> &'static str {
        match self.identity {
            Identity::Caller => "as-root",
            Identity::RootOfUserNamespace => "as-user",
        }
    }

    fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    fn shell(&self) -> (Job, Vec<(&'static str, OsString)>) {
        // As long as bash does not run in the new root, the shell stands beside it.
        let inside = self.walls == Walls::OwnRoot || self.workshop.has(&self.bash.program);
        let ready = inside && self.bash.files().all(|file| self.has(file));
        let (recipe, prompt) = if ready {
            (self.party(), "[inside] \\w \\$ ")
        } else {
            (Recipe { root: None, ..self.party() }, "[beside] \\w \\$ ")
        };
        let variables = vec![("PS1", prompt.into()), ("ROOT", self.root.clone().into_os_string())];
        (Job::new(&recipe, &["bash", "--norc", "--noprofile", "-i"]), variables)
    }

    fn tear_down(self) -> Vec<String> {
        drop(self.neighbour);
        self.bench.tear_down()
    }
}

impl Parties {
    fn has(&self, file: &Path) -> bool {
        Tree::at(&self.root).resolve(file).is_ok()
    }
}

fn closure_of_bash(workshop: &NewRoot) -> Result<Closure> {
    let missing = |why: &str, remedy: &str| Unmet {
        what: "bash, built from parts".into(),
        tried: vec!["looked for bash in PATH".into()],
        why: why.into(),
        remedy: remedy.into(),
    };
    let closure = workshop
        .closure_of(OsStr::new("bash"))
        .map_err(|error| missing(&format!("{error:#}"), "install bash"))?;
    if closure.interpreter.is_none() || closure.libraries.is_empty() {
        let why = "bash is statically linked here: no loader and no libraries can be missing";
        return Err(missing(why, "use a host whose bash is dynamically linked").into());
    }
    Ok(closure)
}

/// A root that the learner brings has to have what the attempts type.
fn check_prepared_root(launcher: &Launcher, identity: Identity, root: &Path) -> Result<()> {
    let recipe = Recipe { identity, root: Some(root.to_owned()), escape: None };
    let outcome = launcher.run(&Job::bash(&recipe, "type ls cat"))?;
    if outcome.observation == (Observation::Exited { status: 0 }) {
        return Ok(());
    }
    let (name, observed, said) = (root.display(), outcome.observation, outcome.said);
    let why = if said.is_empty() { observed.to_string() } else { said.replace('\n', "; ") };
    Err(Usage(format!("--root {name} has no bash, ls and cat that can run: {why}")).into())
}

/// Inside, programs are found where they were found outside, and in the usual places.
fn path_inside(bash: &Path) -> OsString {
    let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut directories = usual.to_vec();
    directories.extend(directories_of([bash]).into_iter().filter(|place| !usual.contains(place)));
    std::env::join_paths(directories).unwrap_or_else(|_| OsString::from("/usr/bin:/bin"))
}

fn nothing_to_prepare(_: &mut Parties) -> Result<()> {
    Ok(())
}

// ---- bash: from an empty directory to a shell -------------------------------------------------

// ANCHOR: bash
/// `chroot eg-new-root bash`, asked to do no more than to say that it is there.
fn bash_says_hello(parties: &Parties) -> Job {
    Job::bash(&parties.party(), "echo Hello from bash $BASH_VERSION")
}
// ANCHOR_END: bash

// ANCHOR: empty-root
/// The directory is empty: there is no program that could be started.
fn bash_is_missing(parties: &Parties) -> Result<Evidence> {
    Ok(proof::is_missing(&parties.workshop.outside(&parties.bash.program)))
}

/// The article's `cp /bin/bash`: the program, and nothing that it needs.
fn copy_bash_alone(parties: &mut Parties) -> Result<String> {
    copy(parties, &[parties.bash.program.clone()])
}
// ANCHOR_END: empty-root

// ANCHOR: no-loader
/// The ELF file names its loader (`PT_INTERP`). The kernel starts that one, and it is missing.
fn the_loader_is_missing(parties: &Parties) -> Result<Evidence> {
    let bash = parties.workshop.outside(&parties.bash.program);
    let Executable::Elf(elf) = elf::read(&real(&parties.workshop, &parties.bash.program)?)? else {
        return Ok(Evidence::new(typed_path(&bash), "is a script", Is::Otherwise));
    };
    let loader = elf.interpreter.context("bash names no loader")?;
    let there = if parties.workshop.has(&loader) { "is there" } else { "is missing inside" };
    let asked = format!("readelf -l {} | grep interpreter", typed_path(&bash));
    let answer = format!("{} {there}", loader.display());
    Ok(Evidence::new(asked, answer, Is::from(!parties.workshop.has(&loader))))
}

/// The line of `ldd` that has no arrow: one file, at the very path that the program names.
fn copy_the_loader(parties: &mut Parties) -> Result<String> {
    let loader = parties.bash.interpreter.clone().context("bash names no loader")?;
    copy(parties, &[loader])
}
// ANCHOR_END: no-loader

// ANCHOR: no-libraries
/// The ELF file names its libraries (`DT_NEEDED`). The loader looks for them, inside.
fn the_libraries_are_missing(parties: &Parties) -> Result<Evidence> {
    let bash = parties.workshop.outside(&parties.bash.program);
    let asked = format!("readelf -d {} | grep NEEDED", typed_path(&bash));
    let libraries = &parties.bash.libraries;
    let missing: Vec<String> = libraries
        .iter()
        .filter(|library| !parties.workshop.has(&library.path))
        .map(|library| format!("{} is missing (the host has {})", library.name, library.path.display()))
        .collect();
    Ok(Evidence::new(asked, missing.join("\n"), Is::from(missing.len() == libraries.len())))
}

/// Each library to its own path: that is where the loader will look for it.
fn copy_the_libraries(parties: &mut Parties) -> Result<String> {
    let files: Vec<PathBuf> = parties.bash.files().map(Path::to_owned).collect();
    copy(parties, &files[2..])
}
// ANCHOR_END: no-libraries

/// `cp --parents` makes the directories on the way, which is what a root needs.
fn copy(parties: &mut Parties, files: &[PathBuf]) -> Result<String> {
    for file in files {
        parties.workshop.copy(file)?;
    }
    let mut words: Vec<OsString> = vec!["cp".into(), "--parents".into()];
    words.extend(files.iter().map(|file| file.clone().into_os_string()));
    words.push(parties.workshop.path().into());
    Ok(in_shell_words(&words))
}

/// A file inside the new root, with the symbolic links followed as the inside follows them.
fn real(workshop: &NewRoot, inside: &Path) -> Result<PathBuf> {
    let tree = Tree::at(workshop.path());
    Ok(tree.outside(&tree.resolve(inside).with_context(|| format!("open {}", inside.display()))?))
}

/// The shell says which file it is.
fn bash_finds_itself(parties: &Parties) -> Result<Evidence> {
    let asked = "echo $BASH";
    let answer = parties.ask_inside(asked)?;
    let is_inside = parties.workshop.has(Path::new(&answer));
    Ok(Evidence::new(asked, answer, Is::from(is_inside)))
}

/// The kernel lists every file of which a part is in the process's memory.
fn all_its_code_is_from_the_new_root(parties: &Parties) -> Result<Evidence> {
    let waiting = parties.launcher.hold(&waiting_bash(&parties.party()))?;
    Ok(proof::maps_only_files_below(waiting.pid(), &parties.root))
}

/// A shell that says that it is ready, and waits for the end of its input.
fn waiting_bash(recipe: &Recipe) -> Job {
    Job::bash(recipe, "echo ready; read -r _")
}

// ---- tools: what the shell can do itself, and what it cannot ------------------------------------

/// Something to list and to read.
fn leave_a_note(parties: &mut Parties) -> Result<()> {
    let note = parties.root.join("note");
    fs::write(&note, "You are reading a file of the new root.\n")
        .with_context(|| format!("write {}", note.display()))
}

// ANCHOR: tools
/// One builtin, two programs.
fn look_around(parties: &Parties) -> Job {
    Job::bash(&parties.party(), "pwd; ls /; cat /note")
}
// ANCHOR_END: tools

// ANCHOR: builtins-only
/// `pwd` is a part of bash; `ls` and `cat` are files that are not there.
fn ls_and_cat_are_no_builtins(parties: &Parties) -> Result<Evidence> {
    let asked = "type -t pwd ls cat";
    let answer = parties.ask_inside(asked)?;
    // For what it cannot find, `type -t` prints nothing.
    let is_so = answer == "builtin";
    Ok(Evidence::new(asked, format!("{answer} (pwd), nothing for ls and cat"), Is::from(is_so)))
}

/// The same cure: the program, its loader, its libraries.
fn copy_ls_and_cat(parties: &mut Parties) -> Result<String> {
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
fn each_tool_is_found_where_it_should_be(parties: &Parties) -> Result<Evidence> {
    let asked = "type -t pwd ls cat";
    let answer = parties.ask_inside(asked)?.replace('\n', ", ");
    let is_so = answer == "builtin, file, file";
    Ok(Evidence::new(asked, answer, Is::from(is_so)))
}

/// A root is no secret: the host looks into it as into any directory.
fn the_host_sees_the_same_files(parties: &Parties) -> Result<Evidence> {
    let mut outside: Vec<String> = fs::read_dir(&parties.root)?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    outside.sort();
    let asked = format!("ls {}", typed_path(&parties.root));
    let mut inside: Vec<String> =
        parties.ask_inside("ls /")?.lines().map(str::to_owned).collect();
    inside.sort();
    Ok(Evidence::new(asked, outside.join(" "), Is::from(inside == outside)))
}

// ---- files: what the walls are good for -----------------------------------------------------------

/// A file of the host that the first party should not read; and no walls yet.
fn hide_a_secret_on_the_host(parties: &mut Parties) -> Result<()> {
    parties.walls = Walls::None;
    fs::write(&parties.secret, "The host's secret: the cake is in the upper drawer.\n")
        .with_context(|| format!("write {}", parties.secret.display()))
}

// ANCHOR: files
/// The first party tries to read a file of the host.
fn read_the_secret(parties: &Parties) -> Job {
    Job::new(&parties.party(), &[OsStr::new("cat"), parties.secret.as_os_str()])
}
// ANCHOR_END: files

// ANCHOR: shared-root
/// Without walls, the party's `/` is the host's.
fn the_root_is_ours(parties: &Parties) -> Result<Evidence> {
    let party = parties.launcher.hold(&waiting_bash(&parties.party()))?;
    Ok(proof::root_is(party.pid(), Path::new("/")))
}

/// From here on the party lives in the root that was built for it.
fn give_the_party_its_own_root(parties: &mut Parties) -> Result<String> {
    parties.walls = Walls::OwnRoot;
    Ok(Job::new(&parties.party(), &["bash"]).as_typed())
}
// ANCHOR_END: shared-root

/// The kernel stops `..` at the root: both are the same directory.
fn above_the_root_is_the_root(parties: &Parties) -> Result<Evidence> {
    let asked = "ls -di / /..";
    let answer = parties.ask_inside(asked)?;
    let inodes: Vec<&str> =
        answer.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let is_so = matches!(inodes[..], [root, above] if root == above);
    Ok(Evidence::new(asked, answer.replace('\n', ", "), Is::from(is_so)))
}

/// `/proc/PID/root` is what the kernel takes for `/` of that process.
fn the_kernel_names_the_new_root(parties: &Parties) -> Result<Evidence> {
    let party = parties.launcher.hold(&waiting_bash(&parties.party()))?;
    Ok(proof::root_is(party.pid(), &parties.root))
}

/// One name, `/`, and two directories.
fn the_two_roots_differ(parties: &Parties) -> Result<Evidence> {
    let party = parties.launcher.hold(&waiting_bash(&parties.party()))?;
    Ok(proof::root_differs_from_ours(party.pid()))
}

// ---- kill: what the walls do not stop ----------------------------------------------------------------

/// A second party, behind walls of its own, with nothing in its root but bash.
fn a_neighbour_moves_in(parties: &mut Parties) -> Result<()> {
    let home = NewRoot::create(&parties.bench.path().join("neighbour-root"), Tree::host())?;
    home.install(OsStr::new("bash"))?;
    let recipe =
        Recipe { identity: parties.identity, root: Some(home.path().to_owned()), escape: None };
    let process = parties.launcher.hold(&waiting_bash(&recipe))?;
    let root = proof::root_is(process.pid(), home.path());
    parties.neighbour = Some(Neighbour { process, root });
    Ok(())
}

// ANCHOR: kill
/// From behind its walls, the first party kills a process of the second.
fn kill_the_neighbour(parties: &Parties) -> Job {
    let pid = parties.neighbour.as_ref().map_or(0, |neighbour| neighbour.process.pid());
    Job::bash(&parties.party(), &format!("kill -9 {pid}"))
}
// ANCHOR_END: kill

/// Both parties were walled in, each in its own directory.
fn the_neighbour_had_its_own_root(parties: &Parties) -> Result<Evidence> {
    Ok(parties.neighbour()?.root.clone())
}

/// The walls hide files, and nothing else: there is one PID namespace for everyone.
fn both_share_one_list_of_processes(parties: &Parties) -> Result<Evidence> {
    let party = parties.launcher.hold(&waiting_bash(&parties.party()))?;
    Ok(proof::shares_our_pid_namespace(party.pid()))
}

/// The neighbour's parent, which is this program, learns how it ended.
fn the_neighbour_is_dead(parties: &Parties) -> Result<Evidence> {
    let neighbour = &parties.neighbour()?.process;
    let end = neighbour.end()?;
    let is_so = end == (Observation::Killed { signal: "SIGKILL".into() });
    Ok(Evidence::new(format!("wait {}", neighbour.pid()), end.to_string(), Is::from(is_so)))
}

// ---- escape: root leaves ------------------------------------------------------------------------------

// ANCHOR: escape
/// The first party, root behind its walls, makes a second chroot and walks out.
fn leave_and_read_the_secret(parties: &Parties) -> Job {
    let recipe = Recipe { escape: Some(Escape::SecondChroot), ..parties.party() };
    Job::new(&recipe, &[OsStr::new("cat"), parties.secret.as_os_str()])
}
// ANCHOR_END: escape

/// After the escape, `/` is the host's `/`, by its inode.
fn the_root_is_the_hosts_again(parties: &Parties) -> Result<Evidence> {
    let recipe = Recipe { escape: Some(Escape::SecondChroot), ..parties.party() };
    let job = Job::new(&recipe, &["ls", "-di", "/"]);
    let answer = parties.launcher.run(&job)?.said;
    let (_, inode) = proof::identity(Path::new("/"))?;
    let is_so = answer.trim() == format!("{inode} /");
    Ok(Evidence::new(job.as_run(), answer, Is::from(is_so)))
}

/// What came out is what the host had written.
fn the_secret_is_read_word_for_word(parties: &Parties) -> Result<Evidence> {
    let said = parties.launcher.run(&leave_and_read_the_secret(parties))?.said;
    let secret = fs::read_to_string(&parties.secret)?;
    let asked = format!("cat {}", typed_path(&parties.secret));
    Ok(Evidence::new(asked, secret.trim_end(), Is::from(said == secret.trim_end())))
}
