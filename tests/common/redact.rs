//! What differs from run to run and from host to host, replaced by its name.

/// Pairs of a pattern and its replacement, for insta.
pub fn filters() -> Vec<(&'static str, &'static str)> {
    vec![
        (r"/[^\s']*/workbench-[A-Za-z0-9]{6}", "/tmp/workbench-XXXXXX"),
        (r"`/[^`]*/workbench`", "`/home/you/workbench`"),
        (r"bash( \\\n +| )-c( \\\n +| )'kill -9 \d+'", "bash -c 'kill -9 [PID]'"),
        (r"/proc/\d+/", "/proc/[PID]/"),
        (r"Hello from bash \d\S+", "Hello from bash [VERSION]"),
        (r"pid:\[\d+\]", "pid:[INODE]"),
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
