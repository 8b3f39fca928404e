//! Nothing is left behind: no process, no mount, no file, whatever ends the run.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Ran, Sandbox, Who};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const LESSON: [&str; 2] = ["lesson", "chroot"];
const LESSONS: [[&str; 2]; 2] = [LESSON, ["lesson", "namespaces"]];
/// The file by which a run marks its directory.
const MARK: &str = ".held-by-a-run";
/// Enough to hit every part of a run that takes a tenth of a second.
const MOMENTS: u32 = 25;

#[test]
fn after_a_normal_end() {
    for who in [Who::Root, Who::User] {
        let sandbox = Sandbox::new(who);
        for lesson in LESSONS {
            sandbox.run(&lesson).assert_code(0);
            sandbox.assert_tidy();
        }
    }
}

/// Sends a signal at one of many moments, spread over the time that a whole run takes.
fn interrupt(lesson: &[&str], signal: Signal, check: impl Fn(&Sandbox, &Ran)) {
    let sandbox = Sandbox::new(Who::User);
    let start = Instant::now();
    sandbox.run(lesson).assert_code(0);
    let whole = start.elapsed();
    for moment in 0..MOMENTS {
        let mut command = sandbox.workbench(lesson);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * moment / MOMENTS);
        // It may have ended already; then this was one of the late moments.
        let _ = kill(Pid::from_raw(child.id().try_into().unwrap()), signal);
        check(&sandbox, &Ran::from(child.wait_with_output().unwrap()));
    }
}

#[test]
fn after_ctrl_c_and_sigterm_at_any_moment_of_the_first_lesson() {
    ends_at_any_moment(&LESSONS[0]);
}

#[test]
fn after_ctrl_c_and_sigterm_at_any_moment_of_the_second_lesson() {
    ends_at_any_moment(&LESSONS[1]);
}

fn ends_at_any_moment(lesson: &[&str]) {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        interrupt(lesson, signal, |sandbox, ran| {
            // Before the watch begins, the signal ends the program as it ends any other.
            let ended = matches!(ran.code, Some(0 | 130) | None);
            assert!(ended, "{signal}: {:?}\n{}", ran.code, ran.stderr);
            assert_eq!(ran.stderr, "", "{signal} is no reason to complain");
            sandbox.assert_tidy();
        });
    }
}

#[test]
fn after_sigkill_the_next_start_sweeps() {
    interrupt(&LESSON, Signal::SIGKILL, |sandbox, _| {
        // Whatever it left, the children died with it, and the next start deletes the rest.
        sandbox.run(&LESSON).assert_code(0);
        sandbox.assert_tidy();
    });
}

#[test]
fn clean_lists_and_deletes_what_a_killed_run_has_left() {
    let sandbox = Sandbox::new(Who::User);
    let left = sandbox.tmp().join("workbench-abcdef");
    sandbox.command_of("mkdir").arg("-p").arg(left.join("eg-new-root/bin")).status().unwrap();
    sandbox.command_of("touch").arg(left.join(MARK)).status().unwrap();
    // The learner may have taken away every permission.
    sandbox.command_of("chmod").arg("000").arg(left.join("eg-new-root")).status().unwrap();

    let ran = sandbox.run(&["clean", "--dry-run"]);
    assert_eq!(ran.assert_code(0).stdout, format!("would delete {}\n", left.display()));
    assert!(left.exists());
    let ran = sandbox.run(&["clean"]);
    assert_eq!(ran.assert_code(0).stdout, format!("deleted {}\n", left.display()));
    sandbox.assert_tidy();
    let ran = sandbox.run(&["clean"]);
    assert_eq!(ran.stdout, "nothing to clean: no killed run has left anything\n");
}

#[test]
fn clean_leaves_alone_what_a_living_run_holds_and_what_is_not_ours() {
    let sandbox = Sandbox::new(Who::User);
    let mine = sandbox.tmp().join("workbench-held00");
    sandbox.command_of("mkdir").arg(&mine).status().unwrap();
    sandbox.command_of("touch").arg(mine.join(MARK)).status().unwrap();
    // A name like ours, and even of the right length, but without the mark: somebody's work.
    for name in ["workbench-main", "workbench-thesis", "workbench-abcde"] {
        let chapter = sandbox.tmp().join(name).join("chapter");
        sandbox.command_of("mkdir").arg("-p").arg(chapter).status().unwrap();
    }
    let others = sandbox.tmp().join("somebody-elses");
    fs::create_dir(&others).unwrap();
    if common::is_root() {
        // Made by root, while the program runs as another user.
        fs::create_dir(sandbox.tmp().join("workbench-roots0")).unwrap();
    }
    let before = sandbox.leftovers();
    // Locked by another process, as a living run would.
    let held = fs::File::open(mine.join(MARK)).unwrap();
    let lock = nix::fcntl::Flock::lock(held, nix::fcntl::FlockArg::LockExclusive).unwrap();
    sandbox.run(&["clean"]).assert_code(0);
    assert_eq!(sandbox.leftovers(), before);
    drop(lock);
    sandbox.run(&["clean"]).assert_code(0);
    let mut rest = before;
    rest.retain(|path| *path != mine);
    assert_eq!(sandbox.leftovers(), rest);
    assert!(others.exists() && sandbox.tmp().join("workbench-main/chapter").exists());
}

#[test]
fn what_a_learner_mounted_is_detached_and_not_deleted() {
    if !common::is_root() {
        return common::skip("what_a_learner_mounted_is_detached_and_not_deleted", "not root");
    }
    let sandbox = Sandbox::new(Who::Root);
    let precious = sandbox.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "keep me").unwrap();
    let point = sandbox.tmp().join("workbench-mount0/eg-new-root/a b");
    fs::create_dir_all(&point).unwrap();
    // In a mount namespace of its own, so that this machine's table stays as it is.
    // The learner's mount is a peer of the original, which has something mounted below it, as
    // after `mount --rbind /dev`; and one mount was moved below a newer one.
    fs::write(sandbox.tmp().join("workbench-mount0").join(MARK), "").unwrap();
    let script = r#"
        mount -t tmpfs none "$1"; mount --make-shared "$1"; mkdir "$1/below"
        mount -t tmpfs none "$1/below"; echo "keep me" > "$1/below/file"
        mkdir "$2.old"; mount -t tmpfs none "$2.old"; mount --make-private "$2.old"
        mount --rbind "$1" "$2"
        mkdir "$2/moved"; mount --make-private /; mount --move "$2.old" "$2/moved" || true
        "$3" clean
        cat "$1/below/file""#;
    let ran = sandbox
        .command_of("unshare")
        .args(["--mount", "sh", "-ec", script, "sh"])
        .args([precious.as_os_str(), point.as_os_str(), sandbox.program().as_os_str()])
        .output()
        .unwrap();
    let ran = Ran::from(ran);
    assert!(ran.assert_code(0).stdout.ends_with("keep me\n"), "{}", ran.stdout);
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "keep me");
    sandbox.assert_tidy();
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let sandbox = Sandbox::new(Who::User);
    for args in [&LESSON[..], &["lesson", "chroot", "--format", "json"], &["lesson"], &["--help"]] {
        // Nobody reads from the beginning.
        let (reader, writer) = nix::unistd::pipe().unwrap();
        drop(reader);
        let mut command = sandbox.workbench(args);
        let child = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
        let ran = Ran::from(child.spawn().unwrap().wait_with_output().unwrap());
        assert_eq!(ran.stderr, "", "{args:?}");
        assert!(matches!(ran.code, Some(130 | 0)), "{args:?}: {:?}", ran.code);
        assert!(args != LESSON || ran.code == Some(130));
        sandbox.assert_tidy();
    }
}

/// A shell may start something and then become the workbench: that something is not ours to end,
/// also when we are interrupted.
#[test]
fn children_that_were_there_before_are_left_alone() {
    let sandbox = Sandbox::new(Who::User);
    let line = "sleep 30 > /dev/null & echo $!; exec \"$0\" lesson chroot --pace auto";
    let mut command = sandbox.command_of("bash");
    command.args(["-c", line]).arg(sandbox.program());
    let mut run = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(run.stdout.take().unwrap());
    let mut number = String::new();
    said.read_line(&mut number).unwrap();
    let sleeper = Pid::from_raw(number.trim().parse().unwrap());
    // The first step is on its way: the watch has begun.
    let mut text = String::new();
    while !text.contains("Step 1") {
        assert_ne!(said.read_line(&mut text).unwrap(), 0, "{text}");
    }
    kill(Pid::from_raw(run.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130));
    let is_alive = kill(sleeper, None).is_ok();
    let _ = kill(sleeper, Signal::SIGKILL);
    assert!(is_alive, "what the shell had started was ended");
    sandbox.assert_tidy();
}

#[test]
fn what_was_started_in_a_shell_dies_with_the_lesson() {
    let sandbox = Sandbox::new(Who::User);
    let mut command = sandbox.workbench(&["lesson", "chroot", "--shell-at", "files"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It counts for minutes, but not for ever. With `set -m` it has a process group of its own.
    let line =
        "set -m; for ((i = 0; i < 10000000; i++)); do :; done & disown; kill -0 $! && exit\n";
    std::io::Write::write_all(&mut stdin, line.as_bytes()).unwrap();
    drop(stdin);
    let start = Instant::now();
    Ran::from(child.wait_with_output().unwrap()).assert_code(0);
    assert!(start.elapsed() < Duration::from_secs(20));
    sandbox.assert_tidy();
}
