#!/usr/bin/env bash
# The smoke, from a fresh clone: scripts/smoke.sh [options of `streampay-smoke run`]
# Needs Python >= 3.11. Makes .venv on the first start; after that it only starts the run.
set -euo pipefail
# Exit code 1 says that the release failed: whatever goes wrong before the run has started is CONFIG, 2.
before_the_run() { if [ "$1" -gt 0 ] && [ "$1" -lt 128 ]; then exit 2; else exit "$1"; fi; }
trap 'before_the_run $?' EXIT
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

wants_report() {
  case "${SMOKE_REPORT:-1}" in 0 | false | no | off) return 1 ;; esac
  local argument
  for argument in "$@"; do [ "$argument" != --no-report ] || return 1; done
}

# The Allure reporter is a comfort: without Node, or where npm cannot install it, the run writes its plain HTML
# report. A failure is remembered so that a machine without a registry does not wait for npm at every start.
ensure_reporter() {
  local failed=report/.npm-failed
  [ -f report/package-lock.json ] && command -v npm >/dev/null 2>&1 || return 0
  cmp -s report/package-lock.json "$failed" && return 0
  NPM_CI=npm_ci_silently ensure_node_modules report --fetch-retries=1 --fetch-timeout=30000 && return 0
  cp report/package-lock.json "$failed"
  say "the Allure reporter could not be installed, the plain report is used; remove $failed to try again"
}

ensure_venv .venv requirements/runtime.txt
if wants_report "$@"; then ensure_reporter; fi
shopt -s execfail # the trap answers for a command that cannot be started
exec .venv/bin/streampay-smoke run "$@"
