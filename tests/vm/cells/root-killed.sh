#!/bin/sh
# root, after some lessons were killed
# layouts: v2 mixed
# kernels: 6.1
# shellcheck source=tests/vm/common.sh
. /job/common.sh
perform_every_lesson as_root_after_some_were_killed
