#!/usr/bin/env bash
# One run over all servers, one at a time: the hollow server (the generator's own bound), Synapse, then Myelin.
# Writes bench/results/<date>-<machine>.md; README.md says what the figures mean.
#   run-all.sh [--quick] [--servers hollow,synapse,myelin] [--synapse --postgres|--sqlite] [--myelin ...] [-- LOAD OPTIONS]
# Takes about 25 minutes with all; --quick about 5, good only to see that everything works.
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
. "$here/peers/common.sh"
export BENCH_DIR=$bench_dir
node=$(find_node "$root")

servers=hollow,synapse,myelin
synapse_engine=--postgres
myelin_engine=--sqlite
scenarios=one,many-10,single-10,many-200,single-200,delivery-1,delivery-20,disk
# One room version for all, since the defaults differ.
options=(--room-members 10 --room-version 12)
name=$(hostname | tr -c 'A-Za-z0-9\n' '-')
while [ $# -gt 0 ]; do
  case $1 in
    --quick)
      scenarios=one,many-10,single-10,delivery-1,disk
      options+=(--seconds 5 --warm-up 1 --disk-seconds 5 --settle 3)
      ;;
    --servers) servers=$2 && shift ;;
    --synapse) synapse_engine=$2 && shift ;;
    --myelin) myelin_engine=$2 && shift ;;
    --name) name=$2 && shift ;;
    --) shift && options+=("$@") && break ;;
    *) echo "usage: see the first lines of $0" >&2 && exit 1 ;;
  esac
  shift
done

mkdir -p "$BENCH_DIR/run" "$here/results"
rm -f "$BENCH_DIR"/run/*.json
reports=()
hollow_pid=
cleanup() {
  [ -z "$hollow_pid" ] || kill "$hollow_pid" 2>/dev/null || true
  "$here/peers/synapse.sh" --stop || true
  "$here/peers/myelin.sh" --stop || true
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Runs the generator; failed requests (status 2) are shown in the table and do not end the run.
load() {
  local status=0
  "$node" "$here/load.ts" --json "$BENCH_DIR/run/$1.json" "${options[@]}" "${@:2}" >"$BENCH_DIR/run/$1.md" || status=$?
  [ $status = 0 ] || [ $status = 2 ] || exit $status
}

# Starts the peer $1 with the engine $2, loads it and stops it.
peer() {
  local URL PID SHARED_SECRET LABEL DB_PID DATA_DIR FSYNC_DIR SIZE_COMMAND DURABILITY NOTE printed
  echo "== $1 $2" >&2
  printed=$("$here/peers/$1.sh" "$2")
  eval "$printed"
  load "$1" --url "$URL" --pid "$PID" --shared-secret "$SHARED_SECRET" --label "$LABEL" --durability "$DURABILITY" \
    --note "$NOTE" --note 'rate limits off, log level WARNING' --fsync-dir "$FSYNC_DIR" --scenarios "$scenarios" \
    ${DB_PID:+--db-pid "$DB_PID"} ${DATA_DIR:+--data-dir "$DATA_DIR"} ${SIZE_COMMAND:+--size-command "$SIZE_COMMAND"}
  "$here/peers/$1.sh" --stop
  reports+=("$BENCH_DIR/run/$1.json")
}

hollow() {
  local port=8138
  echo '== hollow' >&2
  "$node" "$here/hollow.ts" "$port" >&2 &
  hollow_pid=$!
  until curl -fsS -o /dev/null "http://127.0.0.1:$port/_matrix/client/versions" 2>/dev/null; do sleep 0.1; done
  load hollow --url "http://127.0.0.1:$port" --pid "$hollow_pid" --dummy --label hollow --durability none \
    --note "no homeserver: shows what the generator itself can do" --scenarios "${scenarios%,disk}" --fsync-dir "$BENCH_DIR"
  kill "$hollow_pid"
  hollow_pid=
  reports+=(--apart "$BENCH_DIR/run/hollow.json")
}

case ,$servers, in *,hollow,*) hollow ;; esac
case ,$servers, in *,synapse,*) peer synapse "$synapse_engine" ;; esac
case ,$servers, in *,myelin,*) peer myelin "$myelin_engine" ;; esac

result=$here/results/$(date -u +%Y-%m-%d)-$name.md
{
  echo "# Homeservers under load, $(date -u +%Y-%m-%d)"
  echo
  echo "One server at a time on the machine below, the generator on the same cores. Ratios are to the last column of"
  echo "servers. [../README.md](../README.md) says what each figure means."
  echo
  "$node" "$here/compare.ts" "${reports[@]}"
} >"$result"
echo "$result"
