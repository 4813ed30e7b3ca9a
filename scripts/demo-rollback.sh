#!/usr/bin/env bash
# Shows a deploy on a fleet of the sandbox: record, deploy, gate, promote; then a broken one: gate, verified rollback.
# Takes half a minute and changes nothing outside artifacts/demo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

ensure_venv .venv requirements/runtime.txt
bin=$PWD/.venv/bin
mkdir -p artifacts/demo
demo=$(mktemp -d "$PWD/artifacts/demo/XXXXXX")
fleet=

stop() {
  [ -z "$fleet" ] || kill "$fleet" 2>/dev/null || true
  [ -z "$fleet" ] || wait "$fleet" 2>/dev/null || true
}
trap stop EXIT

title() { printf '\n== %s\n' "$*"; }
engine() { "$bin/python" -m streampay_sandbox.engine_client "$@"; }
rollback() { "$bin/streampay-smoke" rollback "$@"; }

# Shows the end of a run: the verdict, the decision, and what came of it.
gate() {
  local code=0
  "$bin/streampay-smoke" run --no-report "$@" >"$demo/gate.log" 2>&1 || code=$?
  sed -n -E '/^(PASS|FAIL|INCONCLUSIVE|CONFIG|SAFETY)  /,$p' "$demo/gate.log"
  printf 'exit code %s\n' "$code"
  return 0
}

"$bin/python" -m streampay_sandbox.fleet --ready-file "$demo/fleet.json" --stable v1 &
fleet=$!
while [ ! -s "$demo/fleet.json" ]; do
  kill -0 "$fleet" 2>/dev/null || die "the fleet did not start"
  sleep 0.1
done
# The file holds the variables of a run against the fleet, its secrets among them.
eval "$("$bin/python" -c '
import json, shlex, sys
for name, value in json.load(open(sys.argv[1]))["env"].items():
    print(f"export {name}={shlex.quote(value)}")
' "$demo/fleet.json")"
export SMOKE_ARTIFACTS=$demo

title "v1 is live. Before the deploy of v2 it is recorded as the release to put back"
rollback --record --deploy demo-1

title "v2 is started at no traffic, and the gate judges it where only the gate sees it"
engine POST '/start?release=v2' >/dev/null
gate --base-url "$(engine preview v2)" --expect-release v2 --deploy demo-1

title "PASS: all traffic goes to v2. Before the deploy of v3, v2 is recorded"
engine POST '/promote?release=v2' >/dev/null
rollback --record --deploy demo-2

title "v3 is broken: it calls itself ready, and its lists answer 500. It goes live, and the gate may roll back"
engine POST '/start?release=v3&fault=half-broken' >/dev/null
engine POST '/promote?release=v3' >/dev/null
gate --expect-release v3 --deploy demo-2 --on-fail rollback

title "Asked again, nothing is done twice"
rollback --deploy demo-2

title "What the log says, and the engine"
rollback --status --deploy demo-2
engine GET /state
[ "$(engine live)" = v2 ] || die "the rollback did not put v2 back"
