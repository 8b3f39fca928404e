//! The mount table of this process, read from `/proc/self/mountinfo`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::refusal::Refusal;

/// A line of the table (proc_pid_mountinfo(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Major and minor number of what is mounted: `254:0`.
    pub device: String,
    /// The directory of it that is to be seen here; mostly `/`.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// The options of this mount: `rw,nosuid`.
    pub options: String,
    /// The file system: `ext4`.
    pub kind: String,
    /// The options of the file system itself: `rw,cpu,cpuacct`.
    pub system_options: String,
}

/// The mount table of this process, in the order in which it was made.
///
/// # Errors
/// When `/proc` is not mounted.
pub fn mount_table() -> Result<Vec<Mount>> {
    let file = Path::new("/proc/self/mountinfo");
    let table = fs::read(file).map_err(Refusal::io("open", file))?;
    Ok(parse(&table))
}

/// The mount points of this process.
///
/// # Errors
/// When `/proc` is not mounted.
pub fn mount_points() -> Result<Vec<PathBuf>> {
    Ok(mount_table()?.into_iter().map(|mount| mount.point).collect())
}

/// Takes a table apart.
pub fn parse(table: &[u8]) -> Vec<Mount> {
    table.split(|&byte| byte == b'\n').filter_map(parse_line).collect()
}

/// Six words, then some that only a few mounts have, a dash, and three more.
fn parse_line(line: &[u8]) -> Option<Mount> {
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let dash = words.iter().position(|word| word == b"-")?;
    let text = |place: usize| words.get(place).map(|word| String::from_utf8_lossy(word).into());
    Some(Mount {
        device: text(2)?,
        root: unescape(words.get(3)?),
        point: unescape(words.get(4)?),
        options: text(5)?,
        kind: text(dash + 1)?,
        system_options: text(dash + 3)?,
    })
}

/// Detaches everything that is mounted at or below `directory`: what a learner has mounted there
/// must be gone before the directory is deleted, or its content would be deleted with it.
///
/// # Errors
/// When a mount cannot be detached. Then nothing below may be deleted.
pub fn detach_below(directory: &Path) -> Result<()> {
    let mut points = mount_points()?;
    points.retain(|point| point.starts_with(directory));
    // The deepest first: what lies on another mount goes before it.
    points.sort_by_key(|point| std::cmp::Reverse(point.components().count()));
    // After `mount --rbind /dev` these and the host's are peers, and an unmount here would be
    // repeated there (mount_namespaces(7)). A private mount has no peers.
    for point in &points {
        let nothing = None::<&str>;
        mount(nothing, point, nothing, MsFlags::MS_PRIVATE, nothing)
            .map_err(Refusal::of("mount --make-private", point.display()))?;
    }
    for point in points {
        umount2(&point, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
            .map_err(Refusal::of("umount", point.display()))?;
    }
    Ok(())
}

/// `\040` is a blank: three octal digits after a backslash.
fn unescape(word: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| first == b'\\');
        let text = octal.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = text.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart() {
        let table = b"32 31 0:29 / /a\\040b rw,relatime shared:7 - cgroup none rw,cpu,cpuacct\n\n";
        let [mount] = &parse(table)[..] else { panic!("one line, one mount") };
        assert_eq!(mount.point, Path::new("/a b"));
        assert_eq!((&*mount.kind, &*mount.device), ("cgroup", "0:29"));
        assert_eq!(mount.system_options, "rw,cpu,cpuacct");
    }

    #[test]
    fn blanks_and_backslashes_are_unescaped() {
        assert_eq!(unescape(br"/tmp/a\040b\134c"), Path::new(r"/tmp/a b\c"));
        assert_eq!(unescape(br"/tmp/end\04"), Path::new(r"/tmp/end\04"));
    }
}
