#!/bin/sh
# an ordinary user
# shellcheck source=tests/vm/common.sh
. /job/common.sh
perform_chroot as_user
expect_verified
