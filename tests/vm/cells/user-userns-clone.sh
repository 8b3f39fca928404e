#!/bin/sh
# an ordinary user, kernel.unprivileged_userns_clone=0
# shellcheck source=tests/vm/common.sh
. /job/common.sh
# A switch of Debian's own kernels, all of them.
set_switch /proc/sys/kernel/unprivileged_userns_clone 0
perform chroot as_user
expect_cannot_run_because_of /proc/sys/kernel/unprivileged_userns_clone
cannot_run_here "$why"
