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

# The same as `perform`, in a container, which was started with the options that follow the name of
# the lesson. What was found there about its host counts before anything else.
perform_in_container() {
    lesson=$1
    shift
    code=0
    docker run --rm --network none --volume /job:/job:ro "$@" debian \
        sh -eu /job/in-container "$lesson" > /tmp/document || code=$?
    found=$(sed -n 's/^result: //p' /tmp/document)
    [ -z "$found" ] || fail "docker run $*: $found"
}
