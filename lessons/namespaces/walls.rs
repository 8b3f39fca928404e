//! The world of the lesson: a container that gets one wall after the other, and those who live
//! beside it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::root::{NEEDED, improved_root, path_inside};
use super::{ipc, whole};
use crate::ability::{Abilities, Ingredient};
use crate::bench::Bench;
use crate::container::{FileSystem, Propagation, Recipe, Root};
use crate::host::{self, Usage};
use crate::job::{Job, in_shell_words, typed_path};
use crate::launch::{Held, Launcher};
use crate::lesson::{Fit, Fix, Setup, Shell, World};
use crate::namespace::{Namespace, Namespaces};
use crate::observation::Observation;
use crate::proof::Evidence;
use crate::witness::{self, Witnesses};

// ANCHOR: world
/// A container in the making, and those beside it. Each fix adds a wall, and it stays.
pub struct Walls {
    /// The container as it is now.
    pub(super) party: Recipe,
    /// What it takes here to have the right to make one.
    pub(super) rights: Namespaces,
    /// Its root, as a path of the host.
    pub(super) root: PathBuf,
    /// Somebody else's process.
    pub(super) neighbour: Option<Held>,
    /// A process that stands in for the host where the host itself would be changed.
    pub(super) practice_host: Option<Held>,
    /// Another one, for the shell of a learner who is root.
    guard: Option<Held>,
    /// A container that somebody has started, and that is looked at from outside.
    pub(super) tenant: Option<Held>,
    /// A service of the host, and the name under which it listens.
    pub(super) service: Option<(UnixListener, String)>,
    /// The number of the neighbour's message queue.
    pub(super) queue: Option<String>,
    /// What was seen of a process before it was killed.
    pub(super) seen: Option<Evidence>,
    pub(super) launcher: Launcher,
    pub(super) abilities: Abilities,
    witnesses: RefCell<Witnesses>,
    /// Dropped last: it deletes the directory.
    pub(super) bench: Bench,
}
// ANCHOR_END: world

impl Walls {
    /// Whether this host has all of these ingredients.
    pub(super) fn can(&self, ingredients: &[Ingredient]) -> Fit {
        let refused = ingredients.iter().find_map(|ingredient| {
            self.abilities.why_not(*ingredient).map(|why| format!("{ingredient}: {why}"))
        });
        refused.map_or(Fit::Here, Fit::CouldNotLook)
    }

    /// One wall more; returns how the container is typed now.
    pub(super) fn put_up(&mut self, namespace: Namespace) -> Fix {
        self.party.own = self.party.own.and(namespace);
        self.as_typed()
    }

    /// How the container is started by hand.
    pub(super) fn as_typed(&self) -> Fix {
        Job::new(&self.party, &["bash"]).as_typed().into()
    }

    /// The container gets one more file system, always in the same order.
    pub(super) fn mount(&mut self, kind: FileSystem) {
        let order = [FileSystem::Proc, FileSystem::Sys, FileSystem::Tmp];
        let mounts = &mut self.party.mounts;
        mounts.push(kind);
        mounts.sort_by_key(|kind| order.iter().position(|other| other == kind));
        mounts.dedup();
    }

    /// A process that lives as the container lives now, and waits; its number.
    pub(super) fn witness(&self) -> Result<u32> {
        self.witness_of(&self.party)
    }

    /// The same for another recipe.
    pub(super) fn witness_of(&self, recipe: &Recipe) -> Result<u32> {
        self.witnesses.borrow().of(&self.launcher, recipe)
    }

    /// Runs a line of shell in the container.
    pub(super) fn ask_inside(
        &self,
        line: &str,
        status: i32,
        is_so: impl FnOnce(&str) -> bool,
    ) -> Result<Evidence> {
        witness::ask(&self.launcher, &self.party, line, status, is_so)
    }

    /// Whether a program is in the container's root.
    pub(super) fn has(&self, program: &str) -> Result<bool> {
        let line = format!("type -P {program}");
        let outcome = self.launcher.run(&Job::bash(&self.party, &line))?;
        Ok(outcome.observation == (Observation::Exited { status: 0 }))
    }

    // ANCHOR: practice_host
    /// Starts an ordinary process with a mount table, a host name and IPC objects of its own. It
    /// stands in for the host where an attempt would change the host. Around the new root, it has
    /// the settings that systemd gives to everything: its mounts are shared.
    pub(super) fn start_practice_host(&mut self) -> Result<()> {
        self.stop_practice_host();
        let host = self.launcher.hold(&self.practice_host_job())?;
        self.party.host = Some(host.pid());
        // The user namespace is the practice host's: the right to it is joined, not made.
        self.party.own = self.rights.iter().fold(self.party.own, Namespaces::but);
        self.practice_host = Some(host);
        Ok(())
    }

    fn practice_host_job(&self) -> Job {
        let recipe = Recipe {
            own: self.rights.and(Namespace::Mount).and(Namespace::Uts).and(Namespace::Ipc),
            hostname: Some(PRACTICE_HOST.into()),
            ..Recipe::default()
        };
        let root = typed_path(&self.root);
        let share = format!("mount --rbind {root} {root} && mount --make-rshared {root}");
        Job::bash(&recipe, &format!("{share} && echo ready; read -r _"))
    }

    fn can_have_a_practice_host(&self) -> bool {
        let needs = [Namespace::Mount, Namespace::Uts, Namespace::Ipc].map(Ingredient::Own);
        self.can(&needs) == Fit::Here
    }

    /// The container lives on the real host again.
    pub(super) fn stop_practice_host(&mut self) {
        self.tenant = None;
        self.practice_host = None;
        self.party.host = None;
        self.party.own = self.party.own.with(self.rights);
        // They may have been guests of the practice host, which does not exist any more.
        self.witnesses.replace(Witnesses::default());
    }
    // ANCHOR_END: practice_host

    /// Something that is done on the practice host itself.
    pub(super) fn on_practice_host(&self) -> Recipe {
        Recipe { host: self.party.host, ..Recipe::default() }
    }

    pub(super) fn practice_host(&self) -> Result<u32> {
        self.practice_host.as_ref().map(Held::pid).context("there is no practice host yet")
    }

    pub(super) fn tenant(&self) -> Result<u32> {
        self.tenant.as_ref().map(Held::pid).context("there is no tenant yet")
    }

    /// The container as it is now, or as near to it as a shell can be started.
    fn recipe_of_a_shell(&self) -> Recipe {
        let Recipe { own, propagation, .. } = self.party;
        // Without the right to anything, there is only the host.
        if self.rights.iter().any(|right| !own.has(right)) && self.practice_host.is_none() {
            return Recipe::default();
        }
        let mut recipe = self.party.clone();
        // What a tenant has mounted for everyone is there already, and must not be covered.
        let is_apart = own.has(Namespace::Mount) && propagation == Propagation::Private;
        let is_there = |kind: FileSystem| kind == FileSystem::Tmp && !is_apart;
        // A mount that is refused would keep the shell from starting.
        let is_refused = |kind: FileSystem| kind == FileSystem::Sys && !own.has(Namespace::Net);
        recipe.mounts.retain(|kind| !is_there(*kind) && !is_refused(*kind));
        recipe
    }

    pub(super) fn neighbour(&self) -> Result<&Held> {
        self.neighbour.as_ref().context("there is no neighbour yet")
    }
}

/// The name of the process that stands in for the host.
pub(super) const PRACTICE_HOST: &str = "practice-host";

impl World for Walls {
    /// Builds the root, finds out what this host can do, and starts with a chroot.
    fn meet(bench: Bench, setup: Setup) -> Result<Self> {
        let (root, path) = match setup.root {
            Some(root) => (root, path_inside(&BTreeSet::new())),
            None => improved_root(&bench)?,
        };
        let launcher = Launcher::new(setup.program, path);
        let wanted = Recipe {
            own: Namespaces::of(&[Namespace::Pid]),
            fork: true,
            root: Root::Chroot(root.clone()),
            ..Recipe::default()
        };
        let what = "a PID namespace, and a root of one's own";
        let rights = host::rights_to(what, &launcher, &wanted)?;
        let party = Recipe { own: rights, root: Root::Chroot(root.clone()), ..Recipe::default() };
        check_root(&launcher, &party)?;
        let abilities = Abilities::find(&launcher, rights, &root)?;
        Ok(Self {
            party,
            rights,
            root,
            neighbour: None,
            practice_host: None,
            guard: None,
            tenant: None,
            service: None,
            queue: None,
            seen: None,
            launcher,
            abilities,
            witnesses: RefCell::default(),
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
        let mut recipe = self.recipe_of_a_shell();
        // Real root could rename this machine with a word, so it visits a practice host instead.
        let could_change_the_host = !recipe.own.has(Namespace::User) && recipe.host.is_none();
        if could_change_the_host && self.rights.is_empty() && self.can_have_a_practice_host() {
            self.guard = Some(self.launcher.hold(&self.practice_host_job())?);
            recipe.host = self.guard.as_ref().map(Held::pid);
        }
        let is_inside = recipe.root.directory().is_some();
        let prompt = if is_inside { "[container] \\w \\$ " } else { "[host] \\w \\$ " };
        let variables = vec![("PS1", prompt.into()), ("ROOT", self.root.clone().into_os_string())];
        let job = Job::new(&recipe, &["bash", "--norc", "--noprofile"]);
        Ok(Shell { job, variables })
    }

    fn set_the_stage_again(&mut self, step: &str) -> Result<()> {
        match step {
            "one-queue" => ipc::there_is_a_queue(self),
            "ancestor" => whole::a_container_still_waits(self),
            _ => Ok(()),
        }
    }

    fn tear_down(self) -> Vec<String> {
        drop((self.tenant, self.neighbour, self.witnesses, self.practice_host, self.guard));
        self.bench.tear_down()
    }
}

/// The root has to have what the attempts type, and the directories on which they mount.
fn check_root(launcher: &Launcher, party: &Recipe) -> Result<()> {
    let programs = in_shell_words(&NEEDED);
    let line = format!(
        "for name in {programs}; do [ $(type -P $name) ] || echo no $name; done; \
         for place in /proc /sys /tmp /mnt; do [ -d $place ] || echo no $place; done"
    );
    let outcome = launcher.run(&Job::bash(party, &line))?;
    if outcome.observation == (Observation::Exited { status: 0 }) && outcome.said.is_empty() {
        return Ok(());
    }
    let name = party.root.directory().unwrap_or(Path::new("/")).display().to_string();
    let said = outcome.said.replace('\n', ", ");
    let why = if said.is_empty() { outcome.observation.to_string() } else { said };
    Err(Usage(format!("--root {name} cannot be used for this lesson: {why}")).into())
}
