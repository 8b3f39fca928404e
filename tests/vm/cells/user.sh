#!/bin/sh
# an ordinary user
# shellcheck source=tests/vm/common.sh
. /job/common.sh
perform chroot as_user
expect_verified_without ''
perform namespaces as_user
expect_verified_without ''
verified
