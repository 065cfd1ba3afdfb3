#!/usr/bin/env bash
# Starts Myelin from this checkout on 127.0.0.1 with an empty database; prints what load.ts needs.
#   myelin.sh [--postgres|--sqlite] [--port N] [--accounts N] [--metrics]   (default: SQLite; port 8128)
#   myelin.sh --stop
# --accounts puts N accounts into the database before the start (accounts.ts) and prints the file with their tokens.
# --metrics serves metrics on the next port, which costs a little CPU, and prints their address.
# MYELIN runs another checkout's bin/myelin, BENCH_DIR moves the data away from /tmp/bench.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
. "$here/postgres.sh"
read_arguments sqlite 8128 "$@"

myelin=${MYELIN:-$here/../../bin/myelin}
dir=$bench_dir/myelin
pg=$dir/pg

database() {
  if [ "$engine" = postgres ]; then
    cat <<YAML
database:
  name: psycopg2
  args: { user: postgres, dbname: myelin, host: '$pg', cp_min: 5, cp_max: 10 }
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
  warnings_only "$dir/homeserver.log" >"$dir/log.yaml"
  # Synapse's format: algorithm, version, unpadded base64 of the seed.
  (umask 077 && echo "ed25519 a_bench $(head -c 32 /dev/urandom | base64 | tr -d =)" >"$dir/signing.key")
  {
    echo "server_name: $server_name"
    echo "signing_key_path: '$dir/signing.key'"
    echo "media_store_path: '$dir/data/media_store'"
    echo 'report_stats: false'
    echo "macaroon_secret_key: $(head -c 24 /dev/urandom | base64)"
    echo "registration_shared_secret: $shared_secret"
    echo "log_config: '$dir/log.yaml'"
    echo 'trusted_key_servers: []'
    listeners
    [ "$metrics" = 0 ] || metrics_listener
    database
    unlimited
  } >"$dir/homeserver.yaml"
}

# One more entry for the listeners section, which comes last before it.
metrics_listener() {
  cat <<YAML
  - port: $((port + 1))
    type: metrics
    bind_addresses: ['127.0.0.1']
enable_metrics: true
YAML
}

# Accounts that are there from the beginning; their tokens in $dir/accounts.json.
make_accounts() {
  local place=(--sqlite "$dir/data/homeserver.db")
  [ "$engine" = sqlite ] || place=(--postgres "postgres://postgres@localhost/myelin?host=$pg")
  "$(find_node "$here/../..")" "$here/accounts.ts" --server-name "$server_name" --count "$accounts" --out "$dir/accounts.json" \
    "${place[@]}" >&2
}

stop() {
  stop_by_file "$dir/pid"
  pg_stop "$pg"
}

start() {
  mkdir -p "$dir"
  stop
  port_is_free "$port"
  rm -rf "$pg" "$dir/data" "$dir"/*.yaml "$dir"/*.log "$dir/signing.key"
  mkdir -p "$dir/data"
  [ "$engine" = sqlite ] || pg_start "$pg" myelin
  configure
  [ "$accounts" = 0 ] || make_accounts
  setsid "$myelin" serve --config-path "$dir/homeserver.yaml" >"$dir/out.log" 2>&1 &
  echo $! >"$dir/pid"
  wait_ready "http://127.0.0.1:$port" "$(cat "$dir/pid")" "$dir/out.log"
  [ "$accounts" = 0 ] || print_peer ACCOUNTS "$dir/accounts.json"
  [ "$metrics" = 0 ] || print_peer METRICS "http://127.0.0.1:$((port + 1))/_synapse/metrics"
  local commit
  commit=$(git -C "$here" rev-parse --short HEAD)
  print_peer URL "http://127.0.0.1:$port" PID "$(cat "$dir/pid")" SHARED_SECRET "$shared_secret"
  if [ "$engine" = postgres ]; then
    print_peer LABEL 'Myelin, PostgreSQL' DB_PID "$(pg_pid "$pg")" DATA_DIR '' FSYNC_DIR "$dir" \
      SIZE_COMMAND "$(pg_size_command "$pg" myelin)" \
      DURABILITY "power loss (PostgreSQL $(pg_version) with its defaults: fsync and synchronous_commit on)" \
      NOTE "Myelin at $commit"
  else
    print_peer LABEL Myelin DB_PID '' DATA_DIR "$dir/data" FSYNC_DIR "$dir" SIZE_COMMAND '' \
      DURABILITY 'power loss (SQLite, WAL, synchronous=FULL, group commit)' NOTE "Myelin at $commit"
  fi
}

"$action"
