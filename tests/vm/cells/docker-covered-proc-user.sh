#!/bin/sh
# docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --user 1000
# layouts: v2
# kernels: 6.1
# User namespaces can be made, and may mount; but Docker has covered parts of /proc.
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
expect_of_cgroups() { expect_read_only_groups; }
expect_of_namespaces() {
    expect_verified_without 'proc ipc net sys cgroup time article whole'
    expect_reason proc 'partly covered'
    expect_reason whole 'mount -t proc'
}
perform_every_lesson_in_a_container --user 1000 \
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined
