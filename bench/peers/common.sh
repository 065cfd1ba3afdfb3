# Parts that the start scripts share; sourced by them. Everything is thrown away at the next start.
set -euo pipefail

bench_dir=${BENCH_DIR:-/tmp/bench}
shared_secret=bench-registration-shared-secret
server_name=bench.localhost

die() {
  echo "$0: $*" >&2
  exit 1
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# Prints the pinned Node of the checkout $1.
find_node() {
  local node
  node=$(ls -d "$1"/node_modules/node-*/bin/node 2>/dev/null | head -n 1) || true
  [ -x "$node" ] || die 'install the packages first: npm ci'
  echo "$node"
}

# Installs Debian packages when root; otherwise says what is missing.
need_packages() {
  [ "$(id -u)" = 0 ] || die "please install: $*"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >&2
}

# start|--stop [--postgres|--sqlite] [--port N] [--accounts N] [--metrics]
read_arguments() {
  action=start engine=$1 port=$2 accounts=0 metrics=0
  shift 2
  while [ $# -gt 0 ]; do
    case $1 in
      --stop) action=stop ;;
      --postgres) engine=postgres ;;
      --sqlite) engine=sqlite ;;
      --port) port=${2:?--port needs a number} && shift ;;
      --accounts) accounts=${2:?--accounts needs a number} && shift ;;
      --metrics) metrics=1 ;;
      *) die "usage: $0 [--postgres|--sqlite] [--port N] [--accounts N] [--metrics] | --stop" ;;
    esac
    shift
  done
}

# Rate limits that nothing here reaches, by Synapse's names.
unlimited() {
  local limit='{ per_second: 1000000, burst_count: 1000000 }' key
  for key in rc_message rc_registration rc_registration_token_validity rc_admin_redaction rc_joins_per_room \
    rc_3pid_validation rc_third_party_invite rc_media_create rc_delayed_event_mgmt rc_room_creation rc_reports \
    rc_user_directory; do
    echo "$key: $limit"
  done
  echo "rc_login: { address: $limit, account: $limit, failed_attempts: $limit }"
  echo "rc_joins: { local: $limit, remote: $limit }"
  echo "rc_invites: { per_room: $limit, per_user: $limit, per_issuer: $limit }"
  echo "rc_presence: { per_user: $limit }"
}

# A Python logging configuration that writes warnings to the file $1.
warnings_only() {
  cat <<YAML
version: 1
formatters:
  precise:
    format: '%(asctime)s - %(name)s - %(lineno)d - %(levelname)s - %(request)s - %(message)s'
handlers:
  file:
    class: logging.FileHandler
    formatter: precise
    filename: $1
root:
  level: WARNING
  handlers: [file]
disable_existing_loggers: false
YAML
}

# The listeners section both servers understand.
listeners() {
  cat <<YAML
listeners:
  - port: $port
    tls: false
    type: http
    bind_addresses: ['127.0.0.1']
    resources:
      - names: [client, federation]
        compress: false
YAML
}

# Waits until $1 answers /versions while process $2 lives; shows the end of file $3 otherwise.
wait_ready() {
  local tries=0
  until curl -fsS -o /dev/null --max-time 5 "$1/_matrix/client/versions" 2>/dev/null; do
    tries=$((tries + 1))
    if ! kill -0 "$2" 2>/dev/null || [ $tries -gt 600 ]; then
      tail -n 30 "$3" >&2
      die "the server did not start; see $3"
    fi
    sleep 0.1
  done
}

# Ends the process whose id is in file $1, kindly first, and waits for it.
stop_by_file() {
  [ -s "$1" ] || return 0
  local pid tries=0
  pid=$(cat "$1")
  kill "$pid" 2>/dev/null || true
  while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -le 300 ] || kill -9 "$pid"
    sleep 0.1
  done
  rm -f "$1"
}

port_is_free() {
  ! curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$1/" || die "something already answers on port $1"
}

# Prints what load.ts needs, as shell assignments.
print_peer() {
  printf '%s=%q\n' "$@"
}
