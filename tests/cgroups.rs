//! Control groups: what is set is what the kernel, and other programs, read back; and nothing of
//! it is left.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::learner::{GUESS, MENU, ends_well, start_between_stty};
use common::{Ran, Sandbox, Who, can_limit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use workbench::cgroup::{
    Account, Controller, Corner, Device, Group, Hierarchies, Limit, Touch, Version,
};
use workbench::mounts;

const LESSON: [&str; 4] = ["lesson", "cgroups", "--format", "json"];

/// Groups are looked for on the whole machine, so only one test has any at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every group of ours on this machine, and what the groups above them hand on.
fn groups_of_the_machine() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for hierarchy in Hierarchies::find().unwrap().iter() {
        let file = hierarchy.top.join("cgroup.subtree_control");
        let handed_on = fs::read_to_string(file).unwrap_or_default();
        found.insert(format!("{}: {handed_on}", hierarchy.top.display()));
        for entry in fs::read_dir(&hierarchy.top).unwrap().flatten() {
            let is_ours = entry.file_name().to_string_lossy().starts_with("workbench-");
            found.extend(is_ours.then(|| entry.path().display().to_string()));
        }
    }
    found
}

fn experiments(ran: &Ran) -> Vec<serde_json::Value> {
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(document["ending"], "verified");
    assert_eq!(document["left_behind"], serde_json::json!([]));
    document["experiments"].as_array().unwrap().clone()
}

fn measured(experiment: &serde_json::Value) -> f64 {
    experiment["works"]["observed"]["value"].as_f64().unwrap()
}

#[test]
fn it_is_verified_and_nothing_is_left() {
    if !can_limit("it_is_verified_and_nothing_is_left") {
        return;
    }
    let _alone = alone();
    let before = groups_of_the_machine();
    let sandbox = Sandbox::new(Who::Root);
    let ran = sandbox.run(&LESSON);
    let all = experiments(ran.assert_code(0));
    let find = |id: &str| all.iter().find(|one| one["id"] == id).unwrap();
    // The figures are the kernel's; these are the bounds that the words promise.
    assert!((4.0..=6.0).contains(&measured(find("cap"))));
    assert!((3.6..=4.4).contains(&measured(find("weight"))));
    assert_eq!(find("memory")["works"]["observed"]["status"], 137);
    assert_eq!(find("pids")["works"]["observed"]["errno"], "EAGAIN");
    assert_eq!(groups_of_the_machine(), before, "not as before");
    sandbox.assert_tidy();
}

/// A group with all controllers that this machine has, outside of any lesson.
fn a_group(name: &str) -> (Corner, Group) {
    let hierarchies = Hierarchies::find().unwrap();
    let mut corner = Corner::plan(&hierarchies, name);
    corner.claim().unwrap();
    let usable = |one: &Controller| hierarchies.usable(*one).is_ok();
    let controllers: Vec<Controller> = Controller::ALL.into_iter().filter(usable).collect();
    corner.hand_on(&controllers).unwrap();
    let group = corner.group("sandbox", &controllers);
    group.create().unwrap();
    (corner, group)
}

/// What is there for a peer to be asked about. A disk has other numbers on every host.
fn limits() -> Vec<Limit> {
    vec![
        Limit::CpuQuota { quota: 10_000, period: 100_000 },
        Limit::CpuWeight(25),
        Limit::Memory(80 << 20),
        Limit::NoSwap(80 << 20),
        Limit::Frozen,
        Limit::Thawed,
        Limit::Pids(20),
    ]
}

/// What we have set is what `cgget` of cgroup-tools reads.
#[test]
fn a_peer_reads_what_we_have_set() {
    let test = "a_peer_reads_what_we_have_set";
    if !common::has("cgget") {
        return common::skip(test, "cgget is not installed");
    }
    if !can_limit(test) || !is_version_1(test) {
        return;
    }
    let _alone = alone();
    let (_corner, group) = a_group("workbench-T3stCd");
    for limit in limits() {
        group.set(&limit).unwrap();
        for touch in limit.touches(Version::V1) {
            let Touch::Write { file, line } = touch else { panic!("version 1 has files") };
            let output = Command::new("cgget")
                .args(["-n", "-v", "-r", file, "workbench-T3stCd/sandbox"])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            assert_eq!(said, line, "{file}");
        }
    }
}

/// Whether all controllers of the article are in version 1, as it has them.
fn is_version_1(test: &str) -> bool {
    let hierarchies = Hierarchies::find().unwrap();
    let old = |one| hierarchies.of(one).is_some_and(|found| found.version == Version::V1);
    let is_so = Controller::ALL.into_iter().all(old);
    if !is_so {
        common::skip(test, "not every controller is in version 1 here");
    }
    is_so
}

/// The article's own lines make a group that passes the same proofs; and its `cgdelete` leaves
/// most of it behind.
#[test]
fn the_articles_lines_do_the_same() {
    let test = "the_articles_lines_do_the_same";
    if !["cgcreate", "cgset", "cgclassify", "cgdelete"].into_iter().all(common::has) {
        return common::skip(test, "cgroup-tools is not installed");
    }
    if !can_limit(test) || !is_version_1(test) {
        return;
    }
    let _alone = alone();
    let name = "workbench-T3stEf";
    let list = format!("cpu,memory,blkio,devices,freezer:{name}");
    let shell = |line: &str| {
        let output = Command::new("bash").args(["-c", line]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    };
    shell(&format!("cgcreate -g cpu,memory,blkio,devices,freezer:/{name}"));
    let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
    shell(&format!("cgclassify -g {list} {}", sleeper.id()));
    shell(&format!(
        "cgset -r cpu.cfs_period_us=100000 \
         -r cpu.cfs_quota_us=$[ 5000 * $(getconf _NPROCESSORS_ONLN) ] {name}"
    ));
    shell(&format!("cgset -r memory.limit_in_bytes=80M {name}"));

    // Our own way to look at it.
    let hierarchies = Hierarchies::find().unwrap();
    let all = Corner::plan(&hierarchies, name);
    let five = [Controller::Cpu, Controller::Memory, Controller::Io, Controller::Devices];
    let group = all.group(".", &[&five[..], &[Controller::Freezer]].concat());
    assert_eq!(group.processes().unwrap(), [sleeper.id()]);
    let says = |limit: &Limit| fs::read_to_string(group.file_of_limit(limit).unwrap()).unwrap();
    let processors = std::thread::available_parallelism().unwrap().get();
    let quota = says(&Limit::CpuQuota { quota: 0, period: 0 });
    assert_eq!(quota.trim(), (5_000 * processors).to_string());
    assert_eq!(says(&Limit::Memory(0)).trim(), "83886080");

    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    // The words of the step `leave` say so: one of five, and no complaint.
    shell(&format!("cgdelete -g {list}"));
    let left: Vec<PathBuf> =
        group.directories().filter(|path| path.exists()).map(Path::to_owned).collect();
    for directory in &left {
        fs::remove_dir(directory.canonicalize().unwrap()).unwrap();
    }
    assert_eq!(left.len(), 4, "{left:?}");
}

/// A signal at any moment leaves nothing; after SIGKILL, the next start sweeps.
#[test]
fn whatever_ends_the_run_nothing_is_left() {
    if !can_limit("whatever_ends_the_run_nothing_is_left") {
        return;
    }
    let _alone = alone();
    let before = groups_of_the_machine();
    let sandbox = Sandbox::new(Who::Root);
    // Spread over the whole lesson, and denser where groups are made.
    let moments = [20, 60, 100, 140, 180, 250, 400, 1_000, 3_000, 6_000, 7_500, 8_500];
    for (number, moment) in moments.into_iter().enumerate() {
        let signal = [Signal::SIGINT, Signal::SIGKILL, Signal::SIGTERM][number % 3];
        let mut command = sandbox.workbench(&LESSON);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        let _ = kill(Pid::from_raw(child.id().try_into().unwrap()), signal);
        let _ = child.wait_with_output().unwrap();
        if signal == Signal::SIGKILL {
            // A child that is still dying holds the lock of its parent.
            let deadline = Instant::now() + Duration::from_secs(30);
            while !sandbox.processes().is_empty() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            let swept = sandbox.run(&["clean"]);
            swept.assert_code(0);
        }
        assert_eq!(groups_of_the_machine(), before, "{signal} after {moment} ms");
        sandbox.assert_tidy();
    }
}

/// A group that a living run holds is left alone; so is one that has another kind of name.
#[test]
fn clean_knows_whose_groups_are_whose() {
    if !can_limit("clean_knows_whose_groups_are_whose") {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new(Who::Root);
    let (corner, group) = a_group("workbench-T3stGh");
    let directory = group.directories().next().unwrap().to_owned();
    let others = directory.parent().unwrap().with_file_name("workbench-somebodys");
    fs::create_dir(&others).unwrap();
    sandbox.run(&["clean"]).assert_code(0);
    assert!(directory.exists() && others.exists());
    // The lock goes with the process that holds it; then it is garbage, with whoever is in it.
    let mut sleeper = Command::new("sleep").arg("60").spawn().unwrap();
    group.take_in(sleeper.id()).unwrap();
    group.set(&Limit::Frozen).unwrap();
    let remains = corner.remains();
    std::mem::forget(corner);
    close_locks();
    let dry = sandbox.run(&["clean", "--dry-run"]);
    assert!(dry.assert_code(0).stdout.contains("would delete"), "{}", dry.stdout);
    assert!(directory.exists());
    let ran = sandbox.run(&["clean"]);
    assert!(ran.assert_code(0).stdout.contains("workbench-T3stGh"), "{}", ran.stdout);
    assert!(!directory.exists() && others.exists());
    fs::remove_dir(&others).unwrap();
    // A stranger was let go, and not killed.
    assert!(sleeper.try_wait().unwrap().is_none());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(remains.remove().is_empty());
}

/// Drops the locks of a corner that was forgotten: the descriptors of its directories.
fn close_locks() {
    for entry in fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        if target.to_string_lossy().contains("workbench-T3st") {
            let number: i32 = entry.file_name().to_string_lossy().parse().unwrap();
            nix::unistd::close(number).unwrap();
        }
    }
}

/// Where somebody cannot make groups, the reason is named, and what helps.
#[test]
fn an_ordinary_user_is_told_why_not() {
    if !common::is_root() {
        return common::skip("an_ordinary_user_is_told_why_not", "only root can become a user");
    }
    let _alone = alone();
    let sandbox = Sandbox::new(Who::User);
    let ran = sandbox.run(&["lesson", "cgroups"]);
    ran.assert_code(3);
    assert!(ran.stderr.contains("sudo workbench"), "{}", ran.stderr);
    assert!(ran.stderr.contains("only root") || ran.stderr.contains("handed over"));
    sandbox.assert_tidy();
}

/// A host without any: in a mount namespace of our own, something lies over them.
#[test]
fn without_control_groups_the_reason_is_named() {
    if !common::is_root() {
        return common::skip("without_control_groups_the_reason_is_named", "not root");
    }
    let _alone = alone();
    let sandbox = Sandbox::new(Who::Root);
    let cover = "mount -t tmpfs none /sys/fs/cgroup && exec \"$@\"";
    let mut command = sandbox.command_of("unshare");
    command.args(["--mount", "sh", "-c", cover, "sh"]).arg(sandbox.program());
    let ran = Ran::from(command.args(["lesson", "cgroups"]).output().unwrap());
    ran.assert_code(3);
    assert!(ran.stderr.contains("no control groups are mounted here"), "{}", ran.stderr);
    sandbox.assert_tidy();
}

/// A root that the learner brings is for other lessons.
#[test]
fn it_takes_no_root() {
    let _alone = alone();
    let sandbox = Sandbox::new(Who::Root);
    let ran = sandbox.run(&["lesson", "cgroups", "--root", "/usr"]);
    assert_eq!(ran.assert_code(2).stderr.lines().count(), 1, "{}", ran.stderr);
    sandbox.assert_tidy();
}

/// At a terminal: the bars move, and are no more than what a terminal can take.
#[test]
fn a_learner_watches_the_processors() {
    if !can_limit("a_learner_watches_the_processors") {
        return;
    }
    let _alone = alone();
    let sandbox = Sandbox::new(Who::Root);
    let args = "lesson cgroups --from no-cap";
    let mut learner = start_between_stty(&sandbox, 80, args);
    let began = Instant::now();
    learner.exp_string(GUESS).unwrap();
    learner.send_line("").unwrap();
    let bars = learner.exp_string("observed").unwrap();
    let frames = bars.matches("sandbox ").count();
    assert!(frames >= 3, "only {frames} frames: {bars}");
    let most = began.elapsed().as_millis() / 100 + 2;
    assert!(u128::try_from(frames).unwrap() <= most, "{frames} frames, and at most {most}");
    // The lines are drawn over those before them.
    assert!(bars.contains("\u{1b}[") && bars.contains("cpu 0"), "{bars:?}");
    learner.exp_string(MENU).unwrap();
    learner.send_line("q").unwrap();
    ends_well(&sandbox, learner, 130);
}

/// The tables of the book are what the program would write.
#[test]
fn the_book_has_the_tables_of_the_program() {
    let disk = Device { major: 254, minor: 0 };
    let limits = [
        ("5 % of two processors", Limit::CpuQuota { quota: 10_000, period: 100_000 }),
        ("no cap", Limit::NoCpuQuota),
        ("a quarter of the weight", Limit::CpuWeight(25)),
        ("80 MiB of memory", Limit::Memory(80 << 20)),
        ("and no swap", Limit::NoSwap(80 << 20)),
        ("1 MiB/s to a disk", Limit::WriteRate(disk, 1 << 20)),
        ("no device but null", Limit::Devices(vec![Device { major: 1, minor: 3 }])),
        ("freeze", Limit::Frozen),
        ("thaw", Limit::Thawed),
        ("20 processes", Limit::Pids(20)),
    ];
    let mut table = "| limit | version 1 | version 2 |\n|---|---|---|\n".to_owned();
    for (name, limit) in limits {
        let [old, new] = [Version::V1, Version::V2].map(|version| {
            let lines = limit.touches(version).into_iter().map(|touch| match touch {
                Touch::Write { file, line } => format!("`{line}` → `{file}`"),
                Touch::Attach(_) => "a BPF program".to_owned(),
            });
            lines.collect::<Vec<_>>().join("<br>")
        });
        writeln!(table, "| {name} | {old} | {new} |").unwrap();
    }
    assert_is_in_the_book("limits.md", &table);

    let accounts = [
        ("processor time", Account::CpuTime),
        ("how often the cap was reached", Account::Throttled),
        ("the most memory at once", Account::PeakMemory),
        ("killed for memory", Account::OutOfMemory),
        ("written to a disk", Account::Written(disk)),
        ("frozen", Account::Frozen),
        ("forks that were refused", Account::ForksRefused),
    ];
    let mut table = "| account | version 1 | version 2 |\n|---|---|---|\n".to_owned();
    for (name, account) in accounts {
        let [old, new] = [Version::V1, Version::V2].map(|version| {
            let place = account.place(version);
            let words = place.words.join(" ");
            if account == Account::Frozen && version == Version::V1 {
                format!("`{}`, where it says `{words}`", place.file)
            } else if words.is_empty() {
                format!("`{}`", place.file)
            } else {
                format!("`{}`, after `{words}`", place.file)
            }
        });
        writeln!(table, "| {name} | {old} | {new} |").unwrap();
    }
    assert_is_in_the_book("accounts.md", &table);
}

/// As with snapshots: `INSTA_UPDATE=always` writes what the program says now.
#[track_caller]
fn assert_is_in_the_book(name: &str, table: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src").join(name);
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        fs::write(&file, table).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), table, "{}", file.display());
}

/// Where things are on hosts of each kind, as their own tables tell it.
#[test]
fn each_controller_is_found_on_every_kind_of_host() {
    let find = |mounts: &str, groups: &str| {
        Hierarchies::of_tables(&mounts::parse(mounts.as_bytes()), groups)
    };
    let of = |found: &Hierarchies, one| found.of(one).map(|tree| (tree.version, tree.own.clone()));

    // Version 1 as systemd mounts it, with two controllers in one tree.
    let v1 = "30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
              31 29 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
              32 29 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n";
    let found = find(v1, "4:cpu,cpuacct:/user.slice\n3:memory:/\n1:name=systemd:/user.slice/a\n");
    let own = PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/user.slice");
    assert_eq!(of(&found, Controller::Cpuacct), Some((Version::V1, own)));
    assert_eq!(of(&found, Controller::Pids), None);

    // A hybrid whose memory works in version 2.
    let hybrid = "30 29 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                  33 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n";
    let found = find(hybrid, "4:cpu:/\n0::/login\n");
    let own = PathBuf::from("/sys/fs/cgroup/unified/login");
    assert_eq!(of(&found, Controller::Memory), Some((Version::V2, own)));
    assert_eq!(of(&found, Controller::Cpu).unwrap().0, Version::V1);

    // Docker on version 1: the mount shows the container's group as its top.
    let docker = "30 29 0:26 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    let found = find(docker, "3:memory:/docker/abc\n");
    assert_eq!(of(&found, Controller::Memory).unwrap().1, Path::new("/sys/fs/cgroup/memory"));

    // Docker on version 2, with a control group namespace; and a second mount of the same tree.
    let docker = "30 29 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n\
                  31 29 0:26 / /elsewhere rw - cgroup2 cgroup rw\n";
    let found = find(docker, "0::/\n");
    assert_eq!(found.iter().count(), 1);
    assert_eq!(of(&found, Controller::Io).unwrap().1, Path::new("/sys/fs/cgroup"));
}
