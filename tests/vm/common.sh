# shellcheck shell=sh
# What the cells share. It runs as root with `sh -eu`: inside the machine, in the real root, and
# where a container is the host of a lesson, inside that container as whoever it was started for.
# A cell says what it expects of each lesson and has them all performed. Each result is a line of
# its own, which becomes a field of the table.

# The kernel and systemd pass it on.
: "${layout:?}"
# Those that the program itself lists: none can be forgotten here.
lessons=$(cat /job/lessons)

as_root() { "$@"; }

as_user() {
    setpriv --reuid=1000 --regid=1000 --init-groups env HOME=/home/learner USER=learner "$@"
}

# Somebody kills the lesson, at several moments; the next start has to tidy up.
as_root_after_some_were_killed() {
    for moment in 1 3 6 10; do
        "$@" > /dev/null 2>&1 &
        killed=$!
        sleep "$moment"
        kill -9 "$killed" 2> /dev/null || true
        wait "$killed" || true
    done
    "$@"
}

# Two at the same time: what one hands on and takes back is the other's as well. Both have to end as
# expected.
as_two_at_once() {
    "$@" > /tmp/other 2>&1 &
    other=$!
    sleep 5
    both=0
    "$@" || both=$?
    wait "$other" || { both=$? && cat /tmp/other; }
    return "$both"
}

# What is expected of each lesson, unless a cell says something else: it defines the function anew.
# When such a function comes back, all is as expected, and `result` is what the table says.
expect_of_chroot() { expect_verified_without ''; }
expect_of_namespaces() { expect_verified_without ''; }
# From 6.12 on, Debian builds no memory controller of version 1: where nothing else is mounted,
# there is none.
expect_of_cgroups() {
    case $layout,$(uname -r) in
    v1,6.1.* | v1,5.*) expect_verified_without '' ;;
    v1,*)
        expect_verified_without 'memory whole'
        expect_reason memory 'controller memory'
        ;;
    *) expect_verified_without '' ;;
    esac
}
# To an ordinary user, nothing is handed over but by systemd.
expect_no_group_for_a_user() {
    case $layout in
    v2) expect_cannot_run_because_of 'handed over' ;;
    *) expect_cannot_run_because_of 'only root' ;;
    esac
}

# After a failure the others are performed all the same. That is why each has a shell of its own.
# It is the last command of a cell, which ends as it does.
perform_every_lesson() {
    failures=0
    for lesson in $lessons; do
        # On the left of `||`, this shell would not stop where a command fails.
        set +e
        (
            set -e
            command -v "expect_of_$lesson" > /dev/null || fail 'no cell says what it expects of it'
            perform "$lesson" "$1"
            "expect_of_$lesson"
            echo "result $lesson: $result"
        )
        ended=$?
        set -e
        [ "$ended" = 0 ] || failures=1
    done
    [ "$failures" = 0 ]
}

# The cell tests something that this kernel does not have. The exit code tells it from a success.
nothing_to_test() {
    say_of_every_lesson "cannot run here, because $1"
    exit 77
}

# Only now the document is of interest; a serial port is slow.
fail() {
    [ ! -e /tmp/document ] || cat /tmp/document
    if [ -n "${lesson-}" ]; then
        echo "result $lesson: FAILED: $1"
    else
        say_of_every_lesson "FAILED: $1"
    fi
    exit 1
}

say_of_every_lesson() {
    for each in $lessons; do echo "result $each: $1"; done
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
document_says() { sed -n "s/^ *\"$1\": \"\(.*\)\",*\$/\1/p" /tmp/document; }

# The experiments that were left out, a line for each: the name, and the reason. If one of them
# has any evidence to show all the same, then it was not left out, and the name says so.
left_out() {
    awk -F '"' '
        /^      "id":/ { id = $4; out = 0 }
        /^      "could_not_look":/ { out = 1; print id, $4 }
        out && /"verdict":/ { print id "-with-evidence" }
    ' /tmp/document
}

# All that a lesson might change on its host, and must not.
facts_about_the_host() {
    cat /proc/self/mountinfo /proc/sys/kernel/hostname /proc/self/cgroup /proc/sysvipc/*
    cut -d : -f 1 /proc/net/dev
    # What runs, and in which namespaces. A pipe would be among the processes that are found.
    find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -printf '%l\n' > /tmp/programs 2> /dev/null || true
    find /proc -maxdepth 3 -path '/proc/[0-9]*/ns/*' -printf '%l\n' > /tmp/namespaces 2> /dev/null || true
    # A thread of the kernel has no program.
    sed '/^$/d' /tmp/programs | sort
    sort -u /tmp/namespaces
    find /tmp /var/tmp -name 'workbench-*'
    control_groups | sort
}

# Which control groups there are, what each may hand out, and the limits that the lessons set.
# A group of somebody else's may be gone before it is read.
control_groups() {
    find /sys/fs/cgroup -mindepth 1 -type d 2> /dev/null || true
    grep -rs '' /sys/fs/cgroup --include=cgroup.subtree_control --include=cgroup.type \
        --include=cgroup.freeze --include=freezer.state \
        --include=cpu.max --include=cpu.weight --include=cpu.cfs_quota_us --include=cpu.shares \
        --include=memory.max --include=memory.swap.max --include=memory.limit_in_bytes \
        --include=pids.max --include=io.max --include=devices.list || true
}

# When this host has started, by its clock: it changes only if somebody sets the clock.
start_of_time() {
    read -r uptime _ < /proc/uptime
    echo "$(($(date +%s) - ${uptime%.*}))"
}

# Performs a lesson as somebody, and keeps its document and its exit code. However it ends, the
# host has to be as it was.
perform() {
    # What it was after the last lesson is what it is before this one, and to look takes a second.
    [ -e /tmp/after ] || facts_about_the_host > /tmp/after
    mv /tmp/after /tmp/before
    started=$(start_of_time)
    code=0
    "$2" /job/workbench lesson "$1" --format json > /tmp/document || code=$?
    # Where a cell has patience, the host may need a moment to become what it was.
    tries=0
    until facts_about_the_host > /tmp/after && cmp -s /tmp/before /tmp/after; do
        tries=$((tries + 1))
        if [ "$tries" -gt "${patience-0}" ]; then
            diff /tmp/before /tmp/after || fail "the host is not as it was before the lesson $1"
        fi
        sleep 0.5
    done
    moved=$(($(start_of_time) - started))
    # Each of the two clocks was read in whole seconds.
    [ "${moved#-}" -le 2 ] || fail "the lesson $1 has set the clock by $moved seconds"
}

# The lesson was verified, and left out these experiments and no others: "proc ipc", or none.
expect_verified_without() {
    ending=$(document_says ending)
    [ "$code $ending" = '0 verified' ] || fail "exit code $code, ending $ending; expected 0, verified"
    missing=$(left_out | cut -d ' ' -f 1 | paste -s -d ' ')
    [ "$missing" = "$1" ] || fail "left out: $(left_out | paste -s -d ';'); expected: '$1'"
    result=verified
    # Of the reasons, the first may stand for all.
    [ -z "$1" ] || result="verified without $1, because $(left_out | sed -n '1s/^[^ ]* //p')"
}

# The reason for leaving out an experiment has to name what refuses.
expect_reason() {
    reason=$(left_out | sed -n "s/^$1 //p")
    case $reason in
    *"$2"*) ;;
    *) fail "the reason for leaving out $1 does not name '$2': $reason" ;;
    esac
}

# The refusal has to name what refuses: a learner has nothing else to go by.
expect_cannot_run_because_of() {
    ending=$(document_says ending)
    [ "$code $ending" = '3 cannot_run_here' ] \
        || fail "exit code $code, ending $ending; expected 3, cannot_run_here"
    why=$(document_says why)
    case $why in
    *"$1"*) ;;
    *) fail "the reason does not name $1: $why" ;;
    esac
    result="cannot run here, because $why"
}
