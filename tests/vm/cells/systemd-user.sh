#!/bin/sh
# an ordinary user in a delegated scope, under systemd
# layouts: v2 v1 hybrid
# kernels: 6.1
# manager: systemd
# shellcheck source=tests/vm/systemd.sh
. /job/systemd.sh
wait_for_the_end_of_the_boot
perform_every_lesson as_user_with_a_scope
