//! What differs from run to run and from host to host, replaced by its name.

/// The inodes of namespaces, by letters: whether two that stand together are the same is what
/// matters, and a number can be given to another namespace as soon as the first has gone.
pub fn inodes(text: &str) -> String {
    let link = regex::Regex::new(r"(user|mnt|pid|uts|ipc|net|cgroup|time):\[(\d+)\]").unwrap();
    let mut seen: Vec<String> = Vec::new();
    let lines = text.lines().map(|line| {
        if !link.is_match(line) {
            seen.clear();
        }
        let named = link.replace_all(line, |found: &regex::Captures| {
            let kind_and_inode = found[0].to_owned();
            let of_this_kind = |other: &&String| other.starts_with(&format!("{}:", &found[1]));
            let known: Vec<&String> = seen.iter().filter(of_this_kind).collect();
            let place = known.iter().position(|other| **other == kind_and_inode);
            let place = place.unwrap_or(known.len());
            if place == known.len() {
                seen.push(kind_and_inode);
            }
            format!("{}:[INODE {}]", &found[1], ["A", "B"][place])
        });
        named.into_owned() + "\n"
    });
    lines.collect()
}

/// What a busy machine adds while it measures: a line for each second, and a second try.
fn of_a_busy_machine() -> regex::Regex {
    regex::Regex::new(r"\nafter \d+ s: .*|\n\n\? measured   (.|\n)*?(second|third)\s+time").unwrap()
}

/// The control groups of whoever runs the test, in every tree; those of the lesson stay.
fn of_the_caller() -> regex::Regex {
    // In JSON the letter of `\n` stands before all but the first of them.
    regex::Regex::new(r#"((?:\\n|\b)\d+:[a-z_,=]*:)(/[^\s"\\]*)"#).unwrap()
}

/// For the lesson that measures. The kernel's figures differ a little each time, and what stands in
/// their place is what they are on a quiet machine.
pub fn of_groups(text: &str) -> String {
    let text = of_a_busy_machine().replace_all(text, "");
    let text = of_the_caller().replace_all(&text, |found: &regex::Captures| {
        let is_of_the_lesson = found[2].contains("/workbench-");
        format!("{}{}", &found[1], if is_of_the_lesson { &found[2] } else { "/…" })
    });
    let mut text = text.into_owned();
    for (pattern, figure) in FIGURES {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, *figure).into_owned();
    }
    text
}

const FIGURES: &[(&str, &str)] = &[
    (r"workbench-[A-Za-z0-9]{6}\b", "workbench-XXXXXX"),
    (r"whole machine: \d{2,}\.\d %", "whole machine: 99.4 %"),
    (r"whole machine: [4-6]\.\d %", "whole machine: 5.0 %"),
    (r"by light's: [01]\.\d", "by light's: 1.0"),
    (r"by light's: [34]\.\d", "by light's: 4.0"),
    (r"one processor: \d+\.\d %", "one processor: 99.9 %"),
    (r"to the disk: \d{2,}\.\d MiB/s", "to the disk: 337.0 MiB/s"),
    (r"to the disk: \d\.\d MiB/s", "to the disk: 1.0 MiB/s"),
    (r"(\n  no-cap  ).*", "$1     █████████████████████████████████████████████████▋ 99.4 %"),
    (r"(\n  cap  ).*", "$1        ██▌ 5.0 %"),
    (r"(\n  equal  ).*", "$1      ████████████▌ 1.0"),
    (r"(\n  weight  ).*", "$1     ██████████████████████████████████████████████████ 4.0"),
    (r"(\n  no-brake  ).*", "$1   ██████████████████████████████████████████████████ 337.0 MiB/s"),
    (r"(\n  io  ).*", "$1         ▏ 1.0 MiB/s"),
    (r#""value": [\d.]+"#, r#""value": [N]"#),
    (r"copied,\s+[\d.e-]+\s+s,\s+[\d.]+\s+[kMG]B/s", "copied, 0.0078 s, 809 MB/s"),
    (r"nr_throttled \d+", "nr_throttled [N]"),
    (r"oom_kill \d+", "oom_kill [N]"),
    (r"\bmax \d+", "max [N]"),
    (r"\d+:\d+ Write \d+", "254:0 Write [N]"),
    (r"\d+:\d+ (1048576)", "254:0 $1"),
    (r"grep '\d+:\d+ Write'", "grep '254:0 Write'"),
    (r"is written to [a-z]+\d*\b", "is written to vda"),
    (r"\d+ dots, then \d+", "[N] dots, then [N]"),
    (r"taskset -c \d+", "taskset -c 0"),
    (r"\b3\d{4}\b", "[PID]"),
    (r"(memory.max_usage_in_bytes(\n +|\x22,\s+\x22answer\x22: \x22))\d+", "$1[N]"),
    (r"((memory.stat|sandbox \| wc -l)(\n +|\x22,\s+\x22answer\x22: \x22))\d+", "$1[N]"),
    (r"quota_us(\n +|\x22,\s+\x22answer\x22: \x22)\d+", "quota_us${1}10000"),
    (r"echo \d+ > (\\\n +)?(/\S+quota_us)", "echo 10000 > ${1}$2"),
    (r"echo '\d+ 100000' > cpu.max", "echo '10000 100000' > cpu.max"),
];

/// Pairs of a pattern and its replacement, for insta.
pub fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r"/[^\s']*/workbench-[A-Za-z0-9]{6}", "/tmp/workbench-XXXXXX"),
        (r"`/[^`]*/workbench`", "`/home/you/workbench`"),
        (r"kill -9 3\d{4}", "kill -9 [PID]"),
        (r"--target 3\d{4}", "--target [PID]"),
        (r"(NSpid: |kill: \(|proc/self is )3\d{4}", "${1}[PID]"),
        (r"connect:workbench-[A-Za-z0-9]{6}", "connect:workbench-XXXXXX"),
        (r"(ls /proc/)3\d{4}", "${1}[PID]"),
        (r"/proc/\d+/", "/proc/[PID]/"),
        (r"Hello from bash \d\S+", "Hello from bash [VERSION]"),
        (r"(readlink( \\\n +| ))3\d{4}/ns", "${1}[PID]/ns"),
        (r"shared:\d+", "shared:[N]"),
        (r"State: [A-Z] \([a-z ]+\)", "State: [STATE]"),
        (r"up for (8640)?\d+ seconds", "up for ${1}[N] seconds"),
        // What a host has, and what it is told to call its groups.
        (r"(/proc/net/dev \| sort\n)(.*\n)+?( +so +these are)", "$1             [DEVICES]\n$3"),
        (
            r#"(/proc/net/dev \| sort",\s+"answer": )".*?"(,\s+"therefore": "these)"#,
            r#"$1"[DEVICES]"$2"#,
        ),
        (
            r#"\d+:[a-z_,=]*:/[^\s"\\]*[^\s"\\/]((\n +|\\n)\d+:[a-z_,=]*:/[^\s"\\]*)*"#,
            "[N:NAME:/PATH]",
        ),
        (r" +PID COMMAND", " PID COMMAND"),
        (r"(\n|\\n) +(\d) (bash|ps)\b", "$1 $2 $3"),
        // A kernel may have no modules at all.
        (
            r"finit_module is refused: [^\n\x22]*(\n +so +this kernel has no such call for anybody)?",
            "finit_module is refused: [WHY]",
        ),
        (r#"\s+"therefore": "this kernel has no such call for anybody","#, ""),
        (r"\\n\d+:\d+", r"\n[DEV:INODE]"),
        (r"\b\d{2,}:\d+", "[DEV:INODE]"),
        (r"\\n\d+ /\.\.", r"\n[INODE] /.."),
        (r"\b\d+ /\.\.", "[INODE] /.."),
        (r"\b\d{2,} /", "[INODE] /"),
        (r"/lib(64)?/ld-linux-(x86-64|aarch64)\.so\.\d", "/lib64/ld-linux-x86-64.so.2"),
        (r"aarch64-linux-gnu", "x86_64-linux-gnu"),
        (r"libtinfo\.so\.6\.\d", "libtinfo.so.6.X"),
        // Which links lie on the way, and what `ls` needs, differs from release to release.
        (
            r"cp -P --parents ([^\n]|\\\n)*?ld-linux([^\n]|\\\n)*?/tmp/workbench-XXXXXX",
            "cp -P --parents [LINKS AND LOADER] /tmp/workbench-XXXXXX",
        ),
        (
            r"cp -P --parents ([^\n]|\\\n)*?libc\.so([^\n]|\\\n)*?/tmp/workbench-XXXXXX",
            "cp -P --parents [LIBRARIES] /tmp/workbench-XXXXXX",
        ),
        (
            r"cp -P --parents ([^\n]|\\\n)*?bin/ls([^\n]|\\\n)*?/tmp/workbench-XXXXXX",
            "cp -P --parents [ls, cat AND THEIR LIBRARIES] /tmp/workbench-XXXXXX",
        ),
    ]
}
