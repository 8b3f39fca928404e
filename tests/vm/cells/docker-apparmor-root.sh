#!/bin/sh
# docker run --security-opt seccomp=unconfined
# layouts: v2
# kernels: 6.1
# User namespaces can be made, and AppArmor refuses every mount.
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
expect_of_cgroups() { expect_read_only_groups; }
expect_of_namespaces() {
    expect_verified_without 'mount proc uts ipc net user sys cgroup time pivot article whole'
    expect_reason mount 'profile docker-default'
    expect_reason user 'called root already'
}
perform_every_lesson_in_a_container --security-opt seccomp=unconfined
