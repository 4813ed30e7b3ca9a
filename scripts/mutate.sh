#!/usr/bin/env bash
# Mutation testing of the judge: scripts/mutate.sh [--again]. Writes docs/mutation.md; a quarter of an hour on two cores.
# --again takes up the last run: only mutants that survived it, and those of functions that changed, are tried.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

ensure_venv .venv-mutation requirements/mutation.txt
bin=$PWD/.venv-mutation/bin
[ "${1:-}" = --again ] || rm -rf mutants
"$bin/python" scripts/mutation.py --begin
nice "$bin/mutmut" run
if [ "${1:-}" = --again ]; then "$bin/python" scripts/mutation.py --survivors | xargs nice "$bin/mutmut" run; fi
exec "$bin/python" scripts/mutation.py --write
