//! The world of the lesson: two parties on one host, and the roots that are built for them.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::container::{Identity, Recipe};
use crate::host::{self, Unmet, Usage};
use crate::job::Job;
use crate::launch::{Held, Launcher, Outcome};
use crate::lesson::{Setup, World};
use crate::observation::Observation;
use crate::proof::{Evidence, Is};
use crate::rootfs::{Closure, NewRoot, Tree, directories_of};

// ANCHOR: world
/// Two parties on one host, and the bench on which their roots are built.
pub struct Parties {
    pub(super) neighbour: Option<Neighbour>,
    pub(super) launcher: Launcher,
    pub(super) identity: Identity,
    /// The first party's root, as a path of the host.
    pub(super) root: PathBuf,
    /// The same while it is being built; a root that the learner brings is only used.
    pub(super) workshop: NewRoot,
    /// What bash needs, found before anything is tried.
    pub(super) bash: Closure,
    /// Whether the first party has its own root already.
    pub(super) walls: Walls,
    /// The host's file that nobody inside should read.
    pub(super) secret: PathBuf,
    /// Processes of which the kernel is asked. They live on, so that a learner can ask as well.
    witnesses: RefCell<Vec<(Recipe, Held)>>,
    /// Dropped last: it deletes the directory.
    pub(super) bench: Bench,
}

/// A process of the second party.
pub(super) struct Neighbour {
    pub(super) process: Held,
    /// Asked while it was alive: a dead process has no root.
    pub(super) root: Evidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walls {
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
    pub(super) fn party(&self) -> Recipe {
        let root = (self.walls != Walls::None).then(|| self.root.clone());
        Recipe { identity: self.identity, root, escape: None }
    }

    pub(super) fn neighbour(&self) -> Result<&Neighbour> {
        self.neighbour.as_ref().context("there is no neighbour yet")
    }

    /// A process that lives as the first party lives now, and waits; its number.
    pub(super) fn witness(&self) -> Result<u32> {
        let party = self.party();
        let mut witnesses = self.witnesses.borrow_mut();
        if let Some((_, witness)) = witnesses.iter().find(|(recipe, _)| *recipe == party) {
            return Ok(witness.pid());
        }
        let witness = self.launcher.hold(&waiting_bash(&party))?;
        let pid = witness.pid();
        witnesses.push((party, witness));
        Ok(pid)
    }

    /// Runs a line of shell as the first party. What it answers is evidence only if it ends with
    /// the status that the question has.
    pub(super) fn ask_inside(
        &self,
        line: &str,
        status: i32,
        is_so: impl FnOnce(&str) -> bool,
    ) -> Result<Evidence> {
        let Outcome { observation, said } = self.launcher.run(&Job::bash(&self.party(), line))?;
        if observation == (Observation::Exited { status }) {
            return Ok(Evidence::new(line, said.clone(), Is::from(is_so(&said))));
        }
        Ok(Evidence::new(line, format!("{observation}\n{said}"), Is::Otherwise))
    }
}

impl World for Parties {
    /// Finds bash and what it needs, and makes an empty directory to be filled.
    fn meet(bench: Bench, setup: Setup) -> Result<Self> {
        let workshop = NewRoot::create(&bench.path().join("eg-new-root"), Tree::host())?;
        let bash = closure_of_bash(&workshop)?;
        let launcher = Launcher::new(setup.program, path_inside(&workshop, &bash));
        let witnesses = RefCell::default();
        let identity = host::identity_that_may_chroot(&launcher, workshop.path())?;
        if let Some(root) = &setup.root {
            check_prepared_root(&launcher, identity, root)?;
        }
        let secret = bench.path().join("secret-of-the-host");
        let walls = if setup.root.is_some() { Walls::OwnRoot } else { Walls::Building };
        let root = setup.root.unwrap_or_else(|| workshop.path().to_owned());
        let neighbour = None;
        Ok(Self {
            neighbour,
            launcher,
            identity,
            root,
            workshop,
            bash,
            walls,
            secret,
            witnesses,
            bench,
        })
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
        // As long as bash cannot start in the new root, the shell stands beside it, on the host.
        let is_ready = self.bash.files().all(|file| self.workshop.has(file));
        let recipe = match self.walls {
            Walls::Building if !is_ready => Recipe { root: None, ..self.party() },
            _ => self.party(),
        };
        let prompt = if recipe.root.is_some() { "[new root] \\w \\$ " } else { "[host] \\w \\$ " };
        let variables = vec![("PS1", prompt.into()), ("ROOT", self.root.clone().into_os_string())];
        (Job::new(&recipe, &["bash", "--norc", "--noprofile"]), variables)
    }

    fn tear_down(self) -> Vec<String> {
        drop((self.neighbour, self.witnesses));
        self.bench.tear_down()
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
    let outcome = launcher.run(&Job::bash(&recipe, "ls -d / && : | cat"))?;
    if outcome.observation == (Observation::Exited { status: 0 }) {
        return Ok(());
    }
    let (name, observed, said) = (root.display(), outcome.observation, outcome.said);
    let why = if said.is_empty() { observed.to_string() } else { said.replace('\n', "; ") };
    Err(Usage(format!("--root {name} has no bash, ls and cat that can run: {why}")).into())
}

/// Inside, programs are found where they were found outside, and in the usual places.
fn path_inside(workshop: &NewRoot, bash: &Closure) -> OsString {
    let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut directories = usual.to_vec();
    let others = ["ls", "cat"].iter().filter_map(|name| workshop.closure_of(OsStr::new(name)).ok());
    let programs: Vec<PathBuf> =
        others.map(|closure| closure.program).chain([bash.program.clone()]).collect();
    let places = directories_of(programs.iter().map(PathBuf::as_path));
    directories.extend(places.into_iter().filter(|place| !usual.contains(place)));
    std::env::join_paths(directories).unwrap_or_else(|_| OsString::from("/usr/bin:/bin"))
}

/// A shell that says that it is ready, and waits for the end of its input.
pub(super) fn waiting_bash(recipe: &Recipe) -> Job {
    Job::bash(recipe, "echo ready; read -r _")
}
