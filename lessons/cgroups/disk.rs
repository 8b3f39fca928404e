//! A place on a block device, whose writing can be slowed down.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::{major, minor};

use crate::bench::Bench;
use crate::cgroup::Device;
use crate::interrupt;
use crate::mounts::mount_table;

/// A file on a block device.
pub struct Disk {
    /// The whole device: a part of it cannot be slowed down.
    pub(super) device: Device,
    /// Its name in `/dev`.
    pub(super) name: String,
    /// The file that will be written.
    pub(super) file: PathBuf,
    /// The directory in which it is, where that is not the lesson's own.
    _scratch: Option<Bench>,
}

impl Disk {
    /// Looks at the directory for temporary files, at `/var/tmp` and at the home directory.
    ///
    /// # Errors
    /// Which were looked at, and why not.
    pub fn find(bench: &Bench) -> Result<Self, String> {
        let mut why = Vec::new();
        let home = env::var_os("HOME").map(PathBuf::from);
        let places = [Some(bench.path().to_owned()), Some("/var/tmp".into()), home];
        for place in places.into_iter().flatten() {
            let found = device_below(&place).and_then(|(device, name)| {
                let scratch = Some(&place).filter(|place| *place != bench.path());
                let scratch = scratch.map(|place| interrupt::guarded(|| Bench::set_up(place)));
                let scratch = scratch.transpose().map_err(|error| format!("{error:#}"))?;
                let directory = scratch.as_ref().map_or(bench.path(), Bench::path);
                let file = directory.join("written");
                takes_direct_writes(&file)?;
                Ok(Self { device, name, file, _scratch: scratch })
            });
            match found {
                Ok(disk) => return Ok(disk),
                Err(reason) => {
                    // Our own directory has another name each time.
                    let place = if place == bench.path() { place.parent() } else { Some(&*place) };
                    why.push(format!("{}: {reason}", place.unwrap_or(bench.path()).display()));
                }
            }
        }
        Err(format!("no place on a block device was found: {}", why.join("; ")))
    }
}

/// The device on which a directory is. What a file system is stored on has a major number; 0 means
/// that it is on no device, or on several (inode(7), `st_dev`).
fn device_below(place: &Path) -> Result<(Device, String), String> {
    let meta = fs::metadata(place).map_err(|error| error.to_string())?;
    let (major, minor) = (major(meta.dev()), minor(meta.dev()));
    if major == 0 {
        let number = format!("0:{minor}");
        let table = mount_table().unwrap_or_default();
        let mount = table.into_iter().find(|mount| mount.device == number);
        let kind = mount.map_or_else(|| "a file system".to_owned(), |mount| mount.kind);
        return Err(format!("{kind}, which is on no block device of its own"));
    }
    let link = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    let real = link.canonicalize().map_err(|error| format!("{}: {error}", link.display()))?;
    let whole = if real.join("partition").exists() { real.parent() } else { Some(&*real) };
    let whole = whole.ok_or("a part of nothing")?;
    let text = fs::read_to_string(whole.join("dev")).map_err(|error| error.to_string())?;
    let numbers = text.trim().split_once(':');
    let device = numbers.and_then(|(major, minor)| {
        Some(Device { major: major.parse().ok()?, minor: minor.parse().ok()? })
    });
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok((device.ok_or("a device without numbers")?, name))
}

/// Whether a file can be written past the cache (open(2), `O_DIRECT`).
fn takes_direct_writes(file: &Path) -> Result<(), String> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).custom_flags(OFlag::O_DIRECT.bits());
    options.open(file).map(drop).map_err(|error| format!("O_DIRECT: {error}"))
}
