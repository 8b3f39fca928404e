#!/bin/sh
# an ordinary user, kernel.unprivileged_userns_clone=0
# layouts: v2
# shellcheck source=tests/vm/common.sh
. /job/common.sh
expect_of_chroot() { expect_cannot_run_because_of /proc/sys/kernel/unprivileged_userns_clone; }
expect_of_namespaces() { expect_of_chroot; }
expect_of_cgroups() { expect_no_group_for_a_user; }
# A switch of Debian's own kernels, all of them.
set_switch /proc/sys/kernel/unprivileged_userns_clone 0
perform_every_lesson as_user
