#!/bin/sh
# an ordinary user, user.max_user_namespaces=0
# shellcheck source=tests/vm/common.sh
. /job/common.sh
set_switch /proc/sys/user/max_user_namespaces 0
perform chroot as_user
expect_cannot_run_because_of /proc/sys/user/max_user_namespaces
cannot_run_here "$why"
