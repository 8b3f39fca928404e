#!/bin/sh
# root
# shellcheck source=tests/vm/common.sh
. /job/common.sh
perform chroot as_root
expect_verified_without ''
perform namespaces as_root
expect_verified_without ''
verified
