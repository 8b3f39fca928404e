//! What a program needs, checked against the loader's own answer (`ldd`), against programs that
//! were linked in odd ways, and against trees of other machines, which nobody here can run.

mod common;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Sandbox, Who, has, identity, skip};
use workbench::rootfs::linker::closure;
use workbench::rootfs::{Executable, NewRoot, Tree, elf};

/// The files that `ldd` names, by device and inode: a path can be written in several ways.
fn by_ldd(program: &Path) -> Option<BTreeSet<(u64, u64)>> {
    // Called by a link, `ldd` would take the link's directory for `$ORIGIN`; the kernel does not.
    let real = program.canonicalize().unwrap();
    let mut ldd = Command::new("ldd");
    // Cargo sets it for its tests; nothing of it is set inside a new root.
    let output = ldd.arg(real).env_remove("LD_LIBRARY_PATH").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || text.contains("statically linked") {
        return None;
    }
    if text.contains("not found") {
        // A broken program of this machine; then it is broken for us too.
        closure(&Tree::host(), program).expect_err("ldd does not find a library");
        return None;
    }
    let paths =
        text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    Some(paths.map(|path| identity(Path::new(path))).collect())
}

fn by_us(program: &Path) -> BTreeSet<(u64, u64)> {
    let closure = closure(&Tree::host(), program).unwrap();
    let libraries = closure.libraries.iter().map(|library| library.path.clone());
    libraries.chain(closure.interpreter).map(|path| identity(&path)).collect()
}

#[test]
fn agrees_with_ldd_on_every_program_of_this_machine() {
    let mut compared = 0;
    for directory in ["/usr/bin", "/usr/sbin"] {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let program = entry.path();
            let is_file = fs::metadata(&program).is_ok_and(|meta| meta.is_file());
            let Ok(Executable::Elf(headers)) = elf::read(&program) else { continue };
            if !is_file || headers.interpreter.is_none() {
                continue;
            }
            let Some(expected) = by_ldd(&program) else { continue };
            assert_eq!(by_us(&program), expected, "{}", program.display());
            compared += 1;
        }
    }
    assert!(compared > 100, "only {compared} programs were compared");
    println!("{compared} programs agree with ldd");
}

/// Builds a library `NAME` and a program that needs it, and returns the program.
fn build(place: &Path, linking: &[&str], library_at: &str) -> PathBuf {
    let library = place.join(library_at);
    fs::create_dir_all(library.parent().unwrap()).unwrap();
    fs::write(place.join("lib.c"), "int answer(void) { return 42; }").unwrap();
    fs::write(place.join("main.c"), "int answer(void); int main(void) { return answer() != 42; }")
        .unwrap();
    let cc = |args: &[&OsStr]| {
        let status = Command::new("cc").args(args).current_dir(place).status().unwrap();
        assert!(status.success());
    };
    cc(&["-shared", "-fPIC", "-o", library.to_str().unwrap(), "lib.c"].map(OsStr::new));
    let mut args = vec![OsStr::new("-o"), OsStr::new("program"), OsStr::new("main.c")];
    args.push(library.as_os_str());
    args.extend(linking.iter().map(OsStr::new));
    cc(&args);
    place.join("program")
}

#[test]
fn finds_libraries_by_rpath_runpath_and_origin() {
    if !has("cc") {
        return skip("finds_libraries_by_rpath_runpath_and_origin", "no C compiler");
    }
    for linking in [
        &["-Wl,-rpath,$ORIGIN/lib", "-Wl,--enable-new-dtags"][..],
        &["-Wl,-rpath,$ORIGIN/lib", "-Wl,--disable-new-dtags"],
        &["-Wl,-rpath,${ORIGIN}/nowhere:${ORIGIN}/lib"],
        // A program that bears the library's own name satisfies its own need.
        &["-Wl,-rpath,$ORIGIN/lib", "-Wl,-soname,libanswer.so"],
    ] {
        let place = tempfile::tempdir().unwrap();
        // Without a SONAME the linker records the path; with a directory of -L, the name.
        let library = place.path().join("lib");
        fs::create_dir(&library).unwrap();
        let args = [linking, &["-L", library.to_str().unwrap(), "-lanswer"]].concat();
        fs::write(place.path().join("lib.c"), "int answer(void) { return 42; }").unwrap();
        let cc = |args: &[&str]| {
            assert!(
                Command::new("cc").args(args).current_dir(place.path()).status().unwrap().success()
            );
        };
        cc(&["-shared", "-fPIC", "-o", "lib/libanswer.so", "lib.c"]);
        let main = "int answer(void); int main(void) { return answer() != 42; }";
        fs::write(place.path().join("main.c"), main).unwrap();
        cc(&[&["-o", "program", "main.c"], &args[..]].concat());

        let program = place.path().join("program");
        assert_eq!(by_us(&program), by_ldd(&program).unwrap(), "{linking:?}");
        // `$ORIGIN` is where the program really lies, however it was called.
        let link = place.path().join("link");
        symlink(&program, &link).unwrap();
        assert_eq!(by_us(&link), by_ldd(&program).unwrap(), "{linking:?}, by a link");
    }
}

#[test]
fn a_library_named_by_its_path_is_taken_from_there() {
    if !has("cc") {
        return skip("a_library_named_by_its_path_is_taken_from_there", "no C compiler");
    }
    let place = tempfile::tempdir().unwrap();
    let program = build(place.path(), &[], "odd/libanswer.so");
    assert_eq!(by_us(&program), by_ldd(&program).unwrap());
}

#[test]
fn a_missing_library_is_named_with_the_one_who_asks() {
    if !has("cc") {
        return skip("a_missing_library_is_named_with_the_one_who_asks", "no C compiler");
    }
    let place = tempfile::tempdir().unwrap();
    let program = build(place.path(), &[], "odd/libanswer.so");
    fs::remove_file(place.path().join("odd/libanswer.so")).unwrap();
    let error = closure(&Tree::host(), &program).unwrap_err().to_string();
    let library = place.path().join("odd/libanswer.so");
    let expected = format!(
        "the library {} was not found; {} asks for it (DT_NEEDED)",
        library.display(),
        program.display()
    );
    assert_eq!(error, expected);
}

/// The proof of the closure: everything starts in a root that has nothing else.
#[test]
fn programs_run_in_a_root_that_has_only_their_closure() {
    let sandbox = Sandbox::new(Who::Root);
    let root = NewRoot::create(&sandbox.tmp().join("root"), Tree::host()).unwrap();
    for program in ["bash", "ls", "cat", "ps", "mount", "hostname", "python3", "git"] {
        if !has(program) {
            eprintln!("{program} is not installed, and so not tried");
            continue;
        }
        root.install(OsStr::new(program)).unwrap();
        let mut command = sandbox.command_of("chroot");
        let ran = command.arg(root.path()).args([program, "--version"]).output().unwrap();
        // What a program thinks of a root without /proc is its own affair: it has started.
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let started = ran.status.code() != Some(127) && !said.contains("shared libraries");
        assert!(started, "{program}: {ran:?}");
    }
}

#[test]
fn a_script_brings_its_interpreter() {
    let place = tempfile::tempdir().unwrap();
    let script = place.path().join("script");
    fs::write(&script, "#!/bin/sh -e\necho hello\n").unwrap();
    let closure = closure(&Tree::host(), &script).unwrap();
    let files: Vec<&Path> = closure.files().collect();
    assert_eq!(files[..2], [script.as_path(), Path::new("/bin/sh")]);
    let shell = workbench::rootfs::linker::closure(&Tree::host(), Path::new("/bin/sh")).unwrap();
    assert!(files.contains(&shell.interpreter.as_deref().unwrap()));
}

#[test]
fn copies_are_copies_and_lose_their_set_user_id() {
    let sandbox = Sandbox::new(Who::Root);
    let root = NewRoot::create(&sandbox.tmp().join("root"), Tree::host()).unwrap();
    for program in ["bash", "mount", "su"] {
        let closure = root.install(OsStr::new(program)).unwrap();
        for file in closure.files() {
            let copy = Tree::at(root.path()).resolve(file).unwrap();
            let copy = root.outside(&copy);
            assert_ne!(identity(&copy), identity(file), "{} is the host's own", file.display());
            assert_eq!(fs::read(&copy).unwrap(), fs::read(file).unwrap());
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(&copy).unwrap().permissions(),
            );
            assert_eq!(mode & 0o6000, 0, "{} keeps a set-ID bit", copy.display());
        }
    }
}

#[test]
fn damaged_and_odd_files_are_errors_and_no_panics() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    let bash = fs::read("/bin/bash").unwrap();
    let cases: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("text", b"no program".to_vec()),
        ("only the magic", b"\x7fELF".to_vec()),
        ("cut off", bash[..200].to_vec()),
        ("a script of nothing", b"#!\n".to_vec()),
    ];
    for (name, bytes) in cases {
        fs::write(&file, bytes).unwrap();
        let error = closure(&Tree::host(), &file).expect_err(name);
        assert!(format!("{error:#}").contains(file.to_str().unwrap()), "{name}: {error:#}");
    }
    // Every byte of the headers turned over, one at a time: an answer or an error, never a panic.
    for place in 0..1024 {
        let mut bytes = bash.clone();
        bytes[place] ^= 0xff;
        fs::write(&file, bytes).unwrap();
        let _ = closure(&Tree::host(), &file);
    }
}

#[test]
fn a_script_that_names_itself_is_eloop_and_no_endless_way() {
    let place = tempfile::tempdir().unwrap();
    let script = place.path().join("script");
    fs::write(&script, format!("#!{}\n", script.display())).unwrap();
    let error = format!("{:#}", closure(&Tree::host(), &script).unwrap_err());
    assert!(error.ends_with("(ELOOP)"), "{error}");
}

/// A link that somebody has put into the new root leads nothing out of it.
#[test]
fn what_is_copied_stays_in_the_new_root() {
    let place = tempfile::tempdir().unwrap();
    let elsewhere = place.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let root = NewRoot::create(&place.path().join("root"), Tree::host()).unwrap();
    symlink(&elsewhere, root.path().join("usr")).unwrap();
    let error = root.install(OsStr::new("/usr/bin/env")).unwrap_err().to_string();
    assert!(error.ends_with("(EEXIST)"), "{error}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_loop_of_links_is_eloop_and_no_hang() {
    let place = tempfile::tempdir().unwrap();
    symlink("b", place.path().join("a")).unwrap();
    symlink("/a", place.path().join("b")).unwrap();
    let error = Tree::at(place.path()).resolve(Path::new("/a")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(nix::libc::ELOOP));
}

#[test]
fn no_link_of_a_tree_leads_out_of_it() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("etc")).unwrap();
    fs::write(place.path().join("etc/passwd"), "").unwrap();
    symlink("/etc/passwd", place.path().join("absolute")).unwrap();
    symlink("../../../../../../../../etc/passwd", place.path().join("relative")).unwrap();
    symlink("..", place.path().join("up")).unwrap();
    for (path, end) in [("/up", "/"), ("/etc/..", "/"), ("/etc/../etc", "/etc")] {
        assert_eq!(Tree::at(place.path()).resolve(Path::new(path)).unwrap(), Path::new(end));
    }
    for link in ["/absolute", "/relative", "/../../etc/passwd"] {
        let found = Tree::at(place.path()).resolve(Path::new(link)).unwrap();
        assert_eq!(found, Path::new("/etc/passwd"), "{link}");
    }
}

/// Trees of other machines: real packages, unpacked and never run.
mod other_machines {
    use super::*;

    /// Unpacks packages of another architecture; the script says on standard error why it
    /// cannot.
    fn tree(name: &str) -> Option<PathBuf> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees/fetch");
        let output = Command::new("bash").arg(script).arg(name).output().unwrap();
        if !output.status.success() {
            skip(&format!("tree_{name}"), String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
        Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
    }

    fn check(name: &str, loader: &str, machine: u16, library: &str) {
        let Some(path) = tree(name) else { return };
        let tree = Tree::at(&path);
        let closure = closure(&tree, Path::new("/bin/bash")).unwrap();
        assert_eq!(closure.interpreter.as_deref(), Some(Path::new(loader)));
        assert!(closure.libraries.iter().any(|found| found.name == library), "{closure:?}");
        for file in closure.files() {
            let inside = tree.resolve(file).unwrap();
            let Executable::Elf(headers) = elf::read(&tree.outside(&inside)).unwrap() else {
                panic!("{} is a script", file.display());
            };
            assert_eq!(headers.machine.number, machine, "{}", file.display());
        }
        // Copied into a new root, everything is there, and nothing came from this host.
        let place = tempfile::tempdir().unwrap();
        let root = NewRoot::create(&place.path().join("root"), tree).unwrap();
        root.install(OsStr::new("/bin/bash")).unwrap();
        assert!(closure.files().all(|file| root.has(file)));
    }

    #[test]
    fn arm64_with_glibc() {
        check("arm64", "/lib/ld-linux-aarch64.so.1", 183, "libtinfo.so.6");
    }

    #[test]
    fn a_32_bit_program_of_this_machine() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("main.c"), "int main(void) { return 0; }").unwrap();
        let program = place.path().join("program");
        let mut cc = Command::new("cc");
        cc.args(["-m32", "-o"]).arg(&program).arg(place.path().join("main.c"));
        if !cc.output().is_ok_and(|built| built.status.success()) {
            return skip("a_32_bit_program_of_this_machine", "no C compiler for 32 bits");
        }
        assert_eq!(by_us(&program), by_ldd(&program).unwrap());
        let Ok(Executable::Elf(headers)) = elf::read(&program) else { panic!("no ELF file") };
        assert!(!headers.machine.is_64_bit);
    }

    #[test]
    fn musl_as_its_own_loader_says() {
        if !has("musl-gcc") || !has("cc") {
            return skip("musl_as_its_own_loader_says", "musl-tools is not installed");
        }
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("lib.c"), "int answer(void) { return 42; }").unwrap();
        fs::write(
            place.path().join("main.c"),
            "int answer(void); int main(void) { return answer() != 42; }",
        )
        .unwrap();
        let cc = |args: &[&str]| {
            let mut command = Command::new("musl-gcc");
            assert!(command.args(args).current_dir(place.path()).status().unwrap().success());
        };
        fs::create_dir(place.path().join("lib")).unwrap();
        cc(&["-shared", "-fPIC", "-o", "lib/libanswer.so", "lib.c"]);
        cc(&["-o", "program", "main.c", "-Llib", "-lanswer", "-Wl,-rpath,$ORIGIN/lib"]);
        let program = place.path().join("program");
        assert!(Command::new(&program).status().unwrap().success(), "the real loader finds it");
        let closure = closure(&Tree::host(), &program).unwrap();
        let names: Vec<&str> =
            closure.libraries.iter().map(|library| library.name.as_str()).collect();
        assert_eq!(names, ["libanswer.so"], "libc.so is the loader itself");
        assert!(closure.interpreter.unwrap().to_string_lossy().contains("ld-musl"));
    }
}
