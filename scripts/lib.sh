# shellcheck shell=bash
# Shared by smoke.sh, test.sh and .ci/run: a virtual environment that matches its lock, made once.
# Every function expects the project's root as current directory.

say() { printf 'streampay-smoke: %s\n' "$*" >&2; }

die() { # code 2 is the interface's CONFIG: nothing was judged
  say "$*"
  exit 2
}

# Prints the first interpreter that really runs and is new enough. Running it is the test: version managers leave
# shims on the PATH that exist and fail.
find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}

# What the packages in a virtual environment were made from. Compared whole, so that no hash tool is needed; the
# root is in it because a virtual environment that was moved or copied does not work.
packages_stamp() { printf '%s\n' "$PWD" && cat "$2" "$1/pyvenv.cfg"; }

project_stamp() { cat pyproject.toml; }

packages_ready() { [ -x "$1/bin/python" ] && packages_stamp "$1" "$2" 2>/dev/null | cmp -s - "$1/.packages-stamp"; }

project_ready() { [ -x "$1/bin/streampay-smoke" ] && project_stamp | cmp -s - "$1/.project-stamp"; }

venv_ready() { packages_ready "$@" && project_ready "$1"; }

# told_while WHAT COMMAND...: the command, and before every 5 s are over a line that says that it goes on. The lines
# end with this script, however it ends; what they are made with holds no lock and no output open.
told_while() {
  local what=$1 began=$SECONDS telling status=0
  shift
  say "$what"
  (while sleep 4.5 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do say "... $((SECONDS - began)) s: $what"; done) 9>&- &
  telling=$!
  "$@" || status=$?
  kill "$telling" 2>/dev/null || true
  wait "$telling" 2>/dev/null || true
  return "$status"
}

# venv_pip VENV ARGUMENT...: pip without its chatter; its errors stay.
venv_pip() {
  local venv=$1
  shift
  told_while "pip installs into $venv" "$venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@"
}

install_packages() { # VENV LOCK PYTHON
  local venv=$1 lock=$2 python=$3 version
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
    die "$python ($version) cannot make virtual environments: its venv or ensurepip module is missing." \
      "On Debian and Ubuntu: apt-get install python$version-venv"
  say "preparing $venv with Python $version from $lock (once, about a minute)"
  told_while "Python makes $venv" "$python" -m venv --clear "$venv" || die "$python could not make $venv; remove the folder and start again"
  venv_pip "$venv" install --require-hashes --only-binary :all: -r "$lock" ||
    die "the packages of $lock could not be installed; pip says why above (network, index or disk), then start again"
  packages_stamp "$venv" "$lock" >"$venv/.packages-stamp.new"
  mv "$venv/.packages-stamp.new" "$venv/.packages-stamp"
}

install_project() { # VENV
  local venv=$1
  venv_pip "$venv" install --no-deps --no-build-isolation -e . ||
    die "the project could not be installed into $venv; pip says why above"
  told_while "Python compiles src" "$venv/bin/python" -m compileall -q src || die "a file below src does not compile; see above"
  project_stamp >"$venv/.project-stamp.new"
  mv "$venv/.project-stamp.new" "$venv/.project-stamp"
}

# ensure_venv VENV LOCK: makes or mends VENV; nothing is started but cmp when it is already right. A stamp is
# written last, so an interrupted start is taken up by the next one.
ensure_venv() {
  local venv=$1 lock=$2 python
  venv_ready "$venv" "$lock" && return 0
  python=$(find_python) ||
    die "Python 3.11 or newer is needed and was not found. Install it (Debian, Ubuntu: apt-get install python3" \
      "python3-venv) or name it: PYTHON=/path/to/python3 $0"
  # The lock is taken by Python on a descriptor this shell keeps: flock(1) is not on every system. The kernel gives
  # it back when the last holder ends, however it ends.
  exec 9>"$venv.lock"
  "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null || {
    say "another start is preparing $venv; waiting for it"
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
  }
  packages_ready "$venv" "$lock" || install_packages "$venv" "$lock" "$python"
  project_ready "$venv" || install_project "$venv"
  exec 9>&-
}

# ensure_tools VENV LOCK: packages without the project, for programs that look at files only. Started once, so that
# compiling them beforehand would take longer than it saves.
ensure_tools() {
  packages_ready "$1" "$2" || PIP_NO_COMPILE=1 install_packages "$1" "$2" "$(find_python)"
}

npm_ci() { npm ci --loglevel=error --no-audit --no-fund --ignore-scripts "$@" >/dev/null; }

npm_ci_silently() { npm_ci "$@" 2>/dev/null; }

# ensure_node_modules FOLDER NPM_OPTION...: `npm ci` once per lock file. Fails when there is no npm or no install, and
# says what npm said, unless NPM_CI is npm_ci_silently.
ensure_node_modules() {
  local folder=$1
  shift
  cmp -s "$folder/package-lock.json" "$folder/node_modules/.lock-stamp" && return 0
  command -v npm >/dev/null 2>&1 || return 1
  (cd "$folder" && told_while "npm installs into $folder (once)" "${NPM_CI:-npm_ci}" "$@") || return 1
  cp "$folder/package-lock.json" "$folder/node_modules/.lock-stamp"
}
