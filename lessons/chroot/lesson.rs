//! Lesson 1: a process gets a root directory of its own, and what that is worth.
//!
//! The table reads like the article; the functions that it names stand in one file for each
//! experiment. The words are in `words.md`, the questions in `quiz.toml`.

// In a table, every cause, fix and proof has the same shape, also where it cannot fail.
#![allow(clippy::unnecessary_wraps)]

mod bash;
mod escape;
mod files;
mod kill;
mod parties;
mod tools;

use nix::errno::Errno;

use crate::lesson::Attempt::Runs;
use crate::lesson::{Experiment, Fit, Leaves, Lesson, Proof, Round};
use crate::observation::Prediction;
use crate::proof::Side;

pub use parties::Parties;

// ANCHOR: table
/// The lesson.
pub const LESSON: Lesson<Parties> = Lesson {
    name: "chroot",
    title: "A root of one's own",
    minutes: 20,
    experiments: &[BASH, TOOLS, FILES, KILL, ESCAPE],
    words: include_str!("words.md"),
    quiz: include_str!("quiz.toml"),
    sources: &[
        ("lessons/chroot/bash.rs", include_str!("bash.rs")),
        ("lessons/chroot/tools.rs", include_str!("tools.rs")),
        ("lessons/chroot/files.rs", include_str!("files.rs")),
        ("lessons/chroot/kill.rs", include_str!("kill.rs")),
        ("lessons/chroot/escape.rs", include_str!("escape.rs")),
        ("src/container.rs", include_str!("../../src/container.rs")),
        ("src/escape.rs", include_str!("../../src/escape.rs")),
    ],
};

const BASH: Experiment<Parties> = Experiment {
    id: "bash",
    article: Some("chroot /eg-new-root bash"),
    calls: &["change_root", "become_program"],
    fits: Parties::root_is_ours_to_fill,
    stage: |_| Ok(()),
    attempt: Runs(bash::bash_says_hello),
    rounds: &[
        Round {
            id: "empty-root",
            article: Some("mkdir eg-new-root && cd eg-new-root && chroot . bash"),
            predict: Prediction::Refused("execve", Errno::ENOENT),
            cause: bash::bash_is_missing,
            fix: bash::copy_bash_alone,
        },
        Round {
            id: "no-loader",
            article: Some("cp /bin/bash /eg-new-root/bin/ && chroot /eg-new-root bash"),
            predict: Prediction::Refused("execve", Errno::ENOENT),
            cause: bash::the_loader_is_missing,
            fix: bash::copy_the_loader,
        },
        Round {
            id: "no-libraries",
            article: Some("ldd /bin/bash"),
            predict: Prediction::Exits(127),
            cause: bash::the_libraries_are_missing,
            fix: bash::copy_the_libraries,
        },
    ],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: bash::bash_finds_itself },
        Proof { side: Side::Outside, ask: bash::all_its_code_is_from_the_new_root },
    ],
    leaves: Leaves::Proven,
};

const TOOLS: Experiment<Parties> = Experiment {
    id: "tools",
    article: Some("ldd /bin/ls; ldd /bin/cat"),
    calls: &[],
    fits: Parties::root_is_ours_to_fill,
    stage: tools::leave_a_note,
    attempt: Runs(tools::look_around),
    rounds: &[Round {
        id: "builtins-only",
        article: Some("pwd; ls; cat"),
        predict: Prediction::Exits(127),
        cause: tools::ls_and_cat_are_no_builtins,
        fix: tools::copy_ls_and_cat,
    }],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: tools::each_tool_is_found_where_it_should_be },
        Proof { side: Side::Outside, ask: tools::the_host_sees_the_same_files },
    ],
    leaves: Leaves::Proven,
};

const FILES: Experiment<Parties> = Experiment {
    id: "files",
    article: None,
    calls: &["change_root"],
    fits: |_| Fit::Here,
    stage: files::hide_a_secret_on_the_host,
    attempt: Runs(files::read_the_secret),
    rounds: &[Round {
        id: "shared-root",
        article: None,
        predict: Prediction::Exits(0),
        cause: files::the_root_is_ours,
        fix: files::give_the_party_its_own_root,
    }],
    works: Prediction::Exits(1),
    proofs: &[
        Proof { side: Side::Inside, ask: files::the_secret_has_no_name },
        Proof { side: Side::Inside, ask: files::above_the_root_is_the_root },
        Proof { side: Side::Outside, ask: files::the_kernel_names_the_new_root },
        Proof { side: Side::Outside, ask: files::the_two_roots_differ },
    ],
    leaves: Leaves::Proven,
};

const KILL: Experiment<Parties> = Experiment {
    id: "kill",
    article: None,
    calls: &[],
    fits: |_| Fit::Here,
    stage: kill::a_neighbour_moves_in,
    attempt: Runs(kill::kill_the_neighbour),
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Outside, ask: kill::the_neighbour_had_its_own_root },
        Proof { side: Side::Outside, ask: kill::both_share_one_list_of_processes },
        Proof { side: Side::Outside, ask: kill::the_neighbour_is_dead },
    ],
    leaves: Leaves::Open,
};

const ESCAPE: Experiment<Parties> = Experiment {
    id: "escape",
    article: None,
    calls: &["leave_by_second_chroot"],
    fits: |_| Fit::Here,
    stage: escape::a_way_out_lies_in_the_root,
    attempt: Runs(escape::leave_and_read_the_secret),
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: escape::the_root_is_the_hosts_again },
        Proof { side: Side::Outside, ask: escape::the_secret_is_read_word_for_word },
    ],
    leaves: Leaves::Open,
};
// ANCHOR_END: table
