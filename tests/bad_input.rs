//! One clear sentence, exit code 2, nothing touched.

mod common;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;

use common::{Ran, Sandbox, Who};
use workbench::rootfs::{NewRoot, Tree};

#[track_caller]
fn refused(sandbox: &Sandbox, args: &[&str], sentence: &str) {
    let ran = sandbox.run(args);
    ran.assert_code(2);
    assert_eq!(ran.stdout, "");
    assert_eq!(ran.stderr, format!("workbench: {sentence}\n"));
    sandbox.assert_tidy();
    assert!(!sandbox.home().join(".local").exists(), "nothing is touched");
}

#[test]
fn an_unknown_lesson_names_the_nearest() {
    let sandbox = Sandbox::new(Who::User);
    refused(
        &sandbox,
        &["lesson", "chrot"],
        "there is no lesson `chrot`; there is: chroot, namespaces, cgroups. Did you mean `chroot`?",
    );
    refused(
        &sandbox,
        &["lesson", "xyz"],
        "there is no lesson `xyz`; there is: chroot, namespaces, cgroups.",
    );
}

#[test]
fn an_unknown_step_lists_the_steps() {
    let sandbox = Sandbox::new(Who::User);
    let list = "empty-root, no-loader, no-libraries, bash, builtins-only, tools, shared-root, \
                files, kill, escape";
    let sentence =
        format!("there is no step `loader`; there is: {list}. Did you mean `no-loader`?");
    refused(&sandbox, &["lesson", "chroot", "--shell-at", "loader"], &sentence);
}

/// A flag that was forgotten must not change the machine.
#[test]
fn a_container_that_would_change_the_host_is_refused() {
    let sandbox = Sandbox::new(Who::Root);
    let own = std::process::id().to_string();
    for (args, what) in [
        (&["--hostname", "x"][..], "rename this host; add --uts"),
        (&["--tmp"], "mount something on this host; add --mount"),
        (&["--pid", "--fork", "--proc"], "mount something on this host; add --mount"),
        (&["--bind", "/proc:/mnt"], "mount something on this host; add --mount"),
        (&["--target", &own, "--hostname", "x"], "rename this host; add --uts"),
    ] {
        let args = [&["enter"], args, &["--", "true"]].concat();
        refused(&sandbox, &args, &format!("this would {what}, and it stays inside"));
    }
}

#[test]
fn a_step_that_a_prepared_root_leaves_out_says_why() {
    let sandbox = Sandbox::new(Who::User);
    refused(
        &sandbox,
        &["lesson", "chroot", "--root", "/usr", "--shell-at", "empty-root"],
        "the step `empty-root` cannot be performed here: it fills an empty root, \
         and --root brings one that is prepared",
    );
}

#[test]
fn a_root_that_cannot_be_one() {
    let sandbox = Sandbox::new(Who::User);
    let file = sandbox.path().join("file");
    fs::write(&file, "").unwrap();
    let locked = sandbox.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let empty = sandbox.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let dangling = sandbox.path().join("loop");
    std::os::unix::fs::symlink(&dangling, &dangling).unwrap();

    let root = |path: &std::path::Path, what: &str| {
        let path = path.to_str().unwrap();
        refused(&sandbox, &["lesson", "chroot", "--root", path], &format!("--root {path} {what}"));
    };
    root("/nowhere".as_ref(), "cannot be used: No such file or directory (ENOENT)");
    root(&dangling, "cannot be used: Too many symbolic links encountered (ELOOP)");
    root(&file, "is not a directory");
    root("/".as_ref(), "is the root that you have already; name another directory");
    root("/../tmp/..".as_ref(), "is the root that you have already; name another directory");
    root(
        &empty,
        "has no bash, ls and cat that can run: execve is refused: No such file or directory (ENOENT)",
    );
    if common::is_root() {
        root(&locked, "cannot be read by this user");
    }
    // So that an ordinary user can delete it.
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn questions_without_a_terminal() {
    let sandbox = Sandbox::new(Who::User);
    let asks = "--pace enter asks questions";
    let pace = ["lesson", "chroot", "--pace", "enter"];
    let with = |more: &[&'static str]| [&pace[..], more].concat();
    refused(
        &sandbox,
        &pace,
        &format!("{asks}, and there is no terminal to ask on; use --pace none"),
    );
    refused(
        &sandbox,
        &with(&["--no-input"]),
        &format!("{asks}, and --no-input forbids them; use --pace none"),
    );
    refused(
        &sandbox,
        &with(&["--format", "json"]),
        &format!("{asks}, and --format json has no place for them; use --pace none"),
    );
    refused(
        &sandbox,
        &["lesson", "chroot", "--format", "json", "--shell-at", "bash"],
        "--shell-at opens a shell, and --format json has no place for it; use --format human or plain",
    );
}

#[test]
fn words_that_the_command_line_does_not_know() {
    let sandbox = Sandbox::new(Who::User);
    for args in [&["lesso"][..], &["lesson", "chroot", "--pce"], &["lesson", "--pace", "fast"]] {
        let ran = sandbox.run(args);
        ran.assert_code(2);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"));
    }
}

#[test]
fn a_temporary_directory_that_cannot_be_used() {
    let sandbox = Sandbox::new(Who::User);
    let advice = "set TMPDIR to a directory of yours, such as TMPDIR=$HOME";
    let with = |directory: &str, what: &str| {
        let ran = sandbox.workbench(&["lesson", "chroot"]).env("TMPDIR", directory).output();
        let ran = Ran::from(ran.unwrap());
        ran.assert_code(2);
        let sentence = format!("workbench: the temporary directory {directory} {what}; {advice}\n");
        assert_eq!(ran.stderr, sentence);
        assert_eq!(ran.stdout, "");
    };
    with("/nowhere", "cannot be used: No such file or directory (ENOENT)");
    with("/usr", "is not writable");
}

/// Small, read-only and noexec file systems are real ones, in a mount namespace of our own.
#[test]
fn a_temporary_directory_on_a_file_system_that_cannot_hold_it() {
    let sandbox = Sandbox::new(Who::Root);
    for (options, what) in [
        ("size=1m", "has less than 48 MiB of room"),
        ("ro", "is not writable"),
        ("noexec", "is mounted noexec, so no program may start there"),
    ] {
        let script = r#"mount -t tmpfs -o "$1" none "$TMPDIR" && exec "$2" lesson chroot"#;
        let mut command = sandbox.command_of("unshare");
        command.args(["--mount", "sh", "-ec", script, "sh", options]).arg(sandbox.program());
        let ran = Ran::from(command.output().unwrap());
        ran.assert_code(2);
        assert!(ran.stderr.contains(what), "{options}: {}", ran.stderr);
        sandbox.assert_tidy();
    }
}

/// There was room at the start, and then there was none: an error with call, object and errno.
#[test]
fn a_disk_that_fills_up_is_an_error_and_leaves_nothing() {
    let sandbox = Sandbox::new(Who::Root);
    let script = r#"
        mount -t tmpfs -o nr_inodes=6 none "$TMPDIR"
        status=0; "$1" lesson chroot > /dev/null || status=$?
        ls -A "$TMPDIR"
        exit $status"#;
    let mut command = sandbox.command_of("unshare");
    command.args(["--mount", "sh", "-ec", script, "sh"]).arg(sandbox.program());
    let ran = Ran::from(command.output().unwrap());
    ran.assert_code(1);
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "", "nothing is left on the full disk");
}

#[test]
fn paths_with_blanks_and_bytes_that_are_no_text() {
    for name in [&b"a b"[..], b"it's", b"\xff\xfe", b"$HOME \"x\"", "größe".as_bytes()] {
        let sandbox = Sandbox::new(Who::User);
        let odd = sandbox.tmp().join(OsString::from_vec(name.to_vec()));
        fs::create_dir(&odd).unwrap();
        fs::set_permissions(&odd, fs::Permissions::from_mode(0o777)).unwrap();
        for format in ["human", "plain", "json"] {
            let mut command = sandbox.workbench(&["lesson", "chroot", "--format", format]);
            Ran::from(command.env("TMPDIR", &odd).output().unwrap()).assert_code(0);
        }
        assert_eq!(fs::read_dir(&odd).unwrap().count(), 0);
    }
}

#[test]
fn a_prepared_root_with_an_odd_name() {
    let sandbox = Sandbox::new(Who::Root);
    let odd = sandbox.path().join(OsString::from_vec(b"a b'\xff".to_vec()));
    let root = NewRoot::create(&odd, Tree::host()).unwrap();
    for program in ["bash", "ls", "cat"] {
        root.install(program.as_ref()).unwrap();
    }
    let args = ["lesson", "chroot", "--format", "plain", "--root"].map(OsString::from);
    let ran = sandbox.run(&[&args[..], &[odd.into_os_string()]].concat());
    assert!(ran.assert_code(0).stdout.contains(r"/a b\'\xFF' bash"), "{}", ran.stdout);
    sandbox.assert_tidy();
}

#[test]
fn colour_follows_the_conventions() {
    let sandbox = Sandbox::new(Who::User);
    let has_colour = |name: &str, value: &str| {
        let mut command = sandbox.workbench(&["lesson"]);
        Ran::from(command.env(name, value).output().unwrap()).stdout.contains('\x1b')
    };
    assert!(!has_colour("TERM", "xterm"), "a pipe gets no colour");
    assert!(has_colour("CLICOLOR_FORCE", "1"));
    assert!(!has_colour("NO_COLOR", "1"));
    let mut both = sandbox.workbench(&["lesson"]);
    let both = both.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!Ran::from(both).stdout.contains('\x1b'), "NO_COLOR has the last word");
}
