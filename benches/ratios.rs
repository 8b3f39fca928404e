//! How fast it is, in ratios within one run: `cargo bench`.
//!
//! Each pair is measured in turns, so that a busy machine is busy for both, and the medians are
//! compared. `cargo bench -- --debootstrap` compares with a real debootstrap as well, which
//! needs root, a network and a minute.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use workbench::rootfs::{NewRoot, Tree};

const WORKBENCH: &str = env!("CARGO_BIN_EXE_workbench");
const PROGRAMS: [&str; 6] = ["bash", "ls", "cat", "ps", "mount", "hostname"];

/// What a careful person types: `ldd` for each program, and `cp` for each line of it.
const LDD_AND_CP: &str = r#"
    root=$1; shift
    for program; do
        path=$(command -v "$program")
        for file in "$path" $(ldd "$path" | grep -o '/[^ )]*'); do
            mkdir -p "$root$(dirname "$file")"
            [ -e "$root$file" ] || cp -L "$file" "$root$file"
        done
    done"#;

fn main() {
    let limit = |name: &str, ratio: f64, aim: &str| println!("{name:<58} {ratio:>9.3}   aim {aim}");
    println!("{:<58} {:>9}", "ratio of medians, measured in turns", "");

    let (version, nothing) = in_turns(
        300,
        || run(Command::new(WORKBENCH).arg("--version")),
        || run(&mut Command::new("/bin/true")),
    );
    limit("workbench --version / true", ratio(version, nothing), "at most 2");

    let (built, by_hand) = in_turns(20, build_root, build_root_by_hand);
    limit("ldd and cp in a shell / the root of six programs", ratio(by_hand, built), "at least 10");

    if std::env::args().any(|arg| arg == "--debootstrap") {
        let debootstrap = time(build_root_by_debootstrap);
        limit("debootstrap / the root of six programs", ratio(debootstrap, built), "at least 1000");
    }

    let (lesson, _) = in_turns(20, perform_chroot, || ());
    println!("{:<58} {:>6} ms   aim under 150", "lesson chroot --pace none", lesson.as_millis());
    let size = fs::metadata(WORKBENCH).map_or(0, |meta| meta.len());
    println!("{:<58} {:>6} kB   aim under 5000", "size of the binary", size / 1000);
}

/// The medians of two ways, each tried `times` times, one after the other.
fn in_turns(times: usize, one: impl Fn(), other: impl Fn()) -> (Duration, Duration) {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..times {
        ones.push(time(&one));
        others.push(time(&other));
    }
    (median(ones), median(others))
}

fn time(action: impl Fn()) -> Duration {
    let start = Instant::now();
    action();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

fn in_empty_directory(action: impl Fn(&Path)) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    action(&directory.path().join("root"));
}

fn build_root() {
    in_empty_directory(|path| {
        let root = NewRoot::create(path, Tree::host()).expect("an empty directory");
        for program in PROGRAMS {
            root.install(OsStr::new(program)).expect("a program of this host");
        }
    });
}

fn build_root_by_hand() {
    in_empty_directory(|path| {
        run(Command::new("bash").args(["-c", LDD_AND_CP, "bash"]).arg(path).args(PROGRAMS));
    });
}

fn build_root_by_debootstrap() {
    in_empty_directory(|path| {
        run(Command::new("debootstrap").arg("--variant=minbase").arg("bookworm").arg(path));
    });
}

fn perform_chroot() {
    run(Command::new(WORKBENCH).args(["lesson", "chroot", "--pace", "none"]));
}
