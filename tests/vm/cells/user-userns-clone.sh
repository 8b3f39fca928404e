#!/bin/sh
# an ordinary user, kernel.unprivileged_userns_clone=0
. /job/common.sh
# Debian's own switch: no other kernel has it.
set_switch /proc/sys/kernel/unprivileged_userns_clone 0 3.8
perform_chroot as_user
expect_cannot_run_because_of /proc/sys/kernel/unprivileged_userns_clone
