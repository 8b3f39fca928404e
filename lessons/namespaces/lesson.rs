//! Lesson 2: the container's walls, one namespace after the other, until the whole is a container.
//!
//! The table reads like the article; the functions that it names stand in one file for each
//! experiment. The words are in `words.md`, the questions in `quiz.toml`.

// In a table, every cause, fix and proof has the same shape, also where it cannot fail.
#![allow(clippy::unnecessary_wraps)]

mod cgroup;
mod init;
mod ipc;
mod mount;
mod net;
mod pid;
mod pivot;
mod proc;
mod root;
mod sys;
mod time;
mod user;
mod uts;
mod walls;
mod whole;

use nix::errno::Errno;

use crate::ability::Ingredient::{self, Mounted, Own, PivotRoot};
use crate::container::FileSystem::{Proc, Sys, Tmp};

use crate::lesson::Attempt::Runs;
use crate::lesson::{Experiment, Fit, Leaves, Lesson, Proof, Round};
use crate::namespace::Namespace::{Ipc, Mount, Net, Time, User, Uts};
use crate::observation::Prediction;
use crate::proof::Side;

pub(crate) use root::improved_root;
pub use walls::Walls;

// ANCHOR: table
/// The lesson.
pub const LESSON: Lesson<Walls> = Lesson {
    name: "namespaces",
    title: "Walls, one by one",
    minutes: 50,
    experiments: &[
        PID,
        INIT,
        MOUNT,
        PROC,
        UTS,
        IPC,
        NET,
        MAPPED_ROOT,
        USER,
        SYS,
        CGROUP,
        TIME,
        PIVOT,
        ARTICLE,
        WHOLE,
        ANCESTOR,
    ],
    words: include_str!("words.md"),
    quiz: include_str!("quiz.toml"),
    sources: &[
        ("lessons/namespaces/pid.rs", include_str!("pid.rs")),
        ("lessons/namespaces/init.rs", include_str!("init.rs")),
        ("lessons/namespaces/mount.rs", include_str!("mount.rs")),
        ("lessons/namespaces/proc.rs", include_str!("proc.rs")),
        ("lessons/namespaces/uts.rs", include_str!("uts.rs")),
        ("lessons/namespaces/ipc.rs", include_str!("ipc.rs")),
        ("lessons/namespaces/net.rs", include_str!("net.rs")),
        ("lessons/namespaces/user.rs", include_str!("user.rs")),
        ("lessons/namespaces/sys.rs", include_str!("sys.rs")),
        ("lessons/namespaces/cgroup.rs", include_str!("cgroup.rs")),
        ("lessons/namespaces/time.rs", include_str!("time.rs")),
        ("lessons/namespaces/pivot.rs", include_str!("pivot.rs")),
        ("lessons/namespaces/whole.rs", include_str!("whole.rs")),
        ("src/container.rs", include_str!("../../src/container.rs")),
        ("src/escape.rs", include_str!("../../src/escape.rs")),
    ],
};

const PID: Experiment<Walls> = Experiment {
    id: "pid",
    article: Some("unshare --pid --fork … chroot /improved-root bash"),
    calls: &[],
    fits: |_| Fit::Here,
    stage: pid::a_neighbour_moves_in,
    attempt: Runs(pid::kill_the_neighbour),
    rounds: &[
        Round {
            id: "one-list",
            article: None,
            predict: Prediction::Exits(0),
            cause: pid::both_are_on_one_list,
            fix: pid::unshare_without_a_fork,
        },
        Round {
            id: "no-fork",
            article: None,
            predict: Prediction::Exits(0),
            cause: pid::only_the_first_child_is_inside,
            fix: pid::fork_as_well,
        },
    ],
    works: Prediction::Exits(1),
    proofs: &[
        Proof { side: Side::Inside, ask: pid::it_is_number_one },
        Proof { side: Side::Outside, ask: pid::it_has_two_numbers },
        Proof { side: Side::Outside, ask: pid::its_list_is_another },
        Proof { side: Side::Outside, ask: pid::the_neighbour_lives },
    ],
    leaves: Leaves::Proven,
};

const INIT: Experiment<Walls> = Experiment {
    id: "init",
    article: None,
    calls: &[],
    fits: |_| Fit::Here,
    stage: |_| Ok(()),
    attempt: Runs(init::kill_oneself),
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[Proof { side: Side::Outside, ask: init::with_its_init_everything_ends }],
    leaves: Leaves::Proven,
};

const MOUNT: Experiment<Walls> = Experiment {
    id: "mount",
    article: Some("mount -t tmpfs none /tmp"),
    calls: &["make_mounts_private"],
    fits: |walls| walls.can(&[Own(Mount), Own(Uts), Own(Ipc), Mounted(Tmp)]),
    stage: mount::a_tenant_mounts_a_tmpfs,
    attempt: Runs(mount::the_host_looks_into_it),
    rounds: &[
        Round {
            id: "one-table",
            article: None,
            predict: Prediction::Exits(0),
            cause: mount::the_host_has_the_mount,
            fix: mount::unshare_the_mount_table,
        },
        Round {
            id: "shared-mounts",
            article: None,
            predict: Prediction::Exits(0),
            cause: mount::the_copies_are_peers,
            fix: mount::make_the_copy_private,
        },
    ],
    works: Prediction::Exits(1),
    proofs: &[
        Proof { side: Side::Inside, ask: mount::tmp_is_memory },
        Proof { side: Side::Outside, ask: mount::the_host_has_no_such_mount },
        Proof { side: Side::Outside, ask: mount::through_the_process_it_is_found },
    ],
    leaves: Leaves::Proven,
};

const PROC: Experiment<Walls> = Experiment {
    id: "proc",
    article: Some("mount -t proc none /proc"),
    calls: &["mount_file_system"],
    fits: |walls| walls.can(&[Own(Mount), Mounted(Proc)]),
    stage: proc::back_on_the_real_host,
    attempt: Runs(proc::look_oneself_up),
    rounds: &[
        Round {
            id: "no-proc",
            article: Some("ps aux"),
            predict: Prediction::Exits(1),
            cause: proc::there_is_nothing_in_proc,
            fix: proc::show_the_hosts,
        },
        Round {
            id: "hosts-proc",
            article: None,
            predict: Prediction::Exits(1),
            cause: proc::two_ways_to_count,
            fix: proc::mount_ones_own,
        },
    ],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: proc::nobody_else_is_listed },
        Proof { side: Side::Outside, ask: proc::the_mount_is_invisible },
    ],
    leaves: Leaves::Proven,
};

const UTS: Experiment<Walls> = Experiment {
    id: "uts",
    article: None,
    calls: &[],
    fits: |walls| walls.can(&[Own(Mount), Own(Uts), Own(Ipc)]),
    stage: uts::a_tenant_names_its_system,
    attempt: Runs(uts::the_host_asks_for_its_name),
    rounds: &[Round {
        id: "one-name",
        article: None,
        predict: Prediction::Exits(1),
        cause: uts::both_have_one_name,
        fix: uts::unshare_the_name,
    }],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: uts::inside_it_has_its_name },
        Proof { side: Side::Outside, ask: uts::the_names_are_two },
    ],
    leaves: Leaves::Proven,
};

const IPC: Experiment<Walls> = Experiment {
    id: "ipc",
    article: None,
    calls: &[],
    fits: ipc::can_be_performed,
    stage: ipc::a_neighbour_makes_a_queue,
    attempt: Runs(ipc::delete_the_queue),
    rounds: &[Round {
        id: "one-queue",
        article: None,
        predict: Prediction::Exits(0),
        cause: ipc::both_see_the_same_objects,
        fix: ipc::unshare_the_objects,
    }],
    works: Prediction::Exits(1),
    proofs: &[
        Proof { side: Side::Inside, ask: ipc::there_is_no_queue_inside },
        Proof { side: Side::Outside, ask: ipc::the_queue_is_still_there },
    ],
    leaves: Leaves::Proven,
};

const NET: Experiment<Walls> = Experiment {
    id: "net",
    article: None,
    calls: &["connect_to"],
    fits: |walls| walls.can(&[Own(Net), Mounted(Proc)]),
    stage: net::a_service_listens,
    attempt: Runs(net::call_the_service),
    rounds: &[Round {
        id: "one-network",
        article: None,
        predict: Prediction::Exits(0),
        cause: net::the_hosts_devices_are_seen,
        fix: net::unshare_the_network,
    }],
    works: Prediction::Refused("connect", Errno::ECONNREFUSED),
    proofs: &[
        Proof { side: Side::Inside, ask: net::only_lo_is_there },
        Proof { side: Side::Inside, ask: net::and_it_is_down },
        Proof { side: Side::Outside, ask: net::the_service_still_listens },
    ],
    leaves: Leaves::Proven,
};

const MAPPED_ROOT: Experiment<Walls> = Experiment {
    id: "mapped-root",
    article: Some("unshare --user --map-root-user … chroot /improved-root bash"),
    calls: &["user_namespace"],
    fits: user::as_real_root,
    stage: user::two_files_of_the_host,
    attempt: Runs(user::read_a_customers_file),
    rounds: &[Round {
        id: "real-root",
        article: None,
        predict: Prediction::Exits(0),
        cause: user::every_id_is_itself,
        fix: user::become_root_of_a_namespace,
    }],
    works: Prediction::Exits(1),
    proofs: &[
        Proof { side: Side::Outside, ask: user::one_id_is_mapped },
        Proof { side: Side::Inside, ask: user::the_owner_is_nobody },
        Proof { side: Side::Inside, ask: user::the_clock_is_not_its_own },
        Proof { side: Side::Inside, ask: user::the_kernel_is_not_its_own },
        Proof { side: Side::Outside, ask: user::outside_it_is_the_caller },
        Proof { side: Side::Inside, ask: user::roots_files_are_open_to_it },
    ],
    leaves: Leaves::Open,
};

const USER: Experiment<Walls> = Experiment {
    id: "user",
    article: Some("unshare --user --map-root-user … chroot /improved-root bash"),
    calls: &["user_namespace"],
    fits: user::as_an_ordinary_user,
    stage: user::without_a_user_namespace,
    attempt: Runs(user::ask_who_one_is),
    rounds: &[Round {
        id: "no-rights",
        article: None,
        predict: Prediction::Refused("unshare", Errno::EPERM),
        cause: user::there_are_no_capabilities,
        fix: user::become_root_of_a_namespace,
    }],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Outside, ask: user::one_id_is_mapped },
        Proof { side: Side::Inside, ask: user::the_owner_of_the_kernels_files_is_nobody },
        Proof { side: Side::Inside, ask: user::the_clock_is_not_its_own },
        Proof { side: Side::Inside, ask: user::the_kernel_is_not_its_own },
        Proof { side: Side::Inside, ask: user::a_file_of_another_user_is_closed },
        Proof { side: Side::Outside, ask: user::outside_it_is_the_caller },
    ],
    leaves: Leaves::Proven,
};

const SYS: Experiment<Walls> = Experiment {
    id: "sys",
    article: Some("mount -t sysfs none /sys"),
    calls: &["mount_file_system"],
    fits: |walls| walls.can(&[Own(User), Own(Mount), Own(Net), Mounted(Proc), Mounted(Sys)]),
    stage: sys::with_the_hosts_network,
    attempt: Runs(sys::list_the_devices),
    rounds: &[Round {
        id: "foreign-network",
        article: None,
        predict: Prediction::Refused("mount", Errno::EPERM),
        cause: sys::the_network_is_the_hosts,
        fix: sys::unshare_the_network_again,
    }],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: sys::the_only_device_is_down },
        Proof { side: Side::Outside, ask: sys::the_mount_is_invisible },
    ],
    leaves: Leaves::Proven,
};

const CGROUP: Experiment<Walls> = Experiment {
    id: "cgroup",
    article: None,
    calls: &[],
    fits: cgroup::can_be_performed,
    stage: |_| Ok(()),
    attempt: Runs(cgroup::ask_for_ones_group),
    rounds: &[Round {
        id: "hosts-path",
        article: None,
        predict: Prediction::Exits(0),
        cause: cgroup::it_is_told_as_the_host_tells_it,
        fix: cgroup::unshare_the_view,
    }],
    works: Prediction::Exits(1),
    proofs: &[
        Proof { side: Side::Inside, ask: cgroup::inside_it_is_the_top },
        Proof { side: Side::Outside, ask: cgroup::outside_nothing_has_moved },
    ],
    leaves: Leaves::Proven,
};

const TIME: Experiment<Walls> = Experiment {
    id: "time",
    article: None,
    calls: &["set_boottime"],
    fits: |walls| walls.can(&[Own(Time), Mounted(Proc)]),
    stage: |_| Ok(()),
    attempt: Runs(time::ask_for_the_uptime),
    rounds: &[Round {
        id: "hosts-uptime",
        article: None,
        predict: Prediction::Exits(1),
        cause: time::both_live_by_one_clock,
        fix: time::shift_the_clock,
    }],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: time::the_offset_is_told },
        Proof { side: Side::Outside, ask: time::the_clocks_are_two },
    ],
    leaves: Leaves::Proven,
};

const PIVOT: Experiment<Walls> = Experiment {
    id: "pivot",
    article: None,
    calls: &["swap_root", "leave_by_second_chroot"],
    fits: |walls| walls.can(&[Own(Mount), PivotRoot]),
    stage: pivot::a_secret_on_the_host,
    attempt: Runs(pivot::leave_and_read_the_secret),
    rounds: &[Round {
        id: "old-root",
        article: None,
        predict: Prediction::Exits(0),
        cause: pivot::the_walk_ends_in_the_hosts_root,
        fix: pivot::swap_the_roots,
    }],
    works: Prediction::Exits(1),
    proofs: &[
        Proof { side: Side::Inside, ask: pivot::the_walk_ends_in_the_new_root },
        Proof { side: Side::Outside, ask: pivot::the_whole_mount_table },
    ],
    leaves: Leaves::Proven,
};

const ARTICLE: Experiment<Walls> = Experiment {
    id: "article",
    article: Some(
        "unshare --mount --uts --ipc --net --pid --fork --user --map-root-user \
         chroot /improved-root bash",
    ),
    calls: &["enter"],
    fits: whole::the_article_can_be_performed,
    stage: whole::as_the_article_has_it,
    attempt: Runs(whole::the_line_of_the_article),
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Outside, ask: whole::six_of_eight_are_its_own },
        Proof { side: Side::Inside, ask: whole::the_old_trick_still_works },
    ],
    leaves: Leaves::Open,
};

const WHOLE: Experiment<Walls> = Experiment {
    id: "whole",
    article: Some("docker run -it alpine:3.10"),
    calls: &["enter"],
    fits: |walls| walls.can(&Ingredient::ALL),
    stage: whole::as_it_should_be,
    attempt: Runs(whole::introduce_oneself),
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Inside, ask: proc::nobody_else_is_listed },
        Proof { side: Side::Outside, ask: whole::all_eight_are_its_own },
        Proof { side: Side::Outside, ask: pivot::the_whole_mount_table },
    ],
    leaves: Leaves::Proven,
};

const ANCESTOR: Experiment<Walls> = Experiment {
    id: "ancestor",
    article: None,
    calls: &[],
    fits: |_| Fit::Here,
    stage: whole::a_container_waits,
    attempt: Runs(whole::kill_it_from_outside),
    rounds: &[],
    works: Prediction::Exits(0),
    proofs: &[
        Proof { side: Side::Outside, ask: whole::the_host_had_its_number },
        Proof { side: Side::Outside, ask: whole::it_was_killed },
    ],
    leaves: Leaves::Open,
};
// ANCHOR_END: table
