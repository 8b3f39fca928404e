#!/bin/sh
# docker run
# layouts: v2
# kernels: 6.1
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
expect_of_cgroups() { expect_read_only_groups; }
expect_of_chroot() { expect_dockers_refusal; }
expect_of_namespaces() { expect_dockers_refusal; }
# It is started with no option.
# shellcheck disable=SC2119
perform_every_lesson_in_a_container
