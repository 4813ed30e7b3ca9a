#!/usr/bin/env bash
# Mutation testing of the judge: scripts/mutate.sh [--again | --tenths N]. Writes docs/mutation.md; some ten minutes on
# two cores. --again takes up the last run: only mutants that survived it, and those of functions that changed, are
# tried. --tenths N tries N tenths of the mutants of each function, the same ones each time; the page says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

ensure_venv .venv-mutation requirements/mutation.txt
bin=$PWD/.venv-mutation/bin
tried=()
case "${1:-}" in
--again) tried=(--again) ;;
--tenths)
  [[ "${2:-}" =~ ^[1-9]$ ]] || die "--tenths takes a number from 1 to 9"
  last_digits=163850729 # the first mutant of a function is number 1: each function has one in the smallest share
  tried=("*__mutmut_*[${last_digits:0:$2}]")
  ;;
esac
[ "${1:-}" = --again ] || rm -rf mutants
rm -f mutants/mutmut-stats.json # which tests call which function: mutmut adds new tests to it, not new functions
"$bin/python" scripts/mutation.py --begin
nice "$bin/mutmut" run --max-children 1 "*.blocking.x_with_blocked__mutmut_1" # makes all mutants and those statistics
nice "$bin/python" scripts/try_mutants.py "${tried[@]}"
exec "$bin/python" scripts/mutation.py --write
