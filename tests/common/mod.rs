//! What the tests share: who runs the program, where, and what is left afterwards.
#![allow(dead_code)]

pub mod learner;
pub mod redact;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

/// The program under test.
pub const WORKBENCH: &str = env!("CARGO_BIN_EXE_workbench");

/// As whom the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Root,
    User,
}

/// An ID that owns nothing on any system.
const NOBODY: u32 = 65534;

/// A directory for temporary files and a home of its own, for one test.
pub struct Sandbox {
    directory: tempfile::TempDir,
    who: Who,
    program: PathBuf,
    mounts_before: BTreeSet<String>,
}

/// A host that cannot run a lesson cannot run its tests. They are not failures of the program,
/// so the whole file is skipped, and says so; CI takes a skip for a failure.
fn demand_a_host_that_can(who: Who, sandbox: &Sandbox) {
    static CHECKED: Mutex<[Option<String>; 2]> = Mutex::new([None, None]);
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    let place = usize::from(who == Who::Root);
    let why = checked[place].get_or_insert_with(|| {
        let output = sandbox.workbench(&["enter", "--root", "/tmp", "--"]).output().unwrap();
        let as_user = sandbox.workbench(&["enter", "--user", "--root", "/tmp", "--"]).output();
        let can = output.status.success() || as_user.unwrap().status.success();
        if can { String::new() } else { String::from_utf8_lossy(&output.stderr).into_owned() }
    });
    if !why.is_empty() {
        let text = format!("all tests of this file, as {who:?}: this host cannot: {why}");
        assert!(std::env::var_os("WORKBENCH_NO_SKIP").is_none(), "{text}");
        let _ = writeln!(std::io::stderr(), "SKIPPED {text}");
        std::process::exit(0);
    }
}

impl Sandbox {
    pub fn new(who: Who) -> Self {
        let sandbox = Self::anywhere(who);
        demand_a_host_that_can(who, &sandbox);
        sandbox
    }

    fn anywhere(who: Who) -> Self {
        let directory = tempfile::Builder::new().prefix("wb-test-").tempdir().unwrap();
        let path = directory.path();
        fs::create_dir(path.join("tmp")).unwrap();
        fs::create_dir(path.join("home")).unwrap();
        for place in [path.to_owned(), path.join("tmp"), path.join("home")] {
            fs::set_permissions(place, fs::Permissions::from_mode(0o777)).unwrap();
        }
        // A checkout may lie where an ordinary user cannot look. Another process copies: if we had
        // the file open for writing while another test forks, starting it would be ETXTBSY.
        let program = path.join("workbench");
        let copied = Command::new("cp").arg(WORKBENCH).arg(&program).status().unwrap();
        assert!(copied.success());
        Self { directory, who, program, mounts_before: mounts() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn tmp(&self) -> PathBuf {
        self.path().join("tmp")
    }

    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Any program, run by the sandbox's user with the sandbox's directories.
    pub fn command_of(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = match (self.who, is_root()) {
            (Who::Root, false) => {
                let mut command = Command::new("unshare");
                command.arg("--map-root-user").arg(program);
                command
            }
            _ => Command::new(program),
        };
        if self.who == Who::User && is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.furnish(&mut command);
        command
    }

    fn furnish(&self, command: &mut Command) {
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "XDG_STATE_HOME", "SUDO_UID", "COLORTERM"] {
            command.env_remove(name);
        }
        command.env("TMPDIR", self.tmp()).env("HOME", self.home()).env("TERM", "xterm");
        command.current_dir("/");
    }

    pub fn workbench<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.command_of(&self.program);
        command.args(args);
        command
    }

    /// The same in a PID namespace whose numbers begin at 30000, so that each has five digits, as
    /// its name in a snapshot has: `[PID]`.
    pub fn workbench_with_long_numbers(&self, args: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        if !is_root() {
            command.arg("--map-root-user");
        }
        let begin = "echo 30000 > /proc/sys/kernel/ns_last_pid && exec \"$@\"";
        command.args(["--pid", "--fork", "--mount-proc", "sh", "-c", begin, "sh"]);
        match (self.who, is_root()) {
            (Who::Root, _) => {}
            (Who::User, true) => {
                let id = NOBODY.to_string();
                command.args(["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"]);
            }
            (Who::User, false) => {
                command.args(["unshare", "--map-user=65534", "--map-group=65534"]);
            }
        }
        command.arg(&self.program).args(args);
        self.furnish(&mut command);
        command
    }

    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, args: &[S]) -> Ran {
        Ran::from(self.workbench(args).output().unwrap())
    }

    /// Nothing is left: no file, no mount, no process. A process that was killed may need a
    /// moment to go, so this waits for it, at most thirty seconds.
    pub fn assert_tidy(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.processes().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(self.processes(), Vec::<String>::new(), "processes are left");
        assert_eq!(self.leftovers(), Vec::<PathBuf>::new(), "files are left");
        let here = self.path().to_string_lossy().into_owned();
        let left: Vec<String> = mounts()
            .difference(&self.mounts_before)
            .filter(|mount| mount.contains(&here))
            .cloned()
            .collect();
        assert_eq!(left, Vec::<String>::new(), "mounts are left");
        // A run that is just beginning or ending holds its groups a moment later, or no more.
        while !groups_that_nobody_holds().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(groups_that_nobody_holds(), BTreeSet::new(), "control groups are left");
    }

    pub fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.tmp()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// Processes that run from here or have their root or working directory here. Of one whose
    /// whole mount namespace begins here, only the mount table tells it.
    pub fn processes(&self) -> Vec<String> {
        let name = self.path().file_name().unwrap().to_string_lossy().into_owned();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let process = entry.path();
            let links = ["exe", "root", "cwd"].map(|link| fs::read_link(process.join(link)));
            let table = fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
            let mut roots = table.lines().filter_map(|line| line.split(' ').nth(3));
            if links.iter().flatten().any(|target| target.starts_with(self.path()))
                || roots.any(|root| root.contains(&name))
            {
                let words = fs::read(process.join("cmdline")).unwrap_or_default();
                let words = String::from_utf8_lossy(&words).replace('\0', " ");
                found.push(format!("{}: {words}", process.display()));
            }
        }
        found
    }
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
        }
    }
}

impl Ran {
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn mounts() -> BTreeSet<String> {
    let table = fs::read("/proc/self/mountinfo").unwrap();
    String::from_utf8_lossy(&table).lines().map(str::to_owned).collect()
}

/// The control groups of this program, on whatever hierarchies there are, that no living run has
/// locked: another test may run a lesson at the same time.
fn groups_that_nobody_holds() -> BTreeSet<PathBuf> {
    let table = mounts();
    let words = table.iter().map(|line| line.split(' ').collect::<Vec<_>>());
    let points = words.filter(|words| words.contains(&"cgroup") || words.contains(&"cgroup2"));
    let points = points.map(|words| PathBuf::from(words[4]));
    let entries = points.filter_map(|point| fs::read_dir(point).ok()).flatten().flatten();
    let is_left = |path: &PathBuf| {
        let is_ours =
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("workbench-"));
        let lock = || Flock::lock(fs::File::open(path).ok()?, FlockArg::LockExclusiveNonblock).ok();
        is_ours && lock().is_some()
    };
    entries.map(|entry| entry.path()).filter(is_left).collect()
}

/// Says why a test cannot run here. CI sets `WORKBENCH_NO_SKIP`, and then a skip is a failure,
/// but for those that it lists there by name.
pub fn skip(test: &str, why: &str) {
    let allowed = std::env::var("WORKBENCH_NO_SKIP").ok();
    let is_allowed =
        allowed.as_deref().is_none_or(|names| names.split(',').any(|name| name == test));
    assert!(is_allowed, "{test} was skipped, and this machine should run it: {why}");
    eprintln!("SKIPPED {test}: {why}");
}

/// Whether this host can make a whole container. A container without privileges cannot, and there
/// the lesson is shorter; so are its tests.
pub fn can_make_everything(test: &str, who: Who) -> bool {
    let ran = Sandbox::new(who).run(&["lesson", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    let left_out = list["lessons"][1]["left_out"].as_array().unwrap();
    // Where the groups are `/` already, there is only nothing to be seen.
    let lacks = left_out.iter().find(|experiment| **experiment != "cgroup");
    if let Some(experiment) = lacks {
        skip(test, &format!("this host cannot show {experiment}"));
    }
    lacks.is_none()
}

/// Whether this user may make control groups here, in a tree that has a controller.
pub fn can_limit(test: &str) -> bool {
    let found = workbench::cgroup::Hierarchies::find().unwrap();
    let absent = found.usable(workbench::cgroup::Controller::Pids).err();
    if let Some(absent) = &absent {
        skip(test, &absent.why);
    }
    absent.is_none()
}

/// The experiments of a lesson that this host cannot perform.
pub fn left_out(sandbox: &Sandbox, lesson: &str) -> Vec<String> {
    let ran = sandbox.run(&["lesson", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    let all = list["lessons"].as_array().unwrap();
    let this = all.iter().find(|one| one["name"] == lesson).unwrap();
    let names = this["left_out"].as_array().unwrap().iter();
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Whether the control group of this process has a path that could leak.
pub fn has_a_group_of_its_own() -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups.lines().any(|line| !line.ends_with(":/"))
}

/// Whether a program can be found.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|place| place.join(program).exists())
}

/// Device and inode.
pub fn identity(path: &Path) -> (u64, u64) {
    let meta = fs::metadata(path).unwrap();
    (meta.dev(), meta.ino())
}
