#!/bin/sh
# docker run, as root and as user 1000
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
# Docker's filter refuses before anything else does. Its advice is not to be mixed with sudo: root
# of the container is refused as well.
expect_dockers_refusal() {
    expect_cannot_run_because_of seccomp
    remedy=$(document_says remedy)
    [ "$remedy" = 'start it with more rights: docker run -it --rm --privileged …' ] \
        || fail "the remedy is not one: $remedy"
}
start_docker
perform_in_container chroot
expect_dockers_refusal
# The host's own switch is seen in the container as well, and does not matter there.
set_switch /proc/sys/kernel/unprivileged_userns_clone 0
perform_in_container namespaces --user 1000
expect_dockers_refusal
cannot_run_here "$why"
