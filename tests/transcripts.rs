//! What people see, whole: as root and as an ordinary user, for eyes, for ears, for programs.
//!
//! The snapshots are the product. The book includes them.

mod common;

use std::sync::Mutex;

use common::{Sandbox, Who, redact};
use insta::{Settings, assert_snapshot};

fn redacted(check: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    for (pattern, name) in redact::filters() {
        settings.add_filter(pattern, name);
    }
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(check);
}

/// The lesson's own text, in a directory whose name is always of the same length, and with numbers
/// of processes that are: they decide where lines break.
fn transcript(who: Who, args: &[&str]) -> String {
    let sandbox = Sandbox::new(who);
    let mut command = sandbox.workbench_with_long_numbers(args);
    let ran = common::Ran::from(command.env("TMPDIR", "/tmp").output().unwrap());
    ran.assert_code(0);
    assert_eq!(ran.stderr, "");
    redact::inodes(&ran.stdout)
}

const CHROOT: [&str; 2] = ["lesson", "chroot"];

#[test]
fn chroot_as_root_for_eyes() {
    redacted(|| assert_snapshot!("chroot-root-human", transcript(Who::Root, &CHROOT)));
}

#[test]
fn chroot_as_user_for_ears() {
    let args = [&CHROOT[..], &["--format", "plain"]].concat();
    redacted(|| assert_snapshot!("chroot-user-plain", transcript(Who::User, &args)));
}

#[test]
fn chroot_as_root_for_programs() {
    let args = [&CHROOT[..], &["--format", "json"]].concat();
    redacted(|| assert_snapshot!("chroot-root-json", transcript(Who::Root, &args)));
}

#[test]
fn chroot_as_user_for_programs() {
    let args = [&CHROOT[..], &["--format", "json"]].concat();
    redacted(|| assert_snapshot!("chroot-user-json", transcript(Who::User, &args)));
}

const NAMESPACES: [&str; 2] = ["lesson", "namespaces"];

/// Whether everything can be performed here; what was left out would be missing in the snapshot.
fn everything_fits(test: &str, who: Who) -> bool {
    everything_fits_of(test, who, 1)
}

fn everything_fits_of(test: &str, who: Who, lesson: usize) -> bool {
    if !common::is_root() {
        common::skip(test, "its root is that of a user namespace, and its user another");
        return false;
    }
    if !common::has("ps") {
        common::skip(test, "its transcript shows what ps says, and ps is not installed");
        return false;
    }
    let ran = Sandbox::new(who).run(&["lesson", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    let left_out = list["lessons"][lesson]["left_out"].as_array().unwrap();
    if !left_out.is_empty() {
        common::skip(test, &format!("this host leaves out {left_out:?}"));
    }
    left_out.is_empty()
}

#[test]
fn namespaces_as_root_for_eyes() {
    if everything_fits("namespaces_as_root_for_eyes", Who::Root) {
        let said = transcript(Who::Root, &NAMESPACES);
        redacted(|| assert_snapshot!("namespaces-root-human", said));
    }
}

#[test]
fn namespaces_as_user_for_ears() {
    if everything_fits("namespaces_as_user_for_ears", Who::User) {
        let said = transcript(Who::User, &[&NAMESPACES[..], &["--format", "plain"]].concat());
        redacted(|| assert_snapshot!("namespaces-user-plain", said));
    }
}

#[test]
fn namespaces_for_programs() {
    if everything_fits("namespaces_for_programs", Who::Root) {
        let args = [&NAMESPACES[..], &["--format", "json"]].concat();
        let (root, user) = (transcript(Who::Root, &args), transcript(Who::User, &args));
        redacted(|| assert_snapshot!("namespaces-root-json", root));
        redacted(|| assert_snapshot!("namespaces-user-json", user));
    }
}

const CGROUPS: [&str; 2] = ["lesson", "cgroups"];

/// Two that measure at the same time would disturb each other.
static MEASURING: Mutex<()> = Mutex::new(());

/// Whether the groups are arranged as in the snapshot: version 1, with a tree for each controller.
fn has_its_groups_like_that(test: &str) -> bool {
    let trees = ["cpu", "cpuacct", "memory", "blkio", "devices", "freezer", "pids"];
    let other = trees.iter().find(|tree| {
        let group = std::path::Path::new("/sys/fs/cgroup").join(tree);
        !group.join("tasks").exists() || group.is_symlink()
    });
    if let Some(tree) = other {
        common::skip(test, &format!("its transcript is of a host that has {tree} in a tree alone"));
    }
    let fits = other.is_none() && common::can_limit(test);
    fits && everything_fits_of(test, Who::Root, 2)
}

#[test]
fn cgroups_as_root_for_eyes() {
    if has_its_groups_like_that("cgroups_as_root_for_eyes") {
        let _alone = MEASURING.lock();
        let said = redact::of_groups(&transcript(Who::Root, &CGROUPS));
        redacted_groups(|| assert_snapshot!("cgroups-root-human", said));
    }
}

#[test]
fn cgroups_for_programs() {
    if has_its_groups_like_that("cgroups_for_programs") {
        let _alone = MEASURING.lock();
        let args = [&CGROUPS[..], &["--format", "json"]].concat();
        let said = redact::of_groups(&transcript(Who::Root, &args));
        redacted_groups(|| assert_snapshot!("cgroups-root-json", said));
    }
}

/// Without the filters that would take the lesson's own groups for those of the caller.
fn redacted_groups(check: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    let is_about_others = |pattern: &str| {
        [r"/workbench-[A-Za-z", "[a-z_,=]*", r"\d{2,}:\d+", r"\d{2,} /"]
            .iter()
            .any(|part| pattern.contains(part))
    };
    for (pattern, name) in redact::filters() {
        if !is_about_others(pattern) {
            settings.add_filter(pattern, name);
        }
    }
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(check);
}

#[test]
fn chroot_in_a_root_that_the_learner_brings() {
    let sandbox = Sandbox::new(Who::Root);
    // /usr is a root of its own on every merged host: it has bin, lib and lib64.
    let merged = std::fs::symlink_metadata("/bin").is_ok_and(|bin| bin.is_symlink());
    if !merged {
        return common::skip("chroot_in_a_root_that_the_learner_brings", "/bin is no link here");
    }
    let ran = sandbox.run(&["lesson", "chroot", "--root", "/usr", "--format", "json"]);
    ran.assert_code(0);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let ids: Vec<&str> = document["experiments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|experiment| experiment["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["files", "kill", "escape"]);
    assert_eq!(document["ending"], "verified");
    sandbox.assert_tidy();
}

#[test]
fn the_help_is_worth_reading() {
    let sandbox = Sandbox::new(Who::User);
    for (name, args) in [
        ("help", &["--help"][..]),
        ("help-lesson", &["lesson", "--help"]),
        ("help-clean", &["clean", "--help"]),
    ] {
        redacted(|| assert_snapshot!(name, sandbox.run(args).assert_code(0).stdout));
    }
}

#[test]
fn a_newcomer_is_told_where_to_start_and_later_where_they_are() {
    let sandbox = Sandbox::new(Who::User);
    let no_args: [&str; 0] = [];
    redacted(|| assert_snapshot!("welcome-first", sandbox.run(&no_args).assert_code(0).stdout));
    redacted(|| assert_snapshot!("list-first", sandbox.run(&["lesson"]).assert_code(0).stdout));
    sandbox.run(&CHROOT).assert_code(0);
    redacted(|| assert_snapshot!("welcome-later", sandbox.run(&no_args).assert_code(0).stdout));
    redacted(|| assert_snapshot!("list-later", sandbox.run(&["lesson"]).assert_code(0).stdout));
}
