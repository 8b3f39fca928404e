#!/bin/sh
# an ordinary user, kernel.apparmor_restrict_unprivileged_userns=1
# shellcheck source=tests/vm/common.sh
. /job/common.sh
# Ubuntu's own switch. It would be missing as well if AppArmor were off, and that must not pass.
enabled=$(cat /sys/module/apparmor/parameters/enabled)
[ "$enabled" = Y ] || fail "AppArmor is off in this machine: $enabled"
needs /proc/sys/kernel/apparmor_restrict_unprivileged_userns
set_switch /proc/sys/kernel/apparmor_restrict_unprivileged_userns 1
perform chroot as_user
expect_cannot_run_because_of /proc/sys/kernel/apparmor_restrict_unprivileged_userns
cannot_run_here "$why"
