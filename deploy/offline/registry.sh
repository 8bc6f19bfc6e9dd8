#!/bin/sh
set -eu
# shellcheck disable=SC2086 # lists of options
exec java ${GC_CONTAINER_OPTIONS:-} ${JAVA_OPTIONS:-} ${JAVA_OPTS_APPEND:-} -jar /deployments/apicurio-registry-app-*-runner.jar
