#!/bin/sh
# an ordinary user
. /job/common.sh
perform_chroot as_user
expect_verified
