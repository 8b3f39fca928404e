# shellcheck shell=sh
# What the cells share in which the host of a lesson is a container. They run on one kernel only:
# what they test is what Docker does, and it does the same on all of them.
# shellcheck source=tests/vm/common.sh
. /job/common.sh

# No network: it would take modules and rules, and no lesson asks for more than there is.
start_docker() {
    dockerd --storage-driver=overlay2 --bridge=none --iptables=false --ip-forward=false \
        --ip-masq=false > /run/dockerd.log 2>&1 &
    # For whoever stops it again.
    # shellcheck disable=SC2034
    dockerd=$!
    tries=0
    until [ -S /var/run/docker.sock ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "Docker does not start: $(tail -n 5 /run/dockerd.log)"
        sleep 0.2
    done
}

# The same as `perform_every_lesson`, in a container that is started with these options, by whoever
# it is started for. The cell runs again in it, with the same expectations, and comes no further
# than here.
perform_every_lesson_in_a_container() {
    # `env` makes nobody of anybody else.
    if is_a_container; then
        perform_every_lesson "${as_in_the_container-env}"
        return
    fi
    start_docker
    code=0
    docker run --rm --network none --volume /job:/job:ro --env layout "$@" debian \
        sh -eu /job/cell || code=$?
    # Docker has codes of its own, and says nothing of the lessons.
    [ "$code" -le 1 ] || fail "docker run $*: exit code $code"
    [ "$code" = 0 ]
}

is_a_container() { [ -e /.dockerenv ]; }

# Docker's filter refuses before anything else does. Its advice is not to be mixed with sudo: root
# of the container is refused as well.
expect_dockers_refusal() {
    expect_cannot_run_because_of seccomp
    remedy=$(document_says remedy)
    [ "$remedy" = 'start it with more rights: docker run -it --rm --privileged …' ] \
        || fail "the remedy is not one: $remedy"
}

# Without --privileged, whatever of the control groups can be seen is mounted read-only.
expect_read_only_groups() { expect_cannot_run_because_of read-only; }
