#!/bin/sh
# an ordinary user
# layouts: v2 v1 hybrid mixed
# shellcheck source=tests/vm/common.sh
. /job/common.sh
perform_every_lesson as_user
