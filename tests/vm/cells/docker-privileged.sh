#!/bin/sh
# docker run --privileged
# The article's own host. Only the control group is at the top already: Docker has seen to that.
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
start_docker
perform_in_container chroot --privileged
expect_verified_without ''
perform_in_container namespaces --privileged
expect_verified_without 'cgroup'
verified_without "$missing"
