//! A command that is shown can be pasted, and answers as the lesson says.

mod common;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use common::{Ran, Sandbox, WORKBENCH, Who};
use regex::Regex;
use workbench::container::Recipe;
use workbench::job::Job;
use workbench::launch::Launcher;
use workbench::lessons::{chroot, namespaces};

/// What a run prints until its shell opens, with the run kept alive in that state.
fn at_step(sandbox: &Sandbox, lesson: &str, step: &str, look: impl FnOnce(&str)) {
    let args = ["lesson", lesson, "--format", "plain", "--shell-at", step];
    let mut command = sandbox.workbench(&args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut run = command.spawn().unwrap();
    let mut shell = run.stdin.take().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(run.stdout.take().unwrap());
    while !said.contains("\nshell: ") {
        assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{said}");
    }
    look(&said);
    shell.write_all(b"exit\n").unwrap();
    std::io::copy(&mut lines, &mut std::io::sink()).unwrap();
    assert!(run.wait().unwrap().success());
    sandbox.assert_tidy();
}

fn last<'a>(said: &'a str, label: &str) -> Option<&'a str> {
    said.lines().rev().find_map(|line| line.strip_prefix(label))
}

/// Whether this is the status that a shell sees for what the lesson observed.
fn is_expected(status: Option<i32>, said: &str) -> bool {
    let observed = last(said, "observed, as predicted: ").unwrap();
    if observed.contains("execve is refused") {
        return status == Some(127);
    }
    if observed.contains("is refused") {
        // Each program has its own number for it: 1 for unshare, 32 for mount, 125 for ours.
        return status.is_some_and(|status| status != 0);
    }
    let expected = Regex::new(r"status (\d+)").unwrap();
    status == expected.captures(observed).unwrap()[1].parse().ok()
}

fn paste(sandbox: &Sandbox, command: &str) -> Ran {
    let mut bash = sandbox.command_of("bash");
    let mut path = OsString::from(sandbox.path());
    path.push(":/usr/bin:/bin:/usr/sbin:/sbin");
    Ran::from(bash.args(["-c", command]).env("PATH", path).output().unwrap())
}

#[test]
fn pasted_it_answers_as_the_lesson_says() {
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        // The neighbour of `kill` can be killed once only.
        for step in chroot::LESSON.steps().into_iter().filter(|step| *step != "kill") {
            paste_what_is_shown(&sandbox, "chroot", step);
        }
    }
}

#[test]
fn pasted_the_walls_answer_as_the_lesson_says() {
    if !common::can_make_everything("pasted_the_walls_answer_as_the_lesson_says", Who::User) {
        return;
    }
    // What is killed or deleted is so only once.
    let once = ["one-list", "no-fork", "one-queue", "ancestor"];
    for (who, others) in
        [(Who::Root, ["no-rights", "user"]), (Who::User, ["real-root", "mapped-root"])]
    {
        let sandbox = Sandbox::new(who);
        if who == Who::Root && !common::is_root() {
            let name = "pasted_the_walls_answer_as_the_lesson_says";
            common::skip(name, "as root: nsenter cannot join a sibling of its user namespace");
            continue;
        }
        let top = ["hosts-path", "cgroup"];
        let left = |step: &&str| {
            let leaks = common::has_a_group_of_its_own() || !top.contains(step);
            leaks && !once.contains(step) && !others.contains(step)
        };
        for step in namespaces::LESSON.steps().into_iter().filter(left) {
            paste_what_is_shown(&sandbox, "namespaces", step);
        }
    }
}

#[test]
fn pasted_the_limits_answer_as_the_lesson_says() {
    if !common::can_limit("pasted_the_limits_answer_as_the_lesson_says") {
        return;
    }
    let sandbox = Sandbox::new(Who::Root);
    let left_out = common::left_out(&sandbox, "cgroups");
    for (step, experiment, asked, answered) in [
        ("create", "create", "outside, holds: ", "1"),
        ("left-behind", "move", "because, holds: ", ""),
        ("cap", "cap", "outside, holds: ", "nr_throttled"),
        ("memory", "memory", "outside, holds: ", ""),
        ("devices", "devices", "outside, holds: ", "opened"),
        ("frozen", "freezer", "because, holds: ", ""),
        ("pids", "pids", "outside, holds: ", "max"),
        ("itself", "itself", "inside, holds: ", "Permission denied"),
        ("whole", "whole", "outside, holds: ", ""),
    ] {
        if left_out.iter().any(|one| one == experiment) {
            continue;
        }
        // What is measured has no status of its own, and takes seconds.
        if step != "cap" {
            paste_what_is_shown(&sandbox, "cgroups", step);
        }
        at_step(&sandbox, "cgroups", step, |said| {
            let command = last(said, asked).unwrap();
            let ran = paste(&sandbox, &format!("{command} 2>&1"));
            assert!(ran.stdout.contains(answered), "{step}: {command}\n{}", ran.stdout);
            assert!(!ran.stdout.contains("No such file"), "{step}: {command}\n{}", ran.stdout);
        });
    }
}

fn paste_what_is_shown(sandbox: &Sandbox, lesson: &str, step: &str) {
    at_step(sandbox, lesson, step, |said| {
        let section = &said[said.rfind("\nStep ").unwrap()..];
        for label in ["today: ", "we run: "] {
            let Some(command) = last(section, label) else { continue };
            let ran = paste(sandbox, command);
            assert!(is_expected(ran.code, section), "{step}: {command}\n{ran:?}");
        }
    });
}

/// The questions behind causes and proofs, too, can be typed.
#[test]
fn what_was_asked_can_be_typed() {
    if !common::can_make_everything("what_was_asked_can_be_typed", Who::User) {
        return;
    }
    let sandbox = Sandbox::new(Who::User);
    for (lesson, step, asked, answered) in [
        ("chroot", "empty-root", "because, holds: ", "No such file or directory"),
        ("chroot", "no-loader", "because, holds: ", "/ld-"),
        ("chroot", "no-libraries", "because, holds: ", "libc.so"),
        ("chroot", "tools", "outside, holds: ", "note"),
        ("chroot", "files", "outside, holds: ", "eg-new-root"),
        ("chroot", "kill", "outside, holds: ", "zombie"),
        ("chroot", "escape", "inside, holds: ", ":"),
        ("namespaces", "one-list", "because, holds: ", "pid:["),
        ("namespaces", "no-fork", "because, holds: ", "Cannot allocate memory"),
        ("namespaces", "pid", "outside, holds: ", "State:"),
        ("namespaces", "one-table", "because, holds: ", "1"),
        ("namespaces", "shared-mounts", "because, holds: ", "shared:"),
        ("namespaces", "mount", "outside, holds: ", "written inside"),
        ("namespaces", "proc", "outside, holds: ", "0"),
        ("namespaces", "uts", "outside, holds: ", "uts:["),
        ("namespaces", "ipc", "outside, holds: ", "1"),
        ("namespaces", "user", "outside, holds: ", "Uid:"),
        ("namespaces", "time", "outside, holds: ", "time:["),
        ("namespaces", "pivot", "outside, holds: ", "/tmp"),
        ("namespaces", "article", "outside, holds: ", "cgroup:["),
        ("namespaces", "whole", "outside, holds: ", "/proc"),
    ] {
        at_step(&sandbox, lesson, step, |said| {
            // Every question of the step can be asked again while its processes live.
            let command = match step {
                "files" => said.lines().find(|line| line.contains("readlink")).unwrap(),
                _ => said.lines().rev().find(|line| line.starts_with(asked)).unwrap(),
            };
            let command = command.strip_prefix(asked).unwrap();
            if command.starts_with("readelf") && !common::has("readelf") {
                return common::skip("what_was_asked_can_be_typed", "readelf is not installed");
            }
            let ran = paste(&sandbox, &format!("{command} 2>&1"));
            assert!(ran.stdout.contains(answered), "{step}: {command}\n{}", ran.stdout);
        });
    }
}

/// The fixes, typed one after the other into an empty directory, make a root in which bash, ls
/// and cat run.
#[test]
fn the_fixes_make_a_root_by_hand() {
    let sandbox = Sandbox::new(Who::User);
    let ran = sandbox.run(&["lesson", "chroot", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    let by_hand = sandbox.tmp().join("by-hand");
    sandbox.command_of("mkdir").arg(&by_hand).status().unwrap();
    let root = Regex::new(r"/\S*/workbench-\w{6}/eg-new-root").unwrap();
    let rounds = document["experiments"].as_array().unwrap()[..2]
        .iter()
        .flat_map(|experiment| experiment["rounds"].as_array().unwrap());
    for round in rounds {
        let fix = root.replace_all(round["fix"].as_str().unwrap(), by_hand.to_str().unwrap());
        let ran = paste(&sandbox, &fix);
        assert_eq!(ran.code, Some(0), "{fix}: {}", ran.stderr);
    }
    let inside = format!("unshare --map-root-user chroot {} bash -c", by_hand.display());
    let ran = paste(&sandbox, &format!("{inside} 'ls / && cat /dev/null; type -t ls cat'"));
    assert!(ran.stdout.contains("lib64\n") || ran.stdout.contains("lib\n"), "{ran:?}");
    assert!(ran.stdout.ends_with("file\nfile\n"), "{ran:?}");
    fs::remove_dir_all(&by_hand).unwrap();
    sandbox.assert_tidy();
}

#[test]
fn enter_reports_as_docker_and_chroot_do() {
    let sandbox = Sandbox::new(Who::Root);
    let sees = |args: &[&str]| {
        let mut command = sandbox.workbench(&[&["enter"], args].concat());
        // A directory in PATH that may not be searched would make the answer EACCES.
        Ran::from(command.env("PATH", "/usr/bin:/bin").output().unwrap())
    };
    assert_eq!(sees(&["--", "true"]).code, Some(0));
    assert_eq!(sees(&["--", "sh", "-c", "exit 7"]).code, Some(7));
    let missing = sees(&["--", "no-such-program"]);
    assert_eq!(missing.code, Some(127));
    let sentence = "workbench: execve no-such-program: No such file or directory (ENOENT)\n";
    assert_eq!(missing.stderr, sentence);
    assert_eq!(sees(&["--", "/etc/passwd"]).code, Some(126));
    let nowhere = sees(&["--root", "/nowhere", "--", "true"]);
    assert_eq!(nowhere.code, Some(125));
    assert_eq!(nowhere.stderr, "workbench: chroot /nowhere: No such file or directory (ENOENT)\n");
}

/// Nothing of the narrator reaches the contained process: an open directory of the host would be
/// a way out, and a variable such as `LD_PRELOAD` would speak of files that are not there.
#[test]
fn a_contained_process_inherits_three_descriptors_and_a_clean_environment() {
    let launcher = Launcher::new(WORKBENCH.into(), "/usr/bin:/bin".into());
    let said = |line: &str| {
        launcher.run(&Job::bash(&Recipe::default(), line)).unwrap().said.replace('\n', " ")
    };
    // The fourth is the directory that `ls` itself has opened.
    assert_eq!(said("exec ls /proc/self/fd"), "0 1 2 3");
    let variables = said("compgen -e");
    let expected = ["HOME", "PATH", "PWD", "SHLVL", "_", "TERM", "COLORTERM", "NO_COLOR", "OLDPWD"];
    for variable in variables.split(' ') {
        assert!(expected.contains(&variable), "{variable} is inherited");
    }
    // No signal is blocked: Ctrl-C reaches it.
    assert_eq!(said("grep SigBlk /proc/self/status | cut -f 2"), "0".repeat(16));
}
