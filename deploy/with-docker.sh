#!/bin/sh
# Runs a command with a Docker engine, a client that builds with BuildKit, and Compose v2: deploy/with-docker.sh COMMAND…
#
# What is there is used as it is. What is missing is installed where it can be (as root, from Debian's packages; Compose is
# built from its Go module into target/docker), else named. An engine that was started here is ended with the command.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
tools=$root/target/docker
COMPOSE_VERSION=v2.40.3
export DOCKER_BUILDKIT=1

say() { echo "$*" >&2; }
fail() { say "error: $*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
answers() { docker version >/dev/null 2>&1; }

install_engine() {
    if [ "$(id -u)" -ne 0 ] || ! has apt-get; then
        fail "no Docker engine answers, and none can be installed from here: install and start one (Debian has it in docker.io)"
    fi
    say "installing docker.io with apt-get"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends docker.io >/dev/null
}

# A newer client leaves BuildKit to its plugin buildx; Debian's speaks it by itself.
choose_client() {
    ! docker buildx version >/dev/null 2>&1 || return 0
    case $(/usr/bin/docker --version 2>/dev/null) in
        "Docker version 20."*)
            mkdir -p "$tools/bin"
            ln -sf /usr/bin/docker "$tools/bin/docker"
            PATH=$tools/bin:$PATH
            export PATH
            ;;
        *) fail "the Docker client here has no buildx, which it needs to build images: install it (docker-buildx-plugin)" ;;
    esac
}

provide_compose() {
    ! docker compose version >/dev/null 2>&1 || return 0
    plugin=$tools/config/cli-plugins/docker-compose
    if [ ! -x "$plugin" ] || ! "$plugin" version 2>/dev/null | grep -q "$COMPOSE_VERSION"; then
        has go || fail "Docker Compose v2 is missing: install it (docker-compose-plugin), or Go, with which it is built here"
        say "building Docker Compose $COMPOSE_VERSION from its Go module (four minutes of one core, once)"
        "$root/deploy/go-program.sh" github.com/docker/compose/v2 "$COMPOSE_VERSION" ./cmd "$plugin" \
            "github.com/docker/compose/v2/internal.Version=$COMPOSE_VERSION"
    fi
    # Beside what the user has configured, such as access to a registry.
    [ ! -e "$HOME/.docker/config.json" ] || cp "$HOME/.docker/config.json" "$tools/config/config.json"
    DOCKER_CONFIG=$tools/config
    export DOCKER_CONFIG
}

# In a session of its own, so that Ctrl-C does not end it before what runs on it is taken down.
start_engine() {
    say "starting a Docker engine"
    mkdir -p "$tools"
    setsid dockerd --pidfile "$tools/dockerd.pid" >"$tools/dockerd.log" 2>&1 &
    engine=$!
    tries=0
    until answers; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ] || ! kill -0 "$engine" 2>/dev/null; then
            tail -20 "$tools/dockerd.log" >&2
            fail "the Docker engine does not start"
        fi
        sleep 0.1
    done
}

engine=""
end_engine() {
    [ -n "$engine" ] || return 0
    say "ending the Docker engine"
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
    engine=""
}

has docker || install_engine
trap end_engine EXIT
if ! answers; then
    has dockerd || install_engine
    answers || start_engine
fi
choose_client
provide_compose

# In the background, so that signals reach this shell while it waits; they are passed on.
"$@" <&0 &
command=$!
trap 'kill -TERM "$command" 2>/dev/null || true' INT TERM HUP
code=0
wait "$command" || code=$?
# A wait that a signal interrupted has not seen the end.
while kill -0 "$command" 2>/dev/null; do
    code=0
    wait "$command" || code=$?
done
exit "$code"
