//! The world of the lesson: two parties on one host, and the roots that are built for them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bench::Bench;
use crate::container::{Recipe, Root};
use crate::host::{self, Unmet, Usage};
use crate::job::Job;
use crate::launch::{Held, Launcher};
use crate::lesson::{Fit, Setup, Shell, World};
use crate::namespace::Namespaces;
use crate::observation::Observation;
use crate::proof::Evidence;
use crate::rootfs::{Closure, NewRoot, Tree, directories_of};
use crate::witness::{self, Witnesses};

// ANCHOR: world
/// Two parties on one host, and the bench on which their roots are built.
pub struct Parties {
    pub(super) neighbour: Option<Neighbour>,
    pub(super) launcher: Launcher,
    /// What it takes here to have the right to change one's root.
    pub(super) rights: Namespaces,
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
    witnesses: Witnesses,
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
        let root = match self.walls {
            Walls::None => Root::Hosts,
            Walls::Building | Walls::OwnRoot => Root::Chroot(self.root.clone()),
        };
        Recipe { own: self.rights, root, ..Recipe::default() }
    }

    pub(super) fn neighbour(&self) -> Result<&Neighbour> {
        self.neighbour.as_ref().context("there is no neighbour yet")
    }

    /// A process that lives as the first party lives now, and waits; its number.
    pub(super) fn witness(&self) -> Result<u32> {
        self.witnesses.of(&self.launcher, &self.party())
    }

    /// Runs a line of shell as the first party. What it answers is evidence only if it ends with
    /// the status that the question has.
    pub(super) fn ask_inside(
        &self,
        line: &str,
        status: i32,
        is_so: impl FnOnce(&str) -> bool,
    ) -> Result<Evidence> {
        witness::ask(&self.launcher, &self.party(), line, status, is_so)
    }

    /// Experiments that fill an empty root leave out one that the learner brings.
    pub(super) fn root_is_ours_to_fill(&self) -> Fit {
        match self.walls {
            Walls::Building => Fit::Here,
            _ => Fit::Elsewhere("it fills an empty root, and --root brings one that is prepared"),
        }
    }
}

impl World for Parties {
    /// Finds bash and what it needs, and makes an empty directory to be filled.
    fn meet(bench: Bench, setup: Setup) -> Result<Self> {
        let workshop = NewRoot::create(&bench.path().join("eg-new-root"), Tree::host())?;
        let bash = closure_of_bash(&workshop)?;
        let launcher = Launcher::new(setup.program, path_inside(&workshop, &bash));
        let witnesses = Witnesses::default();
        let wanted = Recipe { root: Root::Chroot(workshop.path().into()), ..Recipe::default() };
        let rights = host::rights_to("changing the root directory", &launcher, &wanted)?;
        if let Some(root) = &setup.root {
            check_prepared_root(&launcher, rights, root)?;
        }
        let secret = bench.path().join("secret-of-the-host");
        let walls = if setup.root.is_some() { Walls::OwnRoot } else { Walls::Building };
        let root = setup.root.unwrap_or_else(|| workshop.path().to_owned());
        let neighbour = None;
        Ok(Self {
            neighbour,
            launcher,
            rights,
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
        host::identity_passage(self.rights)
    }

    fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    fn shell(&mut self) -> Result<Shell> {
        // As long as bash cannot start in the new root, the shell stands beside it, on the host.
        let is_ready = self.bash.files().all(|file| self.workshop.has(file));
        let recipe = match self.walls {
            Walls::Building if !is_ready => Recipe { root: Root::Hosts, ..self.party() },
            _ => self.party(),
        };
        let is_inside = recipe.root.directory().is_some();
        let prompt = if is_inside { "[new root] \\w \\$ " } else { "[host] \\w \\$ " };
        let variables = vec![("PS1", prompt.into()), ("ROOT", self.root.clone().into_os_string())];
        let job = Job::new(&recipe, &["bash", "--norc", "--noprofile"]);
        Ok(Shell { job, variables })
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
fn check_prepared_root(launcher: &Launcher, rights: Namespaces, root: &Path) -> Result<()> {
    let recipe = Recipe { own: rights, root: Root::Chroot(root.into()), ..Recipe::default() };
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
