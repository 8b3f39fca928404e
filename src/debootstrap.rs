//! The article's own way to a root: `debootstrap`, with a bar that shows how far it is.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use nix::unistd::geteuid;

use crate::container::Recipe;
use crate::host::Unmet;
use crate::job::Job;
use crate::launch::Launcher;
use crate::namespace::{Namespace, Namespaces};
use crate::observation::Observation;
use crate::rootfs::{Tree, find_program};
use crate::terminal::page::is_dumb;

/// A package is mentioned when it is fetched, checked, unpacked twice, and configured.
const MENTIONS: usize = 5;
/// How long the bar is, in letters.
const LENGTH: usize = 30;

/// Makes a root of the smallest kind with a real debootstrap, in `parent`. It takes some tens of
/// seconds, a network, and root.
///
/// # Errors
/// An [`Unmet`] where one of the three is missing; it says which, and what helps.
pub fn debootstrap(program: &Path, suite: &str, parent: &Path) -> Result<PathBuf> {
    let root = parent.join("debootstrap-root");
    // Its mounts stay in a mount table of its own, whatever becomes of it.
    let recipe = Recipe { own: Namespaces::of(&[Namespace::Mount]), ..Recipe::default() };
    let words = ["debootstrap".as_ref(), "--variant=minbase".as_ref(), suite.as_ref()];
    let job = Job::new(&recipe, &[&words[..], &[root.as_os_str()]].concat());
    let typed = Job { recipe: Recipe::default(), ..job.clone() }.as_typed();
    let unmet = |why: String, remedy: &str| Unmet {
        what: format!("a root made by debootstrap, of the suite {suite}"),
        tried: vec![typed.clone()],
        why,
        remedy: format!("{remedy}, or leave out --debootstrap: the lesson can make a root itself"),
    };
    if !geteuid().is_root() {
        return Err(unmet(
            "only root can run debootstrap".into(),
            "run it as root: sudo workbench …",
        )
        .into());
    }
    if let Err(error) = find_program(&Tree::host(), "debootstrap".as_ref()) {
        return Err(
            unmet(format!("{error:#}"), "install it: sudo apt-get install debootstrap").into()
        );
    }
    let mut bar = Bar::new(suite);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let outcome = Launcher::new(program.to_owned(), path).follow(&job, |line| bar.advance(line))?;
    bar.clear();
    if outcome.observation == (Observation::Exited { status: 0 }) {
        return Ok(root);
    }
    let complaint =
        last_complaint(&outcome.said).unwrap_or_else(|| outcome.observation.to_string());
    Err(unmet(complaint, "see that the network and the suite's name are right").into())
}

/// How far it is: a line of standard error that is drawn anew for each line of debootstrap's.
struct Bar<'a> {
    suite: &'a str,
    began: Instant,
    done: usize,
    all: usize,
    is_seen: bool,
}

impl<'a> Bar<'a> {
    /// Without a terminal that can draw a line anew, nothing is drawn.
    fn new(suite: &'a str) -> Self {
        let is_seen = io::stderr().is_terminal() && !is_dumb();
        Self { suite, began: Instant::now(), done: 0, all: 0, is_seen }
    }

    /// `I: Validating bash 5.2`: as long as packages are being fetched, nobody knows how many
    /// there will be, so the whole grows with them.
    fn advance(&mut self, line: &str) {
        let Some(news) = line.strip_prefix("I: ") else { return };
        if news.starts_with("Retrieving ") {
            self.all += MENTIONS;
        }
        self.done += 1;
        let (suite, seconds) = (self.suite, self.began.elapsed().as_secs());
        let full = "█".repeat((LENGTH * self.done).checked_div(self.all).unwrap_or(0));
        self.draw(&format!("debootstrap {suite} {full:░<LENGTH$.LENGTH$} {seconds:>3} s  {news}"));
    }

    fn clear(&self) {
        self.draw("");
    }

    /// What does not fit is cut off: a line that wraps could not be drawn anew.
    fn draw(&self, text: &str) {
        if self.is_seen {
            let room = textwrap::termwidth().saturating_sub(1);
            let fitting: String =
                text.chars().filter(|letter| !letter.is_control()).take(room).collect();
            // A bar is a courtesy: where the terminal has gone, nobody misses it.
            let _ = write!(io::stderr(), "\r{fitting}\x1b[K");
        }
    }
}

/// debootstrap marks its errors with `E:`; what a program of it complains about comes before.
fn last_complaint(said: &str) -> Option<String> {
    let of_kind = |mark: &str| said.lines().rev().find_map(|line| line.strip_prefix(mark));
    of_kind("E: ").or_else(|| of_kind("W: ")).map(|line| format!("debootstrap says: {line}"))
}
