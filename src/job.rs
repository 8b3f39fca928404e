//! A command and the walls around it, in the forms in which a learner meets it.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Args, ValueEnum};
use shell_quote::Bash;

use crate::container::{Identity, Recipe};
use crate::escape::Escape;

/// A program with its arguments, to be run in the container that the recipe describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The walls.
    pub recipe: Recipe,
    /// The program and its arguments. Without a program the walls are tried, and that is all.
    pub argv: Vec<OsString>,
}

/// The same on our own command line: `workbench enter --root DIR -- bash`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct EnterArgs {
    /// Become user 0 of a new user namespace first
    #[arg(long)]
    user: bool,
    /// Make this directory the root
    #[arg(long, value_name = "DIR")]
    root: Option<std::path::PathBuf>,
    /// Try to leave that root again
    #[arg(long, value_name = "WAY")]
    escape: Option<Escape>,
    /// Report a refusal to this file descriptor instead of standard error
    #[arg(long, value_name = "FD", hide = true)]
    pub report: Option<i32>,
    /// The program to become, and its arguments
    #[arg(last = true, value_name = "CMD")]
    argv: Vec<OsString>,
}

impl From<EnterArgs> for Job {
    fn from(args: EnterArgs) -> Self {
        let identity = if args.user { Identity::RootOfUserNamespace } else { Identity::Caller };
        let recipe = Recipe { identity, root: args.root, escape: args.escape };
        Self { recipe, argv: args.argv }
    }
}

impl Job {
    /// A command with its arguments, inside the recipe's walls.
    pub fn new<S: AsRef<OsStr>>(recipe: &Recipe, argv: &[S]) -> Self {
        let argv = argv.iter().map(|word| word.as_ref().to_owned()).collect();
        Self { recipe: recipe.clone(), argv }
    }

    /// A line of shell, run by the `bash` that is found inside.
    pub fn bash(recipe: &Recipe, line: &str) -> Self {
        Self::new(recipe, &["bash", "-c", line])
    }

    /// The words that follow `workbench` when this is run.
    pub fn to_args(&self) -> Vec<OsString> {
        let mut words = vec![OsString::from("enter")];
        if self.recipe.identity == Identity::RootOfUserNamespace {
            words.push("--user".into());
        }
        if let Some(root) = &self.recipe.root {
            words.extend(["--root".into(), root.clone().into_os_string()]);
        }
        if let Some(way) = self.recipe.escape.and_then(|escape| escape.to_possible_value()) {
            words.extend(["--escape".into(), OsString::from(way.get_name())]);
        }
        words.push("--".into());
        words.extend(self.argv.iter().cloned());
        words
    }

    /// What is really run, ready to be pasted: `workbench enter --root DIR -- bash`.
    pub fn as_run(&self) -> String {
        format!("workbench {}", in_shell_words(&self.to_args()))
    }

    /// The same with a system's own tools: `chroot DIR bash`. For an escape there is no tool,
    /// so it stays ours.
    pub fn as_typed(&self) -> String {
        if self.recipe.escape.is_some() {
            return self.as_run();
        }
        let mut words: Vec<OsString> = Vec::new();
        if self.recipe.identity == Identity::RootOfUserNamespace {
            words.extend(["unshare", "--map-root-user"].map(OsString::from));
        }
        if let Some(root) = &self.recipe.root {
            words.extend(["chroot".into(), root.clone().into_os_string()]);
        }
        words.extend(self.argv.iter().cloned());
        in_shell_words(&words)
    }
}

/// Words joined so that bash takes them apart into the same words again.
pub fn in_shell_words<S: AsRef<OsStr>>(words: &[S]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quoted(word.as_ref())).collect();
    quoted.join(" ")
}

/// A path as it can be typed: `/tmp/a b` needs quotes, `/tmp/ab` does not.
pub fn typed_path(path: &Path) -> String {
    quoted(path.as_os_str())
}

/// Single quotes where they suffice, because people read them more easily; bash's own `$'…'`
/// for bytes that no text can show.
fn quoted(word: &OsStr) -> String {
    match word.to_str() {
        Some("") => "''".to_owned(),
        Some(text) if text.chars().all(is_plain) => text.to_owned(),
        Some(text) if !text.contains('\'') && !text.chars().any(char::is_control) => {
            format!("'{text}'")
        }
        _ => String::from_utf8_lossy(&Bash::quote_vec(word)).into_owned(),
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "/._-+:=@%,".contains(letter)
}
