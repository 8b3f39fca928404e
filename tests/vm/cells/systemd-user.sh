#!/bin/sh
# an ordinary user of systemd
# layouts: v2 v1 hybrid
# kernels: 6.1
# manager: systemd
# shellcheck source=tests/vm/systemd.sh
. /job/systemd.sh
wait_for_the_end_of_the_boot
# What systemd hands over by default does not include io, and devices are root's.
expect_of_cgroups() {
    case $layout in
    v2)
        expect_verified_without 'io devices'
        expect_reason io 'not handed on'
        expect_reason devices 'only root'
        ;;
    *) expect_cannot_run_because_of 'only root' ;;
    esac
}
perform_every_lesson as_user_of_a_session
