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

use workbench::cgroup::{Controller, Corner, Group, Hierarchies, Limit, Touch};
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

/// Everything that a container has of its own, and a name for it.
const OWN: &str = "--user --mount --pid --uts --ipc --net --cgroup --time --fork --hostname inner";

/// What the article gives it: two namespaces fewer, and neither mounts nor a root to pivot to.
const OWN_IN_THE_ARTICLE: &str = "--mount --uts --ipc --net --pid --fork --user --map-root-user";

fn main() {
    println!("{:<58} {:>9}", "ratio of medians, measured in turns", "");
    compare_starts();
    compare_roots();
    compare_containers();
    compare_groups();
    tell_lesson("chroot", 20, "under 150");
    tell_lesson("namespaces", 20, "under 400");
    if has_groups() {
        tell_lesson("cgroups", 3, "under 10000");
    }
    let size = fs::metadata(WORKBENCH).map_or(0, |meta| meta.len());
    println!("{:<58} {:>6} kB   aim under 5000", "size of the binary", size / 1000);
}

fn compare_starts() {
    let (version, nothing) = in_turns(
        300,
        || run(Command::new(WORKBENCH).arg("--version")),
        || run(&mut Command::new("/bin/true")),
    );
    tell("workbench --version / true", ratio(version, nothing), "at most 2");
}

fn compare_roots() {
    let (built, by_hand) = in_turns(20, build_root, build_root_by_hand);
    tell("ldd and cp in a shell / the root of six programs", ratio(by_hand, built), "at least 10");

    if std::env::args().any(|arg| arg == "--debootstrap") {
        let debootstrap = time(build_root_by_debootstrap);
        tell("debootstrap / the root of six programs", ratio(debootstrap, built), "at least 1000");
    }
}

/// Each makes a container, runs `/bin/true` in it, and waits for it.
fn compare_containers() {
    in_empty_directory(|root| {
        build_root_of_true(root);
        let (ours, article) = in_turns(200, || enter(root), || enter_as_the_article_does(root));
        tell("workbench enter / the article's unshare", ratio(ours, article), "at most 1");

        if is_installed("bwrap") {
            let (ours, bubblewrap) = in_turns(200, || enter(root), || enter_with_bubblewrap(root));
            tell("workbench enter / bwrap", ratio(ours, bubblewrap), "at most 0.8");
        } else {
            println!("{:<58}   bwrap is not installed", "workbench enter / bwrap");
        }

        let floor = root.with_file_name("floor");
        compile_floor(&floor);
        let (ours, least) =
            in_turns(200, || enter(root), || run(Command::new(&floor).arg(root).arg("/bin/true")));
        tell("workbench enter / the least, in C", ratio(ours, least), "at most 2");
    });
}

/// A group, three limits and a process in it, against the bare `mkdir` and `write` calls.
fn compare_groups() {
    let what = "a group with three limits, joined / bare mkdir and write";
    if !has_groups() {
        return println!("{what:<58}   no group can be made here");
    }
    let hierarchies = Hierarchies::find().expect("/proc is mounted");
    let mut corner = Corner::plan(&hierarchies, "workbench-bEnch0");
    corner.claim().expect("the right to make a group");
    corner.hand_on(&LIMITED).expect("the right to hand controllers on");
    let group = corner.group("sandbox", &LIMITED);
    let mut tenant = Command::new("sleep").arg("600").spawn().expect("sleep is installed");
    let home = corner.group("home", &LIMITED);
    home.create().expect("a group");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        for (times, way) in
            [(&mut ours, make_group as fn(&Group, u32)), (&mut bare, make_group_barely)]
        {
            times.push(time(|| way(&group, tenant.id())));
            home.take_in(tenant.id()).expect("a process that lives");
            group.remove().expect("an empty group");
        }
    }
    tenant.kill().expect("our own child");
    tenant.wait().expect("our own child");
    tell(what, ratio(median(ours), median(bare)), "at most 2");
}

const LIMITED: [Controller; 3] = [Controller::Cpu, Controller::Memory, Controller::Pids];
const LIMITS: [Limit; 3] =
    [Limit::CpuQuota { quota: 10_000, period: 100_000 }, Limit::Memory(80 << 20), Limit::Pids(20)];

fn has_groups() -> bool {
    let found = Hierarchies::find().expect("/proc is mounted");
    LIMITED.iter().all(|controller| found.usable(*controller).is_ok())
}

fn make_group(group: &Group, tenant: u32) {
    group.create().expect("the right to make a group");
    for limit in &LIMITS {
        group.set(limit).expect("the right to limit it");
    }
    group.take_in(tenant).expect("a process that lives");
}

/// The same files and the same lines, with nothing around them.
fn make_group_barely(group: &Group, tenant: u32) {
    for part in group.parts() {
        fs::create_dir(&part.directory).expect("the right to make a group");
    }
    for limit in &LIMITS {
        let part = group.part(limit.controller()).expect("it has three");
        for touch in limit.touches(part.version) {
            if let Touch::Write { file, line } = touch {
                fs::write(part.directory.join(file), line).expect("the right to limit it");
            }
        }
    }
    for part in group.parts() {
        let list = part.directory.join("cgroup.procs");
        fs::write(list, tenant.to_string()).expect("a process that lives");
    }
}

fn tell_lesson(name: &str, times: usize, aim: &str) {
    let (lesson, _) = in_turns(times, || perform(name), || ());
    let what = format!("lesson {name} --pace none");
    println!("{what:<58} {:>6} ms   aim {aim}", lesson.as_millis());
}

fn tell(name: &str, ratio: f64, aim: &str) {
    println!("{name:<58} {ratio:>9.3}   aim {aim}");
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

fn build_root_of_true(path: &Path) {
    let root = NewRoot::create(path, Tree::host()).expect("an empty directory");
    root.install(OsStr::new("/bin/true")).expect("a program of this host");
    for point in ["/proc", "/sys", "/tmp"] {
        fs::create_dir(root.outside(Path::new(point))).expect("a place to mount on");
    }
}

fn enter(root: &Path) {
    let mut command = Command::new(WORKBENCH);
    command.arg("enter").args(OWN.split(' ')).arg("--pivot").arg(root);
    run(command.args(["--proc", "--sys", "--tmp", "--", "/bin/true"]));
}

fn enter_as_the_article_does(root: &Path) {
    let mut command = Command::new("unshare");
    run(command.args(OWN_IN_THE_ARTICLE.split(' ')).arg("chroot").arg(root).arg("/bin/true"));
}

fn enter_with_bubblewrap(root: &Path) {
    let mut command = Command::new("bwrap");
    command.args(["--unshare-all", "--bind"]).arg(root).arg("/");
    run(command.args(["--proc", "/proc", "--tmpfs", "/tmp", "/bin/true"]));
}

fn compile_floor(program: &Path) {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/floor.c");
    run(Command::new("cc").args(["-O2", "-o"]).arg(program).arg(source));
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok()
}

fn perform(lesson: &str) {
    run(Command::new(WORKBENCH).args(["lesson", lesson, "--pace", "none"]));
}
