# shellcheck shell=sh
# What the cells share in which systemd is PID 1.
# shellcheck source=tests/vm/common.sh
. /job/common.sh

# A group that was made for a lesson is removed when systemd notices that it is empty.
# shellcheck disable=SC2034
patience=20

# A user who has logged in, or lingers, and asks their own manager for a group that is theirs.
as_user_with_a_scope() {
    as_user env XDG_RUNTIME_DIR=/run/user/1000 \
        systemd-run --user --scope --quiet --property=Delegate=yes "$@"
}

# The same user without such a group. The lesson that needs one asks for it.
as_user_of_a_session() { as_user env XDG_RUNTIME_DIR=/run/user/1000 "$@"; }

# As long as systemd still starts services, the host does not stay as it is.
wait_for_the_end_of_the_boot() {
    # It says `degraded` where a service has failed, and ends with an exit code.
    state=$(systemctl is-system-running --wait) || true
    [ "$state" = running ] \
        || fail "systemd is $state: $(systemctl --failed --plain --no-legend | paste -s -d ' ')"
    # The first scope of a user makes systemd hand controllers down to it, and they stay there.
    as_user_with_a_scope true || fail 'the user gets no scope of their own'
}
