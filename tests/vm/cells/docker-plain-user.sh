#!/bin/sh
# docker run --user 1000
# layouts: v2
# kernels: 6.1
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
expect_of_cgroups() { expect_read_only_groups; }
expect_of_chroot() { expect_dockers_refusal; }
expect_of_namespaces() { expect_dockers_refusal; }
# The host's own switch is seen in the container as well, and does not matter there.
is_a_container || set_switch /proc/sys/kernel/unprivileged_userns_clone 0
perform_every_lesson_in_a_container --user 1000
