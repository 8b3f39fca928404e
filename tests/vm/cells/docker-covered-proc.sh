#!/bin/sh
# docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined, as root and as user 1000
# User namespaces can be made, and may mount; but Docker has covered parts of /proc.
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
start_docker
without='proc ipc net sys cgroup time article whole'
perform_in_container namespaces --user 1000 \
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined
expect_verified_without "$without"
expect_reason proc 'partly covered'
expect_reason whole 'mount -t proc'
perform_in_container namespaces \
    --security-opt seccomp=unconfined --security-opt apparmor=unconfined
expect_verified_without "$(echo "$without" | sed 's/net/net user/')"
expect_reason user 'called root already'
verified_without "$without"
