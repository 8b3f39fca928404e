//! Lesson 3: what a container may use, and what it has used.
//!
//! The table reads like the article; the functions that it names stand in one file for each
//! experiment. The words are in `words.md`, the questions in `quiz.toml`.

// In a table, every cause, fix and proof has the same shape, also where it cannot fail.
#![allow(clippy::unnecessary_wraps)]

mod cap;
mod create;
mod devices;
mod disk;
mod freezer;
mod inner;
mod io;
mod itself;
mod leave;
mod memory;
mod moving;
mod pids;
mod sandbox;
mod scope;
mod weight;
mod whole;

use nix::errno::Errno;

use crate::cgroup::Controller::Freezer;
use crate::lesson::Attempt::{Measured, Runs};
use crate::lesson::{Experiment, Fit, Leaves, Lesson, Proof, Round};
use crate::observation::{Prediction, Range};
use crate::proof::Side;

pub use sandbox::Sandbox;

// ANCHOR: table
/// The lesson.
pub const LESSON: Lesson<Sandbox> = Lesson {
    name: "cgroups",
    title: "What a container may use",
    minutes: 50,
    experiments: &[
        WHERE,
        CREATE,
        CONTROLLERS,
        MOVE,
        CAP,
        WEIGHT,
        ALONE,
        MEMORY,
        IO,
        DEVICES,
        FREEZER,
        PIDS,
        INNER,
        ITSELF,
        WHOLE,
        LEAVE,
    ],
    words: include_str!("words.md"),
    quiz: include_str!("quiz.toml"),
    sources: &[
        ("lessons/cgroups/create.rs", include_str!("create.rs")),
        ("lessons/cgroups/moving.rs", include_str!("moving.rs")),
        ("lessons/cgroups/cap.rs", include_str!("cap.rs")),
        ("lessons/cgroups/weight.rs", include_str!("weight.rs")),
        ("lessons/cgroups/memory.rs", include_str!("memory.rs")),
        ("lessons/cgroups/io.rs", include_str!("io.rs")),
        ("lessons/cgroups/devices.rs", include_str!("devices.rs")),
        ("lessons/cgroups/freezer.rs", include_str!("freezer.rs")),
        ("lessons/cgroups/pids.rs", include_str!("pids.rs")),
        ("lessons/cgroups/inner.rs", include_str!("inner.rs")),
        ("lessons/cgroups/itself.rs", include_str!("itself.rs")),
        ("lessons/cgroups/whole.rs", include_str!("whole.rs")),
        ("lessons/cgroups/leave.rs", include_str!("leave.rs")),
        ("src/container.rs", include_str!("../../src/container.rs")),
        ("src/cgroup/hierarchy.rs", include_str!("../../src/cgroup/hierarchy.rs")),
        ("src/cgroup/limit.rs", include_str!("../../src/cgroup/limit.rs")),
        ("src/cgroup/group.rs", include_str!("../../src/cgroup/group.rs")),
        ("src/cgroup/corner.rs", include_str!("../../src/cgroup/corner.rs")),
        ("src/cgroup/sweep.rs", include_str!("../../src/cgroup/sweep.rs")),
        ("src/bpf.rs", include_str!("../../src/bpf.rs")),
        ("src/escape.rs", include_str!("../../src/escape.rs")),
    ],
};

const WHERE: Experiment<Sandbox> = Experiment {
    id: "where",
    article: None,
    calls: &["find", "choose"],
    fits: |_| Fit::Here,
    stage: |_| Ok(()),
    attempt: Runs(create::look_for_the_trees),
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[Proof { side: Side::Outside, ask: create::each_controller_is_in_one_tree }],
    leaves: Leaves::Proven,
};

const CREATE: Experiment<Sandbox> = Experiment {
    id: "create",
    article: Some("cgcreate -g cpu,memory,blkio,devices,freezer:/sandbox"),
    calls: &["join_group", "make_and_remove"],
    fits: |_| Fit::Here,
    stage: create::claim_a_corner,
    attempt: Runs(create::join_the_group),
    rounds: &[Round {
        id: "no-group",
        article: None,
        predict: Prediction::Refused("open", Errno::ENOENT),
        cause: create::there_is_no_directory,
        fix: create::make_the_directories,
    }],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: create::inside_its_path_is_told },
        Proof { side: Side::Outside, ask: create::the_kernel_has_filled_them },
    ],
    leaves: Leaves::Proven,
};

const CONTROLLERS: Experiment<Sandbox> = Experiment {
    id: "controllers",
    article: None,
    calls: &["hand_on", "at_home"],
    fits: create::where_controllers_are_handed_on,
    stage: |_| Ok(()),
    attempt: Runs(create::look_for_a_limit),
    rounds: &[Round {
        id: "not-handed-on",
        article: None,
        predict: Prediction::Exits(1),
        cause: create::nothing_is_handed_on,
        fix: create::hand_them_on,
    }],
    works: Prediction::Exits(0),
    proofs: &[Proof { side: Side::Outside, ask: create::the_group_has_controllers }],
    leaves: Leaves::Proven,
};

const MOVE: Experiment<Sandbox> = Experiment {
    id: "move",
    article: Some("cgclassify -g cpu,memory,blkio,devices,freezer:sandbox <PID>"),
    calls: &["join_group", "set"],
    fits: moving::can_be_performed,
    stage: moving::a_container_with_a_child,
    attempt: Runs(moving::are_both_in_the_group),
    rounds: &[
        Round {
            id: "nobody-there",
            article: Some("cat /sys/fs/cgroup/cpu/sandbox/tasks"),
            predict: Prediction::Exits(1),
            cause: moving::the_group_is_empty,
            fix: moving::move_the_container,
        },
        Round {
            id: "left-behind",
            article: None,
            predict: Prediction::Exits(1),
            cause: moving::the_child_is_where_it_was,
            fix: moving::join_before_the_program,
        },
    ],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Outside, ask: moving::both_are_listed },
        Proof { side: Side::Outside, ask: moving::its_weight_is_the_default },
    ],
    leaves: Leaves::Proven,
};

const CAP: Experiment<Sandbox> = Experiment {
    id: "cap",
    article: None,
    calls: &["set", "table"],
    fits: cap::can_be_performed,
    stage: |_| Ok(()),
    attempt: Measured(cap::burn, cap::share_of_the_machine),
    rounds: &[Round {
        id: "no-cap",
        article: None,
        predict: Prediction::Measures(cap::SHARE, Range::AtLeast(15.0)),
        cause: cap::there_is_no_quota,
        fix: cap::set_a_quota,
    }],
    works: Prediction::Measures(cap::SHARE, Range::About(5.0, 1.0)),
    proofs: &[
        Proof { side: Side::Outside, ask: cap::the_quota_is_written_down },
        Proof { side: Side::Outside, ask: cap::it_was_made_to_wait },
    ],
    leaves: Leaves::Proven,
};

const WEIGHT: Experiment<Sandbox> = Experiment {
    id: "weight",
    article: Some("cat /sys/fs/cgroup/cpu/sandbox/cpu.shares"),
    calls: &["set", "table"],
    fits: weight::can_be_performed,
    stage: weight::two_groups_and_one_processor,
    attempt: Measured(weight::burn_in_both, weight::heavy_to_light),
    rounds: &[Round {
        id: "equal",
        article: None,
        predict: Prediction::Measures(weight::RATIO, Range::About(1.0, 0.15)),
        cause: weight::they_weigh_the_same,
        fix: weight::make_one_lighter,
    }],
    works: Prediction::Measures(weight::RATIO, Range::About(4.0, 0.4)),
    proofs: &[Proof { side: Side::Outside, ask: weight::their_weights_are_written_down }],
    leaves: Leaves::Proven,
};

const ALONE: Experiment<Sandbox> = Experiment {
    id: "alone",
    article: None,
    calls: &[],
    fits: weight::can_be_alone,
    stage: weight::the_light_one_again,
    attempt: Measured(weight::burn_in_the_light_one, weight::share_of_one_processor),
    rounds: &[],
    works: Prediction::Measures(weight::SHARE, Range::AtLeast(30.0)),
    proofs: &[Proof { side: Side::Outside, ask: weight::it_is_still_light }],
    leaves: Leaves::Proven,
};

const MEMORY: Experiment<Sandbox> = Experiment {
    id: "memory",
    article: None,
    calls: &["set", "table"],
    fits: memory::can_be_performed,
    stage: |_| Ok(()),
    attempt: Runs(memory::eat),
    rounds: &[Round {
        id: "no-limit",
        article: None,
        predict: Prediction::Exits(0),
        cause: memory::nobody_has_set_a_limit,
        fix: memory::set_a_limit,
    }],
    works: Prediction::Exits(137),
    proofs: &[
        Proof { side: Side::Outside, ask: memory::the_limit_is_written_down },
        Proof { side: Side::Outside, ask: memory::swap_is_no_way_out },
        Proof { side: Side::Outside, ask: memory::the_kernel_has_killed },
        Proof { side: Side::Outside, ask: memory::the_statistics_are_there },
    ],
    leaves: Leaves::Proven,
};

const IO: Experiment<Sandbox> = Experiment {
    id: "io",
    article: None,
    calls: &["set", "table"],
    fits: io::can_be_performed,
    stage: |_| Ok(()),
    attempt: Measured(io::write_past_the_cache, io::bytes_in_a_second),
    rounds: &[Round {
        id: "no-brake",
        article: None,
        predict: Prediction::Measures(io::RATE, Range::AtLeast(2.0)),
        cause: io::nobody_has_set_a_rate,
        fix: io::set_a_rate,
    }],
    works: Prediction::Measures(io::RATE, Range::About(1.0, 0.5)),
    proofs: &[
        Proof { side: Side::Outside, ask: io::the_rate_is_written_down },
        Proof { side: Side::Outside, ask: io::the_kernel_has_counted },
    ],
    leaves: Leaves::Proven,
};

const DEVICES: Experiment<Sandbox> = Experiment {
    id: "devices",
    article: None,
    calls: &["table", "program"],
    fits: devices::can_be_performed,
    stage: devices::make_two_nodes,
    attempt: Runs(devices::open_the_node),
    rounds: &[
        Round {
            id: "every-device",
            article: None,
            predict: Prediction::Exits(0),
            cause: devices::nobody_decides,
            fix: devices::deny_all,
        },
        Round {
            id: "no-device",
            article: None,
            predict: Prediction::Exits(1),
            cause: devices::somebody_decides,
            fix: devices::allow_this_one,
        },
    ],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: devices::another_stays_closed },
        Proof { side: Side::Outside, ask: devices::outside_nothing_is_denied },
    ],
    leaves: Leaves::Proven,
};

const FREEZER: Experiment<Sandbox> = Experiment {
    id: "freezer",
    article: None,
    calls: &["table"],
    fits: |sandbox| sandbox.can(&[Freezer]),
    stage: freezer::somebody_counts,
    attempt: Runs(freezer::does_it_count),
    rounds: &[
        Round {
            id: "running",
            article: None,
            predict: Prediction::Exits(0),
            cause: freezer::nobody_is_frozen,
            fix: freezer::freeze,
        },
        Round {
            id: "frozen",
            article: None,
            predict: Prediction::Exits(1),
            cause: freezer::everybody_is_frozen,
            fix: freezer::thaw,
        },
    ],
    works: Prediction::Exits(0),
    proofs: &[Proof { side: Side::Outside, ask: freezer::it_is_the_same_process }],
    leaves: Leaves::Proven,
};

const PIDS: Experiment<Sandbox> = Experiment {
    id: "pids",
    article: None,
    calls: &["explode"],
    fits: pids::can_be_performed,
    stage: |_| Ok(()),
    attempt: Runs(pids::explode),
    rounds: &[Round {
        id: "no-bound",
        article: None,
        predict: Prediction::Exits(0),
        cause: pids::nobody_has_set_a_bound,
        fix: pids::set_a_bound,
    }],
    works: Prediction::Refused("fork", Errno::EAGAIN),
    proofs: &[
        Proof { side: Side::Outside, ask: pids::the_bound_is_written_down },
        Proof { side: Side::Outside, ask: pids::the_kernel_has_refused },
    ],
    leaves: Leaves::Proven,
};

const INNER: Experiment<Sandbox> = Experiment {
    id: "inner",
    article: None,
    calls: &["at_home"],
    fits: inner::where_there_is_such_a_rule,
    stage: inner::a_group_with_a_process,
    attempt: Runs(inner::hand_on_from_there),
    rounds: &[Round {
        id: "inhabited",
        article: None,
        predict: Prediction::Exits(1),
        cause: inner::somebody_lives_there,
        fix: inner::move_them_into_a_leaf,
    }],
    works: Prediction::Exits(0),
    proofs: &[Proof { side: Side::Outside, ask: inner::it_is_handed_on }],
    leaves: Leaves::Proven,
};

const ITSELF: Experiment<Sandbox> = Experiment {
    id: "itself",
    article: None,
    calls: &[],
    fits: itself::can_be_performed,
    stage: itself::a_group_for_a_tenant,
    attempt: Runs(itself::limit_oneself),
    rounds: &[Round {
        id: "not-its-own",
        article: None,
        predict: Prediction::Exits(1),
        cause: itself::the_group_is_roots,
        fix: itself::hand_it_over,
    }],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: itself::but_not_what_is_above },
        Proof { side: Side::Outside, ask: itself::what_is_above_still_counts },
    ],
    leaves: Leaves::Proven,
};

const WHOLE: Experiment<Sandbox> = Experiment {
    id: "whole",
    article: None,
    calls: &["enter"],
    fits: whole::can_be_performed,
    stage: whole::all_limits_at_once,
    attempt: Runs(whole::introduce_oneself),
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: whole::its_group_is_the_top },
        Proof { side: Side::Inside, ask: whole::it_cannot_explode },
        Proof { side: Side::Inside, ask: whole::it_cannot_eat_too_much },
        Proof { side: Side::Outside, ask: whole::all_eight_are_its_own },
        Proof { side: Side::Outside, ask: whole::it_is_in_the_group },
        Proof { side: Side::Outside, ask: whole::its_limits_are_written_down },
    ],
    leaves: Leaves::Proven,
};

const LEAVE: Experiment<Sandbox> = Experiment {
    id: "leave",
    article: None,
    calls: &["remove"],
    fits: |_| Fit::Here,
    stage: leave::somebody_is_still_there,
    attempt: Runs(leave::remove_the_directories),
    rounds: &[Round {
        id: "in-use",
        article: None,
        predict: Prediction::Exits(1),
        cause: leave::somebody_is_listed,
        fix: leave::end_them,
    }],
    works: Prediction::Exits(0),
    proofs: &[Proof { side: Side::Outside, ask: leave::no_directory_is_left }],
    leaves: Leaves::Proven,
};
// ANCHOR_END: table
