#!/bin/sh
# Builds the stand-ins for upstream images (README.md beside this file): deploy/offline/build.sh [observability]
#
# With `observability` those of that profile too. What was built before, and has not changed, is not built again. Needs a
# Docker engine (deploy/with-docker.sh), and root for the base image.
set -eu
profile=${1:-}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
context=$root/target/offline
mkdir -p "$context"
# As in deploy/local/src/setup/observers.rs.
JAEGER_VERSION=v1.76.0
export DOCKER_BUILDKIT=1 DEBIAN_FRONTEND=noninteractive

say() { echo "$*" >&2; }

# The file's own name for what it fetches, so that a change of versions fetches anew.
fetched() {
    wanted=$(cksum < "$root/deploy/local/pom.xml" | tr -d ' ')
    [ "$(cat "$context/fetched.of" 2>/dev/null)" != "$wanted" ] || return 0
    say "fetching Kafka, the schema registry, PostgreSQL and the mailbox with Maven"
    rm -rf "$context/fetched" "$context/fetched.of"
    mkdir -p "$context/fetched"
    case $(uname -m) in aarch64) platform=linux-arm64v8 ;; *) platform=linux-amd64 ;; esac
    mvn --batch-mode --no-transfer-progress --quiet --strict-checksums --file "$root/deploy/local/pom.xml" \
        generate-resources "-Dout=$context/fetched" "-Dpostgres.platform=$platform" >&2
    tar -xJf "$context"/fetched/postgres/*.txz -C "$context/fetched/postgres"
    rm "$context"/fetched/postgres/*.txz
    # It came with the permissions of whoever fetched it, and is used by others.
    chmod -R a+rX "$context/fetched"
    echo "$wanted" > "$context/fetched.of"
}

base() {
    ! docker image inspect millrace-offline/debian:12 >/dev/null 2>&1 || return 0
    say "making a Debian base image with debootstrap"
    rm -rf "$context/debian"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$context/debian" >"$context/debootstrap.log" 2>&1 \
        || { tail -20 "$context/debootstrap.log" >&2; exit 1; }
    rm -rf "$context/debian/var/cache/apt/archives" && mkdir -p "$context/debian/var/cache/apt/archives/partial"
    tar -C "$context/debian" -c . | docker import - millrace-offline/debian:12 >/dev/null
    rm -rf "$context/debian"
}

# The toolchain and the certificates of this machine.
toolchain() {
    sysroot=$(cd "$root" && rustc --print sysroot)
    version=$(cd "$root" && rustc --version)
    if [ "$(cat "$context/toolchain.of" 2>/dev/null)" != "$version" ]; then
        rm -rf "$context/toolchain"
        mkdir -p "$context/toolchain/bin"
        cp -a "$sysroot/lib" "$context/toolchain/"
        cp -a "$sysroot/bin/cargo" "$sysroot/bin/rustc" "$context/toolchain/bin/"
        echo "$version" > "$context/toolchain.of"
    fi
    cp "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" "$context/certificates.crt"
}

# Jaeger is a collector with a store, and takes the settings of both.
jaeger() {
    built=$context/jaeger-$JAEGER_VERSION
    if [ ! -x "$built" ]; then
        say "building Jaeger $JAEGER_VERSION from its Go module (some minutes, once)"
        "$root/deploy/go-program.sh" github.com/jaegertracing/jaeger "$JAEGER_VERSION" ./cmd/jaeger "$built"
    fi
    cp "$built" "$context/jaeger"
}

missing=""
command -v mvn >/dev/null 2>&1 || missing="$missing maven"
command -v xz >/dev/null 2>&1 || missing="$missing xz-utils"
command -v debootstrap >/dev/null 2>&1 || missing="$missing debootstrap"
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "error: missing:$missing; install them with the package manager of this system"
        exit 1
    fi
    say "installing$missing with apt-get"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    apt-get install -qq --yes --no-install-recommends $missing >/dev/null
fi

fetched
base
toolchain
[ "$profile" != observability ] || jaeger
cp "$here"/*.sh "$here/log4j2.properties" "$context/"
# One after the other: each says how far it is, and they share their first layers.
for line in $(grep '_IMAGE=' "$here/images.env"); do
    name=${line#*=}
    target=${name#millrace-offline/}
    target=${target%%:*}
    case $target in collector | jaeger | prometheus) [ "$profile" = observability ] || continue ;; esac
    say "building $name"
    docker build --quiet --file "$here/Dockerfile" --target "$target" --tag "$name" "$context" >/dev/null
done
