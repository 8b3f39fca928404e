//! Hosts that cannot run a lesson: exit code 3, with what was tried, what the kernel said, the
//! likely cause, and the remedy. Each is a real refusal of the real kernel.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use common::{Ran, Sandbox, Who, has, is_root, skip};
use workbench::rootfs::{NewRoot, Tree};

/// A root with the workbench in it, and what the lesson needs.
fn root_with_workbench(sandbox: &Sandbox) -> NewRoot {
    let path = sandbox.path().join("root");
    let root = NewRoot::create(&path, Tree::host()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    for program in ["bash", "ls", "cat"].map(OsStr::new) {
        root.install(program).unwrap();
    }
    let program = root.install(sandbox.program().as_os_str()).unwrap().program;
    fs::rename(root.outside(&program), root.outside(Path::new("/workbench"))).unwrap();
    for directory in ["tmp", "proc"] {
        let directory = path.join(directory);
        fs::create_dir_all(&directory).unwrap();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    }
    root
}

#[test]
fn an_ordinary_user_in_a_chroot() {
    let name = "an_ordinary_user_in_a_chroot";
    if !is_root() {
        return skip(name, "only root can set the stage");
    }
    let sandbox = Sandbox::new(Who::Root);
    let root = root_with_workbench(&sandbox);
    let script = r#"
        [ "$2" = without ] || mount --rbind /proc "$1/proc"
        TMPDIR=/tmp exec chroot --userspec=65534:65534 "$1" /workbench lesson "$3""#;
    let run = |proc: &str, lesson: &str| {
        let mut command = sandbox.command_of("unshare");
        command.args(["--mount", "sh", "-ec", script, "sh"]).arg(root.path()).args([proc, lesson]);
        Ran::from(command.output().unwrap())
    };
    let ran = run("with", "chroot");
    ran.assert_code(3);
    assert_eq!(ran.stdout, "");
    let said = regex::Regex::new("workbench-[A-Za-z0-9]{6}").unwrap();
    insta::assert_snapshot!(
        "cannot-run-in-a-chroot",
        said.replace_all(&ran.stderr, "workbench-XXXXXX")
    );

    let ran = run("without", "chroot");
    ran.assert_code(3);
    insta::assert_snapshot!("cannot-run-without-proc", ran.stderr);
    for lesson in ["namespaces", "cgroups"] {
        assert_eq!(run("without", lesson).assert_code(3).stderr, ran.stderr, "{lesson}");
    }
    let inside = fs::read_dir(root.outside(Path::new("/tmp"))).unwrap();
    let mut names = inside.map(|entry| entry.unwrap().file_name());
    assert!(!names.any(|name| name.to_string_lossy().starts_with("workbench-")));
}

/// As plain Docker does it: a seccomp filter that refuses new user namespaces, and no
/// capability to change the root without one.
#[test]
fn a_container_without_privileges() {
    if !has("cc") {
        return skip("a_container_without_privileges", "no C compiler");
    }
    let sandbox = Sandbox::new(Who::User);
    let filter = sandbox.path().join("refuse-unshare");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts/refuse_unshare.c");
    let built = Command::new("cc").arg("-o").arg(&filter).arg(source).status().unwrap();
    assert!(built.success());
    let mut command = sandbox.command_of(&filter);
    let ran = command.arg(sandbox.program()).args(["lesson", "chroot"]).output().unwrap();
    let ran = Ran::from(ran);
    ran.assert_code(3);
    assert!(
        ran.stderr.contains("unshare is refused: Operation not permitted (EPERM)"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("seccomp"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--privileged"), "{}", ran.stderr);

    let mut command = sandbox.command_of(&filter);
    command.arg(sandbox.program()).args(["lesson", "chroot", "--format", "json"]);
    let ran = Ran::from(command.output().unwrap());
    let document: serde_json::Value = serde_json::from_str(&ran.assert_code(3).stdout).unwrap();
    assert_eq!(document["ending"], "cannot_run_here");
    for part in ["what", "why", "remedy"] {
        assert!(document["unmet"][part].as_str().is_some_and(|text| !text.is_empty()), "{part}");
    }

    let mut command = sandbox.command_of(&filter);
    let listed = Ran::from(command.arg(sandbox.program()).arg("lesson").output().unwrap());
    assert!(
        listed.assert_code(0).stdout.contains("this host cannot run it: "),
        "{}",
        listed.stdout
    );
    sandbox.assert_tidy();
}

#[test]
fn a_host_without_bash() {
    let sandbox = Sandbox::new(Who::Root);
    let root = root_with_workbench(&sandbox);
    for name in ["/bin/bash", "/usr/bin/bash"] {
        let _ = fs::remove_file(root.outside(Path::new(name)));
    }
    let script =
        r#"mount --rbind /proc "$1/proc"; TMPDIR=/tmp exec chroot "$1" /workbench lesson chroot"#;
    let mut command = sandbox.command_of("unshare");
    let ran =
        command.args(["--mount", "sh", "-ec", script, "sh"]).arg(root.path()).output().unwrap();
    let ran = Ran::from(ran);
    ran.assert_code(3);
    assert!(ran.stderr.contains("`bash` is not installed here"), "{}", ran.stderr);
    assert!(ran.stderr.contains("install bash"), "{}", ran.stderr);
}

#[test]
fn under_sudo_progress_belongs_to_the_caller() {
    let name = "under_sudo_progress_belongs_to_the_caller";
    if !is_root() {
        return skip(name, "only root can pretend to be sudo");
    }
    let Ok(Some(daemon)) = nix::unistd::User::from_name("daemon") else {
        return skip(name, "there is no user `daemon`");
    };
    // In a mount namespace, the home of `daemon` is a directory of ours.
    let sandbox = Sandbox::new(Who::Root);
    let script = r#"mount --bind "$1" "$2" && SUDO_UID=$3 exec "$4" lesson chroot"#;
    let mut command = sandbox.command_of("unshare");
    command.args(["--mount", "sh", "-ec", script, "sh"]).arg(sandbox.home()).arg(&daemon.dir);
    command.arg(daemon.uid.to_string()).arg(sandbox.program());
    Ran::from(command.output().unwrap()).assert_code(0);
    for part in [".local", ".local/state", ".local/state/workbench/progress.json"] {
        let meta = fs::metadata(sandbox.home().join(part)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (daemon.uid.as_raw(), daemon.gid.as_raw()), "{part}");
    }
}

#[test]
fn progress_survives_damage_and_newer_versions() {
    let sandbox = Sandbox::new(Who::User);
    let state = sandbox.home().join(".local/state/workbench");
    let file = state.join("progress.json");
    let lesson = || sandbox.run(&["lesson", "chroot"]);
    lesson().assert_code(0);
    lesson().assert_code(0);
    let document: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(document["lessons"]["chroot"]["verified"], 2);
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing but the file");

    fs::write(&file, "{ damaged").unwrap();
    let ran = sandbox.run::<&str>(&[]);
    assert!(ran.assert_code(0).stdout.contains("is damaged"), "{}", ran.stdout);
    assert_eq!(fs::read_to_string(state.join("progress.json.damaged")).unwrap(), "{ damaged");
    assert!(!file.exists());

    let newer = r#"{ "schema_version": 99, "lessons": {} }"#;
    fs::write(&file, newer).unwrap();
    let ran = lesson();
    ran.assert_code(0);
    assert!(ran.stderr.contains("newer workbench"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), newer, "it is left alone");
}

/// The build of another system ends with one clear sentence.
#[test]
fn on_another_system_the_build_says_how_to_get_linux() {
    let place = tempfile::tempdir().unwrap();
    let script = place.path().join("build-script");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let built = rustc.arg("--edition=2024").arg("-o").arg(&script).arg(source).status();
    let Ok(built) = built else {
        let name = "on_another_system_the_build_says_how_to_get_linux";
        return skip(name, "this user has no Rust compiler");
    };
    assert!(built.success());
    let says = |system: &str| {
        let output = Command::new(&script).env("CARGO_CFG_TARGET_OS", system).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(!says("linux").contains("cargo::error"));
    let said = says("macos");
    assert!(said.contains("cargo::error=workbench needs a Linux kernel, and this is macos."));
    assert!(said.contains("docker run -it --rm --privileged"));
}
