#!/bin/sh
# an ordinary user
# layouts: v2 v1 hybrid mixed
# shellcheck source=tests/vm/common.sh
. /job/common.sh
expect_of_cgroups() { expect_no_group_for_a_user; }
perform_every_lesson as_user
