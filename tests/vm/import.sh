#!/bin/sh
# Makes Docker's image of the tar on the third disk. It runs once, in a machine that may write into
# the root image: importing takes half a minute, and every container needs it.
# shellcheck source=tests/vm/docker.sh
. /job/docker.sh
start_docker
docker import - debian < /dev/vdc
kill "$dockerd"
wait "$dockerd" || true
# The machine is switched off, not shut down.
mount -o remount,ro /
