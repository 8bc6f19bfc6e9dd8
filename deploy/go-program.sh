#!/bin/sh
# Builds a program from its Go module: deploy/go-program.sh MODULE VERSION PACKAGE PROGRAM [SETTING=VALUE]
#
# Not `go install`, which refuses a module that excludes or replaces others: what a module says of its own dependencies counts
# only inside of it.
set -eu
module=$1 version=$2 package=$3 program=$4 setting=${5:-}
copy=$program.source
trap 'rm -rf "$copy"' EXIT

source=$(cd / && go mod download -json "$module@$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
[ -d "$source" ] || { echo "error: the Go module $module $version cannot be fetched" >&2; exit 1; }
mkdir -p "$(dirname "$program")"
rm -rf "$copy" && cp -r "$source" "$copy" && chmod -R u+w "$copy"
cd "$copy"
CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w ${setting:+-X $setting}" -o "$program" "$package"
