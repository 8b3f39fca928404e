//! The walls themselves: each is missed when it is left out, others see them as we do, and the
//! host is as it was.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use common::{Ran, Sandbox, WORKBENCH, Who, can_make_everything, has, is_root, skip};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use workbench::container::{FileSystem, Recipe, Root};
use workbench::job::Job;
use workbench::launch::{Held, Launcher};
use workbench::namespace::{Namespace, Namespaces};
use workbench::observation::Observation;
use workbench::proof::{self, Verdict};
use workbench::rootfs::{NewRoot, Tree};
use workbench::witness::waiting_bash;

const LESSON: [&str; 2] = ["lesson", "namespaces"];
/// In which the tests' own jobs look for programs.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

fn launcher() -> Launcher {
    Launcher::new(WORKBENCH.into(), PATH.into())
}

/// A small root, with the directories on which something will be mounted.
fn root_in(directory: &Path) -> PathBuf {
    let root = NewRoot::create(&directory.join("root"), Tree::host()).unwrap();
    for program in ["bash", "cat", "grep", "ls", "mount", "sleep", "stat"] {
        root.install(program.as_ref()).unwrap();
    }
    if has("ps") {
        root.install("ps".as_ref()).unwrap();
    }
    for name in ["proc", "sys", "tmp"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    root.path().to_owned()
}

fn whole(root: &Path) -> Recipe {
    Recipe {
        own: Namespaces::of(&Namespace::ALL),
        fork: true,
        hostname: Some("inner".into()),
        root: Root::Pivot(root.into()),
        mounts: vec![FileSystem::Proc, FileSystem::Sys, FileSystem::Tmp],
        ..Recipe::default()
    }
}

/// The whole container without one wall, and without what that wall alone makes harmless: this
/// must not rename, remount or reconfigure the machine that runs the test.
fn without(namespace: Namespace, root: &Path) -> Recipe {
    let mut recipe = whole(root);
    recipe.own = recipe.own.but(namespace);
    match namespace {
        Namespace::Uts => recipe.hostname = None,
        Namespace::Net => recipe.mounts.retain(|kind| *kind != FileSystem::Sys),
        Namespace::Pid => recipe.mounts.retain(|kind| *kind != FileSystem::Proc),
        Namespace::Mount => {
            recipe.mounts.clear();
            recipe.root = Root::Chroot(root.into());
        }
        _ => {}
    }
    recipe
}

#[test]
fn each_wall_that_is_left_out_is_missed_and_no_other() {
    if !can_make_everything("each_wall_that_is_left_out_is_missed_and_no_other", Who::User) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = root_in(directory.path());
    // Without a user namespace, an ordinary user gets no other either.
    let can_lack = |kind: &Namespace| is_root() || *kind != Namespace::User;
    for missing in Namespace::ALL.into_iter().filter(can_lack) {
        let held = launcher().hold(&waiting_bash(&without(missing, &root))).unwrap();
        for namespace in Namespace::ALL {
            let verdict = proof::has_its_own(held.pid(), namespace).verdict;
            let expected = if namespace == missing { Verdict::Fails } else { Verdict::Holds };
            assert_eq!(verdict, expected, "{namespace:?}, without {missing:?}");
        }
        let all = Namespaces::of(&Namespace::ALL);
        assert_eq!(proof::namespaces_are(held.pid(), all).verdict, Verdict::Fails);
        assert_eq!(proof::namespaces_are(held.pid(), all.but(missing)).verdict, Verdict::Holds);
        let number = proof::numbers_of(held.pid()).verdict;
        assert_eq!(number == Verdict::Holds, missing != Namespace::Pid, "without {missing:?}");
    }
    let held = launcher().hold(&waiting_bash(&whole(&root))).unwrap();
    let all = proof::namespaces_are(held.pid(), Namespaces::of(&Namespace::ALL));
    assert_eq!(all.verdict, Verdict::Holds, "{}", all.answer);
}

/// The other ingredients: file systems, the swap of the roots, private mounts.
#[test]
fn each_mount_that_is_left_out_is_missed() {
    if !can_make_everything("each_mount_that_is_left_out_is_missed", Who::User) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = root_in(directory.path());
    let points = ["/", "/proc", "/sys", "/tmp"].map(str::to_owned);
    let mounts_of = |recipe: &Recipe| {
        let held = launcher().hold(&waiting_bash(recipe)).unwrap();
        proof::mounts_are(held.pid(), &points).verdict
    };
    assert_eq!(mounts_of(&whole(&root)), Verdict::Holds);
    for missing in 0..3 {
        let mut recipe = whole(&root);
        recipe.mounts.remove(missing);
        assert_eq!(mounts_of(&recipe), Verdict::Fails);
    }
    let by_chroot = Recipe { root: Root::Chroot(root.clone()), ..whole(&root) };
    assert_eq!(mounts_of(&by_chroot), Verdict::Fails, "a chroot is no mount");
}

/// What util-linux says about the same process.
#[test]
fn our_inodes_are_those_of_lsns() {
    if !can_make_everything("our_inodes_are_those_of_lsns", Who::User) {
        return;
    }
    if !has("lsns") {
        return skip("our_inodes_are_those_of_lsns", "lsns is not installed");
    }
    let directory = tempfile::tempdir().unwrap();
    let root = root_in(directory.path());
    let held = launcher().hold(&waiting_bash(&whole(&root))).unwrap();
    let pid = held.pid().to_string();
    let ran = Command::new("lsns").args(["-n", "-o", "TYPE,NS", "-p", &pid]).output().unwrap();
    let theirs: BTreeMap<String, String> = Ran::from(ran)
        .assert_code(0)
        .stdout
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .map(|words| (words[0].clone(), words[1].clone()))
        .collect();
    let table = proof::namespaces_are(held.pid(), Namespaces::of(&Namespace::ALL)).answer;
    let theirs_by_link = table.lines().map(|line| line.split_once('\t').unwrap().1);
    let ours: BTreeMap<String, String> = theirs_by_link
        .map(|link| link.trim_end_matches(']').split_once(":[").unwrap())
        .map(|(kind, inode)| (kind.to_owned(), inode.to_owned()))
        .collect();
    assert_eq!(ours.len(), 8);
    assert_eq!(ours, theirs);
    for (kind, inode) in &ours {
        let link = fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert_eq!(link.display().to_string(), format!("{kind}:[{inode}]"));
    }
}

/// A container that the article's own line has made, by util-linux and not by us.
struct Articles(Child);

impl Articles {
    fn start(root: &Path) -> Self {
        let line = "mount -t proc none /proc && mount -t sysfs none /sys && \
                    mount -t tmpfs none /tmp && echo ready && read -r _";
        let flags = "--mount --uts --ipc --net --pid --fork --user --map-root-user --kill-child";
        let mut command = Command::new("unshare");
        command.args(flags.split(' ')).arg("chroot").arg(root).args(["bash", "-c", line]);
        command.env("PATH", PATH).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Self(child)
    }

    /// The shell: the only child of unshare.
    fn pid(&self) -> u32 {
        let id = self.0.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children.trim().parse().unwrap()
    }
}

impl Drop for Articles {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_the_articles_line_has_made_passes_the_same_proofs() {
    if !can_make_everything("what_the_articles_line_has_made_passes_the_same_proofs", Who::User) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = root_in(directory.path());
    let article = Articles::start(&root);
    let pid = article.pid();
    let forgotten = [Namespace::Cgroup, Namespace::Time];
    let six: Namespaces =
        Namespace::ALL.into_iter().filter(|kind| !forgotten.contains(kind)).collect();
    let user = nix::unistd::geteuid().as_raw();
    for evidence in [
        proof::namespaces_are(pid, six),
        proof::numbers_of(pid),
        proof::belongs_to(pid, user),
        proof::is_alive(pid),
        proof::root_is(pid, &root),
        proof::root_differs_from_ours(pid),
        proof::maps_only_files_below(pid, &root),
        proof::is_empty(&root.join("proc")),
    ] {
        assert_eq!(evidence.verdict, Verdict::Holds, "{evidence:?}");
    }
    // And ours is the same container.
    let recipe =
        Recipe { own: six, hostname: None, root: Root::Chroot(root.clone()), ..whole(&root) };
    let ours = launcher().hold(&waiting_bash(&recipe)).unwrap();
    let mounts = |pid: u32| {
        let table = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap();
        let points = table.lines().map(|line| line.split(' ').nth(4).unwrap().to_owned());
        points.collect::<Vec<_>>()
    };
    assert_eq!(mounts(ours.pid()), mounts(pid));
    let capabilities = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let lines = status.lines().filter(|line| line.starts_with("Cap"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(capabilities(ours.pid()), capabilities(pid));
}

/// All of the machine that a container could change, were it not contained.
#[derive(Debug, PartialEq)]
struct Host {
    name: String,
    mounts: String,
    objects: Vec<String>,
    devices: BTreeSet<String>,
    group: String,
}

impl Host {
    fn as_it_is() -> Self {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let objects = ["msg", "sem", "shm"].map(|kind| read(&format!("/proc/sysvipc/{kind}")));
        let devices = read("/proc/net/dev");
        let names = devices.lines().filter_map(|line| line.split_once(':'));
        Self {
            name: read("/proc/sys/kernel/hostname"),
            mounts: read("/proc/self/mountinfo"),
            objects: objects.to_vec(),
            devices: names.map(|(name, _)| name.trim().to_owned()).collect(),
            group: read("/proc/self/cgroup"),
        }
    }
}

/// How far the date is from the time since the start: it changes only if somebody sets the clock.
fn start_of_time() -> Duration {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    now.checked_sub(Duration::from_secs_f64(seconds)).unwrap()
}

fn assert_clock_was_not_set(before: Duration) {
    let difference = start_of_time().abs_diff(before);
    assert!(difference < Duration::from_secs(1), "the clock has moved by {difference:?}");
}

fn assert_uninhabited(sandbox: &Sandbox) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !sandbox.processes().is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(sandbox.processes(), Vec::<String>::new(), "somebody still lives there");
}

#[test]
fn the_host_is_as_it_was() {
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        let (before, clock) = (Host::as_it_is(), start_of_time());
        sandbox.run(&LESSON).assert_code(0);
        assert_eq!(Host::as_it_is(), before);
        assert_clock_was_not_set(clock);
        assert_uninhabited(&sandbox);
        sandbox.assert_tidy();
    }
}

#[test]
fn the_host_is_as_it_was_after_sigkill_at_any_moment() {
    const MOMENTS: u32 = 40;
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        let (before, clock) = (Host::as_it_is(), start_of_time());
        let start = Instant::now();
        sandbox.run(&LESSON).assert_code(0);
        let whole = start.elapsed();
        for moment in 0..MOMENTS {
            let mut command = sandbox.workbench(&LESSON);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            std::thread::sleep(whole * moment / MOMENTS);
            let _ = kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGKILL);
            child.wait().unwrap();
            assert_uninhabited(&sandbox);
            assert_eq!(Host::as_it_is(), before, "killed at moment {moment}");
        }
        assert_clock_was_not_set(clock);
        sandbox.run(&["clean"]).assert_code(0);
        sandbox.assert_tidy();
    }
}

/// What is said about PID 1 and about a user namespace in passing.
#[test]
fn what_the_words_claim_is_so() {
    if !can_make_everything("what_the_words_claim_is_so", Who::User) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = root_in(directory.path());
    let says = |line: &str| launcher().run(&Job::bash(&whole(&root), line)).unwrap().said;

    // Orphans become children of process 1.
    // (It is called `bash` until it has become `sleep`.)
    let orphan = "(sleep 600 <&0 &); until grep -q '(sleep)' /proc/[0-9]*/stat; do :; done; \
                  grep -ho '(sleep) . [0-9]*' /proc/[0-9]*/stat";
    assert!(says(orphan).ends_with(" 1"), "{}", says(orphan));
    // Nobody can become another user, because there is none.
    let own = Namespaces::of(&[Namespace::User]);
    let become_one = ["setpriv", "--reuid=1", "--clear-groups", "true"];
    if has("setpriv") {
        let job = Job::new(&Recipe { own, ..Recipe::default() }, &become_one);
        let outcome = launcher().run(&job).unwrap();
        assert_ne!(outcome.observation, Observation::Exited { status: 0 });
        assert!(outcome.said.contains("setpriv"), "{}", outcome.said);
    }
    // Without /proc, `ps` is blind.
    if has("ps") {
        let recipe = Recipe { mounts: vec![], ..whole(&root) };
        let outcome = launcher().run(&Job::new(&recipe, &["ps"])).unwrap();
        assert_ne!(outcome.observation, Observation::Exited { status: 0 }, "{}", outcome.said);
        assert!(outcome.said.contains("/proc"), "{}", outcome.said);
    }
    // The rest of /sys shows the machine.
    assert_eq!(says("ls /sys/class/net"), "lo");
    let disks = |said: String| said.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let ours = fs::read_dir("/sys/class/block").unwrap().flatten();
    let ours = ours.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert_eq!(disks(says("ls /sys/class/block")), ours);
}

/// The first of a PID namespace ends, and all others with it: also what a learner has left in the
/// background, and also if the program itself is killed.
#[test]
fn a_container_ends_with_its_first_process_and_with_its_parent() {
    if !can_make_everything(
        "a_container_ends_with_its_first_process_and_with_its_parent",
        Who::User,
    ) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = root_in(directory.path());
    let line = "sleep 600 <&0 & echo ready; read -r _";
    let children_of = |held: &Held| {
        let pid = held.pid();
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        list.trim().parse::<u32>().unwrap()
    };
    let held = launcher().hold(&Job::bash(&whole(&root), line)).unwrap();
    let (first, child) = (held.pid(), children_of(&held));
    drop(held);
    for pid in [first, child] {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid} lives");
    }

    // The process that waits outside is the parent of the first one.
    let held = launcher().hold(&Job::bash(&whole(&root), line)).unwrap();
    let (first, child) = (held.pid(), children_of(&held));
    let status = fs::read_to_string(format!("/proc/{first}/status")).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap();
    kill(Pid::from_raw(parent.parse().unwrap()), Signal::SIGKILL).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let lives = |pid: u32| proof::is_alive(pid).verdict == Verdict::Holds;
    while [first, child].into_iter().any(lives) {
        assert!(Instant::now() < deadline, "{first} or {child} survives its parent");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn how_a_contained_program_ends_is_passed_on() {
    if !can_make_everything("how_a_contained_program_ends_is_passed_on", Who::User) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = root_in(directory.path());
    let ends = |line: &str| launcher().run(&Job::bash(&whole(&root), line)).unwrap().observation;
    assert_eq!(ends("exit 0"), Observation::Exited { status: 0 });
    assert_eq!(ends("exit 7"), Observation::Exited { status: 7 });
    assert_eq!(ends("exit 255"), Observation::Exited { status: 255 });
    // Not process 1 itself, which does not die by its own hand.
    assert_eq!(ends("bash -c 'kill -9 $$'; exit $?"), Observation::Exited { status: 137 });
    let missing = launcher().run(&Job::new(&whole(&root), &["no-such-program"])).unwrap();
    let refused = Observation::Refused { call: "execve".into(), errno: "ENOENT".into() };
    assert_eq!(missing.observation, refused);
    let held = launcher().hold(&waiting_bash(&whole(&root))).unwrap();
    kill(Pid::from_raw(held.pid().try_into().unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!(held.end().unwrap(), Observation::Killed { signal: "SIGKILL".into() });
}

/// A link in a root that somebody else has made must not lead a mount out of it.
#[test]
fn a_link_in_the_root_does_not_lead_a_mount_astray() {
    if !can_make_everything("a_link_in_the_root_does_not_lead_a_mount_astray", Who::User) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = root_in(directory.path());
    let target = directory.path().join("outside");
    fs::create_dir(&target).unwrap();
    fs::remove_dir(root.join("sys")).unwrap();
    std::os::unix::fs::symlink(&target, root.join("sys")).unwrap();
    for recipe in [whole(&root), Recipe { root: Root::Chroot(root.clone()), ..whole(&root) }] {
        let outcome = launcher().run(&Job::bash(&recipe, "true")).unwrap();
        let refused = Observation::Refused { call: "mount".into(), errno: "ENOENT".into() };
        assert_eq!(outcome.observation, refused, "{}", outcome.said);
    }
}

#[test]
fn there_are_two_unsafe_places_and_they_say_why() {
    let mut found = BTreeSet::new();
    let mut places = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    places.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons"));
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                places.push(entry);
            } else if entry.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                if text.contains("unsafe {") || text.contains("unsafe_code") {
                    let reasons = text.matches("// SAFETY: ").count();
                    assert_eq!(text.matches("unsafe {").count(), reasons, "{}", entry.display());
                    found.insert(entry.file_name().unwrap().to_owned());
                }
            }
        }
    }
    assert_eq!(found, BTreeSet::from(["bpf.rs".into(), "fork.rs".into()]));
}

/// A host whose own /proc is partly covered, as every Docker container without --privileged is.
#[test]
fn a_host_that_cannot_show_everything_gets_a_shorter_lesson() {
    let name = "a_host_that_cannot_show_everything_gets_a_shorter_lesson";
    if !is_root() {
        return skip(name, "only root can cover a part of /proc");
    }
    let left_out = ["proc", "ipc", "net", "sys", "cgroup", "time", "article", "whole"];
    for user in ["", "setpriv --reuid=65534 --regid=65534 --clear-groups "] {
        let sandbox = Sandbox::new(Who::Root);
        let run = |args: &str| {
            let script = format!("mount -t tmpfs none /proc/irq && exec {user}\"$0\" {args}");
            let mut command = sandbox.command_of("unshare");
            command.args(["--mount", "sh", "-ec", &script]).arg(sandbox.program());
            Ran::from(command.output().unwrap())
        };
        let ran = run("lesson namespaces --format json");
        let document: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
        assert_eq!(document["ending"], "verified");
        for experiment in document["experiments"].as_array().unwrap() {
            let id = experiment["id"].as_str().unwrap();
            let why = experiment["could_not_look"].as_str();
            assert_eq!(why.is_some(), left_out.contains(&id), "{id}");
            if let Some(why) = why {
                assert!(why.contains("mount is refused: Operation not permitted (EPERM)"), "{why}");
                assert!(why.contains("partly covered, at /proc/irq"), "{why}");
                assert_eq!(experiment["proofs"].as_array().unwrap().len(), 0, "{id}: a tick");
                assert!(experiment["works"].is_null() && experiment["leaves"].is_null());
            }
        }
        let said = run("lesson namespaces --format plain").stdout;
        assert!(said.contains("Not looked at on this host"), "{said}");
        assert!(said.contains("because, could not look: mount -t proc none /proc"), "{said}");
        let said = run("lesson").stdout;
        let list = format!("this host can run it, but for: {}", left_out.join(", "));
        assert!(said.contains(&list), "{said}");
        let ran = run("lesson namespaces --shell-at sys");
        assert!(ran.assert_code(2).stderr.contains("`sys` cannot be performed here"), "{ran:?}");
        sandbox.assert_tidy();
    }
}

#[test]
fn a_root_that_the_learner_brings() {
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        let root = root_in(sandbox.path());
        let args = ["lesson", "namespaces", "--format", "json", "--root"].map(OsString::from);
        let bring = |root: &Path| sandbox.run(&[&args[..], &[root.into()]].concat());
        // It lacks something: one sentence, and nothing is touched.
        let ran = bring(&root);
        let sentence = "cannot be used for this lesson: no cut, no id, no readlink";
        assert!(ran.assert_code(2).stderr.contains(sentence), "{}", ran.stderr);
        assert!(ran.stderr.contains("no /mnt"), "{}", ran.stderr);
        let more = NewRoot::at(&root, Tree::host());
        for program in ["cut", "hostname", "id", "readlink", "sort", "uname", "wc"] {
            // A host without `hostname` has a container without it.
            assert!(more.install(program.as_ref()).is_ok() || program == "hostname");
        }
        fs::create_dir(root.join("mnt")).unwrap();
        let before = Command::new("find").arg(&root).arg("-ls").output().unwrap().stdout;
        let document: serde_json::Value =
            serde_json::from_str(&bring(&root).assert_code(0).stdout).unwrap();
        assert_eq!(document["ending"], "verified");
        let after = Command::new("find").arg(&root).arg("-ls").output().unwrap().stdout;
        assert_eq!(before, after, "what the learner has brought was changed");
        sandbox.assert_tidy();
    }
}

/// The article's own way, for real. It takes a network, and half a minute.
#[test]
fn a_root_made_by_debootstrap() {
    let name = "a_root_made_by_debootstrap";
    if !is_root() || !has("debootstrap") {
        return skip(name, "it takes root and debootstrap");
    }
    let sandbox = Sandbox::new(Who::Root);
    let before = Host::as_it_is();
    let args = ["lesson", "namespaces", "--debootstrap", "bookworm", "--format", "json"];
    let ran = sandbox.run(&args);
    if ran.code == Some(3) {
        return skip(name, &ran.stdout);
    }
    let document: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(document["ending"], "verified");
    let experiments = document["experiments"].as_array().unwrap();
    assert!(experiments.len() >= 15, "{}", experiments.len());
    let whole = experiments.iter().find(|experiment| experiment["id"] == "whole").unwrap();
    assert_eq!(whole["works"]["matched"], true);
    assert!(whole["works"]["command"].as_str().unwrap().contains("debootstrap-root"));
    assert_eq!(Host::as_it_is(), before);
    sandbox.assert_tidy();
}

#[test]
fn a_debootstrap_that_cannot_be_says_why() {
    let sandbox = Sandbox::new(Who::User);
    let ran = sandbox.run(&["lesson", "namespaces", "--debootstrap", "bookworm"]);
    ran.assert_code(3);
    assert!(ran.stderr.contains("only root can run debootstrap"), "{}", ran.stderr);
    assert!(ran.stderr.contains("leave out --debootstrap"), "{}", ran.stderr);
    sandbox.assert_tidy();
    if is_root() && has("debootstrap") {
        let sandbox = Sandbox::new(Who::Root);
        let ran = sandbox.run(&["lesson", "namespaces", "--debootstrap", "no-such-suite"]);
        ran.assert_code(3);
        assert!(ran.stderr.contains("debootstrap says: No such script"), "{}", ran.stderr);
        sandbox.assert_tidy();
        // A network namespace without a cable is a host without a network.
        let mut command = sandbox.command_of("unshare");
        command.arg("--net").arg(sandbox.program());
        command.args(["lesson", "namespaces", "--debootstrap", "bookworm"]);
        let ran = Ran::from(command.output().unwrap());
        ran.assert_code(3);
        assert!(ran.stderr.contains("the network"), "{}", ran.stderr);
        sandbox.assert_tidy();
    }
}

/// Our own command line says the same as the recipe.
#[test]
fn a_recipe_survives_the_command_line() {
    let root = Path::new("/some/root");
    let mut recipes: Vec<Recipe> =
        Namespace::ALL.into_iter().map(|missing| without(missing, root)).collect();
    recipes.push(Recipe::default());
    recipes.push(Recipe {
        host: Some(42),
        boottime: Some(-7),
        propagation: workbench::container::Propagation::Unchanged,
        binds: vec![workbench::container::Bind { from: "/a".into(), to: "/b c".into() }],
        escape: Some("connect:name".parse().unwrap()),
        ..whole(root)
    });
    for recipe in recipes {
        let job = Job::new(&recipe, &["echo", "a b", "--pid"]);
        let words = std::iter::once("workbench".into()).chain(job.to_args());
        let parsed = <workbench::cli::Cli as clap::Parser>::try_parse_from(words).unwrap();
        let Some(workbench::cli::Command::Enter(args)) = parsed.command else { panic!("{job:?}") };
        assert_eq!(Job::from(args), job);
    }
}
