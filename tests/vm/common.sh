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

fail() {
    echo "result: $1"
    exit 1
}

# Sets a switch of the kernel. A kernel from before the release that brought the switch has nothing
# to test; a later one without it is a mistake in how the machine was booted.
set_switch() {
    file=$1 value=$2 since=$3
    if [ ! -e "$file" ]; then
        running=$(uname -r)
        oldest=$(printf '%s\n' "$since" "$running" | sort --version-sort | head -n 1)
        [ "$oldest" != "$since" ] || fail "$file is missing, although Linux $since brought it"
        nothing_to_test "this kernel has no $file"
    fi
    echo "$value" > "$file"
    [ "$(cat "$file")" = "$value" ] || fail "$file did not become $value"
}

# Performs the chroot lesson as somebody, and keeps its document and its exit code. However it
# ends, the host has to be as it was.
perform_chroot() {
    cat /proc/self/mountinfo > /run/mounts
    code=0
    "$1" /job/workbench lesson chroot --format json > /run/document || code=$?
    cat /run/document
    left=$(find /tmp /var/tmp -name 'workbench-*')
    [ -z "$left" ] || fail "it left $left behind"
    diff /run/mounts /proc/self/mountinfo || fail 'the mount table has changed'
}

expect_verified() {
    ending=$(jq -r .ending /run/document)
    [ "$code $ending" = '0 verified' ] || fail "exit code $code, ending $ending; expected 0, verified"
    verified
}

# The refusal has to name what refuses: a learner has nothing else to go by.
expect_cannot_run_because_of() {
    ending=$(jq -r .ending /run/document)
    [ "$code $ending" = '3 cannot_run_here' ] \
        || fail "exit code $code, ending $ending; expected 3, cannot_run_here"
    why=$(jq -r .unmet.why /run/document)
    case $why in
    *"$1"*) cannot_run_here "$why" ;;
    *) fail "the reason does not name $1: $why" ;;
    esac
}
