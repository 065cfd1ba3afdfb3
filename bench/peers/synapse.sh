#!/usr/bin/env bash
# Installs the newest Synapse from PyPI and starts it on 127.0.0.1 with an empty database; prints what load.ts needs.
#   synapse.sh [--postgres|--sqlite] [--port N]   (default: PostgreSQL, as its authors recommend; port 8118)
#   synapse.sh --stop
# SYNAPSE_VERSION pins a version, BENCH_DIR moves everything away from /tmp/bench.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
. "$here/postgres.sh"
read_arguments postgres 8118 "$@"

dir=$bench_dir/synapse
pg=$dir/pg
venv=$dir/venv

install_synapse() {
  have pg_config && have cc || need_packages libpq-dev gcc libc6-dev python3-dev
  if [ ! -x "$venv/bin/pip" ]; then
    python3 -m venv "$venv" 2>/dev/null || { need_packages python3-venv && python3 -m venv "$venv"; }
  fi
  "$venv/bin/pip" install -q --upgrade "matrix-synapse[postgres]${SYNAPSE_VERSION:+==$SYNAPSE_VERSION}" >&2
}

database() {
  if [ "$engine" = postgres ]; then
    cat <<YAML
database:
  name: psycopg2
  args: { user: postgres, dbname: synapse, host: '$pg', cp_min: 5, cp_max: 10 }
YAML
  else
    cat <<YAML
database:
  name: sqlite3
  args: { database: '$dir/data/homeserver.db' }
YAML
  fi
}

configure() {
  "$venv/bin/python" -m synapse.app.homeserver --generate-config --server-name "$server_name" --report-stats=no \
    -c "$dir/homeserver.yaml" --data-directory "$dir/data" >"$dir/generate.log" 2>&1 || die "see $dir/generate.log"
  warnings_only "$dir/homeserver.log" >"$dir/log.yaml"
  {
    listeners
    database
    unlimited
    echo "registration_shared_secret: $shared_secret"
    echo "log_config: '$dir/log.yaml'"
    echo 'trusted_key_servers: []'
    # Set-up registers hundreds of accounts; nothing that is measured hashes a password.
    echo 'bcrypt_rounds: 4'
  } >"$dir/bench.yaml"
}

stop() {
  stop_by_file "$dir/pid"
  pg_stop "$pg"
}

start() {
  mkdir -p "$dir"
  stop
  port_is_free "$port"
  install_synapse
  rm -rf "$pg" "$dir/data" "$dir"/*.yaml "$dir"/*.log "$dir"/*.signing.key
  mkdir -p "$dir/data"
  [ "$engine" = sqlite ] || pg_start "$pg" synapse
  configure
  cd "$dir"
  setsid "$venv/bin/python" -m synapse.app.homeserver -c homeserver.yaml -c bench.yaml >"$dir/out.log" 2>&1 &
  echo $! >"$dir/pid"
  wait_ready "http://127.0.0.1:$port" "$(cat "$dir/pid")" "$dir/out.log"
  print_peer URL "http://127.0.0.1:$port" PID "$(cat "$dir/pid")" SHARED_SECRET "$shared_secret"
  local version
  version=$("$venv/bin/pip" show matrix-synapse | awk '/^Version:/ { print $2 }')
  if [ "$engine" = postgres ]; then
    print_peer LABEL "Synapse $version" DB_PID "$(pg_pid "$pg")" DATA_DIR '' FSYNC_DIR "$dir" \
      SIZE_COMMAND "$(pg_size_command "$pg" synapse)" \
      DURABILITY "power loss (PostgreSQL $(pg_version) with its defaults: fsync and synchronous_commit on)" \
      NOTE "Synapse $version from PyPI, $("$venv/bin/python" --version), one process, database pool 5 to 10"
  else
    print_peer LABEL "Synapse $version, SQLite" DB_PID '' DATA_DIR "$dir/data" FSYNC_DIR "$dir" SIZE_COMMAND '' \
      DURABILITY 'power loss (SQLite, WAL, synchronous=FULL by default)' \
      NOTE "Synapse $version from PyPI, $("$venv/bin/python" --version), one process"
  fi
}

"$action"
