#!/usr/bin/env bash
# The tests, from a fresh clone: scripts/test.sh [pytest arguments]
# Without arguments: everything, with branch coverage of src/ (95 % or more, subprocesses included).
# With arguments: only what they select, without coverage.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

ensure_venv .venv-test requirements/dev.txt
python=$PWD/.venv-test/bin/python

# What needs Node: the JavaScript SDK, the XDR codec and official schemas (tests/interop), and Allure (report).
if ! command -v npm >/dev/null 2>&1; then
  say "JavaScript interop is LEFT OUT, and so are Allure and some official schemas: Node and npm are not installed"
else
  for folder in tests/interop report; do
    ensure_node_modules "$folder" || {
      say "the Node packages of $folder cannot be installed: npm ci failed there, see above"
      exit 1
    }
  done
fi

[ -x engine/target/release/streampay-host ] ||
  say "the real Soroban host is LEFT OUT: it is not built (scripts/host.sh, needs Rust)"

if [ "$#" -gt 0 ]; then exec "$python" -m pytest "$@"; fi

output=$(mktemp)
trap 'rm -f "$output"' EXIT
"$python" -m coverage erase
status=0
# More workers than cores: most tests wait for processes and sockets. tee ignores interrupts so that pytest's own
# closing words still arrive after Ctrl-C.
"$python" -m coverage run -m pytest --numprocesses=6 --dist=worksteal 2>&1 | tee -i "$output" || status=$?
"$python" -m coverage combine --quiet
rm -f .coverage.* # what processes left that were killed while they wrote it: nobody can read that
"$python" -m coverage report || {
  say "branch coverage of src/ is too low, see the table above"
  [ "$status" -ne 0 ] || status=1
}
tail -n 1 "$output" # the runner's own closing line ends the output
exit "$status"
