#!/bin/sh
# root
. /job/common.sh
perform_chroot as_root
expect_verified
