#!/bin/sh
# root, with swap that is not counted
# layouts: v1 v2
# kernels: 5.10
# options: swapaccount=0
# Later kernels always count it.
# shellcheck source=tests/vm/common.sh
. /job/common.sh
expect_of_cgroups() {
    expect_verified_without 'memory whole'
    expect_reason memory 'does not count swap'
}
truncate -s 64M /swap
chmod 600 /swap
dd if=/dev/zero of=/swap bs=1M count=64 2> /dev/null
mkswap /swap > /dev/null
swapon /swap
perform_every_lesson as_root
