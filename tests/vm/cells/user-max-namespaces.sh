#!/bin/sh
# an ordinary user, user.max_user_namespaces=0
# layouts: v2
# shellcheck source=tests/vm/common.sh
. /job/common.sh
expect_of_chroot() { expect_cannot_run_because_of /proc/sys/user/max_user_namespaces; }
expect_of_namespaces() { expect_of_chroot; }
expect_of_cgroups() { expect_no_group_for_a_user; }
set_switch /proc/sys/user/max_user_namespaces 0
perform_every_lesson as_user
