#!/bin/sh
# docker run --privileged, after some lessons were killed
# layouts: v2
# kernels: 6.1
# Here the lesson has to move everybody into a leaf, and somebody has to bring them back.
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
expect_of_namespaces() { expect_verified_without 'cgroup'; }
expect_of_cgroups() {
    expect_verified_without 'io'
    expect_reason io overlay
}
as_in_the_container=as_root_after_some_were_killed
perform_every_lesson_in_a_container --privileged
