#!/bin/sh
# docker run --privileged
# layouts: v2 v1 hybrid
# kernels: 6.1
# The article's own host. On v2 the control group is at the top already: Docker has seen to that.
# On v1, where namespaces of control groups came late, it has not.
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
expect_of_namespaces() {
    case $layout in
    v2) expect_verified_without 'cgroup' ;;
    *) expect_verified_without '' ;;
    esac
}
# Its root is an overlay, which is on no block device of its own.
expect_of_cgroups() {
    expect_verified_without 'io'
    expect_reason io overlay
}
perform_every_lesson_in_a_container --privileged
