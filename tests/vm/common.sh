# shellcheck shell=sh
# What the cells share. It runs inside the machine, in the real root, as root, with `sh -eu`.
# A cell ends by saying its result in a line of its own, which becomes its row of the table.

as_root() { "$@"; }

as_user() {
    setpriv --reuid=1000 --regid=1000 --init-groups env HOME=/home/learner USER=learner "$@"
}

verified() {
    echo 'result: verified'
    exit 0
}

cannot_run_here() {
    echo "result: cannot run here, because $1"
    exit 0
}

# The cell tests something that this kernel does not have. The exit code tells it from a success.
nothing_to_test() {
    echo "result: cannot run here, because $1"
    exit 77
}

# Only now the document is of interest; a serial port is slow.
fail() {
    [ ! -e /run/document ] || cat /run/document
    echo "result: $1"
    exit 1
}

# For a switch that not every kernel has. Say in the cell which kernels do, and make sure that it is
# not missing for another reason: this must never hide a test that could have run.
needs() { [ -e "$1" ] || nothing_to_test "this kernel has no $1"; }

set_switch() {
    [ -e "$1" ] || fail "this kernel has no $1, and should"
    echo "$2" > "$1"
    [ "$(cat "$1")" = "$2" ] || fail "$1 did not become $2"
}

# What the document says under a name. It has a line for each, which saves a program to read it.
document_says() { sed -n "s/^ *\"$1\": \"\(.*\)\",*\$/\1/p" /run/document; }

# Performs the chroot lesson as somebody, and keeps its document and its exit code. However it
# ends, the host has to be as it was.
perform_chroot() {
    cat /proc/self/mountinfo > /run/mounts
    code=0
    "$1" /job/workbench lesson chroot --format json > /run/document || code=$?
    left=$(find /tmp /var/tmp -name 'workbench-*')
    [ -z "$left" ] || fail "it left $left behind"
    diff /run/mounts /proc/self/mountinfo || fail 'the mount table has changed'
}

expect_verified() {
    ending=$(document_says ending)
    [ "$code $ending" = '0 verified' ] || fail "exit code $code, ending $ending; expected 0, verified"
    verified
}

# The refusal has to name what refuses: a learner has nothing else to go by.
expect_cannot_run_because_of() {
    ending=$(document_says ending)
    [ "$code $ending" = '3 cannot_run_here' ] \
        || fail "exit code $code, ending $ending; expected 3, cannot_run_here"
    why=$(document_says why)
    case $why in
    *"$1"*) cannot_run_here "$why" ;;
    *) fail "the reason does not name $1: $why" ;;
    esac
}
