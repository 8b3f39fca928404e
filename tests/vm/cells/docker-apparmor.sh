#!/bin/sh
# docker run --security-opt seccomp=unconfined, as root and as user 1000
# User namespaces can be made, and AppArmor refuses every mount.
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
start_docker
without='mount proc uts ipc net sys cgroup time pivot article whole'
perform_in_container namespaces --security-opt seccomp=unconfined --user 1000
expect_verified_without "$without"
expect_reason mount 'profile docker-default'
expect_reason net 'profile docker-default'
perform_in_container namespaces --security-opt seccomp=unconfined
expect_verified_without "$(echo "$without" | sed 's/net/net user/')"
expect_reason user 'called root already'
verified_without "$without"
