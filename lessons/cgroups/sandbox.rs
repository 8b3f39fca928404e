//! The world of the lesson: the article's group, who lives in it, and what this host has for it.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

use super::disk::Disk;
use super::scope;
use crate::ability::{Abilities, Ingredient};
use crate::bench::{Bench, Sweep};
use crate::cgroup::{
    Account, Controller, Corner, Group, Hierarchies, Limit, Version, sweep_groups,
};
use crate::container::{FileSystem, Recipe, Root};
use crate::host::{self, Unmet, Usage};
use crate::job::{Job, typed_path};
use crate::launch::{Held, Launcher};
use crate::lesson::{Fit, Fix, Setup, Shell, World};
use crate::lessons::namespaces::improved_root;
use crate::namespace::{Namespace, Namespaces};
use crate::proof::{self, Evidence, Is};
use crate::witness::Witnesses;

// ANCHOR: world
/// A group named `sandbox`, as in the article, and what lives in it.
pub struct Sandbox {
    /// The trees of this host.
    pub(super) hierarchies: Hierarchies,
    /// Our own group in each of them, in which all others are.
    pub(super) corner: Corner,
    /// The article's group.
    pub(super) group: Group,
    /// Two groups for a comparison, and the processor for which they compete.
    pub(super) heavy: Group,
    pub(super) light: Group,
    pub(super) processor: usize,
    /// The container of the last lesson, or why this host cannot have it.
    pub(super) container: Result<Recipe, String>,
    /// The same container with all limits, while it is the subject.
    pub(super) whole: Option<Recipe>,
    /// A process that lives in the group, or is about to.
    pub(super) tenant: Option<Held>,
    /// Its child.
    pub(super) child: Option<u32>,
    /// A file on a block device, or which places were looked at.
    pub(super) disk: Result<Disk, String>,
    pub(super) launcher: Launcher,
    pub(super) witnesses: RefCell<Witnesses>,
    /// Dropped last: it deletes the directory.
    pub(super) bench: Bench,
}
// ANCHOR_END: world

impl Sandbox {
    /// Whether this host has all of these controllers for us.
    pub(super) fn can(&self, controllers: &[Controller]) -> Fit {
        let absent =
            controllers.iter().find_map(|controller| self.hierarchies.usable(*controller).err());
        absent.map_or(Fit::Here, |absent| Fit::CouldNotLook(absent.to_string()))
    }

    /// The first of these that works in version 2.
    pub(super) fn first_in_version_2(&self, controllers: &[Controller]) -> Option<Controller> {
        controllers.iter().copied().find(|controller| {
            let tree = self.hierarchies.usable(*controller);
            tree.is_ok_and(|tree| tree.version == Version::V2)
        })
    }

    /// Whether it also has the files for these limits. A kernel can be built without one or another;
    /// that is seen as soon as there is a group.
    pub(super) fn can_set(&self, limits: &[Limit]) -> Fit {
        let controllers: Vec<Controller> = limits.iter().map(Limit::controller).collect();
        if let Fit::CouldNotLook(why) = self.can(&controllers) {
            return Fit::CouldNotLook(why);
        }
        let is_missing = |limit: &Limit| {
            let file = self.group.file_of_limit(limit).ok()?;
            let is_there = file.exists() || !file.parent()?.exists();
            (!is_there).then(|| format!("this kernel has no {}", file.display()))
        };
        limits.iter().find_map(is_missing).map_or(Fit::Here, Fit::CouldNotLook)
    }

    /// A file of the groups above ours, from the nearest on: its path, and what it says.
    pub(super) fn said_above(&self, controller: Controller, name: &str) -> Vec<(PathBuf, String)> {
        let Ok(tree) = self.hierarchies.usable(controller) else { return Vec::new() };
        let files = tree.above().map(|group| group.join(name));
        files.filter_map(|file| Some((file.clone(), fs::read_to_string(file).ok()?))).collect()
    }

    /// Whether this host has these programs.
    #[allow(clippy::unused_self)] // It is this host.
    pub(super) fn has(&self, programs: &[&str]) -> Fit {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let is_missing =
            |name: &&&str| !std::env::split_paths(&paths).any(|place| place.join(name).is_file());
        let missing = programs.iter().find(is_missing);
        missing.map_or(Fit::Here, |name| Fit::CouldNotLook(format!("{name} is not installed")))
    }

    /// A process of the host that has joined the group, with these controllers.
    pub(super) fn in_group(&self, controllers: &[Controller]) -> Recipe {
        member_of(&self.group.only(controllers))
    }

    /// Those of these controllers that this host has for us.
    pub(super) fn available(&self, controllers: &[Controller]) -> Vec<Controller> {
        let is_usable = |controller: &Controller| self.hierarchies.usable(*controller).is_ok();
        controllers.iter().copied().filter(is_usable).collect()
    }

    /// Sets a limit of the article's group; returns it as the article, this host and another one
    /// would have it typed.
    pub(super) fn set(&self, limit: &Limit, article: Option<&'static str>) -> Result<Fix> {
        self.group.set(limit)?;
        fix_of(&self.group, limit, article)
    }

    /// What the kernel has counted for the group, as evidence.
    pub(super) fn counted(
        &self,
        account: Account,
        is_so: impl FnOnce(u64) -> bool,
    ) -> Result<Evidence> {
        counted(&self.group, account, is_so)
    }

    /// What a file of the group says, as evidence.
    pub(super) fn says(&self, limit: &Limit, is_so: impl FnOnce(&str) -> bool) -> Result<Evidence> {
        says(&self.group, limit, is_so)
    }

    pub(super) fn tenant(&self) -> Result<u32> {
        self.tenant.as_ref().map(Held::pid).context("there is no tenant yet")
    }
}

/// How many processors this machine has (`getconf _NPROCESSORS_ONLN`).
pub(super) fn processors() -> Result<u64> {
    let number = sysconf(SysconfVar::_NPROCESSORS_ONLN)?.context("nobody knows")?;
    Ok(u64::try_from(number)?)
}

/// A process of the host that has joined a group.
pub(super) fn member_of(group: &Group) -> Recipe {
    Recipe { groups: group.directories().map(PathBuf::from).collect(), ..Recipe::default() }
}

/// A limit in three forms.
pub(super) fn fix_of(group: &Group, limit: &Limit, article: Option<&'static str>) -> Result<Fix> {
    let elsewhere = group.typed_elsewhere(limit)?;
    let elsewhere = elsewhere.map(|(version, typed)| (format!("on {version}"), typed));
    Ok(Fix { article, typed: group.typed(limit)?, elsewhere })
}

/// What the kernel has counted for a group, as evidence.
pub(super) fn counted(
    group: &Group,
    account: Account,
    is_so: impl FnOnce(u64) -> bool,
) -> Result<Evidence> {
    let file = group.file_of(account)?;
    let number = group.read(account)?;
    let asked = group.asked(account)?;
    Ok(proof::answered(asked, &file, Is::from(is_so(number)), |line| group.is_about(account, line)))
}

/// What the file says into which a limit is written, as evidence.
pub(super) fn says(
    group: &Group,
    limit: &Limit,
    is_so: impl FnOnce(&str) -> bool,
) -> Result<Evidence> {
    let file = group.file_of_limit(limit)?;
    Ok(proof::file_says(&file, is_so))
}

impl World for Sandbox {
    /// A user of a host with systemd asks it for a group, and starts again in there.
    fn before_all() -> Result<()> {
        scope::ask_for_one()
    }

    fn starts_elsewhere() -> bool {
        scope::is_needed_and_to_be_had()
    }

    fn meet(bench: Bench, setup: Setup) -> Result<Self> {
        if setup.root.is_some() {
            return Err(Usage("this lesson takes no --root: it is about no files".into()).into());
        }
        let hierarchies = Hierarchies::find()?;
        let usable = Controller::ALL.iter().find(|one| hierarchies.usable(**one).is_ok());
        if usable.is_none() {
            return Err(why_not(&hierarchies).into());
        }
        let name = bench.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let corner = Corner::plan(&hierarchies, &name);
        let (root, path) = improved_root(&bench)?;
        let launcher = Launcher::new(setup.program, path);
        let group = |name| corner.group(name, &Controller::ALL);
        Ok(Self {
            group: group("sandbox"),
            heavy: group("heavy").only(&[Controller::Cpu, Controller::Cpuacct]),
            light: group("light").only(&[Controller::Cpu, Controller::Cpuacct]),
            processor: 0,
            container: container(&launcher, root),
            whole: None,
            tenant: None,
            child: None,
            disk: Disk::find(&bench),
            launcher,
            witnesses: RefCell::default(),
            hierarchies,
            corner,
            bench,
        })
    }

    fn identity_passage(&self) -> &'static str {
        let is_home = |hierarchy: &crate::cgroup::Hierarchy| {
            hierarchy.home().is_ok_and(|home| home == hierarchy.top)
        };
        if self.hierarchies.iter().any(is_home) { "as-root" } else { "as-user" }
    }

    fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    /// A shell of the host, which sets the limits and is in no group of ours; or one in the whole
    /// container, where there is one.
    fn shell(&mut self) -> Result<Shell> {
        let directory = |controller: Controller| {
            self.group.directory(controller).unwrap_or(self.bench.path()).as_os_str().to_owned()
        };
        let names = [
            ("CPU", Controller::Cpu),
            ("MEMORY", Controller::Memory),
            ("IO", Controller::Io),
            ("DEVICES", Controller::Devices),
            ("FREEZER", Controller::Freezer),
            ("PIDS", Controller::Pids),
        ];
        let variables = names.map(|(name, controller)| (name, directory(controller)));
        let (recipe, prompt) = match &self.whole {
            Some(container) => (container.clone(), "[container] \\w \\$ "),
            None => (Recipe::default(), "[host] \\w \\$ "),
        };
        let job = Job::new(&recipe, &["bash", "--norc", "--noprofile"]);
        let prompt = ("PS1", prompt.into());
        Ok(Shell { job, variables: variables.into_iter().chain([prompt]).collect() })
    }

    fn set_the_stage_again(&mut self, step: &str) -> Result<()> {
        match step {
            "leave" | "in-use" => super::leave::the_group_is_there(self),
            _ => Ok(()),
        }
    }

    fn tear_down(self) -> Vec<String> {
        let Self { corner, tenant, witnesses, bench, disk, .. } = self;
        let remains = corner.remains();
        // A frozen process of version 1 cannot be killed.
        remains.thaw();
        drop((tenant, witnesses));
        let mut left = remains.remove();
        drop((corner, disk));
        // A run that ended before us may have left to us what we still needed.
        let _ = sweep_groups(Sweep::Delete);
        left.extend(bench.tear_down());
        left
    }
}

/// The container at the end of the last lesson, if this host can have it.
fn container(launcher: &Launcher, root: PathBuf) -> Result<Recipe, String> {
    let wanted = Recipe {
        own: Namespaces::of(&[Namespace::Pid]),
        fork: true,
        root: Root::Chroot(root.clone()),
        ..Recipe::default()
    };
    let failed = |error: anyhow::Error| format!("{error:#}");
    let rights = host::rights_to("a container", launcher, &wanted).map_err(failed)?;
    let abilities = Abilities::find(launcher, rights, &root).map_err(failed)?;
    let refused = Ingredient::ALL.iter().find_map(|one| Some((one, abilities.why_not(*one)?)));
    if let Some((ingredient, why)) = refused {
        return Err(format!("{ingredient}: {why}"));
    }
    Ok(Recipe {
        own: Namespaces::of(&Namespace::ALL),
        fork: true,
        hostname: Some("inner".into()),
        root: Root::Pivot(root),
        mounts: vec![FileSystem::Proc, FileSystem::Sys, FileSystem::Tmp],
        ..Recipe::default()
    })
}

/// No controller at all can be used.
fn why_not(hierarchies: &Hierarchies) -> Unmet {
    let absent = Controller::ALL.map(|controller| hierarchies.usable(controller).err());
    let trees = hierarchies.iter().map(|tree| {
        let why = tree.home().err().map_or_else(String::new, |absent| absent.why);
        format!("a group below {}: {why}", typed_path(&tree.top))
    });
    let first = absent.into_iter().flatten().next();
    let (why, remedy) = first.map_or_else(Default::default, |absent| (absent.why, absent.remedy));
    Unmet { what: "a control group".into(), tried: trees.collect(), why, remedy }
}
