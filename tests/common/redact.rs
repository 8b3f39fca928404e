//! What differs from run to run and from host to host, replaced by its name.

/// Pairs of a pattern and its replacement, for insta.
pub fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r"/[^\s']*/workbench-[A-Za-z0-9]{6}", "/tmp/workbench-XXXXXX"),
        (r"bash( \\\n +| )-c( \\\n +| )'kill -9 \d+'", "bash -c 'kill -9 [PID]'"),
        (r"\bwait \d+", "wait [PID]"),
        (r"/proc/\d+/", "/proc/[PID]/"),
        (r"Hello from bash \d\S+", "Hello from bash [VERSION]"),
        (r"pid:\[\d+\]", "pid:[INODE]"),
        (r"\d+:\d+ outside, \d+:\d+ inside", "[DEV:INODE] outside, [DEV:INODE] inside"),
        (r"\b\d+ /, \d+ /\.\.", "[INODE] /, [INODE] /.."),
        (r"\b\d+ /(\n|\x22)", "[INODE] /$1"),
        (r"/lib(64)?/ld-linux-(x86-64|aarch64)\.so\.\d", "/lib64/ld-linux-x86-64.so.2"),
        (r"aarch64-linux-gnu", "x86_64-linux-gnu"),
        (
            r"cp --parents /bin/cat /bin/ls( [^\n]*?(\\\n[^\n]*?)*)? (\\\n *)?/tmp/workbench-XXXXXX",
            "cp --parents /bin/cat /bin/ls [LIBRARIES] /tmp/workbench-XXXXXX",
        ),
        (r"\d+ files, all below", "[N] files, all below"),
    ]
}
