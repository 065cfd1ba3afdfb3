# A throw-away PostgreSQL cluster with Debian's defaults (fsync and synchronous_commit on), reached by a socket in a
# folder that only its owner and root may enter. Sourced after common.sh; the folder is $1 everywhere.

pg_bin() {
  local dir
  dir=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$dir" ] && [ -x "$dir/initdb" ] && echo "$dir"
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

pg_install() {
  pg_bin >/dev/null && return
  if [ "$(id -u)" = 0 ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
  need_packages postgresql
}

# Makes and starts a cluster with the empty database $2.
pg_start() {
  pg_install
  local bin
  bin=$(pg_bin)
  mkdir -p "$1"
  chmod 700 "$1"
  [ "$(id -u)" != 0 ] || chown postgres "$1"
  as_postgres "$bin/initdb" -D "$1/data" -U postgres --auth=trust --encoding=UTF8 --locale=C >"$1.initdb.log"
  as_postgres "$bin/pg_ctl" -D "$1/data" -w -s -l "$1/postgres.log" \
    -o "-c listen_addresses='' -c unix_socket_directories='$1'" start >&2
  as_postgres "$bin/psql" -h "$1" -U postgres -qc "CREATE DATABASE $2" >&2
}

pg_stop() {
  [ -s "$1/data/postmaster.pid" ] || return 0
  as_postgres "$(pg_bin)/pg_ctl" -D "$1/data" -w -s -m fast stop >&2
}

pg_pid() {
  head -n 1 "$1/data/postmaster.pid"
}

pg_version() {
  "$(pg_bin)/postgres" --version | awk '{ print $3 }'
}

pg_size_command() {
  echo "'$(pg_bin)/psql' -h '$1' -U postgres -d '$2' -Atqc CHECKPOINT -c 'SELECT pg_database_size(current_database())'"
}
