//! Network devices, and names that are in no directory.

use std::collections::BTreeSet;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use anyhow::Result;

use super::walls::Walls;
use crate::container::Recipe;
use crate::escape::Escape;
use crate::job::Job;
use crate::lesson::Fix;
use crate::namespace::Namespace;
use crate::observation::Observation;
use crate::proof::{Evidence, Is};
use crate::refusal::Refusal;

/// A service of the host listens on an abstract UNIX socket, as many a daemon does.
pub(super) fn a_service_listens(walls: &mut Walls) -> Result<()> {
    walls.stop_practice_host();
    // The name of the run's own directory: there is no other like it on this machine.
    let name = walls.bench.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let shown = format!("@{name}");
    let address =
        SocketAddr::from_abstract_name(&name).map_err(Refusal::io("bind", Path::new(&shown)))?;
    let service =
        UnixListener::bind_addr(&address).map_err(Refusal::io("bind", Path::new(&shown)))?;
    walls.service = Some((service, name));
    Ok(())
}

// ANCHOR: net
/// From behind its walls, the first party calls the service.
pub(super) fn call_the_service(walls: &Walls) -> Job {
    call(walls, &walls.party)
}
// ANCHOR_END: net

fn call(walls: &Walls, caller: &Recipe) -> Job {
    let name = walls.service.as_ref().map_or("nobody", |(_, name)| name);
    let recipe = Recipe { escape: Some(Escape::Connect(name.into())), ..caller.clone() };
    Job { recipe, argv: Vec::new() }
}

/// The names of the devices, as the kernel lists them below two lines of headings.
const DEVICES: &str = "cut -s -d: -f1 /proc/net/dev | sort";

// ANCHOR: one-network
/// The party has the host's devices before it. Abstract sockets belong to them.
pub(super) fn the_hosts_devices_are_seen(walls: &Walls) -> Result<Evidence> {
    let ours = std::fs::read_to_string("/proc/net/dev")?;
    let evidence = walls.ask_inside(DEVICES, 0, |said| devices(said) == devices_of_table(&ours))?;
    Ok(evidence.therefore("these are the host's own devices"))
}

/// A network of its own: devices, addresses, ports, abstract sockets.
pub(super) fn unshare_the_network(walls: &mut Walls) -> Result<Fix> {
    Ok(walls.put_up(Namespace::Net))
}
// ANCHOR_END: one-network

/// Devices that some kernels put into every network namespace: ends of tunnels that lead nowhere.
const TUNNELS: [&str; 10] = [
    "erspan0",
    "gre0",
    "gretap0",
    "ip6_vti0",
    "ip6gre0",
    "ip6tnl0",
    "ip_vti0",
    "sit0",
    "tunl0",
    "ip6gretap0",
];

/// Nothing of the host's is left, and the loopback device is a new one.
pub(super) fn only_lo_is_there(walls: &Walls) -> Result<Evidence> {
    walls.ask_inside(DEVICES, 0, |said| {
        let mut found = devices(said);
        found.remove("lo") && found.iter().all(|name| TUNNELS.contains(&name.as_str()))
    })
}

/// Nobody has switched it on. Bash opens `/dev/tcp/HOST/PORT` by itself, so no such file is needed.
pub(super) fn and_it_is_down(walls: &Walls) -> Result<Evidence> {
    let line = ": < /dev/tcp/127.0.0.1/9";
    walls.ask_inside(line, 1, |said| said.ends_with("Network is unreachable"))
}

/// From the host, the same call is answered.
pub(super) fn the_service_still_listens(walls: &Walls) -> Result<Evidence> {
    let job = call(walls, &Recipe::default());
    let observed = walls.launcher.run(&job)?.observation;
    let is_so = observed == Observation::Exited { status: 0 };
    Ok(Evidence::new(job.as_run(), observed.to_string(), Is::from(is_so)))
}

fn devices(said: &str) -> BTreeSet<String> {
    said.lines().map(|line| line.trim().to_owned()).collect()
}

fn devices_of_table(table: &str) -> BTreeSet<String> {
    let names = table.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}
