#!/bin/sh
# an ordinary user, kernel.apparmor_restrict_unprivileged_userns=1
. /job/common.sh
# Ubuntu had it before Linux 6.7 did.
set_switch /proc/sys/kernel/apparmor_restrict_unprivileged_userns 1 6.7
perform_chroot as_user
expect_cannot_run_because_of /proc/sys/kernel/apparmor_restrict_unprivileged_userns
