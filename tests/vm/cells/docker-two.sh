#!/bin/sh
# docker run --privileged, two at once
# layouts: v2
# kernels: 6.1
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
expect_of_namespaces() { expect_verified_without 'cgroup'; }
expect_of_cgroups() {
    expect_verified_without 'io'
    expect_reason io overlay
}
as_in_the_container=as_two_at_once
perform_every_lesson_in_a_container --privileged
