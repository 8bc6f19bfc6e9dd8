#!/bin/bash
# A database cluster, if the volume is empty: made, and filled by /docker-entrypoint-initdb.d while it listens on its socket
# only; then the server.
set -eu
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    : "${POSTGRES_PASSWORD:?is missing}"
    chmod 700 "$PGDATA"
    initdb --username=postgres --pwfile=<(echo "$POSTGRES_PASSWORD") --auth-local=trust --auth-host=scram-sha-256 \
        --encoding=UTF8 --no-locale --set=unix_socket_directories=/var/run/postgresql --set=listen_addresses='*' \
        --set=dynamic_shared_memory_type=mmap
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait start
    for file in /docker-entrypoint-initdb.d/*.sql; do
        psql --username=postgres --no-psqlrc --set=ON_ERROR_STOP=1 --file="$file"
    done
    pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
fi
exec "$@"
