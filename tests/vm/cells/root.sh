#!/bin/sh
# root
# shellcheck source=tests/vm/common.sh
. /job/common.sh
perform_chroot as_root
expect_verified
