#!/bin/sh
# What a build needs of the machine: Rust, and a C and C++ compiler and make for librdkafka and the TLS library.
#
# Installs what is missing where it can (as root, with apt-get), else says what is missing and what mends it. Runs before
# cargo does, which is why it is no Rust; what the stack needs to run (Java, Maven) `local setup` sees to.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }

if ! has cargo; then
    if [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        echo "error: cargo is installed but not on the search path: run \`. \"${CARGO_HOME:-$HOME/.cargo}/env\"\`" >&2
    else
        echo "error: Rust is missing: install it as https://rustup.rs says" >&2
    fi
    exit 1
fi

packages=""
has cc || packages="$packages gcc"
has c++ || packages="$packages g++"
has make || packages="$packages make"
has git || packages="$packages git"
if [ -e /etc/debian_version ]; then
    # Without them no client that speaks TLS starts.
    [ -n "${SSL_CERT_FILE:-}" ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || packages="$packages ca-certificates"
fi
[ -n "$packages" ] || exit 0

if ! has apt-get; then
    echo "error: missing:$packages; install them with the package manager of this system" >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "error: missing:$packages; \`sudo apt-get install$packages\` installs them" >&2
    exit 1
fi
echo "installing$packages with apt-get"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -qq --yes --no-install-recommends $packages >/dev/null
