#!/bin/sh
# an ordinary user, kernel.apparmor_restrict_unprivileged_userns=1
# layouts: v2
# shellcheck source=tests/vm/common.sh
. /job/common.sh
expect_of_chroot() {
    expect_cannot_run_because_of /proc/sys/kernel/apparmor_restrict_unprivileged_userns
}
expect_of_namespaces() { expect_of_chroot; }
expect_of_cgroups() { expect_no_group_for_a_user; }
# Ubuntu's own switch. It would be missing as well if AppArmor were off, and that must not pass.
enabled=$(cat /sys/module/apparmor/parameters/enabled)
[ "$enabled" = Y ] || fail "AppArmor is off in this machine: $enabled"
needs /proc/sys/kernel/apparmor_restrict_unprivileged_userns
set_switch /proc/sys/kernel/apparmor_restrict_unprivileged_userns 1
perform_every_lesson as_user
