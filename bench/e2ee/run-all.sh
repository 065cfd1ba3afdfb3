#!/usr/bin/env bash
# End-to-end encryption on several servers, one at a time, on the same terms; prints one table.
#   run-all.sh [--servers synapse,myelin-postgres,myelin] [--ports 8118,8128] [--ready 1000] [-- OPTIONS OF load.ts]
# --ready puts so many accounts into Myelin's database before its start, which saves the hashing of their passwords.
# Takes about ten minutes. A server's report stays in $BENCH_DIR/run, so that one can be run again alone.
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$here/../peers/common.sh"
export BENCH_DIR=$bench_dir
node=$(find_node "$root")

servers=synapse,myelin-postgres,myelin
ports=8118,8128
ready=0
while [ $# -gt 0 ]; do
  case $1 in
    --servers) servers=$2 && shift ;;
    --ports) ports=$2 && shift ;;
    --ready) ready=$2 && shift ;;
    --) shift && break ;;
    *) echo "usage: see the first lines of $0" >&2 && exit 1 ;;
  esac
  shift
done

mkdir -p "$BENCH_DIR/run"
reports=()
script=
trap '[ -z "$script" ] || "$script" --stop' EXIT
trap 'exit 130' INT TERM

# Starts the server $1 by its script $2 with the engine $3 on the port $4 and $5 accounts, loads it and stops it.
peer() {
  local name=$1 URL PID SHARED_SECRET LABEL DB_PID DATA_DIR FSYNC_DIR SIZE_COMMAND DURABILITY NOTE ACCOUNTS printed
  script=$here/../peers/$2.sh
  echo "== $name" >&2
  printed=$("$script" "$3" --port "$4" --accounts "$5")
  eval "$printed"
  "$node" "$here/load.ts" --url "$URL" --pid "$PID" --shared-secret "$SHARED_SECRET" --label "$LABEL" \
    --durability "$DURABILITY" --note "$NOTE" --db-pid "$DB_PID" --data-dir "$DATA_DIR" --size-command "$SIZE_COMMAND" \
    --json "$BENCH_DIR/run/e2ee-$name.json" ${ACCOUNTS:+--accounts "$ACCOUNTS"} "${@:6}" >/dev/null
  "$script" --stop
  script=
  reports+=("$BENCH_DIR/run/e2ee-$name.json")
}

case ,$servers, in *,synapse,*) peer synapse synapse --postgres "${ports%,*}" 0 "$@" ;; esac
case ,$servers, in *,myelin-postgres,*) peer myelin-postgres myelin --postgres "${ports#*,}" "$ready" "$@" ;; esac
case ,$servers, in *,myelin,*) peer myelin myelin --sqlite "${ports#*,}" "$ready" "$@" ;; esac
"$node" "$here/compare.ts" "${reports[@]}"
